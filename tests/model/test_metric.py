import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import (
    BUILT_IN,
    GIVE_UP_FACTOR,
    LATENCY,
    STREAMED,
    Better,
    Kind,
    Metric,
    Scope,
)

SCORE = Metric("score", "", Better.HIGHER, Kind.PAIRED, Scope.GPU, 0.01, relative=False)


def policy_of(part: str, value: float) -> Metric:
    if part == "tolerance":
        return SCORE.with_policy(tolerance=value)
    return SCORE.with_policy(give_up=value)


def test_a_metric_needs_a_name() -> None:
    with pytest.raises(ParetoError, match="needs a name"):
        Metric("", "s", Better.LOWER, Kind.RUN, Scope.HOST, 0.05, relative=True)


@pytest.mark.parametrize("value", [-0.01, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("part", ["tolerance", "give_up"])
def test_tolerances_are_finite_and_not_negative(part: str, value: float) -> None:
    with pytest.raises(ParetoError, match=rf"{part} of 'score' must be .* not {value}"):
        policy_of(part, value)


@pytest.mark.parametrize("value", ["3%", True])
@pytest.mark.parametrize("part", ["tolerance", "give_up"])
def test_tolerances_are_numbers(part: str, value: Any) -> None:
    with pytest.raises(
        ParetoError, match=f"{part} of .* must be a finite number >= 0, not {value!r}"
    ):
        policy_of(part, value)


@pytest.mark.parametrize("part", ["tolerance", "give_up"])
def test_a_tolerance_may_be_zero(part: str) -> None:
    assert getattr(policy_of(part, 0.0), part) == 0.0


@given(st.floats(0, 1e6))
def test_a_trade_gives_up_three_tolerances_by_default(tolerance: float) -> None:
    metric = SCORE.with_policy(tolerance=tolerance)
    assert metric.trade_bound == GIVE_UP_FACTOR * tolerance
    assert metric.with_policy(give_up=0.0).trade_bound == 0.0
    assert metric.with_policy(give_up=0.5).trade_bound == 0.5


def test_harm_is_the_direction_against_better() -> None:
    assert LATENCY.harm_sign == 1.0
    assert SCORE.harm_sign == -1.0


def test_with_policy_changes_only_what_is_given() -> None:
    assert SCORE.with_policy() == SCORE
    assert SCORE.with_policy(gates=False).gates is False
    assert SCORE.with_policy(gates=False).with_policy(tolerance=0.2).gates is False
    assert SCORE.with_policy(give_up=0.4).with_policy(tolerance=0.2).give_up == 0.4


@pytest.mark.parametrize("metric", BUILT_IN.values(), ids=BUILT_IN)
def test_built_in_metrics_are_costs_under_their_own_names(metric: Metric) -> None:
    assert BUILT_IN[metric.name] is metric
    assert (metric.better is Better.LOWER) == (metric.name not in ("items", "items_per_second"))
    assert metric.relative
    assert metric.unit


def test_diagnostics_do_not_gate() -> None:
    assert {name for name, metric in BUILT_IN.items() if metric.gates} == {
        "latency",
        "device_time",
        "energy",
        "peak_memory",
        "resident_memory",
        "host_peak_memory",
        "time_to_first_item",
        "time_per_item",
    }


def test_stream_metrics_are_built_in() -> None:
    assert set(BUILT_IN) > STREAMED
    assert {name for name in BUILT_IN if "item" in name} == STREAMED
