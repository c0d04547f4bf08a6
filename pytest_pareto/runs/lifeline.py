"""What ends a child whose parent was killed: a pipe of which the kernel tells the child's group.

No thread watches it: one would cost the timed calls nothing, but Python warns of every fork of a
process with threads, and tests that turn warnings into errors would fail in the child only.
"""

import contextlib
import os
import signal
import sys

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
