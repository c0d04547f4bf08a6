import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pytest_pareto.runs import process
from pytest_pareto.runs.process import (
    TAIL_LINES,
    Barrier,
    ChildProcess,
    clean_environment,
    wait_at_barrier,
)

Start = Callable[..., ChildProcess]

WRITE = """
import os, sys, time, signal, subprocess
out = open("lines", "ab", buffering=0)
"""
SLEEP = "time.sleep(60)\n"
GRANDCHILD = """
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
out.write(f"{grandchild.pid}\\n".encode())
"""


@pytest.fixture
def start(tmp_path: Path) -> Start:
    def started(script: str, **more: Any) -> ChildProcess:
        return ChildProcess(
            [sys.executable, "-c", WRITE + script],
            cwd=tmp_path,
            log=tmp_path / "log",
            lines=tmp_path / "lines",
            **more,
        )

    return started


def is_alive(pid: int) -> bool:
    """Return whether a process still runs; one that only waits to be reaped has ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return Path("/proc").exists() is False


def ends(pid: int, within_s: float = 2.0) -> bool:
    deadline = time.monotonic() + within_s
    while is_alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


# Lines


def test_lines_arrive_while_the_child_runs(start: Start, tmp_path: Path) -> None:
    """The child waits for an answer: lines that came at its end would never come."""
    script = """
out.write(b"one\\n")
while not os.path.exists("answer"):
    time.sleep(0.005)
out.write(b"two\\nthree\\n")
"""
    with start(script) as child:
        lines = child.lines()
        assert next(lines) == "one"
        assert child.exit_code is None
        (tmp_path / "answer").touch()
        assert list(lines) == ["two", "three"]
        assert child.exit_code == 0


def test_only_whole_lines_are_yielded(start: Start) -> None:
    script = """
out.write(b"on")
time.sleep(0.15)
out.write(b"e\\n\\ntw")
"""
    with start(script) as child:
        assert list(child.lines()) == ["one", ""]  # a child that died writing leaves half a line


def test_a_character_may_arrive_in_two_pieces(start: Start) -> None:
    script = """
out.write("µ".encode()[:1])
time.sleep(0.15)
out.write("µ".encode()[1:] + b"s\\n")
"""
    with start(script) as child:
        assert list(child.lines()) == ["µs"]


def test_many_lines_are_all_yielded(start: Start) -> None:
    script = """
for i in range(20_000):
    sys.stdout.write("noise " * 20)
out.write(b"".join(b"%d %s\\n" % (i, b"x" * 200) for i in range(20_000)))
"""
    with start(script) as child:
        numbers = [int(line.split()[0]) for line in child.lines()]
    assert numbers == list(range(20_000))


def test_a_child_that_writes_nothing_has_no_lines(start: Start) -> None:
    with start("") as child:
        assert list(child.lines()) == []


# How it ended


@pytest.mark.parametrize(
    ("script", "code"),
    [("sys.exit(3)", 3), ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL)],
)
def test_the_exit_code(start: Start, script: str, code: int) -> None:
    child = start(script)
    assert child.exit_code is None
    with child:
        assert list(child.lines()) == []
    assert child.exit_code == code


def test_the_tail_is_the_end_of_the_output(start: Start) -> None:
    script = """
for i in range(100):
    print(i)
sys.stdout.flush()
sys.stdout.buffer.write(b"\\xff\\n")
sys.stdout.flush()
print("last", file=sys.stderr)
"""
    with start(script) as child:
        list(child.lines())
    tail = child.tail().splitlines()
    assert len(tail) == TAIL_LINES
    assert tail[-3:] == ["99", "\N{REPLACEMENT CHARACTER}", "last"]


@pytest.fixture
def typed() -> Iterator[None]:
    """Put unread input where a terminal would be."""
    kept = os.dup(0)
    reading, writing = os.pipe()
    os.write(writing, b"typed")
    os.close(writing)
    os.dup2(reading, 0)
    os.close(reading)
    yield
    os.dup2(kept, 0)
    os.close(kept)


@pytest.mark.usefixtures("typed")
def test_the_child_cannot_read_the_terminal(start: Start) -> None:
    with start("sys.exit(len(sys.stdin.read()))") as child:
        list(child.lines())
    assert child.exit_code == 0


# Its environment


def test_the_environment_is_cleaned_of_tracers_and_workers() -> None:
    kept = {"PATH": "p", "PYTEST_ADDOPTS": "-q", "CUDA_VISIBLE_DEVICES": "1"}
    foreign = ("COV_CORE_SOURCE", "COVERAGE_PROCESS_START", "PYTEST_XDIST_WORKER")
    dirty = kept | dict.fromkeys((*foreign, "PYTEST_CURRENT_TEST"), "x")
    assert clean_environment(dirty) == kept


def test_the_child_sees_the_cleaned_environment(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    monkeypatch.setenv("KEPT", "kept")
    script = (
        "out.write(repr([os.environ.get(k) for k in ('PYTEST_XDIST_WORKER', 'KEPT')]).encode())"
    )
    with start(script + "; out.write(b'\\n')") as child:
        assert list(child.lines()) == ["[None, 'kept']"]


def test_a_child_may_be_given_an_environment(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "ours")
    given = {"GIVEN": "given", "COVERAGE_PROCESS_START": "x"}
    with start("out.write(repr(sorted(os.environ)).encode() + b'\\n')", environment=given) as child:
        (names,) = child.lines()
    assert "'GIVEN'" in names
    assert "OURS" not in names
    assert "COVERAGE" not in names


# Time limit


def test_a_child_over_its_time_limit_is_ended(start: Start) -> None:
    with (
        start("out.write(b'one\\n')\n" + SLEEP, timeout_s=0.3) as child,
        pytest.raises(TimeoutError, match=r"^it did not end within 0\.3 s$"),
    ):
        child.wait()
    assert child.exit_code == -signal.SIGTERM


def test_a_child_within_its_time_limit_is_not_ended(start: Start) -> None:
    with start("", timeout_s=60) as child:
        child.wait()
    assert child.exit_code == 0


# Nothing is left behind


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_error_ends_the_child_and_what_it_started(
    start: Start, error: type[BaseException]
) -> None:
    child = start(GRANDCHILD + SLEEP)
    pids: list[int] = []

    def work() -> None:
        with child:
            pids.append(int(next(child.lines())))
            assert is_alive(*pids)
            raise error

    with pytest.raises(error):
        work()
    (grandchild,) = pids
    assert child.exit_code == -signal.SIGTERM
    assert ends(grandchild)


def test_a_child_that_ended_leaves_nothing_behind(start: Start) -> None:
    with start(GRANDCHILD) as child:
        (grandchild,) = map(int, child.lines())
        assert child.exit_code == 0
        assert is_alive(grandchild)
    assert ends(grandchild)


def test_leaving_early_ends_it(start: Start) -> None:
    with start(GRANDCHILD + SLEEP) as child:
        grandchild = int(next(child.lines()))
    assert child.exit_code == -signal.SIGTERM
    assert ends(grandchild)


def test_a_child_that_ignores_sigterm_is_killed(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "GRACE_S", 0.1)
    script = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + GRANDCHILD + SLEEP
    with start(script) as child:
        grandchild = int(next(child.lines()))
    assert child.exit_code == -signal.SIGKILL
    assert ends(grandchild)


def test_a_child_has_time_to_end_by_itself(start: Start, tmp_path: Path) -> None:
    script = """
def bye(*_):
    open("bye", "w").close()
    sys.exit(7)
signal.signal(signal.SIGTERM, bye)
out.write(b"ready\\n")
"""
    with start(script + SLEEP) as child:
        next(child.lines())
    assert child.exit_code == 7
    assert (tmp_path / "bye").exists()


def test_without_process_groups_the_child_is_ended(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "killpg")
    with start("out.write(b'ready\\n')\n" + SLEEP) as child:
        next(child.lines())
    assert child.exit_code == -signal.SIGKILL


def test_a_child_that_never_started_needs_no_end(start: Start, tmp_path: Path) -> None:
    child = ChildProcess(
        [str(tmp_path / "absent")], cwd=tmp_path, log=tmp_path / "log", lines=tmp_path / "lines"
    )
    with pytest.raises(FileNotFoundError), child:
        pytest.fail("it cannot have started")
    child.__exit__()
    assert child.exit_code is None


KILLED = """
import os, sys
from pathlib import Path
from pytest_pareto.runs import process
from pytest_pareto.runs.process import ParentDeathPipe

if "cut" in sys.argv:
    ParentDeathPipe.attach = lambda *_: None
here = Path(sys.argv[1])
script = (here / "script").read_text()
files = {"cwd": here, "log": here / "log", "lines": here / "lines"}
with process.ChildProcess([sys.executable, "-c", script], **files) as child:
    lines = child.lines()
    print(next(lines), next(lines), flush=True)
    os.kill(os.getpid(), 9)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells it on Linux only")
@pytest.mark.parametrize("cut", [False, True])
def test_a_killed_parent_takes_the_group_with_it(tmp_path: Path, *, cut: bool) -> None:
    me = "out.write(f'{os.getpid()}\\n'.encode())\n"
    (tmp_path / "script").write_text(WRITE + me + GRANDCHILD + SLEEP)
    command = [sys.executable, "-c", KILLED, str(tmp_path), *(["cut"] if cut else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    child, grandchild = map(int, done.stdout.split())
    if cut:
        assert is_alive(child)
        os.killpg(child, signal.SIGKILL)
    assert ends(child)
    assert ends(grandchild)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="nobody tells what is open")
def test_no_descriptor_is_left_open(start: Start, tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with start("") as child:
        child.wait()
    absent = ChildProcess(
        [str(tmp_path / "absent")], cwd=tmp_path, log=tmp_path / "log", lines=tmp_path / "lines"
    )
    with pytest.raises(FileNotFoundError), absent:
        pytest.fail("it cannot have started")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


# Barriers

WAIT = """
import socket
from pytest_pareto.runs.process import wait_at_barrier
out.write(b"begin\\n" if wait_at_barrier(socket.socket(fileno={end})) else b"no\\n")
"""


def test_a_child_waits_until_its_barrier_is_opened(start: Start) -> None:
    with Barrier() as barrier:
        child = start(WAIT.format(end=barrier.childs.fileno()), inherited=(barrier.childs,))
        assert not barrier.is_reached()
        with child:
            while not barrier.is_reached():
                time.sleep(0.01)
            assert list(child.new_lines()) == []
            barrier.open()
            assert list(child.lines()) == ["begin"]


def test_a_child_whose_barrier_is_closed_does_not_begin(start: Start) -> None:
    with Barrier() as barrier:
        child = start(WAIT.format(end=barrier.childs.fileno()), inherited=(barrier.childs,))
        with child:
            while not barrier.is_reached():
                time.sleep(0.01)
            barrier.__exit__()
            assert list(child.lines()) == ["no"]


def test_a_child_that_has_ended_reaches_no_barrier(start: Start) -> None:
    with Barrier() as barrier, start("", inherited=(barrier.childs,)) as child:
        child.wait()
        assert not barrier.is_reached()
        barrier.open()


def test_no_signal_at_the_barrier_is_an_end() -> None:
    own, childs = socket.socketpair()
    own.close()
    with pytest.raises(BrokenPipeError):
        wait_at_barrier(childs)
    own, childs = socket.socketpair()
    own.shutdown(socket.SHUT_WR)
    assert not wait_at_barrier(childs)
    own.close()
