"""A case as a point in the plane of metrics: every axis with what is known of its error."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pytest_pareto.compare.exact import worst_run
from pytest_pareto.model.baseline import Session
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Kind, Metric
from pytest_pareto.model.run import Looks
from pytest_pareto.stats.scale import STORED_ROUNDING, harm_sign, margin_of, to_working
from pytest_pareto.stats.variance import Level, Spread, floored, level_of, on_working_scale


@dataclass(frozen=True, slots=True)
class RunAxis:
    """A noisy level in the harmful direction on the working scale, larger is worse.

    ``variance`` is that of ``level``, with the degrees of freedom of the case's own spread;
    0 degrees let nothing be claimed. ``sessions`` is the effective number behind the level.
    ``margin`` is the tolerance on the working scale.
    """

    level: float
    variance: float
    df: float
    sessions: float
    margin: float


@dataclass(frozen=True, slots=True)
class ExactAxis:
    """A repeatable level in the harmful direction on the working scale; may be infinite.

    ``rounding`` is how far apart two levels may stand and still be the same.
    """

    level: float
    margin: float
    rounding: float


@dataclass(frozen=True, slots=True, eq=False)
class PairedAxis:
    """One harmful-direction score per sample, ordered by id, in the metric's unit.

    Of a set metric it is a pseudo-value per block. ``looks`` is how far an evaluation came that
    may stop early.
    """

    ids: tuple[str, ...]
    harms: NDArray[np.float64]
    margin: float
    kind: Kind = Kind.PAIRED
    looks: Looks | None = None


Axis = RunAxis | ExactAxis | PairedAxis


@dataclass(frozen=True, slots=True)
class Point:
    """One case at one time; ``axes`` by the name of the metric, gated ones only."""

    case_id: str
    axes: Mapping[str, Axis]


def remembered_axis(sessions: Sequence[Session], metric: Metric, spread: Spread) -> RunAxis:
    """Place a case where its baseline has it: the mean over the runs of the newest epoch.

    ``spread`` is the case's own between its runs, or what was lent to it.
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
    """Place a case by the scores of its samples, which only the same ids make comparable."""
    if len(ids) != len(scores):
        raise ParetoError(f"{metric.name!r} has {len(scores)} scores for {len(ids)} ids")
    ordered, places = _order(tuple(ids))
    harms = harm_sign(metric.better) * np.array(scores, dtype=np.float64)[places]
    return PairedAxis(ordered, harms, metric.tolerance, metric.kind, looks)


@lru_cache
def _order(ids: tuple[str, ...]) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    """Sort ids, of which a project has few sets, however many cases."""
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
