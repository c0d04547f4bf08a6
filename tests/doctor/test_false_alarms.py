"""False alarm rates on unchanged code: steady and drifting machines, simulated."""

import math
import random
from collections.abc import Callable

import pytest

from pytest_pareto.compare.levels import Measured
from pytest_pareto.doctor.false_alarms import (
    MAX_SPLITS,
    contiguous_splits,
    false_alarms,
    shuffled_splits,
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


def alarms_over_machines(
    run: Callable[[random.Random, int], float], machines: int = 60
) -> FalseAlarms:
    draw = random.Random(7)
    first, *others = (
        alarms_of(tuple(math.exp(run(draw, i)) for i in range(8))) for _ in range(machines)
    )
    return sum(others, start=first)


def alarm_rate(alarms: Alarms) -> float:
    return alarms.alarms / alarms.comparisons


@pytest.mark.parametrize(
    ("count", "sizes"), [(4, (2, 2)), (5, (3, 2)), (6, (3, 3)), (8, (5, 3)), (20, (17, 3))]
)
def test_split_sizes_are_those_of_a_session(count: int, sizes: tuple[int, int]) -> None:
    assert split_sizes(count) == SplitSizes(*sizes)


def test_all_splits_or_a_reproducible_sample_of_them() -> None:
    assert len(set(shuffled_splits(8, 3))) == 56
    assert len(shuffled_splits(16, 3)) == MAX_SPLITS
    assert shuffled_splits(16, 3) == shuffled_splits(16, 3)
    assert all(len(set(split)) == 3 and max(split) < 16 for split in shuffled_splits(16, 3))


def test_contiguous_splits_have_consecutive_candidate_runs() -> None:
    assert contiguous_splits(5, 3) == [(0, 1, 2), (1, 2, 3), (2, 3, 4)]


def test_on_a_steady_machine_the_false_alarm_rate_is_alpha() -> None:
    found = alarms_over_machines(lambda draw, _: draw.gauss(0, 0.02))
    assert abs(alarm_rate(found.shuffled_at_zero) - ALPHA) < 0.015
    assert abs(alarm_rate(found.contiguous_at_zero) - ALPHA) < 0.03
    assert alarm_rate(found.shuffled) < 0.002
    # A run differs from another by more than 5 % with probability 1 - Φ(log 1.05 / (√2 · 0.02)).
    assert abs(alarm_rate(found.naive) - 0.042) < 0.015


def test_a_drift_raises_the_rate_of_contiguous_splits_only() -> None:
    found = alarms_over_machines(lambda draw, i: draw.gauss(0, 0.01) + 0.02 * i)
    assert alarm_rate(found.shuffled_at_zero) < 0.06  # shuffling hides the drift
    assert alarm_rate(found.contiguous_at_zero) > 0.15


def test_an_alarm_at_the_tolerance_is_beyond_it() -> None:
    found = alarms_of((1.0, 1.0001, 0.9999, 1.0, 1.0001, 1.2, 1.2001, 1.1999))
    assert found.contiguous.alarms == 1
    assert found.contiguous_at_zero.alarms == 1
    assert found.naive == Alarms(15, 56)


def test_the_direction_of_the_metric_matters() -> None:
    higher = Metric("rate", "", Better.HIGHER, Kind.RUN, Scope.HOST, 0.1, relative=False)
    rising = (1.0, 1.001, 1.0, 1.001, 1.0, 2.0, 2.001, 2.0)
    assert alarms_of(rising, higher).contiguous.alarms == 0
    assert alarms_of(tuple(-x for x in rising), higher).contiguous.alarms == 1
    assert alarms_of(rising, higher).naive.alarms == 15


def test_host_references_too_far_apart_give_no_alarm() -> None:
    levels = (1.0, 1.01, 0.99, 1.0, 1.01, 1.5, 1.51, 1.49)
    found = false_alarms(Measured(LATENCY, levels, reference=levels), HERE, Policy(alpha=ALPHA))
    assert found.contiguous == Alarms(0, 6)
    assert alarms_of(levels).contiguous.alarms == 1
