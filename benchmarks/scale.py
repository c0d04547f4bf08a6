"""What a session of many cases takes: seconds and megabytes of each step, on one core.

    python benchmarks/scale.py [cases ...] [--scenario NAME ...] [--front N] [--tests]

N cases of three metrics, as a session with a stored baseline holds them: a noisy latency (5 runs of
30 readings), a peak memory to the byte, and a score of 20 samples; ten cases to a front, and a
module for every hundred. The baseline, of 3 sessions, is on disk. Scenarios: *unchanged*; *worse*,
where every case is worse in all three metrics, not by a common ratio, and is measured again in 5
runs; *slower*, where latency alone is, by one ratio; *lacking*, where a third of the cases failed,
were skipped, or have no test any more.

Each scenario runs in two fresh processes. The first does what `pytest --pareto` does once its tests
have ended: it loads the baseline, judges, leaves a candidate, renders the failures of the tests and
the terminal's section, and writes the files of reports. The second runs `pytest-pareto compare`: on
the JSON file, which is so read back, and on a folder: the candidate's, or where nothing changed the
baseline itself. Of that it writes a JSON file as well. "most MB" is the most that a process held
resident, its own runs included.

With --tests, `pytest --pareto -q` itself runs as many tests, which record three numbers and measure
nothing, against a baseline that it recorded before: pytest's own work and the plugin's.
"""

import argparse
import contextlib
import io
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory, Samples, Session
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import LATENCY, PEAK_MEMORY, Better, Kind, Metric, Scope
from pytest_pareto.model.policy import Policy
from pytest_pareto.model.run import CaseRun, Measurement, Run
from pytest_pareto.model.session_record import SessionRecord, SessionReport

RUNS, SESSIONS, READINGS, SAMPLES, MODULE = 5, 3, 30, 20, 100
SCORE = Metric("clip_score", "", Better.HIGHER, Kind.PAIRED, Scope.GPU, 0.005, relative=False)
IDS = tuple(f"prompt {i}" for i in range(SAMPLES))
HERE = Environment("a processor", 2, 2, "a GPU", 1, None, (700.0,), ("3fa9c1",))
KEY = HERE.hardware_key
SCENARIOS = ("unchanged", "worse", "slower", "lacking")
CANDIDATE = ".pareto_candidate"
T = TypeVar("T")


def case_names(cases: int, front: int) -> list[tuple[str, str]]:
    """Return the id and the front of each case."""
    fronts = [
        f"tests/test_model_{i // MODULE}.py::test_generate_{i // front}" for i in range(cases)
    ]
    if front > MODULE:
        fronts = [f"tests/test_model.py::test_generate_{i // front}" for i in range(cases)]
    return [(f"{name}[precision{i % front}-1024]", name) for i, name in enumerate(fronts)]


def baseline_of(cases: int, front: int) -> Baseline:
    """Return the baseline, every number of which depends on the case alone."""
    histories = {}
    for number, (name, of) in enumerate(case_names(cases, front)):
        draw = random.Random(number)
        speed_s = 0.1 * (1 + 0.3 * (number % front))
        latency = tuple(
            Session("here", 0, tuple(speed_s * draw.lognormvariate(0, 0.01) for _ in range(RUNS)))
            for _ in range(SESSIONS)
        )
        scores = _scores(number, 0.0)
        mean = sum(scores) / SAMPLES
        sessions = {
            LATENCY: latency,
            PEAK_MEMORY: (Session("here", 0, (float(_memory_b(number)),)),),
            SCORE: tuple(Session("here", 0, (mean,) * RUNS) for _ in range(SESSIONS)),
        }
        histories[name] = CaseHistory(name, of, "3f2a9c", {
            m.name: MetricHistory(
                m.unit, m.better, m.kind, m.scope, levels,
                Samples(IDS, scores) if m is SCORE else None,
            )
            for m, levels in sessions.items()
        })  # fmt: skip
    return Baseline(KEY, histories, {"here": HERE})


def _memory_b(number: int) -> int:
    return 6_000_000_000 + 1_000 * number


def _scores(number: int, worse: float) -> tuple[float, ...]:
    draw = random.Random(-1 - number)
    scores = (0.3 + 0.02 * draw.gauss(0, 1) - worse * draw.uniform(0.8, 1.2) for _ in IDS)
    return tuple(float(f"{score:.6g}") for score in scores)


def runs_of(scenario: str, cases: int, front: int, seed: int) -> tuple[Run, ...]:
    """Return the runs of a session; in each, the scores of a case are the same."""
    names = case_names(cases, front)
    held = [
        (number, name, of, _scores(number, 0.05 if scenario == "worse" else 0.0))
        for number, (name, of) in enumerate(names)
        if scenario != "lacking" or number % 3
    ]
    return tuple(
        Run(
            HERE,
            {name: _case(scenario, n, name, of, scores, front, 10 * seed + at)
             for n, name, of, scores in held},
            failed=dict.fromkeys(_lacking(scenario, names, 0), "RuntimeError: out of memory"),
            finished=frozenset(name for _, name, _, _ in held),
            skipped=frozenset(_lacking(scenario, names, 1)),
        )
        for at in range(RUNS)
    )  # fmt: skip


def _lacking(scenario: str, names: Sequence[tuple[str, str]], kind: int) -> list[str]:
    """Return the cases that were not measured and failed (0), were skipped (1), are gone (2)."""
    lacking = [name for name, _ in names[::3]] if scenario == "lacking" else []
    return lacking[kind::3]


def _case(
    scenario: str, number: int, name: str, of: str, scores: tuple[float, ...], front: int, run: int
) -> CaseRun:
    draw = random.Random(1_000_003 * (run + 1) + number)
    worse = scenario == "worse"
    slower = random.Random(number).uniform(1.2, 3.0) if worse else 1.0
    slower = 1.3 if scenario == "slower" else slower
    speed_s = 0.1 * (1 + 0.3 * (number % front)) * slower * draw.lognormvariate(0, 0.01)
    readings = tuple(speed_s * draw.lognormvariate(0, 0.02) for _ in range(READINGS))
    memory_b = _memory_b(number) * (1.2 if worse else 1.0)
    return CaseRun(name, name, of, "3f2a9c", (
        Measurement(LATENCY, readings, first=3 * speed_s),
        Measurement(PEAK_MEMORY, (float(int(memory_b)),)),
        Measurement(SCORE, scores, IDS),
    ))  # fmt: skip


class Steps:
    """The seconds of each step of a process, and what it wrote."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.sizes: dict[str, int] = {}

    def time(self, name: str, step: Callable[[], T]) -> T:
        """Return what a step returns, and note how long it took."""
        started_s = time.process_time()
        result = step()
        self.seconds[name] = time.process_time() - started_s
        return result

    def show(self) -> None:
        """Print what was noted as a line of JSON, with the most memory that the process held."""
        most_b = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps({"seconds": self.seconds, "sizes": self.sizes, "most": most_b}))


def run_session(folder: Path, scenario: str, cases: int, front: int) -> None:
    """End a session in this process, and print its steps."""
    from pytest_pareto.baseline.candidate import plan_candidate
    from pytest_pareto.baseline.store import load
    from pytest_pareto.judge.gate import flagged
    from pytest_pareto.model.baseline import Past
    from pytest_pareto.model.session_record import SampleScores
    from pytest_pareto.pipeline import facts_against, judge_record, without_calls
    from pytest_pareto.plugin.conclusion import leave_candidate
    from pytest_pareto.plugin.report_files import write_report_files
    from pytest_pareto.report.terminal import failure_text, render_terminal

    steps = Steps()
    record = SessionRecord(runs_of(scenario, cases, front, 0), Policy(confirming=RUNS))
    past = Past(steps.time("load", lambda: load(folder / "baseline", KEY)))
    judged = steps.time("judge", lambda: judge_record(record, past))
    suspects = flagged(judged.judgement)
    if suspects:
        again = runs_of(scenario, cases, front, 1)
        record = replace(record, flagged=suspects, again=again)
        judged = steps.time("judge again", lambda: judge_record(record, past))
    facts = replace(facts_against(record, past.baseline, "baseline"), duration_s=60.0)
    kept = steps.time("condense", lambda: without_calls(record))
    scores = SampleScores(judged.samples, past.baseline, past.baseline)
    report = SessionReport(judged.judgement, facts, HERE, record=kept, scores=scores)

    def leave() -> SessionReport:
        candidate = plan_candidate(past.baseline, judged, "baseline")
        return leave_candidate(report, folder / CANDIDATE, candidate, folder)

    report = steps.time("candidate", leave)
    failing = [case for case in report.judgement.cases if case.fails]
    steps.time("failures", lambda: [failure_text(case, report.facts) for case in failing])
    for level in (-1, 0, 2):
        lines = steps.time(
            f"terminal {level}",
            partial(
                render_terminal,
                report.judgement,
                report.facts,
                verbosity=level,
                plot=False,
                width=120,
            ),
        )
        steps.sizes[f"lines {level}"] = len(lines)
    for kind in ("markdown", "html", "json"):
        path = folder / f"report.{kind}"
        problems = steps.time(kind, partial(write_report_files, report, {kind: path}))
        assert not problems, problems
        steps.sizes[kind] = path.stat().st_size
    steps.show()


def run_compare(folder: Path) -> None:
    """Compare the baseline with the JSON file and with the candidate; print the steps."""
    from pytest_pareto.cli import main

    steps = Steps()
    os.chdir(folder)
    # A session of which nothing changed leaves an empty candidate.
    newer = CANDIDATE if any(Path(CANDIDATE, "session").glob("_env/*")) else "baseline"
    for name, arguments in (
        ("compare json", ["baseline", "report.json"]),
        ("compare folder", ["baseline", newer, "-vv", "--json", "compared.json"]),
    ):
        text = io.StringIO()
        with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
            code = steps.time(name, partial(main, ["compare", *arguments]))
        assert code in (0, 1), text.getvalue()
        steps.sizes[f"{name} lines"] = len(text.getvalue().splitlines())
    steps.show()


def record_baseline(folder: Path, cases: int, front: int) -> None:
    """Write the baseline, and print how long that takes."""
    from pytest_pareto.baseline.store import write

    steps, baseline = Steps(), baseline_of(cases, front)
    nothing = Baseline(KEY, {}, {})
    steps.time("write", lambda: write(folder / "baseline", KEY, nothing, baseline))
    steps.show()


TESTS = """\
import random

import pytest


def make(number):
    @pytest.mark.parametrize("case", range({front}))
    def test(pareto, case):
        draw = random.Random({front} * number + case)
        scores = {{f"prompt {{i}}": draw.gauss(0.3, 0.02) - {worse} / 20 for i in range(20)}}
        pareto.record("step_s", 0.1 * (1 + case) + {worse}, better="lower", tolerance=0.01)
        pareto.record("memory_b", 5e9 * (1 + {worse}), better="lower", tolerance=1e6)
        pareto.record("clip_score", scores, better="higher", tolerance=0.005)

    return test


for number in range({tests}):
    globals()[f"test_{{number}}"] = make(number)
"""


def run_tests(folder: Path, worse: int, cases: int, front: int) -> dict[str, Any]:
    """Run pytest on as many tests, and return its seconds and its memory as of one step."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    text = TESTS.format(front=front, tests=cases // front, worse=worse)
    (folder / "test_model.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "--pareto", "-q", "--tb=no", "-r", "N"]
    command += ["--pareto-confirm=0", "--pareto-html=page.html", "--pareto-json=page.json"]
    # One run is one process: the figures are of the one that judges.
    command += ["--pareto-runs=1", *([] if worse else ["--pareto-update=all"])]
    with (folder / "output").open("w") as output:
        running = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output)
        _, status, used = os.wait4(running.pid, 0)
    assert os.waitstatus_to_exitcode(status) == worse, (folder / "output").read_text()[-2_000:]
    sizes = {kind: (folder / f"page.{kind}").stat().st_size for kind in ("html", "json")}
    seconds = {"all": used.ru_utime + used.ru_stime}
    return {"seconds": seconds, "sizes": sizes, "most": 1024 * used.ru_maxrss}


def in_fresh_process(
    part: str, folder: Path, scenario: str, cases: int, front: int
) -> dict[str, Any]:
    """Run a part of a scenario in a process of its own; return what it printed."""
    command = [sys.executable, __file__, str(cases), "--scenario", scenario]
    command += ["--front", str(front), "--part", part, "--folder", str(folder)]
    # One core: the libraries of numpy would start a thread for each.
    alone = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(
        command, env=os.environ | alone, check=True, stdout=subprocess.PIPE, text=True
    )
    printed: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return printed


def table_lines(parts: Mapping[str, dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of each part: its time and memory, its steps and its sizes."""
    for name, part in parts.items():
        total_s = sum(part["seconds"].values())
        yield f"  {name}: {total_s:.1f} s, most {part['most'] / 1e6:,.0f} MB"
        yield "    " + ", ".join(f"{step} {s:.2f}" for step, s in part["seconds"].items())
        yield "    " + ", ".join(
            f"{what} {size:,}" if "lines" in what else f"{what} {size / 1e6:.2f} MB"
            for what, size in part["sizes"].items()
        )


def main() -> None:
    """Print the steps of each size and scenario."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("cases", nargs="*", type=int, default=[1_000, 10_000])
    parser.add_argument("--scenario", nargs="+", choices=SCENARIOS, default=SCENARIOS)
    parser.add_argument("--tests", action="store_true", help="run pytest on as many tests as well")
    parser.add_argument("--front", type=int, default=10, help="cases of a front")
    parser.add_argument(
        "--part", choices=("baseline", "session", "compare"), help=argparse.SUPPRESS
    )
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        (cases,), (scenario,), folder = options.cases, options.scenario, options.folder
        match options.part:
            case "baseline":
                record_baseline(folder, cases, options.front)
            case "session":
                run_session(folder, scenario, cases, options.front)
            case "compare":
                run_compare(folder)
        return
    print(f"3 metrics, {RUNS} runs, fronts of {options.front}; seconds of one core")
    for cases in options.cases:
        for scenario in options.scenario:
            print(f"{cases:,} cases, {scenario}", flush=True)
            with tempfile.TemporaryDirectory() as name:
                of = (Path(name), scenario, cases, options.front)
                in_fresh_process("baseline", *of)
                session = in_fresh_process("session", *of)
                compare = in_fresh_process("compare", *of)
            parts = {"pytest --pareto": session, "pytest-pareto compare": compare}
            print("\n".join(table_lines(parts)), flush=True)
        if options.tests:
            with tempfile.TemporaryDirectory() as name:
                # The first session records the baseline of the second.
                parts = {
                    f"{cases:,} tests, {what}": run_tests(Path(name), worse, cases, options.front)
                    for worse, what in enumerate(("nothing to compare with", "all worse"))
                }
            print("\n".join(table_lines(parts)), flush=True)


if __name__ == "__main__":
    main()
