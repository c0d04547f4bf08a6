"""Points of the Pareto plane, and one-sided claims about pairs of points on one axis.

A point has one axis per gated metric: a noisy level with its error, an exact level, or scores per
sample. `claims_of` computes the p-values of "worse", "worse beyond the margin" and "better beyond
the margin" for whole matrices of pairs, shape (3, points, rivals). Scores are compared through the
moments of their differences, computed by matrix products (`paired_claims`).
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from pytest_pareto.compare.exact import worst_run
from pytest_pareto.model.baseline import Session
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Kind, Metric
from pytest_pareto.model.run import Looks
from pytest_pareto.stats.paired_change import ENOUGH
from pytest_pareto.stats.scale import (
    STORED_ROUNDING,
    harm_sign,
    margin_of,
    power_of_two,
    to_working,
)
from pytest_pareto.stats.sequential import sequential_ps
from pytest_pareto.stats.skew_t import transform
from pytest_pareto.stats.variance import Level, Spread, floored, level_of, on_working_scale


@dataclass(frozen=True, slots=True)
class RunAxis:
    """A noisy level in the harmful direction on the working scale: larger is worse.

    ``variance`` is that of ``level``, with ``df`` degrees of freedom of the case's own spread;
    with 0 degrees nothing can be claimed. ``sessions`` is the effective number of sessions behind
    the level. ``margin`` is the tolerance on the working scale.
    """

    level: float
    variance: float
    df: float
    sessions: float
    margin: float


@dataclass(frozen=True, slots=True)
class ExactAxis:
    """A repeatable level in the harmful direction on the working scale; may be infinite.

    Two levels that differ by no more than ``rounding`` are equal.
    """

    level: float
    margin: float
    rounding: float


@dataclass(frozen=True, slots=True, eq=False)
class PairedAxis:
    """One harmful-direction score per sample, ordered by id, in the metric's unit.

    For a set metric it is one pseudo-value per block. ``looks`` is the look that an evaluation
    which may stop early has reached.
    """

    ids: tuple[str, ...]
    harms: NDArray[np.float64]
    margin: float
    kind: Kind = Kind.PAIRED
    looks: Looks | None = None


Axis = RunAxis | ExactAxis | PairedAxis


@dataclass(frozen=True, slots=True)
class Point:
    """One case at one time; ``axes`` by metric name, gated metrics only."""

    case_id: str
    axes: Mapping[str, Axis]


def remembered_axis(sessions: Sequence[Session], metric: Metric, spread: Spread) -> RunAxis:
    """Place a case at its accepted level: the mean over the runs of the newest epoch.

    ``spread`` is the case's own spread between runs, or the one that other cases lent to it.
    """
    level = level_of(on_working_scale(sessions, relative=metric.relative))
    return _run_axis(level, metric, spread)


def measured_axis(runs: Sequence[float], metric: Metric, spread: Spread) -> RunAxis:
    """Place a case where this session measured it; ``runs`` are levels, one per run."""
    values = to_working(runs, relative=metric.relative)
    return _run_axis(Level(math.fsum(values) / len(values), len(values), 1.0), metric, spread)


def exact_axis(levels: Sequence[float], metric: Metric) -> ExactAxis:
    """Place a case on a repeatable metric by its worst run."""
    worst = worst_run(levels, better=metric.better, relative=metric.relative)
    rounding = STORED_ROUNDING if metric.relative else STORED_ROUNDING * abs(worst)
    if metric.relative:
        worst = math.log(worst) if worst > 0 else -math.inf
    margin = margin_of(metric.tolerance, relative=metric.relative)
    return ExactAxis(harm_sign(metric.better) * worst, margin, rounding)


def paired_axis(
    ids: Sequence[str], scores: Sequence[float], metric: Metric, looks: Looks | None = None
) -> PairedAxis:
    """Place a case by the scores of its samples; only the same ids are comparable.

    Raises ParetoError where the numbers of ids and scores differ.
    """
    if len(ids) != len(scores):
        raise ParetoError(f"{metric.name!r} has {len(scores)} scores for {len(ids)} ids")
    ordered, places = _order(tuple(ids))
    harms = harm_sign(metric.better) * np.array(scores, dtype=np.float64)[places]
    return PairedAxis(ordered, harms, metric.tolerance, metric.kind, looks)


@lru_cache
def _order(ids: tuple[str, ...]) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    """Return sorted ids and their places; cached, because many cases share few sets of ids."""
    places = sorted(range(len(ids)), key=ids.__getitem__)
    return tuple(ids[place] for place in places), np.array(places, dtype=np.intp)


def _run_axis(level: Level, metric: Metric, spread: Spread) -> RunAxis:
    known = floored(spread, [level.mean], relative=metric.relative)
    return RunAxis(
        level=harm_sign(metric.better) * level.mean,
        variance=known.variance / level.runs,
        df=known.df,
        sessions=level.sessions,
        margin=margin_of(metric.tolerance, relative=metric.relative),
    )


_Matrix = NDArray[np.float64]

_TINY_SD = 1e-100  # of differences that are all 0; its cube does not underflow
_LARGEST_T = 1e50  # its cube does not overflow


def paired_claims(p: Sequence[PairedAxis], q: Sequence[PairedAxis]) -> _Matrix:
    """Return the three p-values of every pair from the scores of the same samples.

    Shape (3, len(p), len(q)). NaN where the two sides have no common samples. Where one evaluation
    stopped early, only the samples that it scored are compared, and the p-values are corrected for
    all planned looks.
    """
    claims = np.full((3, len(p), len(q)), np.nan)
    for mine, rows in _scored_alike(p):
        for theirs, columns in _scored_alike(q):
            common = _common(mine, theirs)
            if common is None:
                continue
            claims[np.ix_(range(3), rows, columns)] = common.claims(
                np.stack([p[i].harms for i in rows])[:, _places_of(common.ids, mine.ids)],
                np.stack([q[i].harms for i in columns])[:, _places_of(common.ids, theirs.ids)],
                np.array([p[i].margin for i in rows])[:, None],
            )
    return claims


@dataclass(frozen=True, slots=True)
class _Scored:
    """The properties that points must share to be compared as one matrix."""

    ids: tuple[str, ...]
    kind: Kind
    looks: Looks | None

    def claims(self, p: _Matrix, q: _Matrix, margins: _Matrix) -> _Matrix:
        """Return the claims about every row of ``p`` against every row of ``q``."""
        looks, n = self.looks, p.shape[1]
        early = looks is not None and not looks.complete
        if n < 2 or (early and n < ENOUGH):
            return np.ones((3, len(p), len(q)))
        if self.kind is Kind.ORDINAL:
            moments = _signs(p, q)
        else:
            # The cubes of scores of 1e-120 underflow, and those of 1e120 overflow.
            unit = power_of_two(max(float(np.abs(p).max()), float(np.abs(q).max())))
            moments, margins = _differences(p / unit, q / unit), margins / unit
        claims = moments.claims(margins, t_alone=self.kind is Kind.SET)
        return claims if looks is None else sequential_ps(claims, looks)


def _scored_alike(axes: Sequence[PairedAxis]) -> Iterator[tuple[_Scored, list[int]]]:
    """Yield the groups of axes with the same ids, kind and looks, as indices into ``axes``."""
    places: dict[_Scored, list[int]] = {}
    for place, axis in enumerate(axes):
        places.setdefault(_Scored(axis.ids, axis.kind, axis.looks), []).append(place)
    yield from places.items()


def _common(p: _Scored, q: _Scored) -> _Scored | None:
    """Return the samples that both scored, or None where neither is an early stop of the other."""
    if p.kind is not q.kind:
        return None
    if p.ids == q.ids:
        return p if q.looks is None or _same_plan(p, q) else q if p.looks is None else None
    fewer, more = sorted((p, q), key=lambda scored: len(scored.ids))
    stopped = fewer.looks is not None and (more.looks is None or _same_plan(p, q))
    return fewer if stopped and set(fewer.ids) < set(more.ids) else None


def _same_plan(p: _Scored, q: _Scored) -> bool:
    """Return whether both planned the same looks."""
    if p.looks is None or q.looks is None:
        return False
    return replace(p.looks, at=1) == replace(q.looks, at=1)


def _places_of(ids: tuple[str, ...], among: tuple[str, ...]) -> NDArray[np.intp] | slice:
    """Return the indices of ``ids`` in ``among``."""
    if ids == among:
        return slice(None)
    place = {name: i for i, name in enumerate(among)}
    return np.array([place[name] for name in ids], dtype=np.intp)


@dataclass(frozen=True, slots=True, eq=False)
class _Moments:
    """The moments of the differences of every pair: their mean, and sums of powers about it.

    The arrays have the shape (points, rivals); ``n`` is the number of samples.
    """

    n: int
    mean: _Matrix
    squares: _Matrix
    cubes: _Matrix

    def claims(self, margins: _Matrix, *, t_alone: bool) -> _Matrix:
        """Return the larger p-value of t and of Hall's skew-corrected t, as `skew_t.MeanShift`.

        With ``t_alone``, return that of t, as `jackknife.BlockShift`.
        """
        n, mean = self.n, self.mean
        if t_alone:
            sd = np.maximum(np.sqrt(np.maximum(self.squares, 0.0) / (n - 1)), _TINY_SD)
            return np.asarray(stdtr(n - 1, standardised(mean, margins, sd / math.sqrt(n))))
        # Differences that are all equal have the spread of one more pair that did not change.
        floor = np.maximum(np.abs(mean) / math.sqrt(n + 1), _TINY_SD)
        sd = np.maximum(np.sqrt(np.maximum(self.squares, 0.0) / (n - 1)), floor)
        t = standardised(mean, margins, sd / math.sqrt(n))
        skewness = self.cubes / n / (sd * math.sqrt((n - 1) / n)) ** 3
        # The skewness of a sample is at most √n; rounding errors may exceed it.
        skewness = np.clip(skewness, -math.sqrt(n), math.sqrt(n))
        # "Better" tests the opposite tail, so its skewness has the opposite sign.
        skewness = np.stack([-skewness, -skewness, skewness])
        return np.asarray(stdtr(n - 1, np.maximum(t, transform(t, skewness, n))))


def _differences(p: _Matrix, q: _Matrix) -> _Moments:
    """Compute the moments of all differences from products of the two score matrices."""
    mean = p.mean(1)[:, None] - q.mean(1)
    a, b = p - p.mean(1)[:, None], q - q.mean(1)[:, None]
    aa, bb = a * a, b * b  # numpy's powers take ten times as long as its products
    squares = aa.sum(1)[:, None] + bb.sum(1) - 2 * a @ b.T
    cubes = (aa * a).sum(1)[:, None] - (bb * b).sum(1) - 3 * (aa @ b.T - a @ bb.T)
    return _Moments(p.shape[1], mean, squares, cubes)


def _signs(p: _Matrix, q: _Matrix) -> _Moments:
    """Compute the moments of the signs of all differences from the counts of each sign."""
    n = p.shape[1]
    harmed = np.stack([(row > q).sum(1) for row in p]).astype(np.float64)
    helped = np.stack([(row < q).sum(1) for row in p]).astype(np.float64)
    mean, second = (harmed - helped) / n, (harmed + helped) / n
    return _Moments(n, mean, n * (second - mean**2), n * (mean - 3 * mean * second + 2 * mean**3))


def standardised(distance: _Matrix, margin: _Matrix, sd: _Matrix) -> _Matrix:
    """Return the three statistics whose lower tails are the p-values, clipped to ±1e50."""
    with np.errstate(over="ignore"):  # infinities are clipped
        scores = np.stack([-distance, margin - distance, distance + margin]) / sd
    return np.clip(scores, -_LARGEST_T, _LARGEST_T)


def claims_of(
    mine: Sequence[Axis | None], theirs: Sequence[Axis | None], sessions: Spread
) -> _Matrix:
    """Return the p-values of "worse", "worse beyond the margin" and "better beyond it".

    Shape (3, points, rivals). NaN where either side lacks the axis or the two are of different
    kinds, 1 where there are no degrees of freedom to claim anything. The margin is the point's own.
    ``sessions`` is the variance between sessions that is added to the error of noisy levels.
    """
    claims = np.full((3, len(mine), len(theirs)), np.nan)
    p, q = _Side.of(mine), _Side.of(theirs)
    for a, b in ((p.runs, q.runs), (p.runs, q.exact), (p.exact, q.runs)):
        # A repeatable level against a noisy one counts as a noisy level without error.
        if a and b:
            claims[_pairs(a, b)] = _run_claims(_Levels.of(a), _Levels.of(b), sessions)
    if p.exact and q.exact:
        claims[_pairs(p.exact, q.exact)] = _exact_claims(
            list(p.exact.values()), list(q.exact.values())
        )
    if p.paired and q.paired:
        claims[_pairs(p.paired, q.paired)] = paired_claims(
            list(p.paired.values()), list(q.paired.values())
        )
    return claims


@dataclass(frozen=True, slots=True)
class _Side:
    """The axes of one side by their class, each with its index among the points."""

    runs: dict[int, RunAxis]
    exact: dict[int, ExactAxis]
    paired: dict[int, PairedAxis]

    @classmethod
    def of(cls, axes: Sequence[Axis | None]) -> "_Side":
        side = cls({}, {}, {})
        for place, axis in enumerate(axes):
            match axis:
                case RunAxis():
                    side.runs[place] = axis
                case ExactAxis():
                    side.exact[place] = axis
                case PairedAxis():
                    side.paired[place] = axis
        return side


def _pairs(
    rows: Iterable[int], columns: Iterable[int]
) -> tuple[slice, NDArray[np.intp], NDArray[np.intp]]:
    """Return the numpy index of the three claims about the pairs of some rows and columns."""
    return slice(None), np.array([*rows])[:, None], np.array([*columns])


@dataclass(frozen=True, slots=True, eq=False)
class _Levels:
    """The fields of many noisy levels, one array per field."""

    level: _Matrix
    variance: _Matrix
    df: _Matrix
    sessions: _Matrix
    margin: _Matrix

    @classmethod
    def of(cls, axes: Mapping[int, RunAxis] | Mapping[int, ExactAxis]) -> "_Levels":
        rows = [
            (a.level, a.variance, a.df, a.sessions, a.margin)
            if isinstance(a, RunAxis)
            else (a.level, 0.0, 1.0, 1.0, a.margin)
            for a in axes.values()
        ]
        return cls(*np.array(rows, dtype=np.float64).T)


def _run_claims(p: _Levels, q: _Levels, sessions: Spread) -> _Matrix:
    """Test the difference of two levels by t, with Satterthwaite's degrees of freedom."""
    between = sessions.variance * (1 / p.sessions[:, None] + 1 / q.sessions)
    variance = p.variance[:, None] + q.variance + between
    with np.errstate(divide="ignore"):  # 0 degrees of freedom on one side give 0 in all
        inverse_df = (
            (p.variance[:, None] / variance) ** 2 / p.df[:, None]
            + (q.variance / variance) ** 2 / q.df
            + (between / variance) ** 2 / sessions.df
        )
        df = 1 / inverse_df
    scores = standardised(p.level[:, None] - q.level, p.margin[:, None], np.sqrt(variance))
    return np.where(df > 0, stdtr(np.where(df > 0, df, 1.0), scores), 1.0)


def _exact_claims(p: Sequence[ExactAxis], q: Sequence[ExactAxis]) -> _Matrix:
    """Compare without a test: 0 where the claim holds, 1 where not; a tie counts as "worse"."""
    level, other = _column([a.level for a in p]), np.array([a.level for a in q])
    margin = _column([a.margin for a in p])
    rounding = np.maximum(_column([a.rounding for a in p]), np.array([a.rounding for a in q]))
    distance = np.subtract(level, other, out=np.zeros_like(rounding), where=level != other)
    distance[np.abs(distance) <= rounding] = 0.0
    holds = distance >= 0, distance > margin + rounding, distance < -(margin + rounding)
    return np.where(holds, 0.0, 1.0)


def _column(values: Sequence[float]) -> _Matrix:
    return np.array(values, dtype=np.float64)[:, None]
