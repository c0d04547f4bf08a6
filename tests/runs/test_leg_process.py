import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs.leg_process import (
    LegError,
    LegRun,
    run_groups,
    run_legs,
    set_up,
)
from pytest_pareto.runs.legs import Leg, Side
from pytest_pareto.runs.process import Barrier
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


# Groups that start up together

STAGES = """
import os, socket, sys, time
import mypkg.core
from pytest_pareto.runs.process import wait_at_barrier
def tell(what):
    print(what, os.getpid(), time.monotonic(), file=open(sys.argv[2], "a"), flush=True)
{before}
if not wait_at_barrier(socket.socket(fileno=int(sys.argv[1]))):
    sys.exit(9)
tell("begin")
time.sleep(0.2)
tell("end")
"""


class Groups:
    """Groups of one leg each that wait at barriers, and what they report: word, pid and second."""

    def __init__(self, leg: Leg, folder: Path, stack: ExitStack, before: list[str]) -> None:
        self.lines: list[list[tuple[str, int, float]]] = [[] for _ in before]
        self.runs = [
            [self._run(leg, folder / str(number), stack, STAGES.format(before=each), number)]
            for number, each in enumerate(before)
        ]

    def _run(self, leg: Leg, folder: Path, stack: ExitStack, script: str, number: int) -> LegRun:
        barrier = stack.enter_context(Barrier())

        def hear(line: str) -> None:
            word, pid, second = line.split()
            self.lines[number].append((word, int(pid), float(second)))

        return LegRun(
            leg,
            lambda lines: [sys.executable, "-c", script, str(barrier.childs.fileno()), str(lines)],
            folder,
            hear,
            barrier=barrier,
        )


START = "tell('start')"


def test_groups_start_up_together_and_work_one_after_the_other(leg: Leg, tmp_path: Path) -> None:
    with ExitStack() as stack:
        slow = f"time.sleep(0.3); {START}"
        groups = Groups(leg, tmp_path, stack, [START, slow, START])
        assert len(list(run_groups(groups.runs))) == 3
    words = [[word for word, _, _ in lines] for lines in groups.lines]
    assert words == [["start", "begin", "end"]] * 3
    seconds = [[second for _, _, second in lines] for lines in groups.lines]
    assert max(start for start, *_ in seconds) < seconds[0][1]
    assert seconds[0][2] < seconds[1][1]
    assert seconds[1][2] < seconds[2][1]


def test_groups_that_are_not_needed_are_ended(leg: Leg, tmp_path: Path) -> None:
    with ExitStack() as stack:
        groups = Groups(leg, tmp_path, stack, [START, START])
        running = run_groups(groups.runs)
        next(running)
        running.close()
    assert [word for word, _, _ in groups.lines[1]] == ["start"]
    assert ends(groups.lines[1][0][1])


def test_a_process_that_ends_while_it_waits_fails_the_groups(leg: Leg, tmp_path: Path) -> None:
    with ExitStack() as stack:
        groups = Groups(leg, tmp_path, stack, [START, f"{START}; sys.exit(3)"])
        with pytest.raises(LegError, match="the ref leg ended with exit code 3"):
            list(run_groups(groups.runs))
    assert all(ends(lines[0][1]) for lines in groups.lines)
    assert [word for word, _, _ in groups.lines[0]] == ["start"]


def test_waiting_is_not_within_the_time_limit(leg: Leg, tmp_path: Path) -> None:
    with ExitStack() as stack:
        groups = Groups(leg, tmp_path, stack, [START, START, START])
        limited = [[replace(run, timeout_s=2.0) for run in group] for group in groups.runs]
        running = run_groups(limited)
        next(running)
        time.sleep(2.1)
        assert len(list(running)) == 2


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
