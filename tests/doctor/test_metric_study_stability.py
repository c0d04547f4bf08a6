"""Stability of rankings under resampling, and Kendall's tau-b."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from pytest_pareto.doctor.metric_study import (
    RESAMPLES,
    pairwise_order,
    rank_variants,
    resampled_levels,
    tau_b,
)
from pytest_pareto.doctor.separation import VariantValues
from pytest_pareto.model.metric import Kind


def scored(values: NDArray[np.float64], metric: str = "score") -> VariantValues:
    ids = tuple(f"s{i}" for i in range(values.shape[1]))
    names = tuple("abcdefgh"[: len(values)])
    return VariantValues(metric, Kind.PAIRED, names, tuple(values), ids)


def correlated(n: int = 200) -> NDArray[np.float64]:
    """Draw two variants that share the variance between samples."""
    rng = np.random.default_rng(1)
    return 5 * rng.standard_normal(n) + rng.standard_normal((2, n))


@pytest.mark.parametrize("ties", [False, True])
def test_tau_b_is_that_of_scipy(ties: bool) -> None:
    rng = np.random.default_rng(2)
    for _ in range(30):
        one, other = rng.standard_normal((2, 7))
        if ties:
            one, other = np.round(one), np.round(other)
        expected = stats.kendalltau(one, other).statistic
        assert tau_b(pairwise_order(one), pairwise_order(other)) == pytest.approx(expected)


def test_tau_b_of_ties_alone_is_0() -> None:
    assert tau_b(pairwise_order(np.ones(4)), pairwise_order(np.arange(4.0))) == 0


def test_sums_that_round_differently_are_ties() -> None:
    assert pairwise_order(np.array([0.1 + 0.2, 0.3])) == [0]
    assert pairwise_order(np.array([0.3001, 0.3])) == [1]


def test_all_variants_are_resampled_together() -> None:
    """Otherwise the variance between samples would be added; its sd is five times as large."""
    values = correlated()
    draws = resampled_levels(scored(values), 0)
    assert draws.shape == (RESAMPLES, 2)
    scatter = (draws[:, 0] - draws[:, 1]).std()
    assert scatter == pytest.approx((values[0] - values[1]).std() / np.sqrt(200), rel=0.1)
    separate = np.stack([resampled_levels(scored(values), seed)[:, seed] for seed in (0, 1)])
    assert (separate[0] - separate[1]).std() > 3 * scatter


def test_all_metrics_are_resampled_together() -> None:
    values = correlated()
    np.testing.assert_array_equal(
        resampled_levels(scored(values), 0), resampled_levels(scored(values, "another"), 0)
    )


def test_runs_are_drawn_around_the_measured_means() -> None:
    runs = (np.array([1.0, 1.2, 1.1, 0.9]), np.array([2.0, 2.1]))
    draws = resampled_levels(VariantValues("latency", Kind.RUN, ("a", "b"), runs), 0)
    np.testing.assert_allclose(np.median(draws, axis=0), [1.05, 2.05], atol=0.02)
    # Student's t with 3 degrees of freedom is wider than resampling four runs would be.
    inner = np.quantile(draws[:, 0], [0.05, 0.95])
    assert np.ptp(inner) / 2 == pytest.approx(2.353 * runs[0].std(ddof=1) / 2, rel=0.1)


def test_the_stability_of_the_best_variant() -> None:
    rng = np.random.default_rng(3)
    noise = rng.standard_normal((3, 100))
    clear = scored(noise + np.array([[0.0], [5.0], [-5.0]]))
    found = rank_variants(clear, resampled_levels(clear, 0))
    assert (found.best, found.best_stays, found.tau) == (("b",), 1.0, 1.0)
    even = scored(np.stack([noise[0], -noise[0], noise[0] - 9]))
    found = rank_variants(even, resampled_levels(even, 0))
    assert found.best_stays == pytest.approx(
        stats.norm.cdf(abs(noise[0].mean()) * 10 / noise[0].std()), abs=0.05
    )


def test_several_variants_may_be_the_best() -> None:
    perfect, failing = np.ones(100), np.ones(100)
    failing[7] = 0
    variants = scored(np.stack([perfect, perfect, failing]))
    found = rank_variants(variants, resampled_levels(variants, 0))
    assert found.best == ("a", "b")
    # The third joins them where the one failure is not drawn: with probability (1 - 1/100)^100.
    assert found.best_stays == pytest.approx(1 - 0.99**100, abs=0.04)
