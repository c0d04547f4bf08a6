"""What a session leaves to be accepted, and ``pytest-pareto accept`` at the shell."""

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_pareto import cli
from pytest_pareto.baseline.candidate import SESSION, read_candidate

if TYPE_CHECKING:
    from tests.plugin.conftest import Toy

LARGE, SMALL = "test_toy.py::test_generate[large]", "test_toy.py::test_generate[small]"
FOLDER = ".pareto_candidate"


@pytest.fixture
def slower(toy: "Toy") -> "Toy":
    """The toy after a session that found one case slower."""
    toy.change(large={"seconds": 0.08})
    session = toy.run("--pareto")
    assert session.exit_code == 1
    assert f"pytest-pareto accept {FOLDER} '{LARGE}' --reason 'say why'" in session.text
    assert "or, measured anew:" in session.text
    return toy


def accept(*args: str) -> int:
    return cli.main(["accept", FOLDER, *args])


def test_accepted_and_green(slower: "Toy", capsys: pytest.CaptureFixture[str]) -> None:
    assert accept(LARGE, "--reason", "more steps,\n on purpose") == 0
    out = capsys.readouterr().out
    assert f"accept-worse: {LARGE} latency" in out
    assert "reason: more steps, on purpose" in out
    (line,) = [
        line
        for text in slower.baseline_files.values()
        for line in text.splitlines()
        if '"reason"' in line
    ]
    assert '"reason": "more steps, on purpose"' in line
    assert slower.run("--pareto").exit_code == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_what_was_written_is_said_where_the_output_is_full(
    slower: "Toy", monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = slower.baseline_files
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr("sys.stdout", full)
        assert accept(LARGE, "--reason", "more steps") == 2
    assert slower.baseline_files != before
    assert "The baseline in " in capsys.readouterr().err


def test_not_accepted_and_red(slower: "Toy", capsys: pytest.CaptureFixture[str]) -> None:
    before = slower.baseline_files
    assert accept(SMALL, "--reason", "another one") == 2
    assert "nothing of it changed" in capsys.readouterr().out
    assert slower.baseline_files == before
    assert slower.run("--pareto").exit_code == 1


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "got worse, is gone or contradicts the baseline: say why"),
        (["--reason", "..."], "stands for a reason"),
        (["--reason", "say why"], "stands for a reason"),
        (["test_toy.py::test_generate[larg]", "--reason", "x"], f"close to it: {LARGE}"),
        (["other.py", "--reason", "x"], "has no case 'other.py'"),
    ],
)
def test_what_cannot_be_accepted(
    slower: "Toy", capsys: pytest.CaptureFixture[str], args: list[str], message: str
) -> None:
    before = slower.baseline_files
    assert accept(*args) == 2
    assert message in capsys.readouterr().err
    assert slower.baseline_files == before


@pytest.mark.parametrize("name", ["test_toy.py", "./test_toy.py::test_generate"])
def test_what_several_begin_with(slower: "Toy", name: str) -> None:
    assert accept(name, "--reason", "x") == 0
    assert slower.run("--pareto").exit_code == 0


def test_another_folder_is_a_baseline_too(slower: "Toy") -> None:
    shutil.move(slower.path / "pareto_baselines", slower.path / "elsewhere")
    assert accept(LARGE, "--reason", "x", "--baseline", "elsewhere") == 0
    assert not (slower.path / "pareto_baselines").exists()


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("world.json", "is a file where the baseline needs a directory. Choose another folder"),
        ("world.json/below", "is a file where the baseline needs a directory. Choose another"),
        ("nowhere", "there is no baseline at nowhere: name its folder"),
    ],
)
def test_a_baseline_that_is_none(
    slower: "Toy", capsys: pytest.CaptureFixture[str], folder: str, message: str
) -> None:
    capsys.readouterr()
    assert accept("--reason", "x", "--baseline", folder) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "with --baseline DIR" in error
    assert "--pareto-baseline" not in error
    assert not (slower.path / "nowhere").exists()


def test_the_first_of_a_baseline_elsewhere(fresh_toy: "Toy") -> None:
    """There is none yet, and no typo: the session was judged by it."""
    fresh_toy.run("--pareto", "--pareto-baseline=elsewhere")
    assert accept("--baseline", "elsewhere") == 0
    assert fresh_toy.run("--pareto", "--pareto-baseline=elsewhere").exit_code == 0


def test_what_an_artifact_says_of_itself_proves_nothing(
    slower: "Toy", capsys: pytest.CaptureFixture[str]
) -> None:
    """It may come from a pull request: told is what is written, and a reason is asked for it."""
    file = slower.path / FOLDER / SESSION / "candidate.json"
    about = json.loads(file.read_text())
    change = about["offers"][LARGE]["changes"]["latency"]
    change.update(action="accept-better", detail="0.08 → 0.01 s\x1b[2K")
    file.write_text(json.dumps(about))
    capsys.readouterr()
    assert accept(LARGE) == 2
    step = r"0\.0[34]\d* → 0\.0[789]\d* s, 1 run"
    assert re.search(rf"with --reason TEXT \(latency: {step}\)", capsys.readouterr().err)
    assert accept(LARGE, "--reason", "more steps") == 0
    out = " ".join(capsys.readouterr().out.split())
    assert re.search(rf"accept-worse: {re.escape(LARGE)} latency \({step}\)", out)
    assert "0.01 s" not in out
    assert "\x1b" not in out


def test_what_is_new_needs_no_reason(fresh_toy: "Toy", capsys: pytest.CaptureFixture[str]) -> None:
    fresh_toy.run("--pareto")
    assert accept() == 0
    out = " ".join(capsys.readouterr().out.split())
    assert re.search(rf"add: {re.escape(SMALL)} accuracy \([01]\.?\d*, 1 run\)", out)
    assert re.search(rf"add: {re.escape(SMALL)} latency \(0\.\d+ s, 1 run\)", out)
    assert fresh_toy.run("--pareto", "--pareto-missing=fail").exit_code == 0


def test_from_a_folder_below_it_is_told_as_it_is_typed_there(
    toy: "Toy", monkeypatch: pytest.MonkeyPatch
) -> None:
    (toy.path / "pytest.ini").write_text("[pytest]\n")
    (toy.path / "sub").mkdir()
    toy.change(large={"seconds": 0.08})
    monkeypatch.chdir(toy.path / "sub")
    session = toy.run("--pareto", "..")
    assert f"pytest-pareto accept ../{FOLDER} '../{LARGE}'" in session.text.replace("\\\n", "")
    assert cli.main(["accept", f"../{FOLDER}", f"../{LARGE}", "--reason", "x"]) == 0


def test_each_session_replaces_the_last_ones(slower: "Toy") -> None:
    assert read_candidate(slower.path / FOLDER).offers[LARGE].changes
    slower.change(large={"seconds": 0.04})
    slower.run("--pareto")
    assert not read_candidate(slower.path / FOLDER).offers[LARGE].changes
    assert (slower.path / FOLDER / ".gitignore").read_text() == "*\n"


def test_an_update_leaves_none(slower: "Toy") -> None:
    slower.run("--pareto", "--pareto-update", "--pareto-runs=1")
    assert not (slower.path / FOLDER / SESSION).exists()
    assert slower.run("--pareto").exit_code == 0


def test_none_is_left_where_none_is_wanted(toy: "Toy") -> None:
    toy.change(large={"seconds": 0.08})
    session = toy.run("--pareto", "--pareto-candidate=")
    assert not (toy.path / FOLDER).exists()
    assert "pytest-pareto accept" not in session.text
    assert "to accept:" in session.text


def test_of_a_session_that_was_cut_short_nothing_is_accepted(
    toy: "Toy", capsys: pytest.CaptureFixture[str]
) -> None:
    (toy.path / "test_zero.py").write_text("def test_fails(): assert False\n")
    toy.change(large={"seconds": 0.08})
    session = toy.run("--pareto", "--maxfail=1", "test_toy.py", "test_zero.py")
    assert session.exit_code == 1
    capsys.readouterr()
    assert accept("--reason", "x") == 2
    assert "cut short" in capsys.readouterr().err


@pytest.mark.parametrize("folder", [".", "pareto_baselines", "pareto_baselines/inner"])
def test_a_folder_that_holds_something_else_is_refused(toy: "Toy", folder: str) -> None:
    before = toy.baseline_files
    session = toy.run("--pareto", f"--pareto-candidate={folder}")
    assert session.exit_code == 4
    assert "each session replaces the candidate" in session.text
    assert toy.baseline_files == before


def test_where_none_can_be_left_a_notice_says_so(toy: "Toy") -> None:
    toy.change(large={"seconds": 0.08})
    session = toy.run("--pareto", "--pareto-candidate=world.json/x")
    assert "no candidate is left for `pytest-pareto accept`" in session.text
    assert "pytest-pareto accept world.json" not in session.text


def test_taking_turns_it_is_refused(toy: "Toy") -> None:
    session = toy.run("--pareto", "--pareto-against=HEAD", "--pareto-candidate=x")
    assert session.exit_code == 4
    assert "--pareto-candidate does not go with --pareto-against" in session.text


def test_another_baseline_is_named(toy: "Toy", capsys: pytest.CaptureFixture[str]) -> None:
    shutil.move(toy.path / "pareto_baselines", toy.path / "elsewhere")
    toy.change(large={"seconds": 0.08})
    told = " ".join(toy.run("--pareto", "--pareto-baseline=elsewhere").text.split())
    assert "--baseline elsewhere" in told
    capsys.readouterr()
    assert accept(LARGE, "--reason", "more steps") == 2
    assert "judged by the baseline elsewhere" in capsys.readouterr().err
    assert not (toy.path / "pareto_baselines").exists()
    assert accept(LARGE, "--baseline", "elsewhere", "--reason", "more steps") == 0
    assert toy.run("--pareto", "--pareto-baseline=elsewhere").exit_code == 0


def test_what_was_named_and_refused_is_not_done(
    slower: "Toy", capsys: pytest.CaptureFixture[str]
) -> None:
    assert accept(LARGE, SMALL, "--reason", "more steps") == 2
    assert f"accept-worse: {LARGE}" in capsys.readouterr().out
    assert slower.run("--pareto").exit_code == 0


def test_nothing_to_accept_is_said(toy: "Toy", capsys: pytest.CaptureFixture[str]) -> None:
    assert toy.run("--pareto").exit_code == 0
    capsys.readouterr()
    assert accept("--reason", "x") == 2
    assert "nothing changed in its 3 cases" in capsys.readouterr().err


def test_of_the_arguments_only_the_folder_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["accept"])
    assert "arguments are required: DIR\n" in capsys.readouterr().err
