"""Three one-sided claims about pairs on one axis, for whole matrices of pairs at once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from pytest_pareto.compare.paired_claims import paired_claims, standardised
from pytest_pareto.compare.points import Axis, ExactAxis, PairedAxis, RunAxis
from pytest_pareto.stats.variance import Spread

_Matrix = NDArray[np.float64]


def claims_of(
    mine: Sequence[Axis | None], theirs: Sequence[Axis | None], sessions: Spread
) -> _Matrix:
    """Return the p-values of "worse", "worse beyond the margin" and "better beyond it".

    Shape (3, points, rivals). NaN where either side lacks the axis or the two are not of
    one nature, 1 where nothing can be claimed for want of degrees of freedom. The margin is
    the point's own. ``sessions`` is the variance between sessions that comes on top of the
    error of noisy levels.
    """
    claims = np.full((3, len(mine), len(theirs)), np.nan)
    p, q = _Side.of(mine), _Side.of(theirs)
    for a, b in ((p.runs, q.runs), (p.runs, q.exact), (p.exact, q.runs)):
        # A repeatable level beside a noisy one is a noisy one without error.
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
    """The axes of one side by their nature, each with its place."""

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
    """Return the index of all claims about the pairs of some rows with some columns."""
    return slice(None), np.array([*rows])[:, None], np.array([*columns])


@dataclass(frozen=True, slots=True, eq=False)
class _Levels:
    """The numbers of many levels, one array each."""

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
    """Use t on the difference of two levels, with degrees of freedom by Satterthwaite."""
    apart = sessions.variance * (1 / p.sessions[:, None] + 1 / q.sessions)
    variance = p.variance[:, None] + q.variance + apart
    with np.errstate(divide="ignore"):  # no degrees of freedom are infinite doubt
        doubt = (
            (p.variance[:, None] / variance) ** 2 / p.df[:, None]
            + (q.variance / variance) ** 2 / q.df
            + (apart / variance) ** 2 / sessions.df
        )
        df = 1 / doubt
    scores = standardised(p.level[:, None] - q.level, p.margin[:, None], np.sqrt(variance))
    return np.where(df > 0, stdtr(np.where(df > 0, df, 1.0), scores), 1.0)


def _exact_claims(p: Sequence[ExactAxis], q: Sequence[ExactAxis]) -> _Matrix:
    """Compare as it stands: 0 where the claim is so, 1 where not; a tie is "worse"."""
    level, other = _column([a.level for a in p]), np.array([a.level for a in q])
    margin = _column([a.margin for a in p])
    rounding = np.maximum(_column([a.rounding for a in p]), np.array([a.rounding for a in q]))
    distance = np.subtract(level, other, out=np.zeros_like(rounding), where=level != other)
    distance[np.abs(distance) <= rounding] = 0.0
    so = distance >= 0, distance > margin + rounding, distance < -(margin + rounding)
    return np.where(so, 0.0, 1.0)


def _column(values: Sequence[float]) -> _Matrix:
    return np.array(values, dtype=np.float64)[:, None]
