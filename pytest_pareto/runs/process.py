"""Child processes: one process group each, output in a log, killed with the parent.

`ChildProcess` runs a command and yields the lines that it appends to a file. `ParentDeathPipe` lets
the kernel kill the child's group where the parent was killed. At a `Barrier` a child waits before
its work. No thread watches the child: it would
not disturb the timed calls, but Python warns of every fork of a process with threads, and tests
that turn warnings into errors would fail in the child only.
"""

import contextlib
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

if sys.platform == "linux":
    import fcntl

POLL_S = 0.05
"""Short enough to show a finished test at once, long enough not to disturb what is timed."""
GRACE_S = 3.0
"""The time that a child has to end by itself before it is killed."""
TAIL_LINES = 15

_TOOL_PREFIXES = ("COV_CORE_", "COVERAGE_", "PYTEST_XDIST_", "PYTEST_CURRENT_TEST")

TERMINATION_SIGNALS = (
    (signal.SIGTERM,) if sys.platform == "win32" else (signal.SIGTERM, signal.SIGHUP)
)
"""The signals that request termination, beside Ctrl-C. A closed terminal sends SIGHUP; Windows
has none."""


class ParentDeathPipe:
    """A pipe between parent and child; when the parent dies, the kernel kills the child's group.

    The parent holds one end as long as it lives. The child inherits the other and needs no code for
    it. This works on Linux only: other systems cannot send a chosen signal, and there a child whose
    parent is killed runs on to its end.
    """

    def __init__(self) -> None:
        self._read_end: int | None = None
        self._write_end: int | None = None
        if sys.platform == "linux":
            self._read_end, self._write_end = os.pipe()

    @property
    def inherited(self) -> tuple[int, ...]:
        """The descriptors that the child must inherit."""
        return () if self._read_end is None else (self._read_end,)

    def attach(self, group: int) -> None:
        """Let the kernel kill a process group when the parent's end is closed."""
        if sys.platform == "linux" and self._read_end is not None:
            with contextlib.suppress(OSError):  # the child has ended already
                fcntl.fcntl(self._read_end, fcntl.F_SETOWN, -group)
                fcntl.fcntl(self._read_end, fcntl.F_SETSIG, signal.SIGKILL)
                flags = fcntl.fcntl(self._read_end, fcntl.F_GETFL)
                fcntl.fcntl(self._read_end, fcntl.F_SETFL, flags | os.O_ASYNC)
            # No other reader may remain, or the kernel sends no signal.
            os.close(self._read_end)
            self._read_end = None

    def close(self) -> None:
        """Close both ends, after the group has ended."""
        for end in (self._read_end, self._write_end):
            if end is not None:
                os.close(end)
        self._read_end = self._write_end = None


_SIGNAL = b"."
"""What one process sends to the other at a barrier: that it is ready, or may go on."""


class Barrier:
    """A connection at which a child waits before its work, until this process lets it go on.

    Processes that start up together and work one after the other are ready sooner. A context
    manager; ``childs`` is the end that the child inherits, and at which it calls `wait_at_barrier`.
    """

    def __init__(self) -> None:
        self._own, self.childs = socket.socketpair()
        self._own.settimeout(0)
        self._reached = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._own.close()
        self.childs.close()

    def is_reached(self) -> bool:
        """Return whether the child waits here."""
        with contextlib.suppress(BlockingIOError, ConnectionResetError):
            self._reached |= self._own.recv(1) == _SIGNAL
        return self._reached

    def open(self) -> None:
        """Let the child go on; without effect where it has ended."""
        with contextlib.suppress(BrokenPipeError):
            self._own.sendall(_SIGNAL)


def wait_at_barrier(connection: socket.socket) -> bool:
    """Report that this process is ready, and wait; return whether it may go on.

    It may not where the process at the other end has ended.
    """
    with connection:
        connection.sendall(_SIGNAL)
        return connection.recv(1) == _SIGNAL


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without variables that make the child trace, or act as a worker.

    Coverage alone made calls take 2.7 times as long.
    """
    return {k: v for k, v in environment.items() if not k.startswith(_TOOL_PREFIXES)}


class ChildProcess:
    """A child process that appends lines to a file while it runs; a context manager.

    Whatever ends the block (the child's end, Ctrl-C, an error), the child and its process group end
    with it, on Linux also where this process is killed. What the child starts in a session of its
    own is not in that group. The child's environment is this process's unless another is given,
    cleaned in either case. ``inherited`` are sockets that go over to the child.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path,
        log: Path,
        lines: Path,
        environment: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        inherited: tuple[socket.socket, ...] = (),
    ) -> None:
        self._arguments = list(arguments)
        self._cwd = cwd
        self._log = log
        self._lines = lines
        self._environment = os.environ if environment is None else environment
        self._timeout_s = timeout_s
        self._inherited = inherited
        self._pending = b""
        self._read_b = 0
        self._deadline_s = math.inf
        self._process: subprocess.Popen[bytes] | None = None
        self._death_pipe: ParentDeathPipe | None = None

    def __enter__(self) -> Self:
        self._lines.touch()
        self._death_pipe = ParentDeathPipe()
        try:
            self._start(self._death_pipe)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self, death_pipe: ParentDeathPipe) -> None:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter, no shell
                self._arguments,
                cwd=self._cwd,
                env=clean_environment(self._environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(*death_pipe.inherited, *(each.fileno() for each in self._inherited)),
            )
        for each in self._inherited:
            # Held here too, its other end would not learn that the child has ended.
            each.close()
        death_pipe.attach(self._process.pid)
        self.start_timer()

    def start_timer(self) -> None:
        """Start the child's time limit, again where it has waited since its start."""
        if self._timeout_s is not None:
            self._deadline_s = time.monotonic() + self._timeout_s

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            end_group(self._process)
        if self._death_pipe is not None:
            self._death_pipe.close()

    def lines(self) -> Iterator[str]:
        """Yield each whole line as the child writes it, until it ends.

        Raises TimeoutError where the child takes longer than its time limit.
        """
        ended = False
        while not ended:
            ended = self.has_ended()
            yield from self.new_lines()
            if not ended:
                time.sleep(POLL_S)

    def has_ended(self) -> bool:
        """Return whether the child has ended.

        Raises TimeoutError where it runs longer than its time limit.
        """
        assert self._process is not None
        if self._process.poll() is not None:
            return True
        if time.monotonic() > self._deadline_s:
            raise TimeoutError(f"it did not end within {self._timeout_s:g} s")
        return False

    def new_lines(self) -> Iterator[str]:
        """Yield each whole line that the child has written since the last call."""
        # As bytes: the data written so far may end within a character.
        with self._lines.open("rb") as written:
            written.seek(self._read_b)
            new = written.read()
        self._read_b += len(new)
        *whole, self._pending = (self._pending + new).split(b"\n")
        yield from (line.decode("utf-8") for line in whole)

    def wait(self) -> None:
        """Wait until the child has ended. Raises TimeoutError as `lines` does."""
        for _ in self.lines():
            pass

    @property
    def exit_code(self) -> int | None:
        """The exit code, None while the child runs; negative is the signal that ended the child."""
        return None if self._process is None else self._process.returncode

    @property
    def pid(self) -> int | None:
        """The process id, or None before the child is started."""
        return None if self._process is None else self._process.pid

    def tail(self) -> str:
        """Return the last lines of the child's output."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-TAIL_LINES:])


def end_group(child: subprocess.Popen[bytes]) -> None:
    """End a child and its process group: the child's own children use the device too.

    The child must have been started with ``start_new_session=True``.
    """
    kill_group = getattr(os, "killpg", None)
    if kill_group is None:
        child.kill()
        child.wait()
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        try:
            if child.poll() is None:
                kill_group(child.pid, signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(GRACE_S)
        finally:  # also when a second Ctrl-C interrupts the wait
            kill_group(child.pid, signal.SIGKILL)
    child.wait()
