"""Jackknife pseudo-values and blocks: definition and bias correction."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.scoring.set_metrics import blocks_of, pseudo_values


def mean(items: Sequence[float]) -> float:
    return sum(items) / len(items)


def variance(items: Sequence[float]) -> float:
    """Return the biased variance: (n - 1) / n of the unbiased one."""
    return mean([(x - mean(items)) ** 2 for x in items])


def test_pseudo_values_of_a_mean_are_the_means_of_the_blocks() -> None:
    items = [1.0, 2.0, 3.0, 10.0]
    whole, values = pseudo_values(mean, items, [[0, 3], [1, 2]])
    assert whole == 4.0
    assert values == pytest.approx((5.5, 2.5))


def test_pseudo_values_of_a_mean_with_blocks_of_unequal_size() -> None:
    whole, values = pseudo_values(mean, [1.0, 2.0, 3.0], [[0, 1], [2]])
    assert whole == 2.0
    assert values == pytest.approx((1.5, 3.0))


def test_pseudo_values_of_single_items_remove_the_bias_of_the_variance() -> None:
    items = np.random.default_rng(1).normal(size=30).tolist()
    whole, values = pseudo_values(variance, items, [[i] for i in range(30)])
    assert whole == pytest.approx(np.var(items))
    assert np.mean(values) == pytest.approx(np.var(items, ddof=1))
    assert np.mean(values) != pytest.approx(whole)


def test_arrays_stay_arrays() -> None:
    features: Any = np.arange(12.0).reshape(6, 2)

    def statistic(some: Any) -> float:
        assert some.shape[1] == 2
        return float(some[:, 1].mean())

    whole, values = pseudo_values(statistic, features, blocks_of(6, 3, seed=0))
    assert np.mean(values) == pytest.approx(whole)


@pytest.mark.parametrize(
    "blocks",
    [[], [[0, 1, 2]], [[0, 1], [1, 2]], [[0], [1]], [[0, 1, 2], []], [[0, 1], [2, 3]]],
    ids=["none", "one", "shared", "left out", "empty", "too many"],
)
def test_blocks_that_do_not_partition_the_items_are_rejected(blocks: list[list[int]]) -> None:
    with pytest.raises(ParetoError, match=f"{len(blocks)} blocks of 3 items"):
        pseudo_values(mean, [1.0, 2.0, 3.0], blocks)


@pytest.mark.parametrize(("count", "blocks"), [(2, 2), (20, 20), (47, 20), (400, 20)])
def test_blocks_partition_all_indices_into_nearly_equal_sizes(count: int, blocks: int) -> None:
    partition = blocks_of(count, blocks, seed=3)
    assert sorted(index for block in partition for index in block) == list(range(count))
    sizes = {len(block) for block in partition}
    assert len(partition) == blocks
    assert max(sizes) - min(sizes) <= 1


def test_blocks_depend_on_the_seed_alone() -> None:
    assert blocks_of(40, 4, seed=1) == blocks_of(40, 4, seed=1)
    assert blocks_of(40, 4, seed=1) != blocks_of(40, 4, seed=2)
    assert blocks_of(40, 4, seed=1)[0] != list(range(0, 40, 4))


@pytest.mark.parametrize(("count", "blocks"), [(5, 1), (5, 0), (3, 4), (0, 2)])
def test_too_few_samples_or_blocks_are_rejected(count: int, blocks: int) -> None:
    with pytest.raises(ParetoError, match=f"{count} samples cannot be parted into {blocks}"):
        blocks_of(count, blocks, seed=0)
