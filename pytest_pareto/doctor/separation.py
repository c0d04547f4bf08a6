"""Pairwise tests between the variants of a front, and sample sizes that would separate them.

`collect_metrics` arranges the recorded values of a front metric by metric. `paired_differences`
and `unpaired_differences` test every pair of variants, `significant_pairs` corrects for their
number, and `separation` counts the significant pairs and plans samples.
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

from pytest_pareto.doctor.metric_model import LARGEST_PLAN, Separation
from pytest_pareto.model.baseline import CaseHistory, MetricHistory
from pytest_pareto.model.metric import BUILT_IN, Better, Kind
from pytest_pareto.stats.paired_proportion import Flips, is_binary
from pytest_pareto.stats.scale import harm_sign, power_of_two, to_working
from pytest_pareto.stats.skew_t import MeanShift

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class VariantValues:
    """The values of one metric for each variant, signed so that higher is better; without unit.

    ``values`` has an array for each of ``case_ids``: one score per sample, in the order of
    ``ids``, or, without ids, one level per run, a logarithm where changes are ratios.
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
        """The variance between the samples, or runs, of each variant."""
        return np.array([values.var(ddof=1) for values in self.values])

    @cached_property
    def counts(self) -> Floats:
        """The number of samples, or runs, of each variant."""
        return np.array([values.size for values in self.values], float)

    @cached_property
    def binary(self) -> bool:
        """Whether the values are scores of 0 and 1."""
        return bool(self.ids) and is_binary(self.table)

    @property
    def all_equal(self) -> bool:
        """Whether the values of all variants are identical, so that no pair can differ."""
        return all(np.array_equal(values, self.values[0]) for values in self.values)


@dataclass(frozen=True, slots=True)
class Exclusion:
    """The reason why a metric is left out, for one variant, or for all if ``case_id`` is None."""

    metric: str
    reason: str
    case_id: str | None = None


def collect_metrics(cases: Sequence[CaseHistory]) -> tuple[list[VariantValues], list[Exclusion]]:
    """Return the values of the cases of a front metric by metric, and what is left out."""
    names = dict.fromkeys(name for case in cases for name in sorted(case.metrics))
    included: list[VariantValues] = []
    excluded: list[Exclusion] = []
    for name in names:
        histories = {case.case_id: case.metrics[name] for case in cases if name in case.metrics}
        for item in _collect(name, histories):
            if isinstance(item, VariantValues):
                included.append(item)
            else:
                excluded.append(item)
    return included, excluded


def _collect(
    name: str, histories: Mapping[str, MetricHistory]
) -> Iterator[VariantValues | Exclusion]:
    """Yield the exclusions of one metric, and the values of its other variants, if two or more."""
    kind, better = Counter((h.kind, h.better) for h in histories.values()).most_common(1)[0][0]
    alike = {}
    for case_id, history in histories.items():
        if (history.kind, history.better) == (kind, better):
            alike[case_id] = history
        else:
            reason = f"recorded as {history.kind}, {history.better} is better, unlike the others"
            yield Exclusion(name, reason, case_id)
    if kind is Kind.EXACT:
        yield Exclusion(name, "repeatable: it differs or it does not, without any noise")
        return
    if kind is Kind.SET:
        yield Exclusion(name, "one number of all samples: what more of them would tell is unknown")
        return
    if kind is Kind.ORDINAL:
        order = "their order is judged by the gate"
        yield Exclusion(name, f"grades: {order}; how well they tell variants apart is not examined")
        return
    if kind is Kind.RUN and name in BUILT_IN and not BUILT_IN[name].gates:
        yield Exclusion(name, "a diagnostic of the machine, no score of a variant")
        return
    collected, excluded = _scores(name, alike) if kind.sampled else _run_levels(name, alike)
    yield from excluded
    variants = len(collected.values)
    if variants > 1 and not collected.ids and not any(map(np.ptp, collected.values)):
        # Runs without any spread do not show that they would be the same with another seed.
        remedy = "" if name in BUILT_IN else "; record scores per sample"
        reason = f"its runs repeat: it differs or it does not, without any noise{remedy}"
        yield Exclusion(name, reason)
    elif variants > 1:
        yield collected
    elif collected.case_ids:
        yield Exclusion(name, "there is no other variant to tell it from", *collected.case_ids)


def _scores(
    name: str, histories: Mapping[str, MetricHistory]
) -> tuple[VariantValues, list[Exclusion]]:
    """Return the scores in one order of samples; variants with other samples are excluded."""
    scores = {
        case_id: dict(zip(h.samples.ids, h.samples.values, strict=True))
        for case_id, h in histories.items()
        if h.samples is not None
    }
    id_sets = Counter(frozenset(by_id) for by_id in scores.values())
    common = id_sets.most_common(1)[0][0]
    ids = tuple(sorted(common))
    excluded = [
        Exclusion(name, _other_samples_reason(by_id.keys(), common), case_id)
        for case_id, by_id in scores.items()
        if by_id.keys() != common
    ]
    kept = {case_id: by_id for case_id, by_id in scores.items() if by_id.keys() == common}
    if len(ids) < 2:
        reason = "one sample has no spread; 100 or more say much"
        excluded += [Exclusion(name, reason, case_id) for case_id in kept]
        kept = {}
    values = tuple(np.array([by_id[i] for i in ids], float) for by_id in kept.values())
    return _oriented(name, histories, tuple(kept), values, ids), excluded


def _other_samples_reason(own: AbstractSet[str], common: AbstractSet[str]) -> str:
    return f"scored on other samples ({len(own & common)} of its {len(own)} are the others' too)"


def _run_levels(
    name: str, histories: Mapping[str, MetricHistory]
) -> tuple[VariantValues, list[Exclusion]]:
    """Return all runs at the level accepted now, on the scale on which runs are compared."""
    relative = name in BUILT_IN and BUILT_IN[name].relative
    kept: dict[str, Floats] = {}
    excluded: list[Exclusion] = []
    for case_id, history in histories.items():
        runs = [run for session in history.level_sessions for run in session.runs]
        if len(runs) < 2:
            reason = "one run has no spread; record it with --pareto-runs 5"
            excluded.append(Exclusion(name, reason, case_id))
        elif relative and min(runs) <= 0:
            reason = f"recorded as {min(runs):g}, which has no ratio"
            excluded.append(Exclusion(name, reason, case_id))
        else:
            kept[case_id] = np.array(to_working(runs, relative=relative))
    return _oriented(name, histories, tuple(kept), tuple(kept.values()), ()), excluded


def _oriented(
    name: str,
    histories: Mapping[str, MetricHistory],
    case_ids: tuple[str, ...],
    values: tuple[Floats, ...],
    ids: tuple[str, ...],
) -> VariantValues:
    first = next(iter(histories.values()))
    sign = -harm_sign(Better(first.better))
    oriented = tuple(sign * v for v in _rescaled(values))
    return VariantValues(name, first.kind, case_ids, oriented, ids)


def _rescaled(values: tuple[Floats, ...]) -> tuple[Floats, ...]:
    """Return values scaled so that their squares and squared variances do not overflow.

    All results are without unit. Scores of 0 and 1 are not scaled.
    """
    if not values or is_binary(*values):
        return values
    scale = power_of_two(max(float(np.abs(v).max()) for v in values))
    return tuple(v / scale for v in values)


Correction = Callable[[Sequence[float]], Sequence[float]]
"""Adjusts the p-values of one family for its size, with control of the family-wise error rate."""

_POWER = 0.8


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """The differences between the variants of every pair, in the order of `variant_pairs`.

    ``error`` is the standard error of each ``difference``, and ``p`` its two-sided p-value,
    uncorrected. ``scatter`` is the variance that one sample of each variant adds to the
    difference. ``sides`` is 1 where the variants share their samples, else 2: with n samples of
    each there are ``sides`` (n - 1) degrees of freedom.
    """

    difference: Floats
    error: Floats
    scatter: Floats
    p: Floats
    sides: int


def variant_pairs(count: int) -> NDArray[np.intp]:
    """Return the indices of both variants of every pair, one pair per row."""
    return np.array(list(combinations(range(count), 2)), dtype=np.intp).reshape(-1, 2)


def paired_differences(variants: VariantValues) -> Pairs:
    """Compare variants sample by sample, by the tests that judge scores elsewhere.

    These are Student's t together with Hall's skew-corrected t, or, for scores of 0 and 1, with
    Tango's score test.
    """
    table, n = variants.table, variants.table.shape[1]
    results = np.array(
        [
            _paired_test(table[i] - table[j], binary=variants.binary)
            for i, j in combinations(range(len(table)), 2)
        ]
    )
    difference, error, p = results.T
    return Pairs(difference, error, n * error**2, p, sides=1)


def _paired_test(differences: Floats, *, binary: bool) -> tuple[float, float, float]:
    """Return the mean difference, its standard error, and the two-sided p-value."""
    if not differences.any():
        return 0.0, 0.0, 1.0
    shift = MeanShift.of(differences)
    test = Flips.of(differences) if binary else shift
    p = min(1.0, 2 * min(test.p_above(0.0), test.p_below(0.0)))
    return shift.estimate, shift.standard_error, p


def unpaired_differences(variants: VariantValues) -> Pairs:
    """Compare variants by Welch's t, as if each had samples of its own."""
    i, j = variant_pairs(len(variants.values)).T
    difference = variants.levels[i] - variants.levels[j]
    # Identical scores have no spread; the floor is that of `skew_t.MeanShift`.
    counts = np.minimum(variants.counts[i], variants.counts[j])
    floor = difference**2 / (counts + 1)
    scatter = np.maximum(variants.variances[i] + variants.variances[j], floor)
    squares = [variants.variances[side] / variants.counts[side] for side in (i, j)]
    error = np.sqrt(np.maximum(squares[0] + squares[1], floor / counts))
    shares = [s**2 / (variants.counts[side] - 1) for s, side in zip(squares, (i, j), strict=True)]
    spread = shares[0] + shares[1]
    known = spread > 0
    df = np.where(known, (squares[0] + squares[1]) ** 2 / np.where(known, spread, 1), counts - 1)
    t = np.divide(np.abs(difference), error, out=np.zeros_like(error), where=error > 0)
    return Pairs(difference, error, scatter, 2 * stdtr(df, -t), sides=2)


def significant_pairs(pairs: Pairs, alpha: float, correct: Correction) -> NDArray[np.bool_]:
    """Return a mask of the pairs that differ, with a family-wise error rate of at most alpha."""
    p_values = np.where(np.isnan(pairs.p), 1.0, pairs.p)  # NaN shows no difference
    return np.array(correct(p_values.tolist())) <= alpha


def separation(pairs: Pairs, significant: NDArray[np.bool_], alpha: float) -> Separation:
    """Count the significant pairs, and plan the samples for half of all pairs and for all."""
    count = len(significant)
    squares = true_squared_differences(pairs)
    ratios = np.sort(pairs.scatter / np.where(squares > 0, squares, np.nan))  # NaN sorts last
    plans = [
        samples_needed(float(ratios[rank - 1]), alpha / (count - rank + 1), pairs.sides)
        for rank in (math.ceil(count / 2), count)
    ]
    return Separation(count, int(significant.sum()), *plans)


def true_squared_differences(pairs: Pairs) -> Floats:
    """Estimate the squares of the true differences: d² - SE², since noise adds its variance.

    The estimate is unbiased. It is 0 or less where two variants differ by no more than noise
    would make them differ; then there is no evidence for a true difference.
    """
    squares: Floats = pairs.difference**2 - pairs.error**2
    return squares


def samples_needed(ratio: float, level: float, sides: int) -> float:
    """Return the smallest n that shows a difference, two-sided at ``level``, with a power of 0.8.

    (t(1 - level/2, ν) + t(0.8, ν)) √(ratio / n) <= 1 with ν = sides (n - 1); ``ratio`` is the
    variance of a difference at n = 1 over the square of the true difference, NaN where that may
    be 0. Infinite where more than `LARGEST_PLAN` are needed.
    """

    def suffices(n: int) -> bool:
        df = sides * (n - 1)
        quantiles = float(stdtrit(df, _POWER) - stdtrit(df, level / 2))
        return quantiles**2 * ratio <= n

    too_few, enough = 1, LARGEST_PLAN
    if not suffices(enough):  # always with NaN
        return math.inf
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        too_few, enough = (too_few, middle) if suffices(middle) else (middle, enough)
    return float(enough)


def signal_to_noise(pairs: Pairs, subset: NDArray[np.bool_] | slice = slice(None)) -> float:
    """Return the difference of two variants in standard errors, corrected for noise.

    √(mean d² / mean SE² - 1) over the pairs, 0 where that is negative: the root mean square of
    the true differences over the standard error of one. Where variants share their samples it is
    √(F - 1), with F of the two-way analysis of variance of variants by samples.
    """
    noise = float(np.mean(pairs.error[subset] ** 2))
    if not noise:
        return 0.0
    return math.sqrt(max(0.0, float(np.mean(pairs.difference[subset] ** 2)) / noise - 1))
