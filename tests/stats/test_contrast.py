import math

import pytest

from pytest_pareto.stats.contrast import Contrast, contrast_of
from pytest_pareto.stats.variance import (
    NO_SPREAD,
    Level,
    SessionValues,
    Spread,
    assumed_session_spread,
)

ASSUMED = assumed_session_spread(0.5)


def contrast(
    *groups: tuple[float, ...],
    candidate: tuple[float, ...] = (3.0,),
    session_spread: float = 0.0,
    prior: Spread | None = None,
) -> Contrast:
    sessions = [SessionValues(0, values) for values in groups]
    return contrast_of(
        sessions, candidate, relative=True, session_spread=session_spread, prior=prior
    )


def test_the_distance_is_candidate_minus_baseline() -> None:
    assert contrast((1.0, 2.0, 3.0), candidate=(5.0, 7.0)).distance == pytest.approx(4.0)


def test_the_error_follows_the_formula() -> None:
    made = Contrast(
        distance=0.0,
        baseline=Level(0.0, runs=8, sessions=2.0),
        runs=4,
        between_runs=Spread(2.0, 10.0),
        between_sessions=Spread(1.0, 9.0),
        sessions_seen=2,
    )
    runs, sessions = 2.0 * (1 / 8 + 1 / 4), 1.0 * (1 / 2 + 1)
    assert made.error.variance == pytest.approx(runs + sessions)
    assert made.error.df == pytest.approx((runs + sessions) ** 2 / (runs**2 / 10 + sessions**2 / 9))
    assert made.session_error.variance == pytest.approx(sessions)
    assert made.session_error.df == pytest.approx(9.0)


def test_infinite_runs_leave_the_error_of_baseline_and_sessions() -> None:
    made = contrast((1.0, 3.0), candidate=(1.0, 3.0), session_spread=0.5).with_runs(math.inf)
    between = 2 * ASSUMED.variance
    assert made.error.variance == pytest.approx(2.0 / 2 + between)
    assert made.error.df == math.inf


def test_one_session_uses_the_assumed_session_spread() -> None:
    made = contrast((1.0, 2.0, 3.0), session_spread=0.5)
    assert made.between_sessions == ASSUMED
    assert made.sessions_seen == 0


def test_several_sessions_contribute_to_the_session_spread() -> None:
    made = contrast((0.0, 1.0, 2.0), (8.0, 9.0, 10.0), session_spread=0.5)
    assert made.between_sessions.variance > ASSUMED.variance
    assert made.sessions_seen == 2


def test_two_degrees_of_freedom_within_sessions_are_enough_to_compare_sessions() -> None:
    assert contrast((0.0, 1.0), (8.0, 9.0), session_spread=0.5).sessions_seen == 2


def test_sessions_of_one_run_include_the_session_spread() -> None:
    made = contrast((0.0,), (1.0,), (2.0,), candidate=(9.0,), session_spread=0.5)
    assert made.between_runs == Spread(1.0, 2.0)
    assert made.between_sessions == NO_SPREAD


def test_sessions_of_one_run_do_not_if_the_candidate_has_several_runs() -> None:
    made = contrast((0.0,), (1.0,), (2.0,), candidate=(9.0, 9.0), session_spread=0.5)
    assert made.between_runs == Spread(2 / 3, 3.0)
    assert made.between_sessions == ASSUMED


def test_two_sessions_of_one_run_are_too_few() -> None:
    made = contrast((0.0,), (2.0,), candidate=(9.0,), session_spread=0.5)
    assert made.between_runs == Spread(2.0, 1.0)
    assert made.between_sessions == ASSUMED


def test_the_prior_is_used_only_where_needed() -> None:
    loan = Spread(7.0, 5.0)
    assert contrast((0.0,), candidate=(1.0,), prior=loan).between_runs == loan
    assert contrast((0.0, 1.0, 2.0), prior=loan).between_runs == Spread(1.0, 2.0)


def test_a_zero_spread_is_raised_to_the_floor() -> None:
    assert contrast((1.0, 1.0, 1.0)).between_runs.variance == pytest.approx(1e-10)
