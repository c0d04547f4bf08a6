"""Reports that are files: where they may lie, and whose session they tell of."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_pareto import cli
from pytest_pareto.model.session_record import SessionFacts, SessionReport
from pytest_pareto.model.verdict import Judgement
from pytest_pareto.plugin import command_line
from pytest_pareto.plugin.report_files import write_report_files

if TYPE_CHECKING:
    from tests.plugin.conftest import Toy

REPORTS = {kind: f"r.{kind}" for kind in command_line.REPORTS}
ASKED = [f"--pareto-{kind}={name}" for kind, name in REPORTS.items()]
LARGE = "test_toy.py::test_generate[large]"


def there(toy: "Toy") -> set[str]:
    return {name for name in REPORTS.values() if (toy.path / name).exists()}


def test_a_session_that_judges_nothing_leaves_no_older_report(toy: "Toy") -> None:
    assert toy.run("--pareto", *ASKED).exit_code == 0
    assert there(toy) == set(REPORTS.values())
    assert toy.run("--pareto", *ASKED, "-k", "nothing_is_called_so").exit_code == 5
    assert there(toy) == set()


def test_nor_an_older_candidate(toy: "Toy", capsys: pytest.CaptureFixture[str]) -> None:
    toy.change(large={"seconds": 0.08})
    assert toy.run("--pareto").exit_code == 1
    (toy.path / "test_broken.py").write_text("raise ValueError\n")
    assert toy.run("--pareto").exit_code == 2
    capsys.readouterr()
    assert cli.main(["accept", ".pareto_candidate", LARGE, "--reason", "x"]) == 2
    assert "there is no candidate" in capsys.readouterr().err


def test_what_only_lists_tests_takes_nothing_away(toy: "Toy") -> None:
    assert toy.run("--pareto", *ASKED).exit_code == 0
    toy.run("--pareto", *ASKED, "--collect-only")
    assert there(toy) == set(REPORTS.values())


INTERRUPTED = """
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    if "test_other" in item.name:
        raise KeyboardInterrupt
"""


def test_an_interrupted_session_is_no_pass(toy: "Toy") -> None:
    conftest = toy.path / "conftest.py"
    conftest.write_text(conftest.read_text() + INTERRUPTED)
    session = toy.run("--pareto", *ASKED)
    assert session.exit_code == 2
    assert "PART  3 cases" in session.text
    told = {kind: (toy.path / name).read_text() for kind, name in REPORTS.items()}
    assert told["markdown"].startswith("## pareto: PART\n")
    assert "- incomplete: interrupted" in told["markdown"][:400]
    assert "pareto_incomplete 1" in told["openmetrics"]
    assert '"stopped": "interrupted"' in told["json"]
    assert "PASS" not in told["html"]


PRESSED_LATE = """
import importlib

session = importlib.import_module("pytest_pareto.plugin.session")  # not a stale attribute

written, pressed = session.write_report_files, []

def press_once(*arguments):
    found = written(*arguments)
    if not pressed:
        pressed.append(True)
        print("PRESSED")
        raise KeyboardInterrupt
    return found

session.write_report_files = press_once
"""


def test_what_an_update_wrote_is_not_judged_by_itself(toy: "Toy") -> None:
    conftest = toy.path / "conftest.py"
    conftest.write_text(conftest.read_text() + PRESSED_LATE)
    toy.change(large={"seconds": 0.08})
    before = toy.baseline_files
    session = toy.run("--pareto", "--pareto-update", "--pareto-runs=1", *ASKED, "-s")
    assert session.exit_code == 2
    assert "PRESSED" in session.text
    assert toy.baseline_files != before
    assert f"accept-worse: {LARGE}" in session.text
    assert "nothing was written" not in session.text


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--pareto-json=a.out", "--pareto-html=a.out"], "name one file"),
        (["--pareto-json=test_toy.py"], "is no such report"),
        (["--pareto-html=world.json"], "is no such report"),
        (["--pareto-json=pareto_baselines/r.json"], "lies in the baseline"),
        (["--pareto-json=pareto_baselines"], "is a folder"),
        (["--pareto-json=world.json/r.json"], "cannot be written"),
    ],
)
def test_what_would_take_the_place_of_something_else(
    toy: "Toy", args: list[str], message: str
) -> None:
    before = {path: path.read_bytes() for path in toy.path.rglob("*") if path.is_file()}
    session = toy.run("--pareto", *args)
    assert session.exit_code == 4
    assert message in session.text
    for path, content in before.items():
        assert path.read_bytes() == content


def test_a_file_is_replaced_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = {"json": tmp_path / "r.json"}
    report = SessionReport(Judgement(()), SessionFacts("b", "k", 1, 5, 1, 1.0))
    assert write_report_files(report, paths) == ()
    before = paths["json"].read_text()
    write_text = Path.write_text

    def half(path: Path, text: str, **about: str) -> int:
        write_text(path, text[:100], **about)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", half)
    (failure,) = write_report_files(report, paths)
    assert "No space left" in failure.text
    assert paths["json"].read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]
