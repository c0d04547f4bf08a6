"""``pytest-pareto doctor --metrics``, from the command line to its output."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_pareto import cli

EXAMPLE = Path(__file__).parents[2] / "example_project"
BASELINE = EXAMPLE / "pareto_baselines"


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BASELINE, tmp_path / "kept"))


def figures(text: str, name: str) -> list[str]:
    """Return the row of a metric in the table of figures."""
    rows = [line.split() for line in text.splitlines() if "/36" in line]
    return next(row for row in rows if row[0] == name)


def test_the_examples_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    """With pairing the generic score separates more pairs of cases; without it very few."""
    assert cli.main(["doctor", "--metrics", str(BASELINE)]) == 0
    text = capsys.readouterr().out
    task, generic = figures(text, "label_accuracy"), figures(text, "similarity")
    assert (task[2], generic[2]) == ("16/36", "28/36")
    assert (task[3], generic[3]) == ("550", "110")
    unpaired, half = slice(-3, -2), slice(-2, -1)
    assert (task[unpaired], generic[unpaired]) == (["16/36"], ["3/36"])
    assert (task[half], generic[half]) == (["680"], ["2,300"])
    assert float(task[-1]) > float(generic[-1])
    words = " ".join(text.split())
    assert "with samples of its own for each variant it would tell 3 of 36 pairs apart" in words
    assert "most of its signal is [shallow-2]: 8.5 with it, 3.3 without" in words
    assert "label_accuracy would stand before similarity: 16 of 36 pairs, not 3" in words
    assert max(map(len, text.splitlines())) <= 80


def test_the_projects_own_baseline_needs_no_conftest_and_no_options(tmp_path: Path) -> None:
    """The project's configuration alone is read, from any of its folders, without torch."""
    shutil.copytree(BASELINE, tmp_path / "kept")
    (tmp_path / "pytest.ini").write_text("[pytest]\npareto_baseline = kept\naddopts = --of-mine\n")
    (tmp_path / "conftest.py").write_text("raise ImportError('not here')\n")
    (tmp_path / "torch.py").write_text("raise ImportError('not here')\n")
    (tmp_path / "test_a.py").write_text("raise ImportError('nor this')\n")
    below = tmp_path / "below"
    below.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "pytest_pareto", "doctor", "--metrics"],
        cwd=below,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(EXAMPLE.parent), str(tmp_path)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("digits: test_digits.py::test_digits, 9 variants\n")
    assert done.stderr == ""


def test_no_file_is_changed(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in copied.rglob("*")}
    cli.main(["doctor", "--metrics", str(copied)])
    assert {path: path.stat().st_mtime_ns for path in copied.rglob("*")} == before


def test_a_corrupt_baseline_is_an_error(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    samples = copied / "any" / "test_digits.samples.json"
    samples.write_text(samples.read_text().replace("1.0, 1.0,", "NaN, 1.0,", 1))
    assert cli.main(["doctor", "--metrics", str(copied)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"pytest-pareto doctor: {samples.as_posix()}")
    assert "finite number" in err


def test_one_of_several_machines_must_be_named(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(copied / "cpu-amd-epycx2", copied / "cpu-other")
    assert cli.main(["doctor", "--metrics", str(copied)]) == 2
    assert "--hardware KEY: cpu-amd-epycx2, cpu-other" in capsys.readouterr().err
    assert cli.main(["doctor", "--metrics", str(copied), "--hardware", "cpu-other"]) == 0
    assert "latency: tells" in capsys.readouterr().out


def test_a_baseline_without_results_is_an_error(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(copied / "any")
    shutil.rmtree(copied / "cpu-amd-epycx2")
    assert cli.main(["doctor", "--metrics", str(copied)]) == 2
    assert "holds no results" in capsys.readouterr().err


def test_a_missing_baseline_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["doctor", "--metrics", "nowhere"]) == 2
    assert "there is no baseline at nowhere: record one" in capsys.readouterr().err


def piped(reader: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """Pipe the report into a Python program."""
    doctor = f"{sys.executable} -m pytest_pareto doctor --metrics {BASELINE}"
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {doctor} | {sys.executable} -c '{reader}'"],
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=False,
    )


def test_ascii_output_has_an_ascii_minus() -> None:
    done = piped("import sys; print(ascii(sys.stdin.read()))", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "-0.28" in done.stdout
    assert "u2212" not in done.stdout


def test_a_closed_pipe_is_no_error() -> None:
    done = piped("import sys; sys.stdin.close()")
    assert (done.returncode, done.stderr) == (0, "")
