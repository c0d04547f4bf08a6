import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs.leg_process import LegError, LegRun, run_legs, set_up
from pytest_pareto.runs.legs import Leg, Side
from tests.runs.conftest import Compare, Repository
from tests.runs.test_process import ends

RUN = "import mypkg.core; tell('one'); print('said')\n"


@pytest.fixture
def leg(compare: Compare) -> Leg:
    return compare().legs[Side.REF]


def test_lines_arrive_during_the_run_and_it_is_verified(compare: Compare) -> None:
    told, proved = compare().run(Side.REF, RUN + "tell('two')")
    assert told == ["one", "two"]
    assert proved == {"mypkg", "mypkg.core"}


@pytest.mark.parametrize(
    ("end", "message"),
    [
        ("sys.exit(3)", r"^the ref leg ended with exit code 3; its output ends:\nsaid$"),
        ("os.abort()", r"^the ref leg was ended by signal 6; "),
        ("os.kill(os.getpid(), 9)", r"^the ref leg was ended by signal 9 \(is the machine out of"),
        ("raise OSError('why')", r"(?s)exit code 1; .*\nOSError: why$"),
    ],
)
def test_a_failed_run_reports_its_exit(compare: Compare, end: str, message: str) -> None:
    with pytest.raises(ParetoError, match=message):
        compare().run(Side.REF, RUN + "sys.stdout.flush()\n" + end)


def test_expected_exit_codes(compare: Compare) -> None:
    assert compare().run(Side.REF, RUN + "sys.exit(3)", orderly=(0, 3))[0] == ["one"]


def test_a_run_that_takes_too_long_is_ended(compare: Compare) -> None:
    script = RUN + "import time; time.sleep(60)"
    with pytest.raises(ParetoError, match=r"^the ref leg was ended: it did .* 0\.3 s; its output"):
        compare().run(Side.REF, script, timeout_s=0.3)


def test_an_error_in_the_callback_ends_the_run(leg: Leg, tmp_path: Path) -> None:
    script = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, file=open(sys.argv[-1], "a"))
time.sleep(60)
"""
    pids = []

    def hear(line: str) -> None:
        pids.append(int(line))
        raise KeyboardInterrupt

    def arguments(lines: Path) -> list[str]:
        return [sys.executable, "-c", script, str(lines)]

    with pytest.raises(KeyboardInterrupt):
        run_legs([LegRun(leg, arguments, tmp_path / "run", hear)])
    assert ends(pids[0])


def test_a_folder_serves_one_run_only(leg: Leg, tmp_path: Path) -> None:
    """The log of an earlier run must not prove a later one."""
    (tmp_path / "run/carried").mkdir(parents=True)
    with pytest.raises(FileExistsError):
        run_legs([LegRun(leg, lambda _: [], tmp_path / "run", print)])


def test_legs_that_run_at_once_end_with_the_one_that_fails(
    compare: Compare, tmp_path: Path
) -> None:
    script = "import os, sys, time; print(os.getpid(), file=open(sys.argv[1], 'a')); "
    scripts = {Side.REF: script + "time.sleep(60)", Side.CANDIDATE: script + "sys.exit(3)"}
    pids: dict[Side, int] = {}
    runs = [
        LegRun(
            leg,
            lambda lines, side=side: [sys.executable, "-c", scripts[side], str(lines)],  # type: ignore[misc]
            tmp_path / str(side),
            lambda line, side=side: pids.__setitem__(side, int(line)),  # type: ignore[misc]
        )
        for side, leg in compare().legs.items()
    ]
    with pytest.raises(LegError, match="the candidate leg ended with exit code 3"):
        run_legs(runs)
    assert all(map(ends, pids.values()))


# Set-up


def test_set_up_runs_in_the_legs_folder_with_the_legs_code(leg: Leg, tmp_path: Path) -> None:
    command = f"{sys.executable} -c 'import mypkg.core as c; print(c.VALUE)' > built && pwd"
    set_up(leg, command, tmp_path / "setup")
    assert (leg.tree.root / "built").read_text() == "old\n"
    assert (tmp_path / "setup/log.txt").read_text() == f"{leg.tree.root}\n"


def test_a_failed_set_up_reports_its_exit(leg: Leg, tmp_path: Path) -> None:
    message = (
        r"^the ref leg's pareto_against_setup \(echo no >&2; exit 7\) ended with .* 7; .*\nno$"
    )
    with pytest.raises(ParetoError, match=message):
        set_up(leg, "echo no >&2; exit 7", tmp_path / "setup")


def test_set_up_that_takes_too_long_is_ended(leg: Leg, tmp_path: Path) -> None:
    with pytest.raises(ParetoError, match=r"was ended: it did not end within 0\.1 s"):
        set_up(leg, "sleep 60", tmp_path / "setup", timeout_s=0.1)


# A whole comparison, interrupted

SESSION = """
import sys, tempfile
from pathlib import Path
from pytest_pareto.runs.leg_process import LegRun, run_legs
from pytest_pareto.runs.legs import Side, make_legs
from pytest_pareto.runs.project import survey_project
from pytest_pareto.runs.git import open_tree, resolve
from pytest_pareto.runs.worktree import check_out

tree = open_tree(Path(sys.argv[1]))
code = "import os, sys, time; print(os.getpid(), file=open(sys.argv[1], 'a')); time.sleep(60)"
with (
    tempfile.TemporaryDirectory() as folder,
    check_out(tree, resolve(tree, "HEAD~1")) as worktree,
):
    legs = make_legs(tree, worktree, survey_project(tree, worktree, []))
    run = LegRun(
        legs[Side.REF],
        lambda lines: [sys.executable, "-c", code, str(lines)],
        folder=Path(folder) / "run",
        hear=lambda line: print(line, flush=True),
    )
    run_legs([run])
"""


def test_ctrl_c_leaves_no_worktree_no_lock_and_no_child(repository: Repository, temp: Path) -> None:
    before = repository.state()
    with subprocess.Popen(
        [sys.executable, "-c", SESSION, str(repository.path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as session:
        assert session.stdout is not None
        pid = int(session.stdout.readline())
        started = time.monotonic()
        session.send_signal(signal.SIGINT)
        session.wait(20)
    assert time.monotonic() - started < 10
    assert ends(pid)
    assert repository.state() == before
    assert list(temp.iterdir()) == []
