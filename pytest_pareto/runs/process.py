"""One child process: its own process group, its output in a log, never left behind.

What ends a child whose parent was killed: a pipe of which the kernel tells the child's group.

No thread watches it: one would cost the timed calls nothing, but Python warns of every fork of a
process with threads, and tests that turn warnings into errors would fail in the child only.

The signals that ask a process to end, beside Ctrl-C.
"""

import contextlib
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

if sys.platform == "linux":
    import fcntl


class Lifeline:
    """A pipe between parent and child; when the parent is gone, the child's group is killed.

    The parent holds one end for as long as it lives, the child inherits the other and need not
    know. On Linux only: other systems cannot send a signal of choice, and there a child whose
    parent is killed runs on to its end.
    """

    def __init__(self) -> None:
        self._reading: int | None = None
        self._writing: int | None = None
        if sys.platform == "linux":
            self._reading, self._writing = os.pipe()

    @property
    def inherited(self) -> tuple[int, ...]:
        """The descriptors that the child must be started with."""
        return () if self._reading is None else (self._reading,)

    def tie(self, group: int) -> None:
        """Let the kernel kill a process group when the parent's end is closed."""
        if sys.platform == "linux" and self._reading is not None:
            with contextlib.suppress(OSError):  # the child has ended already
                fcntl.fcntl(self._reading, fcntl.F_SETOWN, -group)
                fcntl.fcntl(self._reading, fcntl.F_SETSIG, signal.SIGKILL)
                flags = fcntl.fcntl(self._reading, fcntl.F_GETFL)
                fcntl.fcntl(self._reading, fcntl.F_SETFL, flags | os.O_ASYNC)
            # The child's end has to be the last one, or nobody is told.
            os.close(self._reading)
            self._reading = None

    def close(self) -> None:
        """Let go of both ends, when the group has ended."""
        for end in (self._reading, self._writing):
            if end is not None:
                os.close(end)
        self._reading = self._writing = None


POLL_S = 0.05
"""Often enough to show a finished test at once, seldom enough not to disturb what is timed."""
GRACE_S = 3.0
"""What a child gets to end by itself before it is killed."""
TAIL_LINES = 15

_FOREIGN = ("COV_CORE_", "COVERAGE_", "PYTEST_XDIST_", "PYTEST_CURRENT_TEST")


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without what would make the child trace, or act as a worker.

    Coverage alone slowed calls 2.7 times.
    """
    return {k: v for k, v in environment.items() if not k.startswith(_FOREIGN)}


class ChildProcess:
    """A child that appends lines to a file while it runs.

    Used as a context manager: whatever ends the block (the child's end, Ctrl-C, an error),
    the child and its process group are ended with it, and on Linux also where this process is
    killed. What the child starts in a session of its own is no longer in that group. Its
    environment is this process's unless another is given, cleaned in either case.
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
    ) -> None:
        self._arguments = list(arguments)
        self._cwd = cwd
        self._log = log
        self._lines = lines
        self._environment = os.environ if environment is None else environment
        self._timeout_s = timeout_s
        self._deadline_s = math.inf
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline: Lifeline | None = None

    def __enter__(self) -> Self:
        self._lines.touch()
        self._lifeline = Lifeline()
        try:
            self._start(self._lifeline)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self, lifeline: Lifeline) -> None:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter, no shell
                self._arguments,
                cwd=self._cwd,
                env=clean_environment(self._environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=lifeline.inherited,
            )
        lifeline.tie(self._process.pid)
        if self._timeout_s is not None:
            self._deadline_s = time.monotonic() + self._timeout_s

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            end_group(self._process)
        if self._lifeline is not None:
            self._lifeline.close()

    def lines(self) -> Iterator[str]:
        """Yield each whole line as the child writes it, until it ends.

        Raises TimeoutError where the child is given a time and takes longer.
        """
        assert self._process is not None
        pending = b""
        # As bytes: what has been written so far may end within a character.
        with self._lines.open("rb") as written:
            while True:
                ended = self._process.poll() is not None
                pending += written.read()
                *whole, pending = pending.split(b"\n")
                yield from (line.decode("utf-8") for line in whole)
                if ended:
                    return
                if time.monotonic() > self._deadline_s:
                    raise TimeoutError(f"it did not end within {self._timeout_s:g} s")
                time.sleep(POLL_S)

    def wait(self) -> None:
        """Wait until the child has ended, whatever it writes; raises TimeoutError as `lines`."""
        for _ in self.lines():
            pass

    @property
    def exit_code(self) -> int | None:
        """The exit code, or None while the child runs; negative is the signal that ended it."""
        return None if self._process is None else self._process.returncode

    @property
    def pid(self) -> int | None:
        """The process id, or None before the child was started."""
        return None if self._process is None else self._process.pid

    def tail(self) -> str:
        """Return the last lines of the child's output."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-TAIL_LINES:])


def end_group(child: subprocess.Popen[bytes]) -> None:
    """End a child and its whole group: the child's own children hold the device too.

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
        finally:  # also when a second Ctrl-C ends the waiting
            kill_group(child.pid, signal.SIGKILL)
    child.wait()


_NAMES = ("SIGTERM", "SIGHUP")

ENDING = tuple(signal.Signals[name] for name in _NAMES if hasattr(signal, name))
"""SIGHUP is what a closed terminal sends; Windows has none."""
