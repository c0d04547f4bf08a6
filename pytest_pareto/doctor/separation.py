"""The pairs of variants that a metric tells apart, and the samples that it would take.

One metric of all the variants of a front: their scores side by side, or their runs.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from pytest_pareto.doctor.metric_model import LARGEST_PLAN, Apart
from pytest_pareto.model.baseline import CaseHistory, MetricHistory
from pytest_pareto.model.metric import BUILT_IN, Better, Kind
from pytest_pareto.stats.paired_proportion import Flips, is_binary
from pytest_pareto.stats.scale import harm_sign, power_of_two, to_working
from pytest_pareto.stats.skew_t import MeanShift

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rated:
    """What each variant got; more is better, whatever the metric's own direction and unit.

    ``values`` has an array for each of ``case_ids``, of one score per sample in the order of
    ``ids``, or, without ids, of one level per run, a logarithm where changes are ratios.
    """

    metric: str
    kind: Kind
    case_ids: tuple[str, ...]
    values: tuple[Floats, ...]
    ids: tuple[str, ...] = ()

    @cached_property
    def table(self) -> Floats:
        """The scores of variants (rows) on the same samples (columns)."""
        return np.stack(self.values)

    @cached_property
    def levels(self) -> Floats:
        """The mean of each variant."""
        return np.array([values.mean() for values in self.values])

    @cached_property
    def variances(self) -> Floats:
        """The variance between the samples, or the runs, of each variant."""
        return np.array([values.var(ddof=1) for values in self.values])

    @cached_property
    def counts(self) -> Floats:
        """How many samples, or runs, each variant has."""
        return np.array([values.size for values in self.values], float)

    @cached_property
    def binary(self) -> bool:
        """Whether these are scores of 0 and 1."""
        return bool(self.ids) and is_binary(self.table)

    @property
    def all_equal(self) -> bool:
        """Whether every variant got the same throughout, so that there is nothing to tell."""
        return all(np.array_equal(values, self.values[0]) for values in self.values)


@dataclass(frozen=True, slots=True)
class Unrated:
    """Why a metric of a front, or a variant in it, is left out; ``case_id`` None is all of it."""

    metric: str
    why: str
    case_id: str | None = None


def rated_metrics(cases: Sequence[CaseHistory]) -> tuple[list[Rated], list[Unrated]]:
    """Bring the cases of a front side by side, metric by metric, and say what does not fit."""
    names = dict.fromkeys(name for case in cases for name in sorted(case.metrics))
    rated: list[Rated] = []
    unrated: list[Unrated] = []
    for name in names:
        held = {case.case_id: case.metrics[name] for case in cases if name in case.metrics}
        found = list(_rate(name, held))
        rated += [item for item in found if isinstance(item, Rated)]
        unrated += [item for item in found if isinstance(item, Unrated)]
    return rated, unrated


def _rate(name: str, held: Mapping[str, MetricHistory]) -> Iterator[Rated | Unrated]:
    """Yield what is left out of one metric, and what it says of the others, if of two or more."""
    kind, better = Counter((h.kind, h.better) for h in held.values()).most_common(1)[0][0]
    alike = {}
    for case_id, history in held.items():
        if (history.kind, history.better) == (kind, better):
            alike[case_id] = history
        else:
            told = f"recorded as {history.kind}, {history.better} is better, unlike the others"
            yield Unrated(name, told, case_id)
    if kind is Kind.EXACT:
        yield Unrated(name, "repeatable: it differs or it does not, without any noise")
        return
    if kind is Kind.SET:
        yield Unrated(name, "one number of all samples: what more of them would tell is unknown")
        return
    if kind is Kind.ORDINAL:
        order = "their order is judged by the gate"
        yield Unrated(name, f"grades: {order}; how well they tell variants apart is not examined")
        return
    if kind is Kind.RUN and name in BUILT_IN and not BUILT_IN[name].gates:
        yield Unrated(name, "a diagnostic of the machine, no score of a variant")
        return
    rated, left = _scored(name, alike) if kind.sampled else _repeated(name, alike)
    yield from left
    if len(rated.values) > 1 and not rated.ids and not any(map(np.ptp, rated.values)):
        # No spread at all is no sign that runs would be the same with another seed.
        remedy = "" if name in BUILT_IN else "; record scores per sample"
        told = f"its runs repeat: it differs or it does not, without any noise{remedy}"
        yield Unrated(name, told)
    elif len(rated.values) > 1:
        yield rated
    elif rated.case_ids:
        yield Unrated(name, "there is no other variant to tell it from", *rated.case_ids)


def _scored(name: str, held: Mapping[str, MetricHistory]) -> tuple[Rated, list[Unrated]]:
    """Put scores of the same samples in one order; other samples are never mixed with them."""
    scores = {
        case_id: dict(zip(h.samples.ids, h.samples.values, strict=True))
        for case_id, h in held.items()
        if h.samples is not None
    }
    sets = Counter(frozenset(found) for found in scores.values())
    common = sets.most_common(1)[0][0]
    ids = tuple(sorted(common))
    left = [
        Unrated(name, _says_ids(found.keys(), common), case_id)
        for case_id, found in scores.items()
        if found.keys() != common
    ]
    kept = {case_id: found for case_id, found in scores.items() if found.keys() == common}
    if len(ids) < 2:
        left += [Unrated(name, "one sample has no spread; 100 or more say much", i) for i in kept]
        kept = {}
    values = tuple(np.array([found[i] for i in ids], float) for found in kept.values())
    return _oriented(name, held, tuple(kept), values, ids), left


def _says_ids(own: AbstractSet[str], common: AbstractSet[str]) -> str:
    return f"scored on other samples ({len(own & common)} of its {len(own)} are the others' too)"


def _repeated(name: str, held: Mapping[str, MetricHistory]) -> tuple[Rated, list[Unrated]]:
    """Take all the runs of the level accepted now, on the scale on which runs are compared."""
    relative = name in BUILT_IN and BUILT_IN[name].relative
    kept: dict[str, Floats] = {}
    left: list[Unrated] = []
    for case_id, history in held.items():
        runs = [run for session in history.level_sessions for run in session.runs]
        if len(runs) < 2:
            left.append(
                Unrated(name, "one run has no spread; record it with --pareto-runs 5", case_id)
            )
        elif relative and min(runs) <= 0:
            left.append(Unrated(name, f"recorded as {min(runs):g}, which has no ratio", case_id))
        else:
            kept[case_id] = np.array(to_working(runs, relative=relative))
    return _oriented(name, held, tuple(kept), tuple(kept.values()), ()), left


def _oriented(
    name: str,
    held: Mapping[str, MetricHistory],
    case_ids: tuple[str, ...],
    values: tuple[Floats, ...],
    ids: tuple[str, ...],
) -> Rated:
    first = next(iter(held.values()))
    sign = -harm_sign(Better(first.better))
    return Rated(name, first.kind, case_ids, tuple(sign * v for v in _near_one(values)), ids)


def _near_one(values: tuple[Floats, ...]) -> tuple[Floats, ...]:
    """Scale scores of any size so that their squares, and those of their variances, are numbers.

    What is told of them has no unit. Scores of 0 and 1 stay what they are.
    """
    if not values or is_binary(*values):
        return values
    unit = power_of_two(max(float(np.abs(v).max()) for v in values))
    return tuple(v / unit for v in values)


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
