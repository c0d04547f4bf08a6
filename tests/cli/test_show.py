"""``pytest-pareto show``, as a stranger asks it."""

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


def shown(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> str:
    assert cli.main(["show", *map(str, arguments)]) == code
    out, err = capsys.readouterr()
    return err if code else out


def row(told: str, case: str, table: int = 0) -> list[str]:
    return [line.split() for line in told.splitlines() if line.startswith(case)][table]


def test_the_example(capsys: pytest.CaptureFixture[str]) -> None:
    """Its figures are in the file: 10 runs in 2 sessions, of which this is the mean of logs."""
    told = shown(capsys, BASELINE)
    assert told.startswith(f"{MACHINE}: AMD EPYC (2 cores), torch 2.13.0+cpu, python 3.11.7\n")
    assert "digits: test_digits.py::test_digits, 9 cases\n" in told
    kept = json.loads((BASELINE / MACHINE / "test_digits.json").read_text())
    sessions = kept["cases"]["test_digits[ddim-2]"]["metrics"]["latency"]["sessions"]
    runs = [run for session in sessions for run in session["runs"]]
    product = 1.0
    for run in runs:
        product *= run
    assert len(runs) == 10
    name, front, level = row(told, "[ddim-2]")[:3]
    assert (name, front) == ("[ddim-2]", "on")
    decimals = len(level.partition(".")[2])
    assert level == f"{1000 * product ** (1 / len(runs)):.{decimals}f}"
    assert "10/2" in row(told, "[ddim-2]")
    assert row(told, "[pruned-4]")[1] == "off"
    assert row(told, "[ddim-4]")[1] == "?"
    assert "similarity" not in told
    assert max(map(display_width, told.splitlines())) <= 80


def test_nothing_that_a_baseline_does_not_hold(capsys: pytest.CaptureFixture[str]) -> None:
    """The marker of the example has budgets and tolerances; none of them is in its files."""
    told = shown(capsys, BASELINE, "-v", "--plot")
    assert "budget" not in told
    assert ">=" not in told


def test_verbose_adds_diagnostics_versions_and_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    told = shown(capsys, BASELINE, "-v")
    assert "similarity" in told
    assert "transformers 5.17.0" in " ".join(told.split())
    assert "[pruned-4]: off the front · rivals: [cached-4]\n" in told


def test_the_picture_has_the_same_places(capsys: pytest.CaptureFixture[str]) -> None:
    told = shown(capsys, BASELINE, "--plot")
    table = {line.split()[0] for line in told.splitlines() if re.match(r"\[\S+\]\s+on ", line)}
    legend = set(re.findall(r"(\[\S+\])  \* on the front", told))
    assert table == legend == {"[cached-4]", "[ddim-2]", "[shallow-2]"}
    assert "latency (ms), lower is better" in told


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_every_width(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    told = shown(capsys, BASELINE, "-v", "--plot")
    assert max(map(display_width, told.splitlines())) <= columns
    assert told.count("latency, ms") == 1  # no metric is lost on the way


def test_all_machines_are_shown_or_one_is_chosen(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(copied / MACHINE, copied / "cpu-other")
    told = shown(capsys, copied)
    assert [line.partition(":")[0] for line in told.splitlines() if line.startswith("cpu-")] == [
        MACHINE,
        "cpu-other",
    ]
    one = shown(capsys, copied, "--hardware", "cpu-other")
    assert MACHINE not in one
    assert one.startswith("cpu-other: ")
    error = shown(capsys, copied, "--hardware", "cpu-third", code=2)
    assert f"no results of 'cpu-third'; there are: {MACHINE}, cpu-other" in error


def test_one_front(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main = copied / MACHINE / "test_digits.json"
    content = json.loads(main.read_text())
    content["cases"]["test_digits[bf16-4]"]["front"] = "halves"
    main.write_text(json.dumps(content))
    assert "[bf16-4]" not in shown(capsys, copied, "--front", "digits")
    told = shown(capsys, copied, "--front", "halves")
    assert "halves: test_digits.py::test_digits, 1 case\n" in told
    error = shown(capsys, copied, "--front", "halfs", code=2)
    assert "there is no front 'halfs'; there are: digits, halves" in error


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (shutil.rmtree, "there is no baseline at"),
        (lambda folder: shutil.rmtree(folder / "_env"), "is no baseline"),
        (lambda folder: (folder / MACHINE / "test_digits.json").write_text("{"), "not valid JSON"),
    ],
)
def test_what_cannot_be_shown(
    copied: Path,
    capsys: pytest.CaptureFixture[str],
    damage: "object",
    message: str,
) -> None:
    assert callable(damage)
    damage(copied)
    error = shown(capsys, copied, code=2)
    assert error.startswith("pytest-pareto show: ")
    assert message in error


def test_hostile_names_are_shown_and_not_obeyed(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for main in (copied / MACHINE / "test_digits.json", copied / "any" / "test_digits.json"):
        text = main.read_text().replace("test_digits[bf16-4]", r"test_digits[\u001b[31m|\u202e]")
        main.write_text(text.replace('"label_accuracy"', r'"label\u000aaccuracy"'))
    samples = copied / "any" / "test_digits.samples.json"
    text = samples.read_text().replace("test_digits[bf16-4]", r"test_digits[\u001b[31m|\u202e]")
    samples.write_text(text.replace('"label_accuracy"', r'"label\u000aaccuracy"'))
    told = shown(capsys, copied, "-v", "--plot")
    assert "\x1b" not in told
    assert "\u202e" not in told
    assert r"[\x1b[31m|\u202e]" in told
    assert r"label\naccuracy" in told
    assert max(map(display_width, told.splitlines())) <= 80


def test_ascii_keeps_its_columns(tmp_path: Path) -> None:
    """Every cell of the picture is still one cell, and nothing is escaped."""
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
