"""How stable an order is, and how alike two are."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from pytest_pareto.doctor.metric_study import RESAMPLES, comparisons, ranking, redrawn, tau_b
from pytest_pareto.doctor.separation import Rated
from pytest_pareto.model.metric import Kind


def scored(values: NDArray[np.float64], metric: str = "score") -> Rated:
    ids = tuple(f"s{i}" for i in range(values.shape[1]))
    names = tuple("abcdefgh"[: len(values)])
    return Rated(metric, Kind.PAIRED, names, tuple(values), ids)


def correlated(n: int = 200) -> NDArray[np.float64]:
    """Two variants that share what is hard about each sample."""
    rng = np.random.default_rng(1)
    return 5 * rng.standard_normal(n) + rng.standard_normal((2, n))


@pytest.mark.parametrize("ties", [False, True])
def test_tau_is_scipys(ties: bool) -> None:
    rng = np.random.default_rng(2)
    for _ in range(30):
        one, other = rng.standard_normal((2, 7))
        if ties:
            one, other = np.round(one), np.round(other)
        expected = stats.kendalltau(one, other).statistic
        assert tau_b(comparisons(one), comparisons(other)) == pytest.approx(expected)


def test_tau_of_what_has_no_order_is_nothing() -> None:
    assert tau_b(comparisons(np.ones(4)), comparisons(np.arange(4.0))) == 0


def test_sums_that_round_differently_are_level() -> None:
    assert comparisons(np.array([0.1 + 0.2, 0.3])) == [0]
    assert comparisons(np.array([0.3001, 0.3])) == [1]


def test_all_variants_get_the_same_samples_again() -> None:
    """Else the scatter between samples, five times that of the difference, would be in it."""
    values = correlated()
    draws = redrawn(scored(values), 0)
    assert draws.shape == (RESAMPLES, 2)
    scatter = (draws[:, 0] - draws[:, 1]).std()
    assert scatter == pytest.approx((values[0] - values[1]).std() / np.sqrt(200), rel=0.1)
    apart = np.stack([redrawn(scored(values), seed)[:, seed] for seed in (0, 1)])
    assert (apart[0] - apart[1]).std() > 3 * scatter


def test_all_metrics_get_the_same_samples_again() -> None:
    values = correlated()
    np.testing.assert_array_equal(redrawn(scored(values), 0), redrawn(scored(values, "another"), 0))


def test_runs_are_drawn_around_what_was_measured() -> None:
    runs = (np.array([1.0, 1.2, 1.1, 0.9]), np.array([2.0, 2.1]))
    draws = redrawn(Rated("latency", Kind.RUN, ("a", "b"), runs), 0)
    np.testing.assert_allclose(np.median(draws, axis=0), [1.05, 2.05], atol=0.02)
    # Student's t with 3 degrees of freedom is wider than resampling four runs would be.
    inner = np.quantile(draws[:, 0], [0.05, 0.95])
    assert np.ptp(inner) / 2 == pytest.approx(2.353 * runs[0].std(ddof=1) / 2, rel=0.1)


def test_the_best_stays_the_best_as_far_as_it_is() -> None:
    rng = np.random.default_rng(3)
    noise = rng.standard_normal((3, 100))
    clear = scored(noise + np.array([[0.0], [5.0], [-5.0]]))
    found = ranking(clear, redrawn(clear, 0))
    assert (found.best, found.stays, found.tau) == (("b",), 1.0, 1.0)
    even = scored(np.stack([noise[0], -noise[0], noise[0] - 9]))
    found = ranking(even, redrawn(even, 0))
    assert found.stays == pytest.approx(
        stats.norm.cdf(abs(noise[0].mean()) * 10 / noise[0].std()), abs=0.05
    )


def test_a_shared_first_place_is_shared() -> None:
    perfect, failing = np.ones(100), np.ones(100)
    failing[7] = 0
    rated = scored(np.stack([perfect, perfect, failing]))
    found = ranking(rated, redrawn(rated, 0))
    assert found.best == ("a", "b")
    # Where the one failure is not drawn, the third joins them: with (1 - 1/100)^100.
    assert found.stays == pytest.approx(1 - 0.99**100, abs=0.04)
