"""Progress: reported between calls, at most once a second, without reading the clock."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from pytest_pareto.measure.loop import steady_rounds, warm_up
from pytest_pareto.measure.measurement import measure_call
from pytest_pareto.measure.meter import Calls
from pytest_pareto.measure.meters.latency import SteadyMeter
from pytest_pareto.measure.plan import LoopPlan, LoopProgress, ProgressCallback
from pytest_pareto.model.metric import ENERGY, FLOPS, LATENCY

S = 1_000_000_000


class Clock:
    """A clock that calls move by their duration, and that counts its readings."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.readings = 0
        self.calling = False

    def __call__(self) -> int:
        self.readings += 1
        return self.now_ns


def calls_of(clock: Clock, seconds: float, plan: LoopPlan, tell: ProgressCallback | None) -> Calls:
    def work() -> None:
        clock.calling = True
        clock.now_ns += round(seconds * S)
        clock.calling = False

    return Calls(work, lambda: ((), {}), clock=clock, plan=plan, on_progress=tell)


def test_between_calls_and_at_most_once_a_second() -> None:
    clock, reported = Clock(), []

    def tell(where: LoopProgress) -> None:
        assert not clock.calling
        rest_s = None if where.rest_s is None else round(where.rest_s, 6)
        reported.append((clock.now_ns / S, replace(where, rest_s=rest_s)))

    calls = calls_of(clock, 0.4, LoopPlan(rounds=10, warmup=4), tell)
    calls.begin((LATENCY, ENERGY))
    warm_up(calls)
    steady_rounds(calls)
    doing = "measuring latency and energy"
    assert reported == [
        (0.0, LoopProgress("warming up")),
        (pytest.approx(1.2), LoopProgress("warming up", 3, 4)),
        (pytest.approx(1.6), LoopProgress(doing)),
        (pytest.approx(2.4), LoopProgress(doing, 2, 10, 3.2)),
        (pytest.approx(3.6), LoopProgress(doing, 5, 10, 2.0)),
        (pytest.approx(4.8), LoopProgress(doing, 8, 10, 0.8)),
    ]


@pytest.mark.parametrize("tell", [None, lambda _: None])
def test_the_clock_is_read_equally_often_with_and_without_progress(
    tell: ProgressCallback | None,
) -> None:
    """Reporting progress is not timed either: the readings are the same."""
    clock = Clock()
    calls = calls_of(clock, 0.4, LoopPlan(rounds=10, warmup=4), tell)
    calls.begin((LATENCY,))
    warm_up(calls)
    rounds = steady_rounds(calls)
    assert clock.readings == 2 * 14
    assert {each.wall_s for each in rounds} == {0.4}


def slow(clock: Clock) -> Callable[[LoopProgress], None]:
    """Return a progress callback that takes a tenth of a second."""

    def tell(_: LoopProgress) -> None:
        clock.now_ns += S // 10

    return tell


def test_progress_is_in_no_reading() -> None:
    clock = Clock()

    def work() -> None:
        clock.now_ns += S // 2

    for tell in (None, slow(clock)):
        _, found = measure_call(
            work,
            (),
            {},
            meters=[SteadyMeter(tracer=lambda: None)],
            plan=LoopPlan(rounds=6, warmup=2),
            clock=clock,
            on_progress=tell,
        )
        latency = next(m for m in found if m.metric.name == LATENCY.name)
        assert latency.values == pytest.approx((0.5,) * 6)


def test_a_diagnostic_is_named_where_nothing_else_is_measured() -> None:
    reported: list[LoopProgress] = []
    calls = calls_of(Clock(), 1.0, LoopPlan(), reported.append)
    calls.begin((FLOPS,))
    assert reported == []  # only once a call is made for it: its meter may turn out to be absent
    calls.prepare()
    calls.prepare()
    assert reported == [LoopProgress("measuring flops")]


@pytest.mark.parametrize(
    ("plan", "done", "elapsed_s", "at_least_s", "rest_s"),
    [
        (LoopPlan(rounds=10), 4, 2.0, 0.0, 3.0),
        (LoopPlan(rounds=10), 10, 5.0, 0.0, 0.0),
        (LoopPlan(rounds=10), 4, 2.0, 9.0, 7.0),  # the window of energy goes on
        (LoopPlan(), 2, 2.0, 0.0, 3.0),  # five calls at least
        (LoopPlan(), 4, 0.4, 0.0, 1.6),  # two seconds
        (LoopPlan(), 50, 0.5, 0.0, 0.5),  # a hundred calls at most
    ],
)
def test_the_remaining_time(
    plan: LoopPlan, done: int, elapsed_s: float, at_least_s: float, rest_s: float
) -> None:
    """The loop is run to its end, to compare."""
    assert plan.rest_s(done, elapsed_s, at_least_s) == pytest.approx(rest_s)
    each_s, left = elapsed_s / done, 0
    while plan.wants_round(done + left, elapsed_s + left * each_s) or (
        elapsed_s + left * each_s < at_least_s - 1e-9
    ):
        left += 1
    assert left * each_s == pytest.approx(rest_s, abs=each_s)
