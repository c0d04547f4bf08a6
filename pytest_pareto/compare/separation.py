"""The pairs of variants that a metric tells apart, and the samples that it would take."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from pytest_pareto.compare.rated import Floats, Rated
from pytest_pareto.model.discernment import LARGEST_PLAN, Apart
from pytest_pareto.stats.paired_proportion import Flips
from pytest_pareto.stats.skew_t import MeanShift

Correct = Callable[[Sequence[float]], Sequence[float]]
"""Adjusts the p-values of one family, so that those up to alpha may be believed all at once."""

_POWER = 0.8


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """The differences between the variants of every pair, in the order of `variant_pairs`.

    ``error`` is the standard error of each ``difference``, and ``p`` two-sided, of this pair
    alone. ``scatter`` is the variance that one sample of each adds to the difference, and
    ``sides`` 1 where the two share their samples, else 2: with n of each there are
    ``sides`` (n - 1) degrees of freedom.
    """

    difference: Floats
    error: Floats
    scatter: Floats
    p: Floats
    sides: int


def variant_pairs(count: int) -> NDArray[np.intp]:
    """Return the places of both variants of every pair, one pair to a row."""
    return np.array(list(combinations(range(count), 2)), dtype=np.intp).reshape(-1, 2)


def pairs_on_same_samples(rated: Rated) -> Pairs:
    """Compare variants sample by sample, by what convicts elsewhere: t with Hall's or Tango's."""
    table, n = rated.table, rated.table.shape[1]
    found = np.array(
        [_paired(table[i] - table[j], rated) for i, j in combinations(range(len(table)), 2)]
    )
    difference, error, p = found.T
    return Pairs(difference, error, n * error**2, p, sides=1)


def _paired(harm: Floats, rated: Rated) -> tuple[float, float, float]:
    if not harm.any():
        return 0.0, 0.0, 1.0
    shift = MeanShift.of(harm)
    test = Flips.of(harm) if rated.binary else shift
    p = min(1.0, 2 * min(test.p_above(0.0), test.p_below(0.0)))
    return shift.estimate, shift.standard_error, p


def pairs_on_other_samples(rated: Rated) -> Pairs:
    """Compare variants by their means alone, as if each had samples of its own: Welch's t."""
    i, j = variant_pairs(len(rated.values)).T
    difference = rated.levels[i] - rated.levels[j]
    # Scores that are all alike show no spread; the floor is that of `hall.MeanShift`.
    counts = np.minimum(rated.counts[i], rated.counts[j])
    floor = difference**2 / (counts + 1)
    scatter = np.maximum(rated.variances[i] + rated.variances[j], floor)
    squares = [rated.variances[side] / rated.counts[side] for side in (i, j)]
    error = np.sqrt(np.maximum(squares[0] + squares[1], floor / counts))
    shares = [s**2 / (rated.counts[side] - 1) for s, side in zip(squares, (i, j), strict=True)]
    spread = shares[0] + shares[1]
    known = spread > 0
    df = np.where(known, (squares[0] + squares[1]) ** 2 / np.where(known, spread, 1), counts - 1)
    t = np.divide(np.abs(difference), error, out=np.zeros_like(error), where=error > 0)
    return Pairs(difference, error, scatter, 2 * stdtr(df, -t), sides=2)


def told_apart(pairs: Pairs, alpha: float, correct: Correct) -> NDArray[np.bool_]:
    """Mark the pairs that differ, wrong about any of them with probability ``alpha`` at most."""
    known = np.where(np.isnan(pairs.p), 1.0, pairs.p)  # what is no number shows no difference
    return np.array(correct(known.tolist())) <= alpha


def apart(pairs: Pairs, marked: NDArray[np.bool_], alpha: float) -> Apart:
    """Count the pairs that are told apart, and plan for half of them and for all."""
    count = len(marked)
    squares = true_squares(pairs)
    ratios = np.sort(pairs.scatter / np.where(squares > 0, squares, np.nan))  # NaN comes last
    plans = [
        samples_needed(float(ratios[rank - 1]), alpha / (count - rank + 1), pairs.sides)
        for rank in (math.ceil(count / 2), count)
    ]
    return Apart(count, int(marked.sum()), *plans)


def true_squares(pairs: Pairs) -> Floats:
    """Estimate the squares of the true differences: noise adds its own variance to those seen.

    d² - SE² has the right mean, and is 0 or less where two variants differ by no more than noise
    would make them differ: then nothing speaks for a true difference.
    """
    squares: Floats = pairs.difference**2 - pairs.error**2
    return squares


def samples_needed(ratio: float, level: float, sides: int) -> float:
    """Return the least n that shows a difference, two-sided at ``level``, with a power of 0.8.

    (t(1 - level/2, ν) + t(0.8, ν)) √(ratio / n) <= 1 with ν = sides (n - 1); ``ratio`` is the
    variance of a difference at n = 1 over the square of the true one, NaN where that may be 0.
    Infinite where more than `LARGEST_PLAN` are needed.
    """

    def fits(n: int) -> bool:
        df = sides * (n - 1)
        reach = float(stdtrit(df, _POWER) - stdtrit(df, level / 2))
        return reach**2 * ratio <= n

    too_few, enough = 1, LARGEST_PLAN
    if not fits(enough):  # so it is with NaN
        return math.inf
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        too_few, enough = (too_few, middle) if fits(middle) else (middle, enough)
    return float(enough)


def signal_to_noise(pairs: Pairs, among: NDArray[np.bool_] | slice = slice(None)) -> float:
    """Return by how many standard errors two variants differ, beyond what noise makes of none.

    √(mean d² / mean SE² - 1) over the pairs, 0 where that is negative: the root mean square of
    the true differences over the standard error of one. Where variants share their samples it is
    √(F - 1), with F of the two-way analysis of variance of variants by samples.
    """
    noise = float(np.mean(pairs.error[among] ** 2))
    if not noise:
        return 0.0
    return math.sqrt(max(0.0, float(np.mean(pairs.difference[among] ** 2)) / noise - 1))
