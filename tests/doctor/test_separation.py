"""Separation of variants: family-wise error rate, power of planned samples, textbook values."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from pytest_pareto.doctor.metric_model import LARGEST_PLAN
from pytest_pareto.doctor.separation import (
    Correction,
    Pairs,
    VariantValues,
    paired_differences,
    samples_needed,
    separation,
    signal_to_noise,
    significant_pairs,
    unpaired_differences,
    variant_pairs,
)
from pytest_pareto.judge.holm import holm
from pytest_pareto.model.metric import Kind

MEANS = (0.0, 0.1, 0.25, 0.6)


def uncorrected(p_values: Sequence[float]) -> Sequence[float]:
    return p_values


def scored(values: NDArray[np.float64]) -> VariantValues:
    """Return variants with scores; rows are variants, columns samples."""
    ids = tuple(f"s{i}" for i in range(values.shape[1]))
    names = tuple(f"v{i}" for i in range(len(values)))
    return VariantValues("score", Kind.PAIRED, names, tuple(values), ids)


def repeated(values: NDArray[np.float64]) -> VariantValues:
    names = tuple(f"v{i}" for i in range(len(values)))
    return VariantValues("latency", Kind.RUN, names, tuple(values))


def draw(
    rng: np.random.Generator, n: int, means: Sequence[float] = (0.0,) * 5
) -> NDArray[np.float64]:
    """Draw scores whose largest variance is between samples, as with scores of prompts."""
    shared = 3 * rng.standard_normal(n)
    return np.array(means)[:, None] + shared + rng.standard_normal((len(means), n))


def draw_binary(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    """Draw equal variants that fail in one sample of ten, mostly in the same samples."""
    hard = rng.random(n) < 0.2
    return (rng.random((5, n)) > 0.5 * hard).astype(float)


def family_wise(pairs: Sequence[Pairs], correct: Correction) -> float:
    """Return the rate of draws in which any pair of equal variants is separated."""
    return float(np.mean([significant_pairs(p, 0.05, correct).any() for p in pairs]))


def equal_variants(kind: str, draws: int) -> list[Pairs]:
    rng = np.random.default_rng(7)
    if kind == "runs":
        return [unpaired_differences(repeated(rng.standard_normal((5, 6)))) for _ in range(draws)]
    make = draw_binary if kind == "binary" else draw
    return [paired_differences(scored(make(rng, 100))) for _ in range(draws)]


@pytest.mark.parametrize("kind", ["scores", "binary", "runs"])
def test_equal_variants_are_rarely_separated(kind: str) -> None:
    pairs = equal_variants(kind, 400)
    # Three standard deviations of 400 draws above 5 %.
    assert family_wise(pairs, holm) <= 0.083
    # The check can fail: without a correction, ten pairs are separated far too often.
    assert family_wise(pairs, uncorrected) > 0.12


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["scores", "binary", "runs"])
def test_equal_variants_are_rarely_separated_in_10_000_draws(kind: str) -> None:
    assert family_wise(equal_variants(kind, 10_000), holm) <= 0.0565


def test_a_p_value_that_is_nan_is_not_significant() -> None:
    ones = np.ones(3)
    pairs = Pairs(ones, ones, ones, np.array([math.nan, 0.9, 0.001]), sides=1)
    assert significant_pairs(pairs, 0.05, holm).tolist() == [False, False, True]


def power_of_hardest(n: int, draws: int, means: Sequence[float]) -> float:
    """Return the power of n samples for the hardest pair in the easier half of the pairs."""
    i, j = variant_pairs(len(means)).T
    differences = np.abs(np.array(means)[i] - np.array(means)[j])
    hardest = np.argsort(-differences)[math.ceil(len(differences) / 2) - 1]
    rng = np.random.default_rng(11)
    found = [
        significant_pairs(paired_differences(scored(draw(rng, n, means))), 0.05, holm)[hardest]
        for _ in range(draws)
    ]
    return float(np.mean(found))


def planned_for_half(means: Sequence[float], pilot: int) -> float:
    pairs = paired_differences(scored(draw(np.random.default_rng(3), pilot, means)))
    return separation(pairs, significant_pairs(pairs, 0.05, holm), 0.05).for_half


def test_the_samples_planned_for_half_of_the_pairs_give_80_per_cent() -> None:
    half = planned_for_half(MEANS, 20_000)
    assert power_of_hardest(int(half), 500, MEANS) == pytest.approx(0.8, abs=0.06)
    # The check can fail: with half as many samples the power is lower.
    assert power_of_hardest(int(half / 2), 500, MEANS) < 0.6


@pytest.mark.slow
def test_the_samples_planned_for_half_of_the_pairs_give_80_per_cent_in_10_000_draws() -> None:
    half = planned_for_half(MEANS, 200_000)
    assert power_of_hardest(int(half), 10_000, MEANS) == pytest.approx(0.8, abs=0.03)


def test_a_plan_from_few_samples_is_rough_with_the_right_median() -> None:
    """As documented: from 60 samples, between half and four times the right number."""
    rng = np.random.default_rng(13)
    pilots = [paired_differences(scored(draw(rng, 60, MEANS))) for _ in range(300)]
    plans = [separation(pilot, np.zeros(6, bool), 0.05).for_half for pilot in pilots]
    low, median, high = np.quantile(plans, [0.1, 0.5, 0.9])
    right = planned_for_half(MEANS, 20_000)
    assert median == pytest.approx(right, rel=0.2)
    assert 0.3 * right < low < 0.5 * right
    assert 2.5 * right < high < 6 * right
    # The check can fail: a plan from the observed differences needs too few samples.
    i = math.ceil(6 / 2) - 1
    ratios = [np.sort(pilot.scatter / pilot.difference**2)[i] for pilot in pilots]
    naive = np.median([samples_needed(float(ratio), 0.05 / (6 - i), 1) for ratio in ratios])
    assert naive < 0.9 * median


def test_variants_that_may_be_equal_get_no_plan() -> None:
    """A pair of equal variants differs by less than its standard error in 68 % of cases."""
    rng = np.random.default_rng(5)
    pairs = [paired_differences(scored(draw(rng, 100, (0.0, 0.0)))) for _ in range(300)]
    plans = [separation(p, np.array([False]), 0.05).for_half for p in pairs]
    assert np.mean(np.isinf(plans)) == pytest.approx(0.68, abs=0.08)
    # A plan from the observed difference is nearly always finite.
    naive = [samples_needed(float(p.scatter[0] / p.difference[0] ** 2), 0.05, 1) for p in pairs]
    assert np.mean(np.isinf(naive)) < 0.15


def test_the_observed_difference_is_corrected_for_noise() -> None:
    """d² - SE² is unbiased; d² alone is not."""
    rng = np.random.default_rng(9)
    pairs = [paired_differences(scored(draw(rng, 50, (0.0, 0.1)))) for _ in range(2000)]
    squares = np.mean([p.difference[0] ** 2 - p.error[0] ** 2 for p in pairs])
    assert squares == pytest.approx(0.01, abs=0.004)
    assert np.mean([p.difference[0] ** 2 for p in pairs]) > 0.03


@pytest.mark.parametrize(("ratio", "n"), [(1.0, 10), (100.0, 787), (math.nan, math.inf)])
def test_samples_needed(ratio: float, n: float) -> None:
    """Tables of the paired t test have 10 and 787 for effects of 1 and 0.1."""
    assert samples_needed(ratio, 0.05, 1) == pytest.approx(n, abs=1)


def test_a_plan_beyond_the_largest_is_infinite() -> None:
    quantiles = (stats.norm.isf(0.025) + stats.norm.isf(0.2)) ** 2
    assert math.isfinite(samples_needed(0.99 * LARGEST_PLAN / quantiles, 0.05, 1))
    assert samples_needed(1.01 * LARGEST_PLAN / quantiles, 0.05, 1) == math.inf


def test_differences_are_those_of_the_textbook() -> None:
    values = draw(np.random.default_rng(1), 40, MEANS)
    paired = paired_differences(scored(values))
    unpaired = unpaired_differences(scored(values))
    for index, (i, j) in enumerate(variant_pairs(len(MEANS))):
        student = stats.ttest_rel(values[i], values[j])
        assert paired.difference[index] / paired.error[index] == pytest.approx(student.statistic)
        assert paired.p[index] >= student.pvalue - 1e-12  # Hall's t must agree with t
        welch = stats.ttest_ind(values[i], values[j], equal_var=False)
        assert unpaired.p[index] == pytest.approx(welch.pvalue)
    assert (paired.p < unpaired.p).all()


def test_the_signal_is_that_of_the_analysis_of_variance() -> None:
    values = draw(np.random.default_rng(2), 60, MEANS)
    k, n = values.shape
    means, samples = values.mean(1), values.mean(0)
    rest = values - means[:, None] - samples + values.mean()
    f = n * means.var(ddof=1) / ((rest**2).sum() / (k - 1) / (n - 1))
    assert signal_to_noise(paired_differences(scored(values))) == pytest.approx(math.sqrt(f - 1))
    one_way = stats.f_oneway(*values).statistic
    assert math.sqrt(max(one_way - 1, 0)) < 0.5 * math.sqrt(f - 1)  # unpaired, it is hidden


def test_noise_has_no_signal() -> None:
    rng = np.random.default_rng(4)
    signals = [
        signal_to_noise(paired_differences(scored(draw(rng, 50, (0.0,) * 3)))) for _ in range(200)
    ]
    assert np.median(signals) < 0.5
    assert min(signals) == 0


def test_scores_without_spread() -> None:
    identical = paired_differences(scored(np.ones((2, 50))))
    assert (identical.p[0], signal_to_noise(identical)) == (1.0, 0.0)
    assert separation(identical, np.array([False]), 0.05).for_half == math.inf
    shifted = scored(np.stack([np.zeros(50), np.full(50, 0.25)]))
    for pairs in (paired_differences(shifted), unpaired_differences(shifted)):
        assert pairs.p[0] < 1e-6
        assert separation(pairs, np.array([True]), 0.05).for_half < 10
    assert unpaired_differences(scored(np.ones((2, 50)))).p[0] == 1.0
