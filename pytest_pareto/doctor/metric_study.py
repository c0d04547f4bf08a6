"""Study of the discriminative power of metrics, from the scores and runs in a baseline.

`examine_metrics` compares the variants of each front in pairs, and ranks them under resampling
(bootstrap of samples; Student's t for runs). Rankings are compared by Kendall's tau-b.
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pytest_pareto.doctor.metric_model import (
    FrontMetrics,
    MetricPower,
    MetricsReport,
    RankAgreement,
    Ranking,
)
from pytest_pareto.doctor.separation import (
    Correction,
    Exclusion,
    Floats,
    Pairs,
    VariantValues,
    collect_metrics,
    paired_differences,
    separation,
    signal_to_noise,
    significant_pairs,
    unpaired_differences,
    variant_pairs,
)
from pytest_pareto.model.baseline import Baseline, CaseHistory

RESAMPLES = 2000
_INTERVAL = (0.05, 0.95)
_TIE = 1e-9
"""Means that differ by less than this share of the largest are ties, since sums round."""


@dataclass(frozen=True, slots=True, eq=False)
class _Examined:
    """A metric's results, with the resamples and the mask of pairs that comparisons need."""

    variants: VariantValues
    power: MetricPower
    draws: Floats
    significant: NDArray[np.bool_]


def examine_metrics(
    baseline: Baseline, *, alpha: float, correct: Correction, seed: int = 0
) -> MetricsReport:
    """Examine every metric of every front of two or more cases.

    ``correct`` adjusts the p-values of the pairs of one front and metric for their number, so
    that a pair of equal variants is separated with a probability of at most ``alpha``.
    """
    fronts: dict[str, list[CaseHistory]] = {}
    for case in baseline.cases.values():
        fronts.setdefault(case.front, []).append(case)
    alone = [cases[0].case_id for cases in fronts.values() if len(cases) == 1]
    shared = {front: cases for front, cases in fronts.items() if len(cases) > 1}
    examined = [_front(front, cases, alpha, correct, seed) for front, cases in shared.items()]
    return MetricsReport(
        alpha=alpha,
        fronts=tuple(front for front in examined if front.metrics),
        left_out=(*_alone_messages(alone), *_empty_messages(examined)),
    )


def _front(
    front: str, cases: Sequence[CaseHistory], alpha: float, correct: Correction, seed: int
) -> FrontMetrics:
    included, excluded = collect_metrics(cases)
    examined = [_examine(variants, alpha, correct, seed) for variants in included]
    examined.sort(key=lambda metric: metric.power.sort_key)
    return FrontMetrics(
        front=front,
        case_ids=tuple(case.case_id for case in cases),
        metrics=tuple(metric.power for metric in examined),
        agreements=tuple(_agreements(examined)),
        notes=tuple(_exclusion_notes(excluded)),
    )


def _examine(variants: VariantValues, alpha: float, correct: Correction, seed: int) -> _Examined:
    unpaired = unpaired_differences(variants)
    paired = paired_differences(variants) if variants.ids else None
    pairs = unpaired if paired is None else paired
    significant = significant_pairs(pairs, alpha, correct)
    draws = resampled_levels(variants, seed)
    main_variant, signal_without = _main_variant(variants, pairs)
    power = MetricPower(
        metric=variants.metric,
        kind=variants.kind,
        case_ids=variants.case_ids,
        n=int(variants.counts.min()),
        signal=signal_to_noise(pairs),
        main_variant=main_variant,
        signal_without=signal_without,
        paired=None if paired is None else separation(paired, significant, alpha),
        unpaired=separation(unpaired, significant_pairs(unpaired, alpha, correct), alpha),
        ranking=rank_variants(variants, draws),
        all_equal=variants.all_equal,
    )
    return _Examined(variants, power, draws, significant)


def _main_variant(variants: VariantValues, pairs: Pairs) -> tuple[str | None, float]:
    """Return the variant without which least signal is left, and that signal."""
    count = len(variants.case_ids)
    if count < 3:
        return None, 0.0
    indices = variant_pairs(count)
    signals = [signal_to_noise(pairs, (indices != omitted).all(axis=1)) for omitted in range(count)]
    lowest = min(range(count), key=signals.__getitem__)
    return variants.case_ids[lowest], signals[lowest]


def _agreements(examined: Iterable[_Examined]) -> Iterator[RankAgreement]:
    for one, other in combinations(examined, 2):
        shared = [c for c in one.variants.case_ids if c in other.variants.case_ids]
        if len(shared) > 1:
            yield _agreement(one, other, shared)


def _agreement(one: _Examined, other: _Examined, shared: Sequence[str]) -> RankAgreement:
    orders, draws, masks = zip(
        *(_restricted(metric, shared) for metric in (one, other)), strict=True
    )
    low, high = np.quantile(tau_b(draws[0], draws[1]), _INTERVAL)
    both = masks[0] & masks[1]
    return RankAgreement(
        metrics=(one.variants.metric, other.variants.metric),
        variants=len(shared),
        tau=float(tau_b(orders[0], orders[1])),
        low=float(low),
        high=float(high),
        both=int(both.sum()),
        opposite=int((both & (orders[0] * orders[1] < 0)).sum()),
    )


def _restricted(
    metric: _Examined, shared: Sequence[str]
) -> tuple[NDArray[np.int8], NDArray[np.int8], NDArray[np.bool_]]:
    """Return the order of the shared variants, that of each resample, and the significant pairs."""
    indices = [metric.variants.case_ids.index(case_id) for case_id in shared]
    count = len(metric.variants.case_ids)
    significant = np.zeros((count, count), bool)
    i, j = variant_pairs(count).T
    significant[i, j] = significant[j, i] = metric.significant
    first, second = variant_pairs(len(shared)).T
    return (
        pairwise_order(metric.variants.levels[indices]),
        pairwise_order(metric.draws[:, indices]),
        significant[np.array(indices)[first], np.array(indices)[second]],
    )


def _exclusion_notes(exclusions: Iterable[Exclusion]) -> Iterator[str]:
    """Yield each reason once, with all the variants that it applies to."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for item in exclusions:
        variants = reasons.setdefault((item.metric, item.reason), [])
        variants += [item.case_id] if item.case_id else []
    for (metric, reason), variants in reasons.items():
        yield f"{metric}{' of ' if variants else ''}{', '.join(variants)}: {reason}"


def _alone_messages(case_ids: Sequence[str]) -> Iterator[str]:
    if case_ids:
        first, *more = case_ids
        others = f" and {len(more)} more" if more else ""
        yield (
            f"{first}{others}: alone on its front, with nothing to be told from; cases that "
            'compete share @pytest.mark.pareto(front="...")'
        )


def _empty_messages(fronts: Iterable[FrontMetrics]) -> Iterator[str]:
    for front in fronts:
        if not front.metrics:
            yield f"front {front.front}: {'; '.join(front.notes) or 'it holds no metric'}"


def resampled_levels(variants: VariantValues, seed: int) -> Floats:
    """Return the levels of the variants in 2000 resamples, one resample per row.

    Scores are bootstrapped: samples are drawn with replacement, the same ones for all variants,
    and for all metrics with the same number of samples. Runs are too few for that: their means
    are drawn from Student's t around the measured means.
    """
    if not variants.ids:
        generator = np.random.default_rng([seed, zlib.crc32(variants.metric.encode())])
        size = (RESAMPLES, len(variants.values))
        noise = generator.standard_t(variants.counts - 1, size=size)
        return variants.levels + noise * np.sqrt(variants.variances / variants.counts)
    n = variants.table.shape[1]
    generator = np.random.default_rng(seed)
    draws = np.empty((RESAMPLES, len(variants.values)))
    for row in draws:
        weights = np.bincount(generator.integers(n, size=n), minlength=n) / n
        row[:] = variants.table @ weights
    return draws


def rank_variants(variants: VariantValues, draws: Floats) -> Ranking:
    """Return the best variants, and how stable they and the whole order are in the resamples."""
    best = _highest(variants.levels)
    others = _highest(draws) & ~best
    taus = tau_b(pairwise_order(variants.levels), pairwise_order(draws))
    return Ranking(
        best=tuple(np.array(variants.case_ids, object)[best].tolist()),
        best_stays=float(1 - others.any(axis=-1).mean()),
        tau=float(taus.mean()),
    )


def _highest(levels: Floats) -> NDArray[np.bool_]:
    maximum = levels.max(axis=-1, keepdims=True)
    return np.asarray(levels >= maximum - _TIE * np.abs(levels).max())


def pairwise_order(levels: Floats) -> NDArray[np.int8]:
    """Return for every pair of variants, along the last axis: 1 first better, -1 second, 0 tie."""
    i, j = variant_pairs(levels.shape[-1]).T
    tie = _TIE * np.abs(levels).max()
    difference = levels[..., i] - levels[..., j]
    better = np.where(difference > tie, 1, 0)
    return np.where(difference < -tie, -1, better).astype(np.int8)


def tau_b(one: NDArray[np.int8], other: NDArray[np.int8]) -> Floats:
    """Return Kendall's tau-b of two orders given by `pairwise_order`, over the last axis.

    Source: M. G. Kendall (1945), "The treatment of ties in ranking problems", Biometrika 33,
    239-251: concordant minus discordant pairs over the geometric mean of the numbers of pairs
    that each order ranks. 0 where one of the orders ranks none.
    """
    agree = np.einsum("...m,...m->...", one.astype(float), other.astype(float))
    ordered = np.count_nonzero(one, axis=-1) * np.count_nonzero(other, axis=-1)
    return np.asarray(agree / np.sqrt(np.maximum(ordered, 1)))
