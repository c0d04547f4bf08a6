"""One pass of a meter, watched: what it called, how long that took, what it gave back."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pytest_pareto.measure.loop import first_call
from pytest_pareto.measure.meter import Calls
from pytest_pareto.measure.plan import LoopPlan
from pytest_pareto.model.run import Measurement

SHORT_PLAN = LoopPlan(rounds=3, warmup=1)
"""A meter that makes as many calls as the plan asks for needs few to be checked."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What a meter measured of one amount of work, and what that took by our own watch.

    ``found`` by metric name. ``wall_s`` and ``cpu_s`` (of all threads) are a call's share of
    the time from the first call to the end of the pass; ``shortest_s`` is the time in which
    the fastest call returned, which on a device may be long before its work is done.
    """

    units: int
    found: Mapping[str, Measurement]
    wall_s: float
    cpu_s: float
    shortest_s: float


class WatchedCalls(Calls):
    """Calls that remember how a meter used them. ``misuse`` says what it did wrong."""

    def __init__(self, function: Callable[[], object], *, clock: Callable[[], int]) -> None:
        super().__init__(
            self._counted(function),
            lambda: ((), {}),
            clock=clock,
            plan=SHORT_PLAN,
            case_id="check_meter",
        )
        self.misuse: list[str] = []
        self._ran = self._made = 0
        self._pending = False
        self._durations_ns: list[int] = []
        self._began_ns = 0
        self._began_cpu_s = 0.0

    def make_first_call(self) -> None:
        """Call once, as `measure_call` does before any meter: only then is the device known."""
        first_call(self)
        self._ran = self._made = 0
        self._durations_ns.clear()

    def prepare(self) -> Callable[[], object]:
        """Return one call, as `Calls.prepare` does, that tells when it is made."""
        if self._pending:
            self.misuse.append("prepares a call before it made the one prepared earlier")
        self._pending = True
        call = super().prepare()
        made = False

        def watched() -> object:
            nonlocal made
            if made:
                self.misuse.append("makes a prepared call twice: prepare each call anew")
            made, self._pending = True, False
            self._made += 1
            start_ns = self._start()
            try:
                return call()
            finally:
                self._durations_ns.append(self.clock() - start_ns)

        return watched

    def finish(self, units: int, found: Mapping[str, Measurement]) -> Pass:
        """Return what this pass was, now that the meter has come back from it."""
        made = max(1, self._made)
        return Pass(
            units,
            found,
            wall_s=(self.clock() - self._began_ns) / 1e9 / made,
            cpu_s=(time.process_time() - self._began_cpu_s) / made,
            shortest_s=min(self._durations_ns, default=0) / 1e9,
        )

    def check_calls(self) -> None:
        """Note it as misuse where calls went past `prepare`, or none was made."""
        if self._ran != self._made:
            self.misuse.append("calls the function itself: use calls.prepare()")
        elif not self._made:
            self.misuse.append("never calls the function, so it cannot have measured it")

    def _counted(self, function: Callable[[], object]) -> Callable[[], object]:
        def counted() -> object:
            self._ran += 1
            return function()

        return counted

    def _start(self) -> int:
        start_ns = self.clock()
        if not self._durations_ns:
            self._began_ns, self._began_cpu_s = start_ns, time.process_time()
        return start_ns
