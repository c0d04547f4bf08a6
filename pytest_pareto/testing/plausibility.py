"""Plausibility checks of readings: by their unit, and by their growth with the work.

`RecordedCalls` records how a meter uses its calls and how long they take; a `Pass` holds the
result. The ``..._problems`` functions yield one sentence per problem.
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
"""A plan of few calls, enough to check a meter that makes as many calls as the plan has."""
LARGE_UNITS = 4
"""Units of work in a large pass; a small pass has one."""
_MIN_GROWTH = 1.5
"""Four units cost about four times as much as one; this leaves room for a busy machine."""
_MAX_OVERLAP = 3
"""Work of several streams or threads may add up to more than the wall time; a factor of 1000,
between units, remains far beyond this.
"""
_MIN_SHARE = 1 / 200
"""A smaller share of a call is unlikely to be what a test was written to measure."""
_MAX_W_PER_DEVICE = 2_000.0
"""Watts of one device or of the host: above any that is sold, below any in mW."""
_MIN_W = 0.2
"""Watts of a device at work; kilojoules and watt-hours of a GPU are below."""


@dataclass(frozen=True, slots=True)
class Pass:
    """The measurements of one amount of work, and the time of the calls by an independent clock.

    ``found`` by metric name. ``wall_s`` and ``cpu_s`` (of all threads) are a call's share of
    the time from the first call to the end of the pass; ``shortest_s`` is the time in which
    the fastest call returned, which on a device may be long before its work is done.
    """

    units: int
    found: Mapping[str, Measurement]
    wall_s: float
    cpu_s: float
    shortest_s: float


class RecordedCalls(Calls):
    """Calls that record how a meter used them; ``misuse`` lists what it did wrong."""

    def __init__(self, function: Callable[[], object], *, clock: Callable[[], int]) -> None:
        super().__init__(
            self._counting(function),
            lambda: ((), {}),
            clock=clock,
            plan=SHORT_PLAN,
            case_id="check_meter",
        )
        self.misuse: list[str] = []
        self._function_calls = self._prepared_calls = 0
        self._pending = False
        self._durations_ns: list[int] = []
        self._first_start_ns = 0
        self._first_cpu_s = 0.0

    def make_first_call(self) -> None:
        """Call once, as `measure_call` does before any meter: the device is known only then."""
        first_call(self)
        self._function_calls = self._prepared_calls = 0
        self._durations_ns.clear()

    def prepare(self) -> Callable[[], object]:
        """Return one call, as `Calls.prepare` does, that records when it is made."""
        if self._pending:
            self.misuse.append("prepares a call before it made the one prepared earlier")
        self._pending = True
        call = super().prepare()
        made = False

        def recorded() -> object:
            nonlocal made
            if made:
                self.misuse.append("makes a prepared call twice: prepare each call anew")
            made, self._pending = True, False
            self._prepared_calls += 1
            start_ns = self._record_start()
            try:
                return call()
            finally:
                self._durations_ns.append(self.clock() - start_ns)

        return recorded

    def finish(self, units: int, found: Mapping[str, Measurement]) -> Pass:
        """Return the record of this pass, after the meter has returned."""
        made = max(1, self._prepared_calls)
        return Pass(
            units,
            found,
            wall_s=(self.clock() - self._first_start_ns) / 1e9 / made,
            cpu_s=(time.process_time() - self._first_cpu_s) / made,
            shortest_s=min(self._durations_ns, default=0) / 1e9,
        )

    def check_calls(self) -> None:
        """Add a misuse where calls bypassed `prepare`, or none was made."""
        if self._function_calls != self._prepared_calls:
            self.misuse.append("calls the function itself: use calls.prepare()")
        elif not self._prepared_calls:
            self.misuse.append("never calls the function, so it cannot have measured it")

    def _counting(self, function: Callable[[], object]) -> Callable[[], object]:
        def counting() -> object:
            self._function_calls += 1
            return function()

        return counting

    def _record_start(self) -> int:
        start_ns = self.clock()
        if not self._durations_ns:
            self._first_start_ns, self._first_cpu_s = start_ns, time.process_time()
        return start_ns


def reading(passes: Sequence[Pass], name: str) -> float:
    """Return the median over passes of each pass's median reading."""
    return median(median(each.found[name].values) for each in passes)


def zero_problems(measurement: Measurement) -> Iterator[str]:
    """Yield a problem if a reading is 0 for work that the meter has to measure."""
    metric = measurement.metric
    if metric.unit and 0 in measurement.values:
        yield (
            f"{metric.name!r} reads 0 {metric.unit} for the work; what a meter cannot see is "
            "absent with a reason, never 0 (where 0 is a fact, pass `work` with more to it)"
        )


def unseen_problems(measurement: Measurement) -> Iterator[str]:
    """Yield a problem if there is a reading for work that the meter cannot measure."""
    metric = measurement.metric
    if measurement.values:
        yield (
            f"{metric.name!r} reads {measurement.values[0]:g} {metric.unit} for work that it "
            "cannot see (`unseen`); what is unknown is absent with a reason"
        )


def nothing_problems(measurement: Measurement) -> Iterator[str]:
    """Yield a problem if a call that does nothing took no time or energy, which is impossible."""
    metric = measurement.metric
    if metric.unit in ("s", "J") and 0 in measurement.values:
        yield (
            f"{metric.name!r} reads 0 {metric.unit} for a call that does nothing; what is too "
            "small to see is absent with a reason, never 0"
        )


def unit_problems(metric: Metric, each: Pass, known_s: float | None) -> Iterator[str]:
    """Yield a problem if a pass's median reading cannot be in the metric's unit.

    ``known_s`` is the time of one unit of the work, in seconds, where that is known.
    """
    values = each.found[metric.name].values
    typical = median(values)
    prefix = f"{metric.name!r} reads {typical:g} {metric.unit} for a call of {each.wall_s:.3g} s"
    if metric.unit == "s":
        low, high = _plausible_range_s(each, known_s)
        if typical > high:
            yield f"{prefix}: is it in ms, µs or ns? Readings are in seconds"
        elif typical < low:
            yield f"{prefix}: is it in minutes, or does the meter not see this work? Pass `work`"
    elif metric.unit == "J":
        max_w = _MAX_W_PER_DEVICE * (1 + _device_count())
        if typical > max_w * each.wall_s:
            yield f"{prefix}, {typical / each.wall_s:.3g} W: is it in mJ? Readings are in joules"
        elif typical < _MIN_W * each.shortest_s:
            yield (
                f"{prefix}, {typical / each.shortest_s:.1g} W: is it in kJ or Wh, or does the "
                "meter not see this work? Pass `work`"
            )
    elif metric.unit in ("B", "count") and any(value % 1 for value in values):
        yield f"{prefix}: {metric.unit} are whole numbers"


def range_problems(
    metric: Metric, small: Sequence[Pass], expected: tuple[float, float]
) -> Iterator[str]:
    """Yield a problem if the reading of one unit of work is outside its expected range."""
    low, high = expected
    found = reading(small, metric.name)
    if not low <= found <= high:
        yield (
            f"{metric.name!r} reads {found:g} {metric.unit} for one unit of work, "
            f"outside the expected {low:g} to {high:g}"
        )


def growth_problems(metric: Metric, small: Sequence[Pass], large: Sequence[Pass]) -> Iterator[str]:
    """Yield a problem if more work does not cost more, or if an exact metric does not repeat."""
    small_value, large_value = reading(small, metric.name), reading(large, metric.name)
    prefix = (
        f"{metric.name!r} reads {small_value:g} {metric.unit} for 1 unit of work, "
        f"{large_value:g} for {LARGE_UNITS}"
    )
    if metric.kind is Kind.EXACT:
        values = {value for each in small for value in each.found[metric.name].values}
        if max(values) - min(values) > _tolerance(metric, small_value):
            yield (
                f"{metric.name!r} is exact, but read {', '.join(f'{v:g}' for v in sorted(values))}"
                " for the same work; make it repeatable, or of Kind.RUN"
            )
        elif metric.better is Better.LOWER and large_value < small_value - _tolerance(
            metric, small_value
        ):
            yield f"{prefix}: more work cannot cost less"
    elif (
        metric.better is Better.LOWER
        and metric.unit in ("s", "J")
        and large_value < _MIN_GROWTH * small_value
    ):
        yield (
            f"{prefix}: a cost must grow with the work (by {_MIN_GROWTH:g} times here, at the "
            "least)"
        )


def _plausible_range_s(each: Pass, known_s: float | None) -> tuple[float, float]:
    upper_s = _MAX_OVERLAP * (each.wall_s * max(1, _device_count()) + each.cpu_s)
    if known_s is not None:
        return each.units * known_s / 2, upper_s
    return each.shortest_s * _MIN_SHARE, upper_s


def _tolerance(metric: Metric, value: float) -> float:
    return metric.tolerance * (abs(value) if metric.relative else 1.0)


def _device_count() -> int:
    cuda = initialized_cuda()
    return 0 if cuda is None else int(cuda.device_count())
