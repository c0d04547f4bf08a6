"""Simulated sizes and powers where sessions differ, or the accepted level has changed."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from pytest_pareto.compare.runs import compare_levels
from pytest_pareto.model.baseline import Session
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.metric import Better

TOLERANCE = 0.05
MARGIN = math.log1p(TOLERANCE)
Runs = NDArray[np.float64]


def level_change(
    sessions: list[tuple[int, Runs]],
    candidate: Runs,
    *,
    session_spread: float = 0.0,
    family: int = 1,
) -> Change:
    """Compare stored sessions, (epoch, logarithms), with a candidate's."""
    return compare_levels(
        [Session("env", epoch, tuple(np.exp(runs).tolist())) for epoch, runs in sessions],
        np.exp(candidate).tolist(),
        better=Better.LOWER,
        relative=True,
        tolerance=TOLERANCE,
        alpha=0.05,
        family=family,
        session_spread=session_spread,
    )


def test_the_resolution_in_a_family_is_caught_at_the_corrected_level() -> None:
    rng, family, draws, caught = np.random.default_rng(12), 12, 2_000, 0
    for _ in range(draws):
        base, cand = [(0, rng.normal(0, 0.02, 5))], rng.normal(0, 0.02, 2)
        shift = math.log1p(level_change(base, cand, family=family).resolution)
        caught += level_change(base, cand + shift).p_worse <= 0.05 / family
    assert 0.78 <= caught / draws <= 0.82


def _session_alarms(sessions: int, true_sd: float, assumed_sd: float, draws: int) -> float:
    """How often a change at the tolerance is convicted where sessions differ."""
    rng, alarms = np.random.default_rng(13), 0
    for _ in range(draws):
        shifts = rng.normal(0, true_sd, sessions + 1)
        stored = [(0, shift + rng.normal(0, 0.01, 5)) for shift in shifts[1:]]
        candidate = MARGIN + shifts[0] + rng.normal(0, 0.01, 3)
        change = level_change(stored, candidate, session_spread=assumed_sd)
        alarms += change.outcome is Outcome.WORSE
    return alarms / draws


@pytest.mark.parametrize(("sessions", "least"), [(1, 0.045), (3, 0.04), (8, 0.03)])
def test_the_size_is_held_up_to_twice_the_assumed_spread(sessions: int, least: float) -> None:
    assert _session_alarms(sessions, 0.02, 0.02, 1_000) <= 0.055
    assert least <= _session_alarms(sessions, 0.04, 0.02, 2_000) <= 0.075


@pytest.mark.slow
@pytest.mark.parametrize("sessions", [1, 2, 3, 5, 10])
@pytest.mark.parametrize("true_sd", [0.001, 0.005, 0.02, 0.04])
def test_the_size_is_held_up_to_twice_the_assumed_spread_at_length(
    sessions: int, true_sd: float
) -> None:
    assert _session_alarms(sessions, true_sd, 0.02, 10_000) <= 0.07


def test_without_a_session_term_the_size_is_lost() -> None:
    assert _session_alarms(1, 0.02, 0.0, 1_000) > 0.15


def test_without_an_assumption_the_observed_sessions_count() -> None:
    assert _session_alarms(4, 0.02, 0.0, 1_000) < 0.09


def test_far_too_small_an_assumption_has_the_documented_size() -> None:
    assert 0.15 <= _session_alarms(1, 0.08, 0.02, 2_000) <= 0.25
    assert _session_alarms(8, 0.08, 0.02, 1_000) <= 0.1


def _caught_after_an_accepted_change(epochs: tuple[int, int], draws: int = 500) -> float:
    """How often +15 % is called WORSE after a change to 80 % was accepted."""
    rng, caught = np.random.default_rng(14), 0
    for _ in range(draws):
        before, after = rng.normal(0.0, 0.02, 5), rng.normal(math.log(0.8), 0.02, 5)
        candidate = math.log(0.8 * 1.15) + rng.normal(0, 0.02, 2)
        change = level_change([(epochs[0], before), (epochs[1], after)], candidate)
        caught += change.outcome is Outcome.WORSE
    return caught / draws


def test_a_regression_after_an_accepted_improvement_is_caught() -> None:
    assert _caught_after_an_accepted_change((0, 1)) > 0.95


def test_mixing_the_levels_of_two_epochs_hides_it() -> None:
    assert _caught_after_an_accepted_change((0, 0)) < 0.05


def test_older_epochs_lend_their_spread_without_their_level() -> None:
    rng, draws, alarms, df = np.random.default_rng(15), 2_000, 0, set()
    for _ in range(draws):
        levels = [math.log(0.8) * epoch for epoch in range(3)]
        history = [(e, level + rng.normal(0, 0.02, 3)) for e, level in enumerate(levels)]
        change = level_change(history, levels[-1] + MARGIN + rng.normal(0, 0.02, 1))
        alarms += change.outcome is Outcome.WORSE
        df.add(change.df)
    assert df == {6.0}
    assert 0.03 <= alarms / draws <= 0.07
