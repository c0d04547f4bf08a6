"""Figures of a metric: signs that follow the metric, units of their row."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_pareto.model.change import Change
from pytest_pareto.model.metric import LATENCY, Better, Kind, Metric, Scope
from pytest_pareto.report.numbers import Scale, on_scale_of, resolution_text, to_metric_direction

SCORE = Metric("score", "", Better.HIGHER, Kind.PAIRED, Scope.GPU, 0.01, relative=False)
SPEED = Metric("speed", "1/s", Better.HIGHER, Kind.RUN, Scope.GPU, 0.05, relative=True)
ERROR = Metric("error", "", Better.LOWER, Kind.PAIRED, Scope.GPU, 0.01, relative=False)
DELAY = Metric("delay", "s", Better.LOWER, Kind.RUN, Scope.HOST, 0.05, relative=False)


def harm(metric: Metric, estimate: float, low: float, high: float) -> Change:
    return Change(
        estimate, low, high, metric.tolerance, metric.relative, 0.05, 0.5, 0.5, resolution=0.2
    )


@pytest.mark.parametrize(
    ("metric", "harmful", "own"),
    [
        (LATENCY, (0.063, 0.062, 0.064), (0.063, 0.062, 0.064)),
        (SPEED, (0.25, 0.0, 1.0), (-0.2, -0.5, 0.0)),
        (SCORE, (0.027, 0.014, 0.040), (-0.027, -0.040, -0.014)),
        (ERROR, (0.027, 0.014, 0.040), (0.027, 0.014, 0.040)),
        (SPEED, (-1.0, -1.0, math.inf), (math.inf, -1.0, math.inf)),
    ],
)
def test_own_direction(
    metric: Metric, harmful: tuple[float, float, float], own: tuple[float, float, float]
) -> None:
    estimate, ends = to_metric_direction(harm(metric, *harmful), metric)
    assert (estimate, *ends) == pytest.approx(own)


@given(st.floats(0.01, 100), st.floats(0.01, 100))
def test_a_relative_harm_becomes_the_ratio_that_the_levels_show(
    before: float, after: float
) -> None:
    for metric, harmful in ((LATENCY, after / before - 1), (SPEED, before / after - 1)):
        estimate, _ = to_metric_direction(harm(metric, harmful, harmful, harmful), metric)
        assert 1 + estimate == pytest.approx(after / before)


def test_resolution_text() -> None:
    assert resolution_text(LATENCY, 0.0) == "any change"
    assert resolution_text(LATENCY, math.inf) == "nothing"
    assert resolution_text(SCORE, 0.0213) == "0.021"
    assert on_scale_of(LATENCY, 0.0525) == "5.25 %"


def test_the_scale_is_that_of_the_row() -> None:
    assert resolution_text(DELAY, 0.08) == "80 ms"
    assert resolution_text(DELAY, 0.08, Scale(1.0, "s")) == "0.08 s"
    assert on_scale_of(LATENCY, 0.05, scale=Scale(1e-3, "ms")) == "5 %"
