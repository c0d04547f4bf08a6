"""``pytest-pareto show``, from the command line to its output."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_pareto import cli
from pytest_pareto.report.text import display_width

BASELINE = Path(__file__).parents[2] / "example_project" / "pareto_baselines"
MACHINE = "cpu-amd-epycx2"


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BASELINE, tmp_path / "kept"))


def show(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> str:
    assert cli.main(["show", *map(str, arguments)]) == code
    out, err = capsys.readouterr()
    return err if code else out


def row(text: str, case: str, table: int = 0) -> list[str]:
    return [line.split() for line in text.splitlines() if line.startswith(case)][table]


def test_the_example(capsys: pytest.CaptureFixture[str]) -> None:
    """The level is the geometric mean of the runs in the file: 10 in 2 sessions."""
    text = show(capsys, BASELINE)
    assert text.startswith(f"{MACHINE}: AMD EPYC (2 cores), torch 2.13.0+cpu, python 3.11.7\n")
    assert "digits: test_digits.py::test_digits, 9 cases\n" in text
    kept = json.loads((BASELINE / MACHINE / "test_digits.json").read_text())
    sessions = kept["cases"]["test_digits[ddim-2]"]["metrics"]["latency"]["sessions"]
    runs = [run for session in sessions for run in session["runs"]]
    product = 1.0
    for run in runs:
        product *= run
    assert len(runs) == 10
    name, front, level = row(text, "[ddim-2]")[:3]
    assert (name, front) == ("[ddim-2]", "on")
    decimals = len(level.partition(".")[2])
    assert level == f"{1000 * product ** (1 / len(runs)):.{decimals}f}"
    assert "10/2" in row(text, "[ddim-2]")
    assert row(text, "[ddim-4]")[1] == "?"
    assert "similarity" not in text
    assert max(map(display_width, text.splitlines())) <= 80


def test_no_budgets_or_tolerances(capsys: pytest.CaptureFixture[str]) -> None:
    """The example's marker has budgets and tolerances; its baseline files have none of them."""
    text = show(capsys, BASELINE, "-v", "--plot")
    assert "budget" not in text
    assert ">=" not in text


def test_verbose_adds_diagnostics_versions_and_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    text = show(capsys, BASELINE, "-v")
    assert "similarity" in text
    assert "transformers 5.17.0" in " ".join(text.split())
    assert "[ddim-4]: undetermined · within noise\n" in text


def test_a_case_off_the_front_names_what_dominates_it(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main = copied / MACHINE / "test_digits.json"
    content = json.loads(main.read_text())
    for case in content["cases"].values():
        for name in ("resident_memory", "host_peak_memory"):
            del case["metrics"][name]
    main.write_text(json.dumps(content))
    text = show(capsys, copied, "-v")
    assert row(text, "[pruned-4]")[1] == "off"
    assert "[pruned-4]: off the front · dominated by [cached-4]\n" in text


def test_the_plot_shows_the_same_front_as_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    text = show(capsys, BASELINE, "--plot")
    table = {line.split()[0] for line in text.splitlines() if re.match(r"\[\S+\]\s+on ", line)}
    legend = set(re.findall(r"(\[\S+\])  \* on the front", text))
    assert table == legend == {"[bf16-4]", "[cached-4]", "[ddim-2]", "[shallow-2]"}
    assert "latency (ms), lower is better" in text


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_lines_fit_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    text = show(capsys, BASELINE, "-v", "--plot")
    assert max(map(display_width, text.splitlines())) <= columns
    assert text.count("latency, ms") == 1  # no metric is dropped


def test_all_machines_are_shown_or_the_requested_one(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(copied / MACHINE, copied / "cpu-other")
    text = show(capsys, copied)
    assert [line.partition(":")[0] for line in text.splitlines() if line.startswith("cpu-")] == [
        MACHINE,
        "cpu-other",
    ]
    one = show(capsys, copied, "--hardware", "cpu-other")
    assert MACHINE not in one
    assert one.startswith("cpu-other: ")
    error = show(capsys, copied, "--hardware", "cpu-third", code=2)
    assert f"no results of 'cpu-third'; there are: {MACHINE}, cpu-other" in error


def test_one_front(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main = copied / MACHINE / "test_digits.json"
    content = json.loads(main.read_text())
    content["cases"]["test_digits[bf16-4]"]["front"] = "halves"
    main.write_text(json.dumps(content))
    assert "[bf16-4]" not in show(capsys, copied, "--front", "digits")
    text = show(capsys, copied, "--front", "halves")
    assert "halves: test_digits.py::test_digits, 1 case\n" in text
    error = show(capsys, copied, "--front", "halfs", code=2)
    assert "there is no front 'halfs'; there are: digits, halves" in error


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (shutil.rmtree, "there is no baseline at"),
        (lambda folder: shutil.rmtree(folder / "_env"), "is no baseline"),
        (lambda folder: (folder / MACHINE / "test_digits.json").write_text("{"), "not valid JSON"),
    ],
)
def test_an_unreadable_baseline_is_an_error(
    copied: Path,
    capsys: pytest.CaptureFixture[str],
    damage: "object",
    message: str,
) -> None:
    assert callable(damage)
    damage(copied)
    error = show(capsys, copied, code=2)
    assert error.startswith("pytest-pareto show: ")
    assert message in error


def test_control_characters_in_names_are_escaped(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for main in (copied / MACHINE / "test_digits.json", copied / "any" / "test_digits.json"):
        text = main.read_text().replace("test_digits[bf16-4]", r"test_digits[\u001b[31m|\u202e]")
        main.write_text(text.replace('"label_accuracy"', r'"label\u000aaccuracy"'))
    samples = copied / "any" / "test_digits.samples.json"
    text = samples.read_text().replace("test_digits[bf16-4]", r"test_digits[\u001b[31m|\u202e]")
    samples.write_text(text.replace('"label_accuracy"', r'"label\u000aaccuracy"'))
    text = show(capsys, copied, "-v", "--plot")
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert r"[\x1b[31m|\u202e]" in text
    assert r"label\naccuracy" in text
    assert max(map(display_width, text.splitlines())) <= 80


def test_ascii_output_keeps_the_columns(tmp_path: Path) -> None:
    """Every cell of the plot is still one cell, and nothing is escaped."""
    texts = []
    for encoding in ("ascii", "utf-8"):
        done = subprocess.run(
            [sys.executable, "-m", "pytest_pareto", "show", str(BASELINE), "--plot"],
            env={**os.environ, "PYTHONIOENCODING": encoding, "COLUMNS": "80"},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        texts.append(done.stdout.decode(encoding).splitlines())
    plain, drawn = texts
    assert list(map(len, plain)) == list(map(display_width, drawn))
    assert not any("\\" in line for line in plain)
    assert any(line.startswith("0.740 |") for line in plain)


def test_a_lower_bound_is_marked(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (file,) = (copied / "any").rglob("test_digits.json")
    text = file.read_text()
    assert "≥" not in show(capsys, copied, "-v")
    file.write_text(text.replace('"runs": [', '"lower_bound": "without x", "runs": [', 1))
    assert show(capsys, copied, "-v").count("≥") == 1
