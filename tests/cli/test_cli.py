"""The command line: the arguments that pytest gets, refused arguments, and exit codes."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest
from _pytest.assertion.rewrite import AssertionRewriter

import pytest_pareto
from pytest_pareto import cli
from pytest_pareto.baseline.layout import environment_key
from pytest_pareto.baseline.store import write
from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory, Session
from pytest_pareto.model.metric import Better, Kind, Scope
from tests.sessions import HERE

TEST = """
import pytest

@pytest.fixture
def answer(): return 42

def test_a(pareto, answer):
    pareto.record("answer", answer, better="higher")
"""


@pytest.fixture
def pytest_arguments(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The arguments of `pytest.main`, which is not run."""
    arguments: list[str] = []

    def main(args: Sequence[str]) -> int:
        arguments.extend(args)
        return 0

    monkeypatch.setattr(pytest, "main", main)
    return arguments


@pytest.mark.parametrize(
    ("arguments", "for_pytest"),
    [
        ([], []),
        (["tests/test_x.py", "-k", "small"], ["tests/test_x.py", "-k", "small"]),
        (["--", "tests/test_x.py", "-n0"], ["tests/test_x.py", "-n0"]),
        (["-v", "--", "--", "-x"], ["-v", "--", "-x"]),
        (["-p", "no:cov", "test_x.py::test_a[b c]"], ["-p", "no:cov", "test_x.py::test_a[b c]"]),
        (["--maxfail=2", "-ra", "--nois"], ["--maxfail=2", "-ra", "--nois"]),
    ],
)
def test_unknown_arguments_are_passed_to_pytest(
    pytest_arguments: list[str], arguments: list[str], for_pytest: list[str]
) -> None:
    assert cli.main(["doctor", "--noise", *arguments]) == 0
    assert pytest_arguments == ["--pareto-noise=8", *for_pytest]


@pytest.mark.parametrize("runs", [["-n", "12"], ["-n12"], ["--runs=12"], ["--runs", "12"]])
def test_the_number_of_runs_is_passed_to_pytest(
    pytest_arguments: list[str], runs: list[str]
) -> None:
    cli.main(["doctor", "tests", *runs, "--noise", "-x"])
    assert pytest_arguments == ["--pareto-noise=12", "tests", "-x"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name a command: the commands are "),
        (["docter"], "there is no command 'docter'; did you mean 'doctor'? the commands are"),
        (["xyz"], "there is no command 'xyz'; the commands are "),
        (["doctor"], "one of the arguments --noise --metrics is required"),
        (["doctor", "--noise", "--metrics"], "not allowed with argument"),
        (["doctor", "--noise", "--hardware", "cpu-a"], "--hardware is of --metrics"),
        (["doctor", "--metrics", "-n", "4"], "leave out -n"),
        (["doctor", "--metrics", "somewhere", "-k", "small"], "leave out -k small"),
        (["doctor", "--metrics", "--", "test_a.py"], "leave out test_a.py"),
        (["doctor", "--noise", "-n", "many"], "invalid int value: 'many'"),
        (["doctor", "--noise", "--pareto-update"], "leave out --pareto-update"),
        (["doctor", "--noise", "--", "--pareto", "-x"], "leave out --pareto"),
    ],
)
def test_wrong_arguments_are_refused(
    pytest_arguments: list[str],
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
    assert pytest_arguments == []


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        (pytest.ExitCode.OK, 0),
        (pytest.ExitCode.TESTS_FAILED, 1),
        (pytest.ExitCode.USAGE_ERROR, 2),
        (pytest.ExitCode.NO_TESTS_COLLECTED, 2),
        (pytest.ExitCode.INTERRUPTED, 2),
    ],
)
def test_exit_codes(monkeypatch: pytest.MonkeyPatch, code: int, exit_code: int) -> None:
    monkeypatch.setattr(pytest, "main", lambda _: code)
    assert cli.main(["doctor", "--noise"]) == exit_code


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--help"], ["doctor", "how noisy this machine is"]),
        (["doctor", "--help"], ["--runs N", "at least 4 (8)", "-k small", "exit code: 0"]),
        (["doctor", "--help"], ["--metrics [DIR]", "--hardware KEY", "2 where nothing"]),
        (["--version"], [f"pytest-pareto {pytest_pareto.__version__}"]),
    ],
)
def test_help(capsys: pytest.CaptureFixture[str], arguments: list[str], words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert all(word in text for word in words)


def test_the_entry_point_is_pytest_pareto() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert project["project"]["scripts"] == {"pytest-pareto": "pytest_pareto.cli:main"}


def test_the_noise_study_runs_in_this_interpreter_from_any_folder(tmp_path: Path) -> None:
    folder = tmp_path / "tests"
    folder.mkdir()
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_a.py").write_text(TEST)
    quiet = ("-p", "no:cov", "-p", "no:hypothesispytest", "-p", "no:cacheprovider")
    command = [sys.executable, "-m", "pytest_pareto", "doctor", "--noise", "-n4", *quiet]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the same in every run: answer" in done.stdout
    assert "Warning" not in done.stdout
    assert not list(tmp_path.rglob("pareto_baselines"))


def test_the_package_disables_assertion_rewriting() -> None:
    """Otherwise an installed package warns in every session that the command line starts."""
    assert AssertionRewriter.is_rewrite_disabled(pytest_pareto.__doc__ or "")


def test_every_help_is_readable_at_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command also shows its usage and its exit codes."""
    monkeypatch.setenv("COLUMNS", "80")
    texts = {}
    for command in ([], *([name] for name in commands())):
        with pytest.raises(SystemExit):
            cli.main([*command, "--help"])
        texts[" ".join(command)] = capsys.readouterr().out
    for name, text in texts.items():
        assert max(map(len, text.splitlines())) <= 80, name
        assert f"  pytest-pareto {name}" in text, name
        assert "exit code: 0" in text, name
        assert "\x1b" not in text, name


def commands() -> list[str]:
    """Return the commands that the main help lists."""
    listing = run("--help").stdout.partition("\ncommands:\n")[2].partition("\nexamples:\n")[0]
    return re.findall(r"^    (\w+)", listing, flags=re.MULTILINE)


def run(*arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "pytest_pareto", *arguments],
        env=os.environ | {"COLUMNS": "80"} | env,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_help_lists_the_commands() -> None:
    assert "doctor" in commands()


def test_a_closed_pipe_is_no_error_for_the_help() -> None:
    command = f"{sys.executable} -m pytest_pareto --help"
    # The reader exits before anything is written.
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {{ sleep 0.3; {command}; }} | true"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def stored_baseline(tmp_path: Path) -> Path:
    """A baseline of one case."""
    metric = MetricHistory(
        "s", Better.LOWER, Kind.RUN, Scope.HOST, (Session(environment_key(HERE), 0, (0.1,)),)
    )
    case = CaseHistory("test_m.py::test_f", "f", "s", {"latency": metric})
    after = Baseline(HERE.hardware_key, {case.case_id: case}, {environment_key(HERE): HERE})
    write(tmp_path / "kept", HERE.hardware_key, Baseline(HERE.hardware_key, {}, {}), after)
    return tmp_path / "kept"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_an_error(stored_baseline: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "pytest_pareto", "show", str(stored_baseline)],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("pytest-pareto show: standard output took not all of it")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(os.name != "posix", reason="streams are closed by a POSIX shell")
@pytest.mark.parametrize(
    ("closed", "folder", "code"), [(">&-", "kept", 0), (">&- 2>&-", "kept", 0), ("2>&-", "no", 2)]
)
def test_closed_streams_discard_the_output(
    stored_baseline: Path, closed: str, folder: str, code: int
) -> None:
    command = f'"$0" -m pytest_pareto show "$1" {closed}'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable, str(stored_baseline.with_name(folder))],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


def test_ctrl_c_ends_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: Sequence[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(pytest, "main", interrupted)
    assert cli.main(["doctor", "--noise"]) == 130
    assert capsys.readouterr().err == "\npytest-pareto: interrupted\n"
