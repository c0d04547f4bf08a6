"""Run the example with each planted change, and put what it prints into the documents.

    python docs/record_outputs.py [name ...]     # all of them, or some; `make outputs`

Each run is a real one, in three fresh processes, against the baseline that the example has for
this machine (record one with `make example-baseline`); ``noise`` is the doctor's, of unchanged
code in eight, and ``metrics`` what it says of that baseline. ``in_turn`` is of the little
repository in ``docs/old_against_new.md``, which is made from that page, ``own_worse`` of the model
in ``docs/getting_started.md``, whose baseline is recorded first, ``show`` of the example's
baseline, and ``history`` of a repository with ten baselines, made here. What it prints goes to
``docs/outputs/<name>.txt``, and into every block of the documents that stands under a line
``<!-- output: <name> -->``. Outputs of a machine with a GPU are kept there too: `STORED` sessions
are judged again from their files and the report is rendered anew, the others are only put into
place. The table of scores is made from the baseline. What `KEPT` sessions measured goes to
``tests/data/example`` too.
"""

import os
import re
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev

from pytest_pareto.baseline.layout import environment_key
from pytest_pareto.baseline.store import load, write
from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory, Past, Session
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import Better, Kind, Scope
from pytest_pareto.model.policy import Policy
from pytest_pareto.pipeline import judge_record
from pytest_pareto.report.terminal import render_terminal
from pytest_pareto.results.reader import load_record

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # for a script, only its own folder is there

from docs.page import apply_diff, blocks  # noqa: E402 - see above

EXAMPLE = ROOT / "example_project"
OUTPUTS = ROOT / "docs" / "outputs"
SESSIONS = ROOT / "tests" / "data" / "example"
KEPT = ("unchanged", "tradeoff")
"""Sessions that tests judge again, against the baseline that they were measured against."""
STORED = {"h200_planted": ROOT / "tests" / "data" / "h200_session"}
"""Sessions of a machine with a GPU, by the output that their report is part of."""
REPORT = re.compile(r"(?<= failed =).*?\n(.*?)(?==+ short test summary)", flags=re.DOTALL)
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
EXPECTED = {
    "unchanged": 0,
    "slower": 1,
    "worse": 1,
    "tradeoff": 0,
    "better": 0,
    "heavier": 1,
    "noise": 0,
    "metrics": 0,
    "show": 0,
    "history": 0,
    "in_turn": 0,
    "in_turn_slower": 1,
    "own_worse": 1,
}
COMMANDS = {
    "metrics": ["doctor", "--metrics"],
    "show": ["show", "--plot"],
    "history": ["history", "latency"],
    "noise": ["doctor", "--noise", "-k", "bf16 or cached", "--no-header"],
}
PAGE = ROOT / "docs" / "old_against_new.md"
FILE = re.compile(r"```\w+\n# (\S+)\n(.*?)```", flags=re.DOTALL)
SLOWER = re.compile(r"`(for layer in \[.*?:)`")
BLOCK = re.compile(r"(<!-- output: (\w+)(.*?) -->\n```\n).*?(```\n)", flags=re.DOTALL)
PART = re.compile(r"`(.*?)` to `(.*?)`")
"""A part of an output: from the first line that holds one text to the next that holds another."""
TABLE = re.compile(r"(<!-- scores -->\n).*?(<!-- /scores -->\n)", flags=re.DOTALL)


def run(name: str) -> str:
    """Run the example with a planted change and return what it prints."""
    change = name if name in ("slower", "worse", "tradeoff", "better", "heavier") else ""
    env = os.environ | {"EXAMPLE_CHANGE": change, "COLUMNS": "80", "CI": ""}
    command = [sys.executable, "-m", *_arguments(name)]
    with tempfile.TemporaryDirectory() as folder:
        cwd = _place(Path(folder), name)
        done = subprocess.run(
            command, cwd=cwd, env=env, capture_output=True, text=True, check=False
        )
    if done.returncode != EXPECTED[name]:
        sys.exit(f"{name}: exit code {done.returncode}, not {EXPECTED[name]}\n{done.stdout}")
    return done.stdout


def _place(folder: Path, name: str) -> Path:
    if name.startswith("in_turn"):
        return _repository(folder, name)
    if name == "history":
        return _past(folder)
    return _own_project(folder) if name.startswith("own") else EXAMPLE


def _arguments(name: str) -> list[str]:
    if name in COMMANDS:
        return ["pytest_pareto", *COMMANDS[name]]
    session = ["pytest", "--pareto", "--no-header"]
    if name.startswith("in_turn"):
        return [*session, "--pareto-against=HEAD", "--tb=no", "-p", "no:cacheprovider"]
    if name.startswith("own"):
        return [*session, "--tb=no", "-p", "no:cacheprovider"]
    # Failed tests are told twice, once by pytest and once by us: once is enough here.
    shown = "--pareto-plot" if name == "unchanged" else "--tb=no"
    kept = [f"--pareto-json={SESSIONS / name}.json"] if name in KEPT else []
    return [*session, "--pareto-runs=3", shown, *kept]


def _past(folder: Path) -> Path:
    """Make a repository in which a latency creeps, torch is upgraded, and a trade is accepted."""
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    torch = "2.12.1"
    past = Baseline("nvidia-h200x1", {}, {})
    for at, (level_s, subject) in enumerate(
        (
            (0.4120, "Record a baseline"),
            (0.4138, "Another session"),
            (0.4127, "Another session"),
            (0.4171, "Cache the prompts"),
            (0.4163, "Another session"),
            (0.3702, "torch 2.13"),
            (0.3719, "Another session"),
            (0.3760, "A safety checker"),
            (0.4305, "Accept a slower sampler: 2 points of accuracy"),
            (0.4298, "Another session"),
        )
    ):
        torch = "2.13.0" if subject == "torch 2.13" else torch
        here = Environment("AMD EPYC", 16, 16, "NVIDIA H200", 1, software={"torch": torch})
        runs = tuple(level_s * (1 + x / 400) for x in (-1, 0, 1, 0, 0))
        session = Session(environment_key(here), (at > 4) + (at > 7), runs)
        latency = MetricHistory("s", Better.LOWER, Kind.RUN, Scope.HOST, (session,))
        case = CaseHistory("tests/test_sd.py::test_sd[20]", "sd", "s", {"latency": latency})
        now = Baseline(past.hardware_key, {case.case_id: case}, {environment_key(here): here})
        write(folder / "pareto_baselines", past.hardware_key, past, now)
        past = now
        date = f"2026-{at + 1:02d}-15T12:00:00+0000"
        _git(folder, "init", "--quiet")
        _git(folder, "add", "--all", "pareto_baselines")
        _git(folder, "commit", "--quiet", "-m", subject, date=date)
    return folder


def _git(folder: Path, *arguments: str, date: str = "") -> None:
    """Run git as nobody, so that every commit has the same name everywhere."""
    env = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    env |= {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date} if date else {}
    who = ["-c", "user.name=none", "-c", "user.email=none@example.org"]
    subprocess.run(["git", *who, *arguments], cwd=folder, env=env, check=True)


def _repository(folder: Path, name: str) -> Path:
    page = PAGE.read_text(encoding="utf-8")
    files = dict(FILE.findall(page)) | {".gitignore": "__pycache__/\n"}
    for at, text in files.items():
        (folder / at).parent.mkdir(exist_ok=True)
        (folder / at).write_text(text, encoding="utf-8")
    who = ["-c", "user.name=none", "-c", "user.email=none@example.org"]
    for arguments in (["init", "--quiet"], ["add", "--all"], [*who, "commit", "-qm", "A model"]):
        subprocess.run(["git", *arguments], cwd=folder, check=True)
    if name == "in_turn_slower":
        (slower,) = SLOWER.findall(page)
        text = files["mymodel.py"].replace("for layer in LAYERS:", slower)
        (folder / "mymodel.py").write_text(text, encoding="utf-8")
    return folder


def _own_project(folder: Path) -> Path:
    shown = blocks(ROOT / "docs" / "getting_started.md")
    for block in shown:
        if block.file is not None:
            (folder / block.file).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.file).write_text(block.text, encoding="utf-8")
    record = [sys.executable, "-m", "pytest", "--pareto", "--pareto-update"]
    subprocess.run(record, cwd=folder, env=os.environ | {"CI": ""}, check=True)
    apply_diff(next(block for block in shown if block.language == "diff"), folder)
    return folder


def rendered_again(name: str) -> str:
    """Return the output of a stored session, its report as it would be with today's defaults."""
    output, folder = (OUTPUTS / f"{name}.txt").read_text(encoding="utf-8"), STORED[name]
    content, record = load_record(folder / "planted.json")
    record = replace(record, policy=replace(record.policy, spreads=Policy().spreads))
    past = Past(load(folder / "pareto_baselines", content.session.hardware_key))
    judgement = judge_record(record, past).judgement
    lines = render_terminal(judgement, content.session, verbosity=0, plot=False, width=80)
    report = "".join(f"{line.text}\n" for line in lines)
    found = REPORT.search(output)
    assert found is not None, output
    return output[: found.start(1)] + report + output[found.end(1) :]


def scores_table() -> str:
    """Show the recorded scores of every variant, with 95 % intervals over the samples."""
    rows = ["| variant | label_accuracy | similarity |", "|---|---|---|"]
    baseline = load(EXAMPLE / "pareto_baselines", "no-machine")
    for case_id, case in baseline.cases.items():
        cells = [case_id.split("[")[1].removesuffix("]")]
        for metric in ("label_accuracy", "similarity"):
            samples = case.metrics[metric].samples
            assert samples is not None
            half = 1.96 * stdev(samples.values) / len(samples.values) ** 0.5
            cells.append(f"{fmean(samples.values):.3f} ± {half:.3f}")
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def excerpt(output: str, parts: list[tuple[str, str]]) -> str:
    """Return these parts of an output, with an ellipsis between two; all of it without parts."""
    lines = output.splitlines(keepends=True)
    texts = []
    for first, last in parts:
        start = next(number for number, line in enumerate(lines) if first in line)
        stop = next(number for number in range(start, len(lines)) if last in lines[number])
        texts.append("".join(lines[start : stop + 1]))
    return "    …\n".join(texts) if parts else output


def filled(document: str) -> str:
    """Return a document with every block as it was last recorded."""

    def output(block: re.Match[str]) -> str:
        text = (OUTPUTS / f"{block[2]}.txt").read_text(encoding="utf-8")
        return block[1] + excerpt(text, PART.findall(block[3])) + block[4]

    def table(block: re.Match[str]) -> str:
        return block[1] + scores_table() + block[2]

    return TABLE.sub(table, BLOCK.sub(output, document))


def main() -> None:
    """Run what is named, or everything; then fill the documents."""
    OUTPUTS.mkdir(exist_ok=True)
    for name in STORED:
        text = rendered_again(name)
        (OUTPUTS / f"{name}.txt").write_text(text, encoding="utf-8")
    for name in sys.argv[1:] or EXPECTED:
        text = run(name)
        (OUTPUTS / f"{name}.txt").write_text(text, encoding="utf-8")
        print(f"{name}: exit code {EXPECTED[name]}, as it should be", flush=True)
    for document in DOCUMENTS:
        document.write_text(filled(document.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
