"""How far the order of the variants outlives a resampling of what it was found from."""

import zlib

import numpy as np
from numpy.typing import NDArray

from pytest_pareto.compare.rated import Floats, Rated
from pytest_pareto.compare.separation import variant_pairs
from pytest_pareto.model.discernment import Ranking

RESAMPLES = 2000
_HAIR = 1e-9
"""Means that differ by so little of the largest are one: sums round."""


def redrawn(rated: Rated, seed: int) -> Floats:
    """Return the levels that the variants would have had, one resample to a row.

    Scores: samples are drawn again with replacement, the same ones for all variants, and for
    all metrics of the same number of samples. Runs are too few for that: their means are drawn
    from Student's t around what was measured.
    """
    if not rated.ids:
        generator = np.random.default_rng([seed, zlib.crc32(rated.metric.encode())])
        noise = generator.standard_t(rated.counts - 1, size=(RESAMPLES, len(rated.values)))
        return rated.levels + noise * np.sqrt(rated.variances / rated.counts)
    n = rated.table.shape[1]
    generator = np.random.default_rng(seed)
    draws = np.empty((RESAMPLES, len(rated.values)))
    for row in draws:
        weights = np.bincount(generator.integers(n, size=n), minlength=n) / n
        row[:] = rated.table @ weights
    return draws


def ranking(rated: Rated, draws: Floats) -> Ranking:
    """Say which variants come first, and how often they and the order stay as they are."""
    best = _first(rated.levels)
    intruders = _first(draws) & ~best
    order = comparisons(rated.levels)
    taus = tau_b(order, comparisons(draws))
    return Ranking(
        best=tuple(np.array(rated.case_ids, object)[best].tolist()),
        stays=float(1 - intruders.any(axis=-1).mean()),
        tau=float(taus.mean()),
    )


def _first(levels: Floats) -> NDArray[np.bool_]:
    highest = levels.max(axis=-1, keepdims=True)
    return np.asarray(levels >= highest - _HAIR * np.abs(levels).max())


def comparisons(levels: Floats) -> NDArray[np.int8]:
    """Say of every pair of variants, in the last axis: 1 first better, -1 second, 0 alike."""
    i, j = variant_pairs(levels.shape[-1]).T
    hair = _HAIR * np.abs(levels).max()
    difference = levels[..., i] - levels[..., j]
    better = np.where(difference > hair, 1, 0)
    return np.where(difference < -hair, -1, better).astype(np.int8)


def tau_b(one: NDArray[np.int8], other: NDArray[np.int8]) -> Floats:
    """Return Kendall's tau-b of two orders given by their `comparisons`, over the last axis.

    Source: M. G. Kendall (1945), "The treatment of ties in ranking problems", Biometrika 33,
    239-251: agreeing less disagreeing pairs over the geometric mean of those that each orders.
    0 where one of them orders none.
    """
    agree = np.einsum("...m,...m->...", one.astype(float), other.astype(float))
    ordered = np.count_nonzero(one, axis=-1) * np.count_nonzero(other, axis=-1)
    return np.asarray(agree / np.sqrt(np.maximum(ordered, 1)))
