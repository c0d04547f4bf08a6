import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.special import ndtr, stdtrit

from pytest_pareto.model.baseline import Session
from pytest_pareto.stats import variance
from pytest_pareto.stats.variance import (
    NO_SPREAD,
    Level,
    SessionEvidence,
    SessionValues,
    Spread,
    assumed_session_spread,
    case_spread,
    combine_variances,
    floored,
    level_of,
    on_working_scale,
    session_spreads,
    spread_between_runs,
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


def evidence(
    *groups: tuple[float, ...],
    epochs: tuple[int, ...] | None = None,
    runs: Spread = NO_SPREAD,
    assumed: float = 0.0,
) -> SessionEvidence:
    return SessionEvidence.of(sessions_of(*groups, epochs=epochs), (0.0,), runs, assumed)


def session_spread(shown: SessionEvidence) -> Spread:
    return session_spreads([shown])[0]


def test_one_session_per_epoch_shows_no_session_spread() -> None:
    assert session_spread(evidence((0.0, 1.0), (5.0, 6.0), epochs=(0, 1))) == NO_SPREAD


def test_sessions_closer_than_their_runs_explain_do_not_differ() -> None:
    shown = evidence((0.0, 4.0), (1.0, 3.0), runs=Spread(5.0, 2.0))
    assert session_spread(shown) == Spread(0.0, 1.0)


def _mean_session_variance(epoch_of_second_half: int) -> float:
    """Return the mean estimate over many histories whose sessions differ with variance 4."""
    rng = np.random.default_rng(3)
    estimates = []
    for _ in range(2_000):
        groups = [
            tuple((level + rng.normal(0, 2.0) + rng.normal(0, 1.0, runs)).tolist())
            for level, runs in ((0.0, 5), (0.0, 2), (0.0, 8), (20.0, 5), (20.0, 1), (20.0, 3))
        ]
        epochs = (0, 0, 0, *[epoch_of_second_half] * 3)
        runs = spread_between_runs(sessions_of(*groups, epochs=epochs), (0.0,))
        estimates.append(session_spread(evidence(*groups, epochs=epochs, runs=runs)))
    assert {e.df for e in estimates} == {4.0 if epoch_of_second_half else 5.0}
    return float(np.mean([e.variance for e in estimates]))


def test_the_session_variance_is_estimated_without_bias_from_unequal_sessions() -> None:
    assert _mean_session_variance(1) == pytest.approx(4.0, rel=0.07)


def test_an_accepted_change_taken_for_a_session_effect_would_bias_the_estimate() -> None:
    assert _mean_session_variance(0) > 40.0


def test_an_assumption_alone_covers_twice_the_spread() -> None:
    spread = assumed_session_spread(0.04)
    beyond = float(stdtrit(spread.df, 0.95)) * math.sqrt(spread.variance)
    assert 0.05 < 1 - float(ndtr(beyond / (2 * 0.04))) < 0.075
    assert assumed_session_spread(0.0) == NO_SPREAD
    assert assumed_session_spread(0.08).variance == pytest.approx(4 * spread.variance)


def simulated(
    rng: np.random.Generator,
    sds: Sequence[float],
    sessions: int,
    *,
    shared: float = 0.0,
    assumed: float = 0.04,
) -> list[SessionEvidence]:
    """Return the sessions of cases that differ by ``sds``, each of five runs that scatter by 1 %.

    ``shared`` is the correlation of two cases.
    """
    common = rng.normal(size=sessions)
    cases = []
    for sd in sds:
        own = rng.normal(size=sessions)
        levels = sd * (math.sqrt(shared) * common + math.sqrt(1 - shared) * own)
        groups = [tuple((level + rng.normal(0, 0.01, 5)).tolist()) for level in levels]
        cases.append(evidence(*groups, runs=Spread(0.01**2, 4.0 * sessions), assumed=assumed))
    return cases


def sds_of(spreads: Sequence[Spread]) -> list[float]:
    return [math.sqrt(spread.variance) for spread in spreads]


def test_all_cases_of_a_metric_show_what_sessions_differ_by() -> None:
    rng = np.random.default_rng(5)
    alone, together = [], []
    for _ in range(50):
        cases = simulated(rng, [0.005] * 12, 3)
        together.append(sds_of(session_spreads(cases))[0])
        alone.append(sds_of([session_spread(cases[0])])[0])
    assert np.median(together) < 0.012
    assert np.median(alone) > 0.02


def beyond_its_quantile(shared: float, *, true: float = 0.08, sessions: int = 2) -> float:
    """Return how often sessions deviate by more than the 95 % quantile of their spread."""
    rng = np.random.default_rng(6)
    rates = []
    for _ in range(80):
        spread = session_spreads(simulated(rng, [true] * 20, sessions, shared=shared))[0]
        quantile = float(stdtrit(spread.df, 0.95)) * math.sqrt(spread.variance)
        rates.append(1 - float(ndtr(quantile / true)))
    return float(np.mean(rates))


def test_cases_that_move_together_show_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert beyond_its_quantile(0.0) < 0.07
    assert beyond_its_quantile(0.95) < 0.08
    monkeypatch.setattr(variance, "_effective_share", lambda _: 1.0)
    assert beyond_its_quantile(0.95) > 0.095


def test_a_noisy_case_is_not_taken_for_a_quiet_one() -> None:
    rng = np.random.default_rng(7)
    found = [
        sds_of(session_spreads(simulated(rng, [0.005] * 11 + [0.08], 5)))[-1] for _ in range(60)
    ]
    assert 0.05 < np.median(found) < 0.12


def test_many_sessions_outweigh_any_assumption() -> None:
    rng = np.random.default_rng(8)
    for true in (0.002, 0.04, 0.8):
        (case,) = simulated(rng, [true], 200)
        sd = math.sqrt(session_spread(case).variance)
        assert sd == pytest.approx(true, rel=0.15, abs=0.0015)


def test_cases_without_sessions_borrow_from_the_others() -> None:
    rng = np.random.default_rng(9)
    cases = simulated(rng, [0.005] * 12, 4)
    new = evidence((0.0, 0.01, 0.02), assumed=0.04)
    borrowed = math.sqrt(session_spreads([*cases, new])[-1].variance)
    assert borrowed < 0.4 * math.sqrt(session_spread(new).variance)


def test_extreme_sessions_have_finite_spreads() -> None:
    far = evidence((0.0, 0.0), (5.0, 5.0), (-5.0, -5.0), assumed=1e-4)
    near = evidence((0.0, 0.0), (0.0, 0.0), (0.0, 0.0), assumed=0.04)
    for spread in session_spreads([far, near, far]):
        assert 0 < spread.variance < 100
        assert spread.df >= 1


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
