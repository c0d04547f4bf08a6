"""SIGTERM and SIGHUP as Ctrl-C: ended by ``timeout``, Slurm, CI or a closed ssh, in order too."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from pytest_pareto.runs.process import ENDING


@contextlib.contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Raise KeyboardInterrupt on these signals: children end, worktrees go, what is known is told.

    Only in the main thread, and only where nobody else listens (as ``nohup`` does to SIGHUP).
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = os.getpid()

    def interrupt(number: int, _: FrameType | None) -> None:
        if os.getpid() != ours:
            # A process that a test forked has this handler too, and is to end as it would.
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
            return
        raise KeyboardInterrupt(signal.Signals(number).name)

    unheard = [each for each in ENDING if signal.getsignal(each) is signal.SIG_DFL]
    for each in unheard:
        signal.signal(each, interrupt)
    try:
        yield
    finally:
        for each in unheard:
            signal.signal(each, signal.SIG_DFL)
