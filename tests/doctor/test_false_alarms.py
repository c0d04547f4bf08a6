"""Splits of unchanged code: the rule keeps its promise, and a drifting machine shows."""

import math
import random
from collections.abc import Callable

import pytest

from pytest_pareto.compare.levels import Measured
from pytest_pareto.doctor.false_alarms import (
    MOST_SPLITS,
    false_alarms,
    in_order,
    shuffled,
    split_sizes,
)
from pytest_pareto.doctor.noise_model import Alarms, FalseAlarms, SplitSizes
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import LATENCY, Better, Kind, Metric, Scope
from pytest_pareto.model.policy import Policy

HERE = Environment("AMD EPYC 9654", 16, 8)
ALPHA = 0.05


def alarms_of(runs: tuple[float, ...], metric: Metric = LATENCY) -> FalseAlarms:
    return false_alarms(Measured(metric, runs), HERE, Policy(alpha=ALPHA))


def over_machines(run: Callable[[random.Random, int], float], machines: int = 60) -> FalseAlarms:
    draw = random.Random(7)
    first, *others = (
        alarms_of(tuple(math.exp(run(draw, i)) for i in range(8))) for _ in range(machines)
    )
    return sum(others, start=first)


def rate(alarms: Alarms) -> float:
    return alarms.alarms / alarms.comparisons


@pytest.mark.parametrize(
    ("count", "sizes"), [(4, (2, 2)), (5, (3, 2)), (6, (3, 3)), (8, (5, 3)), (20, (17, 3))]
)
def test_a_split_is_like_a_session(count: int, sizes: tuple[int, int]) -> None:
    assert split_sizes(count) == SplitSizes(*sizes)


def test_all_splits_or_a_sample_that_is_always_the_same() -> None:
    assert len(set(shuffled(8, 3))) == 56
    assert len(shuffled(16, 3)) == MOST_SPLITS
    assert shuffled(16, 3) == shuffled(16, 3)
    assert all(len(set(split)) == 3 and max(split) < 16 for split in shuffled(16, 3))


def test_neighbours_stay_together() -> None:
    assert in_order(5, 3) == [(0, 1, 2), (1, 2, 3), (2, 3, 4)]


def test_on_a_steady_machine_false_alarms_come_at_the_rate_alpha() -> None:
    found = over_machines(lambda draw, _: draw.gauss(0, 0.02))
    assert abs(rate(found.shuffled_at_zero) - ALPHA) < 0.015
    assert abs(rate(found.in_order_at_zero) - ALPHA) < 0.03
    assert rate(found.shuffled) < 0.002
    # A run differs from another by more than 5 % with probability 1 - Φ(log 1.05 / (√2 · 0.02)).
    assert abs(rate(found.naive) - 0.042) < 0.015


def test_on_a_drifting_machine_neighbouring_runs_tell() -> None:
    found = over_machines(lambda draw, i: draw.gauss(0, 0.01) + 0.02 * i)
    assert rate(found.shuffled_at_zero) < 0.06  # shuffling hides what it was to show
    assert rate(found.in_order_at_zero) > 0.15


def test_what_is_beyond_the_tolerance_alone_is_an_alarm_at_it() -> None:
    found = alarms_of((1.0, 1.0001, 0.9999, 1.0, 1.0001, 1.2, 1.2001, 1.1999))
    assert found.in_order.alarms == 1
    assert found.in_order_at_zero.alarms == 1
    assert found.naive == Alarms(15, 56)


def test_more_is_worse_only_where_less_is_better() -> None:
    higher = Metric("rate", "", Better.HIGHER, Kind.RUN, Scope.HOST, 0.1, relative=False)
    rising = (1.0, 1.001, 1.0, 1.001, 1.0, 2.0, 2.001, 2.0)
    assert alarms_of(rising, higher).in_order.alarms == 0
    assert alarms_of(tuple(-x for x in rising), higher).in_order.alarms == 1
    assert alarms_of(rising, higher).naive.alarms == 15


def test_moods_too_far_apart_are_no_alarm() -> None:
    levels = (1.0, 1.01, 0.99, 1.0, 1.01, 1.5, 1.51, 1.49)
    found = false_alarms(Measured(LATENCY, levels, reference=levels), HERE, Policy(alpha=ALPHA))
    assert found.in_order == Alarms(0, 6)
    assert alarms_of(levels).in_order.alarms == 1
