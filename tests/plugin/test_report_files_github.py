"""What a job of GitHub Actions gets: a summary and annotations, and nobody else does."""

from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

if TYPE_CHECKING:
    from tests.plugin.conftest import Toy

LARGE = "test_toy.py::test_generate[large]"


def annotations(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(("::error", "::warning"))]


@pytest.fixture
def job(toy: "Toy", monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job whose checkout is the folder above the toy, and the file of its summary."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(toy.path.parent))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(toy.path / "summary.md"))
    return toy.path / "summary.md"


@pytest.mark.parametrize("how", [[], ["-q"], ["--no-summary"], ["-s"]])
def test_a_red_case_is_annotated_last_and_summed_up_once(
    toy: "Toy", job: Path, how: list[str]
) -> None:
    toy.change(large={"seconds": 0.08})
    job.write_text("# another step\n")
    session = toy.run("--pareto", *how)
    (line,) = annotations(session.text)
    assert line.startswith(f"::error file={toy.path.name}/test_toy.py,line=7,title=pareto%3A ")
    assert LARGE in line
    assert session.text.rstrip().endswith(line)
    summary = job.read_text()
    assert summary.startswith("# another step\n## pareto: FAIL")
    assert summary.count("## pareto") == 1


def test_fresh_processes_add_nothing(toy: "Toy", job: Path) -> None:
    toy.change(large={"seconds": 0.08})
    session = toy.run("--pareto", "--pareto-runs=2")
    assert len(annotations(session.text)) == 1
    assert job.read_text().count("## pareto") == 1


def test_elsewhere_there_is_neither(toy: "Toy") -> None:
    toy.change(large={"seconds": 0.08})
    assert annotations(toy.run("--pareto").text) == []
    assert not (toy.path / "summary.md").exists()


def test_without_pareto_there_is_neither(toy: "Toy", job: Path) -> None:
    assert annotations(toy.run().text) == []
    assert not job.exists()


def test_a_summary_that_cannot_be_written_is_a_notice(
    toy: "Toy", job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(toy.path))
    session = toy.run("--pareto")
    assert session.exit_code == 0
    assert "the job's summary could not be written" in session.text


def test_the_files_that_were_asked_for(toy: "Toy", job: Path) -> None:
    toy.change(large={"seconds": 0.08})
    toy.run("--pareto", "--pareto-markdown=out/a.md", "--pareto-openmetrics=out/m.txt")
    assert (toy.path / "out" / "a.md").read_text() + "\n" == job.read_text()
    assert (toy.path / "out" / "m.txt").read_text().endswith("# EOF\n")


def test_junit_has_the_failing_case_with_its_figures(toy: "Toy") -> None:
    toy.change(large={"seconds": 0.08})
    toy.run("--pareto", "--junitxml=j.xml")
    failed = [
        c for c in ET.parse(toy.path / "j.xml").iter("testcase") if c.find("failure") is not None
    ]
    assert [case.get("name") for case in failed] == ["test_generate[large] (pareto)"]
    failure = failed[0].find("failure")
    assert failure is not None
    assert (failure.get("message") or "").startswith("latency WORSE: ")
    assert "pytest-pareto accept" in (failure.text or "")
