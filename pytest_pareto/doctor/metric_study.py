"""Which metrics can tell the variants of a front apart: said from what a baseline holds.

How far the order of the variants outlives a resampling of what it was found from.
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pytest_pareto.doctor.metric_model import (
    Agreement,
    Discernment,
    FrontMetrics,
    MetricsReport,
    Ranking,
)
from pytest_pareto.doctor.separation import (
    Correct,
    Floats,
    Pairs,
    Rated,
    Unrated,
    apart,
    pairs_on_other_samples,
    pairs_on_same_samples,
    rated_metrics,
    signal_to_noise,
    told_apart,
    variant_pairs,
)
from pytest_pareto.model.baseline import Baseline, CaseHistory

_LIMITS = (0.05, 0.95)


@dataclass(frozen=True, slots=True, eq=False)
class _Examined:
    """A metric with what it takes to set it beside another."""

    rated: Rated
    told: Discernment
    draws: Floats
    marked: NDArray[np.bool_]


def examine_metrics(
    baseline: Baseline, *, alpha: float, correct: Correct, seed: int = 0
) -> MetricsReport:
    """Examine every metric of every front of two or more cases.

    ``correct`` adjusts the p-values of the pairs of one front and metric for their number, so
    that equal variants are told apart with probability ``alpha`` at most.
    """
    fronts: dict[str, list[CaseHistory]] = {}
    for case in baseline.cases.values():
        fronts.setdefault(case.front, []).append(case)
    alone = [cases[0].case_id for cases in fronts.values() if len(cases) == 1]
    rivals = {front: cases for front, cases in fronts.items() if len(cases) > 1}
    examined = [_front(front, cases, alpha, correct, seed) for front, cases in rivals.items()]
    return MetricsReport(
        alpha=alpha,
        fronts=tuple(front for front in examined if front.metrics),
        left_out=(*_says_alone(alone), *_says_empty(examined)),
    )


def _front(
    front: str, cases: Sequence[CaseHistory], alpha: float, correct: Correct, seed: int
) -> FrontMetrics:
    rated, unrated = rated_metrics(cases)
    examined = [_examine(metric, alpha, correct, seed) for metric in rated]
    examined.sort(key=lambda metric: metric.told.order)
    return FrontMetrics(
        front=front,
        case_ids=tuple(case.case_id for case in cases),
        metrics=tuple(metric.told for metric in examined),
        agreements=tuple(_agreements(examined)),
        notes=tuple(_notes(unrated)),
    )


def _examine(rated: Rated, alpha: float, correct: Correct, seed: int) -> _Examined:
    other = pairs_on_other_samples(rated)
    same = pairs_on_same_samples(rated) if rated.ids else None
    pairs = other if same is None else same
    marked = told_apart(pairs, alpha, correct)
    draws = redrawn(rated, seed)
    leaning, without = _leaning(rated, pairs)
    told = Discernment(
        metric=rated.metric,
        kind=rated.kind,
        case_ids=rated.case_ids,
        n=int(rated.counts.min()),
        signal=signal_to_noise(pairs),
        leaning=leaning,
        without=without,
        same=None if same is None else apart(same, marked, alpha),
        other=apart(other, told_apart(other, alpha, correct), alpha),
        ranking=ranking(rated, draws),
        all_equal=rated.all_equal,
    )
    return _Examined(rated, told, draws, marked)


def _leaning(rated: Rated, pairs: Pairs) -> tuple[str | None, float]:
    """Find the variant without which least signal is left."""
    count = len(rated.case_ids)
    if count < 3:
        return None, 0.0
    places = variant_pairs(count)
    left = [signal_to_noise(pairs, (places != gone).all(axis=1)) for gone in range(count)]
    least = min(range(count), key=left.__getitem__)
    return rated.case_ids[least], left[least]


def _agreements(examined: Iterable[_Examined]) -> Iterator[Agreement]:
    for one, other in combinations(examined, 2):
        shared = [case_id for case_id in one.rated.case_ids if case_id in other.rated.case_ids]
        if len(shared) > 1:
            yield _agreement(one, other, shared)


def _agreement(one: _Examined, other: _Examined, shared: Sequence[str]) -> Agreement:
    (orders, draws, marks) = zip(*(_among(metric, shared) for metric in (one, other)), strict=True)
    low, high = np.quantile(tau_b(draws[0], draws[1]), _LIMITS)
    both = marks[0] & marks[1]
    return Agreement(
        metrics=(one.rated.metric, other.rated.metric),
        variants=len(shared),
        tau=float(tau_b(orders[0], orders[1])),
        low=float(low),
        high=float(high),
        both=int(both.sum()),
        opposite=int((both & (orders[0] * orders[1] < 0)).sum()),
    )


def _among(
    metric: _Examined, shared: Sequence[str]
) -> tuple[NDArray[np.int8], NDArray[np.int8], NDArray[np.bool_]]:
    """Return the order of the shared variants, that of each resample, and what is told apart."""
    places = [metric.rated.case_ids.index(case_id) for case_id in shared]
    count = len(metric.rated.case_ids)
    marked = np.zeros((count, count), bool)
    i, j = variant_pairs(count).T
    marked[i, j] = marked[j, i] = metric.marked
    first, second = variant_pairs(len(shared)).T
    return (
        comparisons(metric.rated.levels[places]),
        comparisons(metric.draws[:, places]),
        marked[np.array(places)[first], np.array(places)[second]],
    )


def _notes(unrated: Iterable[Unrated]) -> Iterator[str]:
    """Say why, once for all the variants that a reason holds of."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for item in unrated:
        who = reasons.setdefault((item.metric, item.why), [])
        who += [item.case_id] if item.case_id else []
    for (metric, why), who in reasons.items():
        yield f"{metric}{' of ' if who else ''}{', '.join(who)}: {why}"


def _says_alone(case_ids: Sequence[str]) -> Iterator[str]:
    if case_ids:
        first, *more = case_ids
        others = f" and {len(more)} more" if more else ""
        yield (
            f"{first}{others}: alone on its front, with nothing to be told from; cases that "
            'compete share @pytest.mark.pareto(front="...")'
        )


def _says_empty(fronts: Iterable[FrontMetrics]) -> Iterator[str]:
    for front in fronts:
        if not front.metrics:
            yield f"front {front.front}: {'; '.join(front.notes) or 'it holds no metric'}"


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
