"""Conformance test of a meter, by one call of `check_meter`.

`MeterCheck` calls a meter as a session would and collects its problems. `ProcessState` detects
what a meter leaves behind in the process.
"""

import gc
import random
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from unittest import SkipTest

from pytest_pareto.measure.call import preserve_random_state
from pytest_pareto.measure.meter import (
    Meter,
    absent,
    declaration_problems,
    error_summary,
    meter_pass,
    result_problems,
    unit_problems,
)
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Metric
from pytest_pareto.model.run import Measurement
from pytest_pareto.testing import plausibility
from pytest_pareto.testing.plausibility import Pass, RecordedCalls

UNIT_S = 0.02
"""Seconds of one unit of `busy_work`: far more than a call and a clock reading take."""


class BrokenMeter(AssertionError):  # noqa: N818  (public name without the suffix Error)
    """A meter that cannot be trusted; ``problems`` has a sentence for each reason."""

    def __init__(self, meter: object, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        lines = "".join(f"\n- {problem}" for problem in self.problems)
        super().__init__(f"meter {_name(meter)} cannot be trusted:{lines}")


@dataclass(frozen=True, slots=True)
class CheckedMeter:
    """Result of a meter that passed, for one unit of work, by the name of the metric.

    ``readings`` are medians in the metric's unit. ``absent`` holds the reasons of metrics that
    could not be checked here: that the meter passed says nothing about them.
    """

    readings: Mapping[str, float]
    absent: Mapping[str, str]


def busy_work(units: int) -> Callable[[], None]:
    """Return a function that keeps one core busy for ``units`` times 20 ms.

    It measures the CPU time of its thread, so it does the same amount of work on a busy machine.
    """

    def work() -> None:
        until_s = time.thread_time() + units * UNIT_S
        while time.thread_time() < until_s:
            pass

    return work


def check_meter(
    meter: Meter,
    *,
    work: Callable[[int], Callable[[], object]] = busy_work,
    unseen: Callable[[], object] | None = None,
    expected: Mapping[str, tuple[float, float]] | None = None,
    skip: Collection[str] = (),
    passes: int = 3,
    must_measure: bool = False,
    clock: Callable[[], int] = time.perf_counter_ns,
) -> CheckedMeter:
    """Test that a meter keeps to the protocol, and that its readings are plausible.

    ``work(n)`` returns a function that does n units of what the meter measures; a unit should
    take some milliseconds. For a meter of a GPU that is work on the GPU. ``unseen`` is a
    function that the meter cannot measure at all, such as work on the processor for that meter.
    ``expected`` gives the range, (low, high) by the name of a metric and in its unit, in which
    the reading of one unit of work lies; without it a reading must be possible for its unit.
    ``skip`` names metrics that are not requested. ``clock`` returns monotonic nanoseconds.
    The meter measures one unit and four, ``passes`` times each; a call that raises; and ``unseen``,
    or a call that does nothing. The global random state is restored.

    Raises BrokenMeter, an AssertionError, with all problems. Where nothing can be
    measured here it raises unittest.SkipTest, which pytest reports as skipped with the reason:
    that is no pass. With ``must_measure`` each metric that is absent counts as a problem. Raises
    ParetoError if ``expected`` or ``skip`` names a metric that the meter does not have, and if
    ``passes`` is less than 1.
    """
    __tracebackhide__ = True  # the problem is in the meter, and described in the message
    if passes < 1:
        raise ParetoError(f"passes must be 1 or more, not {passes!r}")
    problems = (*declaration_problems(meter),) or (*unit_problems(meter.metrics),)
    if problems:
        raise BrokenMeter(meter, problems)
    ranges = expected or {}
    _check_names(meter, (*ranges, *skip))
    check = MeterCheck(meter, clock, frozenset(skip))
    with preserve_random_state():
        all_passes = [check.measure(work(u), u) for u in (1, plausibility.LARGE_UNITS) * passes]
        absent = _absent(check.wanted, all_passes)
        if len(absent) < len(check.wanted):
            check.check_exceptions_pass()
            idle = check.measure(unseen or do_nothing, 0)
            find_problems = (
                plausibility.unseen_problems if unseen else plausibility.nothing_problems
            )
            check.add_problems(
                *(problem for each in idle.found.values() for problem in find_problems(each))
            )
    known_s = UNIT_S if work is busy_work else None
    for metric in check.wanted:
        if metric.name not in absent:
            check.add_problems(
                *_reading_problems(metric, all_passes, ranges.get(metric.name), known_s)
            )
        elif must_measure:
            check.add_problems(f"{metric.name!r} is absent: {absent[metric.name]}")
    if check.problems:
        raise BrokenMeter(meter, check.problems)
    return _checked_meter(meter, check.wanted, all_passes, absent)


def _checked_meter(
    meter: Meter, metrics: Sequence[Metric], all_passes: Sequence[Pass], absent: Mapping[str, str]
) -> CheckedMeter:
    measured = [metric.name for metric in metrics if metric.name not in absent]
    if not measured:
        reasons = "; ".join(dict.fromkeys(absent.values()))
        raise SkipTest(f"meter {_name(meter)} was not checked, it is absent here: {reasons}")
    small = [each for each in all_passes if each.units == 1]
    return CheckedMeter({name: plausibility.reading(small, name) for name in measured}, absent)


def _reading_problems(
    metric: Metric,
    all_passes: Sequence[Pass],
    expected: tuple[float, float] | None,
    known_s: float | None,
) -> Iterator[str]:
    """Yield why a metric's readings cannot be true."""
    small = [each for each in all_passes if each.units == 1]
    large = [each for each in all_passes if each.units > 1]
    zeros = [p for each in all_passes for p in plausibility.zero_problems(each.found[metric.name])]
    if zeros:
        yield zeros[0]
        return
    if expected is not None:
        yield from plausibility.range_problems(metric, small, expected)
    else:
        # One wrong unit is one problem, in however many passes it appears.
        yield from [
            p for each in all_passes for p in plausibility.unit_problems(metric, each, known_s)
        ][:1]
    yield from plausibility.growth_problems(metric, small, large)


def _absent(metrics: Sequence[Metric], all_passes: Sequence[Pass]) -> dict[str, str]:
    """Return the reasons of metrics that are absent in any pass, by name."""
    absent: dict[str, str] = {}
    for metric in metrics:
        for each in all_passes:
            found = each.found.get(metric.name)
            if found is None or found.absent is not None:
                reason = None if found is None else found.absent
                absent.setdefault(metric.name, reason or "not measured")
    return absent


def _check_names(meter: Meter, names: Collection[str]) -> None:
    known = {metric.name for metric in meter.metrics}
    for name in names:
        if name not in known:
            raise ParetoError(
                f"expected and skip name metrics of meter {_name(meter)}, which does not have "
                f"{name!r}; it has {', '.join(sorted(known))}"
            )


def _name(meter: object) -> str:
    return meter.__name__ if isinstance(meter, type) else type(meter).__name__


class MeterCheck:
    """Passes of one meter, with ``problems`` in the order in which they were found.

    ``wanted`` are the requested metrics: those of the meter without ``skip``.
    """

    def __init__(
        self, meter: Meter, clock: Callable[[], int], skip: frozenset[str] = frozenset()
    ) -> None:
        self._meter = meter
        self._clock = clock
        self._skip = skip
        self.wanted = tuple(metric for metric in meter.metrics if metric.name not in skip)
        self.problems: list[str] = []

    def add_problems(self, *problems: str) -> None:
        """Add problems, each once."""
        self.problems = list(dict.fromkeys((*self.problems, *problems)))

    def measure(self, function: Callable[[], object], units: int) -> Pass:
        """Run a pass over a function of so many units of work, after a first call of it."""
        calls = self._calls_after_first(function)
        before = ProcessState.current()
        found = self._measurements(calls)
        after = ProcessState.current()
        self.add_problems(*before.leftovers(after, drew_nothing=function is do_nothing))
        if any(each.values for each in found.values()):
            calls.check_calls()
        self.add_problems(*calls.misuse)
        return calls.finish(units, found)

    def check_exceptions_pass(self) -> None:
        """Run a pass over a call that raises; the exception has to reach the caller."""
        planted_error = RuntimeError("planted by check_meter")
        calls = self._calls_after_first(_raising_from_its_second_call(planted_error))
        before = ProcessState.current()
        try:
            meter_pass(self._meter, calls, self._skip)
        except RuntimeError as error:
            if error is not planted_error:
                raise
        else:
            if calls.raised is not None:
                self.add_problems(
                    "swallows what the measured function raises: let it through, or say absent "
                    "only after a plain call has shown that the function is not at fault"
                )
        self.add_problems(*before.leftovers(ProcessState.current(), drew_nothing=True))

    def _calls_after_first(self, function: Callable[[], object]) -> RecordedCalls:
        calls = RecordedCalls(function, clock=self._clock)
        calls.make_first_call()
        calls.begin(self.wanted)
        random.random()  # noqa: S311  (a meter that seeds again then changes the state)
        return calls

    def _measurements(self, calls: RecordedCalls) -> Mapping[str, Measurement]:
        """Return the meter's measurements, by the name of the metric; {} where it fails."""
        try:
            reason: object = self._meter.absence()
            second_reason: object = self._meter.absence()
        except Exception as error:  # any exception of a meter under test is a problem
            self.add_problems(
                f"absence() raised {error_summary(error)}; it returns a reason, or None"
            )
            return {}
        if second_reason != reason:
            self.add_problems(f"absence() returned {reason!r}, and asked again {second_reason!r}")
        if reason is None:
            return self._measure(calls)
        if isinstance(reason, str) and reason.strip():
            return {each.metric.name: each for each in absent(self.wanted, reason)}
        self.add_problems(f"absence() returned {reason!r}; it returns a reason in words, or None")
        return {}

    def _measure(self, calls: RecordedCalls) -> Mapping[str, Measurement]:
        try:
            found: object = self._meter.measure(calls)
        except Exception as error:  # likewise
            if calls.raised is not None:  # by the work itself: raised to the caller
                raise calls.raised from None
            self.add_problems(f"measure raised {error_summary(error)}")
            return {}
        if not isinstance(found, (list, tuple)) or not all(
            isinstance(each, Measurement) for each in found
        ):
            self.add_problems(f"measure returned {found!r}; it returns a sequence of Measurement")
            return {}
        self.add_problems(*result_problems(found, self._meter.metrics, self.wanted))
        names = {metric.name for metric in self.wanted}
        return {each.metric.name: each for each in found if each.metric.name in names}


def do_nothing() -> None:
    """Do nothing, and draw no random number."""


def _raising_from_its_second_call(error: Exception) -> Callable[[], None]:
    called = False

    def function() -> None:
        nonlocal called
        if called:
            raise error
        called = True

    return function


@dataclass(frozen=True, slots=True)
class ProcessState:
    """State of the process that other meters and tests rely on, at one moment."""

    trace: object
    profile: object
    collects_garbage: bool
    threads: frozenset[threading.Thread]
    random: object

    @classmethod
    def current(cls) -> "ProcessState":
        """Return the current state."""
        return cls(
            trace=sys.gettrace(),
            profile=sys.getprofile(),
            collects_garbage=gc.isenabled(),
            threads=frozenset(threading.enumerate()),
            random=random.getstate(),
        )

    def leftovers(self, after: "ProcessState", *, drew_nothing: bool) -> Iterator[str]:
        """Yield what differs ``after``; random numbers only where the call ``drew_nothing``."""
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
