"""The jackknife's t test: quantiles, coverage, and the test of single samples as a control."""

import math

import numpy as np
import pytest

from pytest_pareto.stats.jackknife import BlockShift
from pytest_pareto.stats.skew_t import MeanShift

BLOCKS, ALPHA = 20, 0.05
T_19 = 1.7291


def test_limits_and_p_values_are_those_of_t() -> None:
    harm = np.random.default_rng(1).exponential(size=BLOCKS)
    shift, reach = BlockShift.of(harm), T_19 * harm.std(ddof=1) / math.sqrt(BLOCKS)
    low, high = shift.limits(ALPHA)
    assert (low, high) == pytest.approx((harm.mean() - reach, harm.mean() + reach), rel=1e-4)
    assert shift.p_above(low) == pytest.approx(ALPHA)
    assert shift.p_below(high) == pytest.approx(ALPHA)
    assert MeanShift.of(harm).limits(ALPHA)[1] > high


def coverage(of: type[BlockShift] | type[MeanShift], draws: int) -> float:
    """Return the coverage of a difference of twenty standard errors, as of another model."""
    rng, covered = np.random.default_rng(2), 0
    for _ in range(draws):
        low, high = of.of(20.0 + math.sqrt(BLOCKS) * rng.normal(size=BLOCKS)).limits(ALPHA)
        covered += low <= 20.0 <= high
    return covered / draws


def test_the_interval_covers_a_large_difference() -> None:
    assert coverage(BlockShift, 4_000) == pytest.approx(0.9, abs=0.012)
    assert coverage(MeanShift, 4_000) > 0.925


@pytest.mark.parametrize(("margin", "above"), [(1.0, 0.0), (2.0, 0.5), (3.0, 1.0)])
def test_equal_differences_of_blocks_are_certain(margin: float, above: float) -> None:
    shift = BlockShift.of(np.full(BLOCKS, 2.0))
    assert (shift.p_above(margin), shift.p_below(margin)) == (above, 1 - above)
    assert shift.limits(ALPHA) == (2.0, 2.0)


def detected(factor: float) -> float:
    rng, shift = np.random.default_rng(3), BlockShift(BLOCKS, 0.0, 1.0)
    worse = factor * shift.resolution(0.1, ALPHA)
    found = [BlockShift.of(worse + rng.normal(size=BLOCKS)) for _ in range(2_000)]
    return sum(shift.p_above(0.1) <= ALPHA for shift in found) / 2_000


def test_a_shift_of_the_resolution_is_detected() -> None:
    assert detected(1.0) == pytest.approx(0.8, abs=0.03)
    assert detected(0.8) < 0.7


def test_the_needed_blocks_bound_an_unchanged_number() -> None:
    needed = math.ceil(BlockShift(BLOCKS, 0.0, 1.0).pairs_needed(0.2, ALPHA))
    rng = np.random.default_rng(4)
    passed = [BlockShift.of(rng.normal(size=needed)).limits(ALPHA)[1] < 0.2 for _ in range(1_000)]
    assert sum(passed) / 1_000 == pytest.approx(0.8, abs=0.04)


def test_the_resolution_of_more_blocks_is_finer() -> None:
    shift = BlockShift(BLOCKS, 0.0, 1.0)
    assert shift.resolution(0.1, ALPHA, 80) < shift.resolution(0.1, ALPHA)
    assert shift.resolution(0.1, ALPHA, 80) == BlockShift(80, 0.0, 1.0).resolution(0.1, ALPHA)
