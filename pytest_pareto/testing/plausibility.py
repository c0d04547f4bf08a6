"""Whether readings can be true: by their unit, and by how they grow with the work.

One pass of a meter, watched: what it called, how long that took, what it gave back.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from pytest_pareto.measure.device import initialized_cuda
from pytest_pareto.measure.loop import first_call
from pytest_pareto.measure.meter import Calls
from pytest_pareto.measure.plan import LoopPlan
from pytest_pareto.model.metric import Better, Kind, Metric
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


MORE = 4
"""Units of work in a large pass; a small one has one."""
_GROWS_BY = 1.5
"""Of four units a cost is about four times one unit's; this leaves room for a busy machine."""
_OVERLAP = 3
"""Work of several streams or threads may add up to more than the wall time; a factor of 1000,
between units, remains far beyond this."""
_SMALL_SHARE = 1 / 200
"""Less of a call than this is hardly what a test was written to measure."""
_MOST_W_EACH = 2_000.0
"""Watts of one device or of the host: above any that is sold, below any in mW."""
_LEAST_W = 0.2
"""Watts of what is at work; kilojoules and watt-hours of a GPU come out below."""


def reading(passes: Sequence[Pass], name: str) -> float:
    """Return the median over passes of each pass's median reading."""
    return median(median(each.found[name].values) for each in passes)


def zero_problems(measurement: Measurement) -> Iterator[str]:
    """Say that a reading is 0 for work that the meter is to see."""
    metric = measurement.metric
    if metric.unit and 0 in measurement.values:
        yield (
            f"{metric.name!r} reads 0 {metric.unit} for the work; what a meter cannot see is "
            "absent with a reason, never 0 (where 0 is a fact, pass `work` with more to it)"
        )


def unseen_problems(measurement: Measurement) -> Iterator[str]:
    """Say that there is a reading for work of which the meter can see nothing."""
    metric = measurement.metric
    if measurement.values:
        yield (
            f"{metric.name!r} reads {measurement.values[0]:g} {metric.unit} for work that it "
            "cannot see (`unseen`); what is unknown is absent with a reason"
        )


def nothing_problems(measurement: Measurement) -> Iterator[str]:
    """Say that a call that does nothing took no time or energy, which no call can."""
    metric = measurement.metric
    if metric.unit in ("s", "J") and 0 in measurement.values:
        yield (
            f"{metric.name!r} reads 0 {metric.unit} for a call that does nothing; what is too "
            "small to see is absent with a reason, never 0"
        )


def unit_problems(metric: Metric, each: Pass, known_s: float | None) -> Iterator[str]:
    """Say that a pass's median reading cannot be in the metric's unit.

    ``known_s`` is what one unit of the work takes, in seconds, where that is known.
    """
    values = each.found[metric.name].values
    middle = median(values)
    told = f"{metric.name!r} reads {middle:g} {metric.unit} for a call of {each.wall_s:.3g} s"
    if metric.unit == "s":
        low, high = _possible_s(each, known_s)
        if middle > high:
            yield f"{told}: is it in ms, µs or ns? Readings are in seconds"
        elif middle < low:
            yield f"{told}: is it in minutes, or does the meter not see this work? Pass `work`"
    elif metric.unit == "J":
        most_w = _MOST_W_EACH * (1 + _devices())
        if middle > most_w * each.wall_s:
            yield f"{told}, {middle / each.wall_s:.3g} W: is it in mJ? Readings are in joules"
        elif middle < _LEAST_W * each.shortest_s:
            yield (
                f"{told}, {middle / each.shortest_s:.1g} W: is it in kJ or Wh, or does the meter "
                "not see this work? Pass `work`"
            )
    elif metric.unit in ("B", "count") and any(value % 1 for value in values):
        yield f"{told}: {metric.unit} are whole numbers"


def range_problems(
    metric: Metric, small: Sequence[Pass], expected: tuple[float, float]
) -> Iterator[str]:
    """Say that one unit of work reads something outside the range that it should."""
    low, high = expected
    found = reading(small, metric.name)
    if not low <= found <= high:
        yield (
            f"{metric.name!r} reads {found:g} {metric.unit} for one unit of work, "
            f"outside the expected {low:g} to {high:g}"
        )


def growth_problems(metric: Metric, small: Sequence[Pass], large: Sequence[Pass]) -> Iterator[str]:
    """Say that more work does not cost more, or that an exact metric does not repeat."""
    less, more = reading(small, metric.name), reading(large, metric.name)
    told = f"{metric.name!r} reads {less:g} {metric.unit} for 1 unit of work, {more:g} for {MORE}"
    if metric.kind is Kind.EXACT:
        values = {value for each in small for value in each.found[metric.name].values}
        if max(values) - min(values) > _slack(metric, less):
            yield (
                f"{metric.name!r} is exact, but read {', '.join(f'{v:g}' for v in sorted(values))}"
                " for the same work; make it repeatable, or of Kind.RUN"
            )
        elif metric.better is Better.LOWER and more < less - _slack(metric, less):
            yield f"{told}: more work cannot cost less"
    elif metric.better is Better.LOWER and metric.unit in ("s", "J") and more < _GROWS_BY * less:
        yield f"{told}: a cost must grow with the work (by {_GROWS_BY:g} times here, at the least)"


def _possible_s(each: Pass, known_s: float | None) -> tuple[float, float]:
    most = _OVERLAP * (each.wall_s * max(1, _devices()) + each.cpu_s)
    if known_s is not None:
        return each.units * known_s / 2, most
    return each.shortest_s * _SMALL_SHARE, most


def _slack(metric: Metric, value: float) -> float:
    return metric.tolerance * (abs(value) if metric.relative else 1.0)


def _devices() -> int:
    cuda = initialized_cuda()
    return 0 if cuda is None else int(cuda.device_count())
