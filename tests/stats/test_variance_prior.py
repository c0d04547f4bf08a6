import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from scipy.special import polygamma, stdtr

from pytest_pareto.stats.variance import Spread, estimate_prior, inverse_trigamma, moderated_spread


def cases_of(rng: np.random.Generator, cases: int, df: float, nu: float, s2: float) -> list[Spread]:
    """Return cases whose true variances are s2 ν / χ²(ν), each with an estimate of its own."""
    true = s2 * nu / rng.chisquare(nu, cases)
    return [Spread(float(v), df) for v in true * rng.chisquare(df, cases) / df]


@pytest.mark.parametrize("value", [1e-9, 0.01, 1.0, 4.93, 1e3, 1e9])
def test_trigamma_is_inverted(value: float) -> None:
    assert polygamma(1, inverse_trigamma(value)) == pytest.approx(value, rel=1e-8)


@pytest.mark.parametrize("nu", [2.0, 4.0, 10.0])
@pytest.mark.parametrize("df", [2.0, 4.0])
def test_a_known_distribution_of_spreads_is_recovered(nu: float, df: float) -> None:
    prior = estimate_prior(cases_of(np.random.default_rng(4), 20_000, df, nu, 3.0))
    assert prior is not None
    assert prior.df == pytest.approx(nu, rel=0.2)
    assert prior.variance == pytest.approx(3.0, rel=0.05)


def test_the_mean_variance_would_not_recover_it() -> None:
    spreads = cases_of(np.random.default_rng(4), 20_000, 4.0, 2.0, 3.0)
    assert np.mean([s.variance for s in spreads]) > 2 * 3.0


def test_equal_cases_weigh_no_more_than_their_runs() -> None:
    prior = estimate_prior([Spread(2.0, 4.0)] * 5)
    assert prior is not None
    assert prior.df == 20.0
    assert prior.variance == pytest.approx(2.0, rel=0.4)


def test_similar_cases_weigh_no_more_than_their_runs() -> None:
    apart = math.sqrt(polygamma(1, 10.0) + 0.001)
    prior = estimate_prior([Spread(math.exp(shift), 20.0) for shift in (-apart, 0.0, apart)])
    assert prior is not None
    assert prior.df == 60.0


def test_tenfold_differences_give_the_prior_little_weight() -> None:
    prior = estimate_prior([Spread(10.0**-k, 20.0) for k in range(5)])
    assert prior is not None
    assert prior.df < 1.0


@pytest.mark.parametrize(
    "spreads",
    [
        [],
        [Spread(1.0, 4.0)] * 2,
        [Spread(1.0, 4.0), Spread(1.0, 4.0), Spread(1.0, 0.0)],
        [Spread(1.0, 4.0), Spread(1.0, 4.0), Spread(0.0, 4.0)],
    ],
)
def test_fewer_than_three_cases_give_no_prior(spreads: list[Spread]) -> None:
    assert estimate_prior(spreads) is None


def test_a_case_with_a_history_ignores_the_prior() -> None:
    assert moderated_spread(Spread(1.0, 2.0), Spread(100.0, 50.0)) == Spread(1.0, 2.0)


def test_a_case_without_a_prior_keeps_its_own_spread() -> None:
    assert moderated_spread(Spread(1.0, 1.0), None) == Spread(1.0, 1.0)


def test_a_case_without_history_is_moderated_by_weight() -> None:
    assert moderated_spread(Spread(0.0, 0.0), Spread(4.0, 6.0)) == Spread(4.0, 6.0)
    assert moderated_spread(Spread(8.0, 1.0), Spread(4.0, 3.0)) == Spread(5.0, 4.0)


def _false_alarms(prior_of: Callable[[Sequence[Spread]], Spread | None]) -> float:
    """Return how often a t test at 5 % that has only the prior convicts an unchanged case."""
    rng = np.random.default_rng(5)
    alarms = 0
    for _ in range(800):
        loan = prior_of(cases_of(rng, 12, 4.0, 4.0, 1.0))
        assert loan is not None
        noise = rng.normal(0, np.sqrt(4.0 / rng.chisquare(4.0, 25)))
        alarms += int((stdtr(loan.df, -noise / np.sqrt(loan.variance)) <= 0.05).sum())
    return alarms / (800 * 25)


def _pooled(spreads: Sequence[Spread]) -> Spread:
    """Return the pooled spread of all cases, as if they were alike."""
    df = sum(s.df for s in spreads)
    return Spread(float(np.exp(np.mean([np.log(s.variance) for s in spreads]))), df)


def test_the_prior_keeps_the_rate_of_false_alarms() -> None:
    assert _false_alarms(estimate_prior) == pytest.approx(0.05, abs=0.01)


def test_a_pooled_spread_would_not_keep_it() -> None:
    assert _false_alarms(_pooled) > 0.075
