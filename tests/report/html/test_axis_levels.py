"""Tests of intervals of levels: around the candidate, in the direction of the metric."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import LATENCY, PEAK_MEMORY, Better, Kind, Metric, Scope
from pytest_pareto.model.verdict import MetricResult
from pytest_pareto.report.html.axis import level, level_interval

SCORE = Metric("score", "", Better.HIGHER, Kind.PAIRED, Scope.GPU, 0.01, relative=False)
SPEED = Metric("speed", "items/s", Better.HIGHER, Kind.RUN, Scope.HOST, 0.05, relative=True)
Compared = Callable[..., MetricResult]


def test_a_cost_is_as_uncertain_as_its_change(compared: Compared) -> None:
    result = compared(LATENCY, (1.0, 1.1), (0.1, 0.08, 0.12), Outcome.WORSE, resolution=0.1)
    assert level_interval(result) == pytest.approx((1.08, 1.12))


def test_an_adjusted_estimate_leaves_the_bar_around_the_raw_level(compared: Compared) -> None:
    result = compared(LATENCY, (1.0, 1.3), (0.1, 0.08, 0.12), Outcome.WORSE, resolution=0.1)
    assert level_interval(result) == pytest.approx((1.3 * 1.08 / 1.1, 1.3 * 1.12 / 1.1))


def test_a_score_that_fell_is_turned(compared: Compared) -> None:
    result = compared(SCORE, (0.9, 0.8), (0.1, 0.05, 0.17), Outcome.WORSE, resolution=0.1)
    assert level_interval(result) == pytest.approx((0.73, 0.85))


def test_a_relative_gain_is_turned_as_a_ratio(compared: Compared) -> None:
    result = compared(SPEED, (100.0, 50.0), (1.0, 0.6, 1.5), Outcome.WORSE, resolution=0.1)
    assert level_interval(result) == pytest.approx((100 / 2.5, 100 / 1.6))


def test_exact_metric_has_no_bar(compared: Compared) -> None:
    exact = compared(PEAK_MEMORY, (4e9, 4e9), (0.0, 0.0, 0.0), Outcome.UNCHANGED, resolution=0.01)
    assert level_interval(exact) is None
    assert level_interval(MetricResult(LATENCY, candidate=0.4, state=Outcome.NEW)) is None
    assert level_interval(None) is None


def test_an_interval_without_ends_has_no_bar(compared: Compared) -> None:
    harm = (0.1, -math.inf, math.inf)
    wide = compared(LATENCY, (1.0, 1.1), harm, Outcome.INCONCLUSIVE, resolution=math.inf)
    assert level_interval(wide) is None


def test_a_level_of_another_metric_under_the_same_name_is_not_drawn() -> None:
    other = Metric("latency", "count", Better.LOWER, Kind.EXACT, Scope.GPU, 0.0, relative=True)
    result = MetricResult(other, candidate=3.0, state=Outcome.NEW)
    assert level(result, LATENCY, "candidate") is None
    assert level(result, other, "candidate") == 3.0
    assert (
        level(MetricResult(other, candidate=math.nan, state=Outcome.NEW), other, "candidate")
        is None
    )


def test_a_lower_bound_is_not_drawn() -> None:
    complete = MetricResult(PEAK_MEMORY, 2.0, 1.0, state=Outcome.NOT_COMPARABLE)
    bounded = replace(complete, lower_bound="without x")
    assert level(complete, PEAK_MEMORY, "candidate") == 1.0
    assert level(bounded, PEAK_MEMORY, "candidate") is None
    assert level(bounded, PEAK_MEMORY, "baseline") == 2.0
