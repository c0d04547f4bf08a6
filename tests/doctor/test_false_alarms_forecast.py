"""The forecast agrees with the resolution that sessions report, and with what they detect."""

import math
from dataclasses import replace

import numpy as np
import pytest

from pytest_pareto.compare.runs import compare_levels
from pytest_pareto.doctor.false_alarms import Forecast, held_tolerance, rounded_up
from pytest_pareto.doctor.noise_model import Plan
from pytest_pareto.model.baseline import Session
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import Better
from pytest_pareto.stats.contrast import spread_within_blocks
from pytest_pareto.stats.variance import NO_SPREAD, case_spread, on_working_scale

ABSENT, SMALL, LARGE = 0.0, 0.02, 0.05


def forecast(sd: float = SMALL, *, session_sd: float = ABSENT, family: int = 1) -> Forecast:
    return Forecast(
        variance=sd**2,
        session_sd=session_sd,
        adjustment_error=NO_SPREAD,
        baseline_runs=5,
        alpha=0.05,
        family=family,
        relative=True,
    )


OLD = Session("", 0, (1.0, 1.02, 0.97, 1.01, 0.99))
NEW = (1.01, 0.98, 1.03)


@pytest.mark.parametrize("session_spread", [0.0, 0.04])
@pytest.mark.parametrize("confirming", [0, 5])
@pytest.mark.parametrize("family", [1, 12])
def test_the_forecast_is_the_resolution_that_a_session_reports(
    session_spread: float, confirming: int, family: int
) -> None:
    reported = compare_levels(
        [OLD],
        NEW,
        better=Better.LOWER,
        relative=True,
        tolerance=0.05,
        alpha=0.05,
        family=family,
        session_spread=session_spread,
        confirming=confirming,
    ).resolution
    spread = case_spread([OLD], NEW, relative=True)
    planned = forecast(math.sqrt(spread.variance), session_sd=session_spread, family=family)
    (found,) = planned.resolutions([Plan(3, confirming)], 0.05)
    assert found.resolution == pytest.approx(reported, rel=1e-6)


def test_the_forecast_is_the_resolution_of_an_interleaved_session() -> None:
    old = [Session("", 0, runs) for runs in ((1.0, 1.02), (0.97, 1.01))]
    new = (1.01, 0.98, 1.03, 1.0)
    reported = compare_levels(
        old, new, better=Better.LOWER, relative=True, tolerance=0.05, alpha=0.05, interleaved=True
    ).resolution
    blocks = on_working_scale(old, relative=True)
    spread = spread_within_blocks(blocks, [math.log(x) for x in new])
    (found,) = forecast(math.sqrt(spread.variance)).resolutions([Plan(4, interleaved=True)], 0.05)
    assert found.resolution == pytest.approx(reported, rel=1e-6)


def detection_rate(effect: float, tolerance: float, sd: float, sessions: int = 1500) -> float:
    draw = np.random.default_rng(11)
    runs = np.exp(draw.normal(0, sd, (sessions, 8)))
    outcomes = (
        compare_levels(
            [Session("", 0, tuple(row[:5]))],
            tuple(row[5:] * (1 + effect)),
            better=Better.LOWER,
            relative=True,
            tolerance=tolerance,
            alpha=0.05,
        ).outcome
        for row in runs
    )
    return sum(outcome is Outcome.WORSE for outcome in outcomes) / sessions


def test_the_resolution_is_detected_in_80_percent_of_sessions() -> None:
    (found,) = forecast().resolutions([Plan(3)], 0.05)
    assert abs(detection_rate(found.resolution, 0.05, SMALL) - 0.8) < 0.04
    # Normal quantiles, which take the spread as known, would be too optimistic.
    optimistic = 1.05 * math.exp((1.645 + 0.842) * SMALL * math.sqrt(1 / 5 + 1 / 3)) - 1
    assert detection_rate(optimistic, 0.05, SMALL) < 0.75


def test_a_tolerance_holds_where_twice_of_it_is_detected_in_80_percent_of_sessions() -> None:
    exact = held_tolerance(forecast().detectable(Plan(3)), relative=True)
    assert abs(detection_rate(2 * exact, exact, SMALL) - 0.8) < 0.04
    for tolerance, suffices in ((1.01 * exact, True), (0.99 * exact, False)):
        (found,) = forecast().resolutions([Plan(3)], tolerance)
        assert found.suffices is suffices
        assert found.tolerance == rounded_up(exact) >= exact


def test_an_absolute_tolerance_is_the_detectable_distance() -> None:
    absolute = replace(forecast(), relative=False)
    assert held_tolerance(0.3, relative=False) == 0.3
    (found,) = absolute.resolutions([Plan(3)], 0.1)
    assert found.resolution == pytest.approx(0.1 + absolute.detectable(Plan(3)))


def test_no_tolerance_holds_beyond_100_percent() -> None:
    assert held_tolerance(math.log(2), relative=True) == math.inf
    assert held_tolerance(math.log(1.6), relative=True) == math.inf  # 150 %
    assert held_tolerance(math.log(1.5), relative=True) == pytest.approx(1.0)
    assert rounded_up(math.inf) == math.inf


@pytest.mark.parametrize(
    ("tolerance", "figure"),
    [(0.0123, 0.015), (0.05, 0.05), (0.0501, 0.06), (0.081, 0.1), (0.97, 1.0), (3.2, 4.0), (0, 0)],
)
def test_tolerances_are_rounded_up_to_round_figures(tolerance: float, figure: float) -> None:
    assert rounded_up(tolerance) == figure


def test_enough_runs_is_the_smallest_number() -> None:
    planned = forecast(LARGE / 2)
    runs = planned.enough_runs(0.06)
    assert runs is not None
    assert runs > 1
    resolutions = planned.resolutions([Plan(runs - 1), Plan(runs)], 0.06)
    assert [each.suffices for each in resolutions] == [False, True]


def test_sessions_forbid_only_where_they_are_the_reason() -> None:
    assert forecast(LARGE).enough_runs(0.05) is None
    assert not forecast(LARGE).sessions_forbid(0.05)
    assert forecast(0.001, session_sd=0.04).enough_runs(0.05) is None
    assert forecast(0.001, session_sd=0.04).sessions_forbid(0.05)
    assert forecast().enough_runs(0.0) is None


def test_the_session_spread_does_not_affect_interleaved_plans() -> None:
    plan = Plan(4, 12, interleaved=True)
    assert forecast(session_sd=0.04).detectable(plan) == forecast().detectable(plan)
    assert forecast(session_sd=0.04).detectable(Plan(5)) > forecast().detectable(Plan(5))
    # With confirmation only flagged metrics share alpha.
    assert forecast(family=10).detectable(plan) < forecast(family=10).detectable(
        replace(plan, confirming=0)
    )
