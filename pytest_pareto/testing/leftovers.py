"""What a meter may leave behind in the process, as far as it can be seen from outside."""

import gc
import random
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProcessState:
    """What other meters and tests rely on, at one moment."""

    trace: object
    profile: object
    collects_garbage: bool
    threads: frozenset[threading.Thread]
    random: object

    @classmethod
    def now(cls) -> "ProcessState":
        """Return the state at this moment."""
        return cls(
            trace=sys.gettrace(),
            profile=sys.getprofile(),
            collects_garbage=gc.isenabled(),
            threads=frozenset(threading.enumerate()),
            random=random.getstate(),
        )

    def left_behind(self, after: "ProcessState", *, drew_nothing: bool) -> Iterator[str]:
        """Say what is different ``after``; random numbers only where the call ``drew_nothing``."""
        if after.trace is not self.trace:
            yield "leaves a tracer behind: put sys.settrace back, also where the call raises"
        if after.profile is not self.profile:
            yield "leaves a profiler behind: put sys.setprofile back, also where the call raises"
        if after.collects_garbage != self.collects_garbage:
            yield "leaves garbage collection changed: put it back, also where the call raises"
        for name in sorted(thread.name for thread in after.threads - self.threads):
            yield f"leaves the thread {name!r} running: stop and join it before measure returns"
        if drew_nothing and after.random != self.random:
            yield "changes Python's global random state: use a random.Random of the meter's own"
