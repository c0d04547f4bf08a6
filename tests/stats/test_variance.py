import math

import numpy as np
import pytest

from pytest_pareto.model.baseline import Session
from pytest_pareto.stats.variance import (
    NO_SPREAD,
    Level,
    SessionValues,
    Spread,
    case_spread,
    combine_variances,
    floored,
    level_of,
    on_working_scale,
    shrink_to_prior,
    spread_between_runs,
    spread_between_sessions,
)


def sessions_of(
    *groups: tuple[float, ...], epochs: tuple[int, ...] | None = None
) -> list[SessionValues]:
    places = epochs or (0,) * len(groups)
    return [SessionValues(e, values) for e, values in zip(places, groups, strict=True)]


def test_the_level_comes_from_the_newest_epoch_alone() -> None:
    history = sessions_of((9.0, 9.0), (1.0, 3.0), (2.0, 2.0), epochs=(0, 1, 1))
    assert level_of(history) == Level(2.0, 4, 2.0)


def test_unequal_sessions_count_as_fewer() -> None:
    assert level_of(sessions_of((0.0,) * 9, (0.0,))).sessions == pytest.approx(100 / 82)


def test_sessions_on_the_working_scale() -> None:
    stored = [Session("env", 3, (1.0, math.e))]
    assert on_working_scale(stored, relative=True) == [SessionValues(3, (0.0, 1.0))]


def test_runs_scatter_around_their_own_session_and_the_candidate_around_its_own() -> None:
    spread = spread_between_runs(sessions_of((0.0, 2.0), (10.0, 12.0)), (50.0, 52.0))
    assert spread == Spread(2.0, 3.0)


def test_one_run_on_each_side_has_no_spread() -> None:
    assert spread_between_runs(sessions_of((1.0,)), (2.0,)) == Spread(0.0, 0.0)


def test_single_runs_scatter_around_their_epoch() -> None:
    history = sessions_of((0.0,), (2.0,), (10.0,), (12.0,), epochs=(0, 0, 1, 1))
    assert spread_between_runs(history, (99.0,)) == Spread(2.0, 2.0)


def test_a_candidate_alone_has_a_spread() -> None:
    assert spread_between_runs([], (1.0, 2.0, 3.0)) == Spread(1.0, 2.0)


def test_one_session_per_epoch_gives_no_session_spread() -> None:
    history = sessions_of((0.0, 1.0), (5.0, 6.0), epochs=(0, 1))
    assert spread_between_sessions(history, Spread(0.5, 2.0)) == Spread(0.0, 0.0)


def test_sessions_closer_than_their_runs_explain_do_not_differ() -> None:
    history = sessions_of((0.0, 4.0), (1.0, 3.0))
    assert spread_between_sessions(history, Spread(5.0, 2.0)) == Spread(0.0, 1.0)


def _mean_session_variance(epoch_of_second_half: int) -> float:
    """Return the mean estimate over many histories whose sessions differ with variance 4."""
    rng = np.random.default_rng(3)
    estimates = []
    for _ in range(2_000):
        groups = [
            tuple((level + rng.normal(0, 2.0) + rng.normal(0, 1.0, runs)).tolist())
            for level, runs in ((0.0, 5), (0.0, 2), (0.0, 8), (20.0, 5), (20.0, 1), (20.0, 3))
        ]
        history = sessions_of(*groups, epochs=(0, 0, 0, *[epoch_of_second_half] * 3))
        estimates.append(spread_between_sessions(history, spread_between_runs(history, (0.0,))))
    assert {e.df for e in estimates} == {4.0 if epoch_of_second_half else 5.0}
    return float(np.mean([e.variance for e in estimates]))


def test_the_session_variance_is_estimated_without_bias_from_unequal_sessions() -> None:
    assert _mean_session_variance(1) == pytest.approx(4.0, rel=0.07)


def test_an_accepted_change_taken_for_a_session_effect_would_bias_the_estimate() -> None:
    assert _mean_session_variance(0) > 40.0


def test_the_assumed_spread_weighs_as_much_as_eight_sessions() -> None:
    assert shrink_to_prior(Spread(9.0, 8.0), 1.0) == Spread(5.0, 16.0)
    assert shrink_to_prior(Spread(0.0, 0.0), 2.0) == Spread(4.0, 8.0)


def test_within_one_session_there_is_no_session_spread() -> None:
    assert shrink_to_prior(Spread(0.0, 0.0), 0.0) == NO_SPREAD
    assert shrink_to_prior(Spread(9.0, 8.0), 0.0) == Spread(9.0, 8.0)
    assert shrink_to_prior(Spread(9.0, 8.0), 1.0, trusted=False) == Spread(9.0, 8.0)
    assert shrink_to_prior(Spread(0.0, 0.0), 2.0, trusted=False) == Spread(4.0, 8.0)


def test_variances_add_with_their_weights() -> None:
    both = combine_variances((Spread(2.0, 4.0), 0.5), (Spread(3.0, 6.0), 1.0))
    assert both.variance == pytest.approx(4.0)
    assert both.df == pytest.approx(16 / (1 / 4 + 9 / 6))


def test_a_zero_variance_does_not_lower_the_degrees_of_freedom() -> None:
    assert combine_variances((Spread(2.0, 4.0), 1.0), (NO_SPREAD, 1.0)) == Spread(2.0, 4.0)
    assert combine_variances((NO_SPREAD, 1.0)) == Spread(0.0, math.inf)


@pytest.mark.parametrize("level", [1e-9, 1.0, 123456.7])
def test_the_rounding_of_stored_numbers_stays_far_below_the_floor(level: float) -> None:
    stored = float(f"{level * 1.00000049999:.6e}")
    rounding = abs(math.log(stored / (level * 1.00000049999)))
    floor = math.sqrt(floored(Spread(0.0, 4.0), [0.0], relative=True).variance)
    assert rounding < floor / 10
    absolute = math.sqrt(floored(Spread(0.0, 4.0), [level], relative=False).variance)
    assert absolute == pytest.approx(1e-5 * level)


def test_a_spread_above_the_floor_is_unchanged() -> None:
    assert floored(Spread(1.0, 4.0), [1.0], relative=True) == Spread(1.0, 4.0)


def test_even_levels_of_zero_have_a_floor() -> None:
    assert floored(Spread(0.0, 4.0), [0.0], relative=False).variance > 0


def test_the_spread_of_a_case_comes_from_its_own_runs() -> None:
    stored = [Session("env", 0, (1.0, math.exp(2.0)))]
    known = case_spread(stored, [1.0], relative=True)
    assert (known.variance, known.df) == pytest.approx((2.0, 1.0))
    unknown = case_spread([], [3.0], relative=False)
    assert (unknown.variance, unknown.df) == pytest.approx((9e-10, 0.0))
