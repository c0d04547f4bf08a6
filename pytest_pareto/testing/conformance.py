"""The conformance test of meters: what can be told of one from outside, in one call."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from unittest import SkipTest

from pytest_pareto.measure.call import random_state_kept
from pytest_pareto.measure.meter import Meter, declaration_problems, unit_problems
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Metric
from pytest_pareto.testing import plausible
from pytest_pareto.testing.examination import Examination, nothing
from pytest_pareto.testing.watched import Pass

UNIT_S = 0.02
"""Seconds of one unit of `busy_work`: far above what calling and reading clocks take."""


class BrokenMeter(AssertionError):  # noqa: N818  (what it says is its name)
    """A meter that cannot be trusted; ``problems`` has a sentence for each reason."""

    def __init__(self, meter: object, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        lines = "".join(f"\n- {problem}" for problem in self.problems)
        super().__init__(f"meter {_name(meter)} cannot be trusted:{lines}")


@dataclass(frozen=True, slots=True)
class CheckedMeter:
    """What a meter that passed says of one unit of work, by the name of the metric.

    ``readings`` are medians in the metric's unit. ``absent`` holds the reasons of metrics that
    could not be checked here: that the meter passed says nothing of them.
    """

    readings: Mapping[str, float]
    absent: Mapping[str, str]


def busy_work(units: int) -> Callable[[], None]:
    """Return a function that keeps one core busy for ``units`` times 20 ms.

    It goes by the time that its thread computes, so it does the same on a busy machine.
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
    """Test that a meter keeps to the protocol, and that its readings can be true.

    ``work(n)`` returns a function that does n units of what the meter measures; a unit should
    take some milliseconds. For a meter of a GPU that is work on the GPU. ``unseen`` is a
    function of which the meter can see nothing, such as work on the processor for that meter.
    ``expected`` gives the range, (low, high) by the name of a metric and in its unit, in which
    the reading of one unit of work lies; without it a reading must be possible for its unit.
    ``skip`` names metrics that are not asked for. ``clock`` returns monotonic nanoseconds.
    Measured are one unit and four, ``passes`` times each; a call that raises; and ``unseen``,
    or a call that does nothing. The global random state is left as it was.

    Raises BrokenMeter, an AssertionError, with everything that is wrong. Where nothing can be
    measured here it raises unittest.SkipTest, which pytest shows as skipped with the reason:
    that is no pass. With ``must_measure`` each metric that is absent counts as wrong. Raises
    ParetoError if ``expected`` or ``skip`` names what is no metric of the meter, and if
    ``passes`` is less than 1.
    """
    __tracebackhide__ = True  # what is wrong is in the meter, and told in the message
    if passes < 1:
        raise ParetoError(f"passes must be 1 or more, not {passes!r}")
    problems = (*declaration_problems(meter),) or (*unit_problems(meter.metrics),)
    if problems:
        raise BrokenMeter(meter, problems)
    ranges = expected or {}
    _check_names(meter, (*ranges, *skip))
    examination = Examination(meter, clock, frozenset(skip))
    with random_state_kept():
        seen = [examination.measure(work(u), u) for u in (1, plausible.MORE) * passes]
        absent = _absent(examination.wanted, seen)
        if len(absent) < len(examination.wanted):
            examination.raise_through()
            rest = examination.measure(unseen or nothing, 0)
            doubts = plausible.unseen_problems if unseen else plausible.nothing_problems
            examination.note(*(problem for each in rest.found.values() for problem in doubts(each)))
    known_s = UNIT_S if work is busy_work else None
    for metric in examination.wanted:
        if metric.name not in absent:
            examination.note(*_doubts(metric, seen, ranges.get(metric.name), known_s))
        elif must_measure:
            examination.note(f"{metric.name!r} is absent: {absent[metric.name]}")
    if examination.problems:
        raise BrokenMeter(meter, examination.problems)
    return _passed(meter, examination.wanted, seen, absent)


def _passed(
    meter: Meter, metrics: Sequence[Metric], seen: Sequence[Pass], absent: Mapping[str, str]
) -> CheckedMeter:
    measured = [metric.name for metric in metrics if metric.name not in absent]
    if not measured:
        reasons = "; ".join(dict.fromkeys(absent.values()))
        raise SkipTest(f"meter {_name(meter)} was not checked, it is absent here: {reasons}")
    small = [each for each in seen if each.units == 1]
    return CheckedMeter({name: plausible.reading(small, name) for name in measured}, absent)


def _doubts(
    metric: Metric,
    seen: Sequence[Pass],
    expected: tuple[float, float] | None,
    known_s: float | None,
) -> Iterator[str]:
    """Say why a metric's readings cannot be true."""
    small = [each for each in seen if each.units == 1]
    large = [each for each in seen if each.units > 1]
    zeros = [p for each in seen for p in plausible.zero_problems(each.found[metric.name])]
    if zeros:
        yield zeros[0]
        return
    if expected is not None:
        yield from plausible.range_problems(metric, small, expected)
    else:
        # One wrong unit is one problem, however often it shows.
        yield from [p for each in seen for p in plausible.unit_problems(metric, each, known_s)][:1]
    yield from plausible.growth_problems(metric, small, large)


def _absent(metrics: Sequence[Metric], seen: Sequence[Pass]) -> dict[str, str]:
    """Return the reasons of metrics that any pass lacks, by name."""
    absent: dict[str, str] = {}
    for metric in metrics:
        for each in seen:
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
