"""What is planned for is what sessions then state, and what they then catch."""

import math
from dataclasses import replace

import numpy as np
import pytest

from pytest_pareto.compare.runs import compare_levels
from pytest_pareto.doctor.false_alarms import Outlook, held_tolerance, rounded_up
from pytest_pareto.doctor.noise_model import Plan
from pytest_pareto.model.baseline import Session
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import Better
from pytest_pareto.stats.contrast import spread_within_blocks
from pytest_pareto.stats.variance import NO_SPREAD, case_spread, on_working_scale

ABSENT, SMALL, LARGE = 0.0, 0.02, 0.05


def outlook(sd: float = SMALL, *, session_sd: float = ABSENT, family: int = 1) -> Outlook:
    return Outlook(
        variance=sd**2,
        session_sd=session_sd,
        doubt=NO_SPREAD,
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
def test_it_foresees_the_resolution_that_a_session_states(
    session_spread: float, confirming: int, family: int
) -> None:
    stated = compare_levels(
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
    seen = outlook(math.sqrt(spread.variance), session_sd=session_spread, family=family)
    (sight,) = seen.sights([Plan(3, confirming)], 0.05)
    assert sight.sees == pytest.approx(stated, rel=1e-6)


def test_it_foresees_that_of_an_interleaved_one() -> None:
    old = [Session("", 0, runs) for runs in ((1.0, 1.02), (0.97, 1.01))]
    new = (1.01, 0.98, 1.03, 1.0)
    stated = compare_levels(
        old, new, better=Better.LOWER, relative=True, tolerance=0.05, alpha=0.05, interleaved=True
    ).resolution
    blocks = on_working_scale(old, relative=True)
    spread = spread_within_blocks(blocks, [math.log(x) for x in new])
    (sight,) = outlook(math.sqrt(spread.variance)).sights([Plan(4, interleaved=True)], 0.05)
    assert sight.sees == pytest.approx(stated, rel=1e-6)


def caught(effect: float, tolerance: float, sd: float, sessions: int = 1500) -> float:
    draw = np.random.default_rng(11)
    runs = np.exp(draw.normal(0, sd, (sessions, 8)))
    found = (
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
    return sum(outcome is Outcome.WORSE for outcome in found) / sessions


def test_what_is_seen_is_caught_four_times_of_five() -> None:
    (sight,) = outlook().sights([Plan(3)], 0.05)
    assert abs(caught(sight.sees, 0.05, SMALL) - 0.8) < 0.04
    # With normal quantiles, as if the spread were known, less would seem to be enough.
    optimistic = 1.05 * math.exp((1.645 + 0.842) * SMALL * math.sqrt(1 / 5 + 1 / 3)) - 1
    assert caught(optimistic, 0.05, SMALL) < 0.75


def test_a_tolerance_holds_where_twice_as_much_is_caught_four_times_of_five() -> None:
    exact = held_tolerance(outlook().caught(Plan(3)), relative=True)
    assert abs(caught(2 * exact, exact, SMALL) - 0.8) < 0.04
    for tolerance, suffices in ((1.01 * exact, True), (0.99 * exact, False)):
        (sight,) = outlook().sights([Plan(3)], tolerance)
        assert sight.suffices is suffices
        assert sight.holds == rounded_up(exact) >= exact


def test_an_absolute_tolerance_holds_what_is_caught_beyond_it() -> None:
    absolute = replace(outlook(), relative=False)
    assert held_tolerance(0.3, relative=False) == 0.3
    (sight,) = absolute.sights([Plan(3)], 0.1)
    assert sight.sees == pytest.approx(0.1 + absolute.caught(Plan(3)))


def test_nothing_holds_what_cannot_be_told_from_twice_as_much() -> None:
    assert held_tolerance(math.log(2), relative=True) == math.inf
    assert held_tolerance(math.log(1.6), relative=True) == math.inf  # 150 %
    assert held_tolerance(math.log(1.5), relative=True) == pytest.approx(1.0)
    assert rounded_up(math.inf) == math.inf


@pytest.mark.parametrize(
    ("tolerance", "figure"),
    [(0.0123, 0.015), (0.05, 0.05), (0.0501, 0.06), (0.081, 0.1), (0.97, 1.0), (3.2, 4.0), (0, 0)],
)
def test_tolerances_are_rounded_up_to_what_a_person_would_choose(
    tolerance: float, figure: float
) -> None:
    assert rounded_up(tolerance) == figure


def test_enough_runs_are_the_fewest() -> None:
    seen = outlook(LARGE / 2)
    runs = seen.enough_runs(0.06)
    assert runs is not None
    assert runs > 1
    assert [s.suffices for s in seen.sights([Plan(runs - 1), Plan(runs)], 0.06)] == [False, True]


def test_where_no_number_of_runs_is_enough_it_is_known_why() -> None:
    assert outlook(LARGE).enough_runs(0.05) is None
    assert not outlook(LARGE).sessions_forbid(0.05)
    assert outlook(0.001, session_sd=0.04).enough_runs(0.05) is None
    assert outlook(0.001, session_sd=0.04).sessions_forbid(0.05)
    assert outlook().enough_runs(0.0) is None


def test_in_turn_the_sessions_do_not_matter() -> None:
    plan = Plan(4, 12, interleaved=True)
    assert outlook(session_sd=0.04).caught(plan) == outlook().caught(plan)
    assert outlook(session_sd=0.04).caught(Plan(5)) > outlook().caught(Plan(5))
    # Only what is flagged shares alpha in the end.
    assert outlook(family=10).caught(plan) < outlook(family=10).caught(replace(plan, confirming=0))
