"""The three claims about pairs of scored points: every difference of two, none of them formed."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from pytest_pareto.compare.points import PairedAxis
from pytest_pareto.model.metric import Kind
from pytest_pareto.model.run import Looks
from pytest_pareto.stats.paired_change import ENOUGH
from pytest_pareto.stats.scale import power_of_two
from pytest_pareto.stats.sequential import sequential_ps
from pytest_pareto.stats.skew_t import transform

_Matrix = NDArray[np.float64]

_TINY_SD = 1e-100  # of differences that are all 0: its cube still is a number
_LARGEST_T = 1e50  # its cube still is one


def paired_claims(p: Sequence[PairedAxis], q: Sequence[PairedAxis]) -> _Matrix:
    """Compare the scores of the same samples; NaN where there are none.

    Where one evaluation stopped early, the samples are those that it came to, and all claims
    pay for the looks that were planned.
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
    """What has to be the same for many points to be compared at once."""

    ids: tuple[str, ...]
    kind: Kind
    looks: Looks | None

    def claims(self, p: _Matrix, q: _Matrix, margins: _Matrix) -> _Matrix:
        """Return the claims about every row of ``p`` beside every row of ``q``."""
        looks, n = self.looks, p.shape[1]
        early = looks is not None and not looks.complete
        if n < 2 or (early and n < ENOUGH):
            return np.ones((3, len(p), len(q)))
        if self.kind is Kind.ORDINAL:
            moments = _signs(p, q)
        else:
            # The cubes of scores of 1e-120, or of 1e120, are no numbers.
            unit = power_of_two(max(float(np.abs(p).max()), float(np.abs(q).max())))
            moments, margins = _differences(p / unit, q / unit), margins / unit
        claims = moments.claims(margins, t_alone=self.kind is Kind.SET)
        return claims if looks is None else sequential_ps(claims, looks)


def _scored_alike(axes: Sequence[PairedAxis]) -> Iterator[tuple[_Scored, list[int]]]:
    places: dict[_Scored, list[int]] = {}
    for place, axis in enumerate(axes):
        places.setdefault(_Scored(axis.ids, axis.kind, axis.looks), []).append(place)
    yield from places.items()


def _common(p: _Scored, q: _Scored) -> _Scored | None:
    """Return what both scored, or None where they are not two stretches of one way."""
    if p.kind is not q.kind:
        return None
    if p.ids == q.ids:
        return p if q.looks is None or _one_plan(p, q) else q if p.looks is None else None
    fewer, more = sorted((p, q), key=lambda scored: len(scored.ids))
    stopped = fewer.looks is not None and (more.looks is None or _one_plan(p, q))
    return fewer if stopped and set(fewer.ids) < set(more.ids) else None


def _one_plan(p: _Scored, q: _Scored) -> bool:
    if p.looks is None or q.looks is None:
        return False
    return replace(p.looks, at=1) == replace(q.looks, at=1)


def _places_of(ids: tuple[str, ...], among: tuple[str, ...]) -> NDArray[np.intp] | slice:
    if ids == among:
        return slice(None)
    place = {name: i for i, name in enumerate(among)}
    return np.array([place[name] for name in ids], dtype=np.intp)


@dataclass(frozen=True, slots=True, eq=False)
class _Moments:
    """Of the differences of every pair: their mean, and sums of powers about it."""

    n: int
    mean: _Matrix
    squares: _Matrix
    cubes: _Matrix

    def claims(self, margins: _Matrix, *, t_alone: bool) -> _Matrix:
        """Claim what t and Hall's skew-corrected t agree on, as `hall.MeanShift` does.

        Or what t says alone, as in `blocks.BlockShift`.
        """
        n, mean = self.n, self.mean
        if t_alone:
            sd = np.maximum(np.sqrt(np.maximum(self.squares, 0.0) / (n - 1)), _TINY_SD)
            return np.asarray(stdtr(n - 1, standardised(mean, margins, sd / math.sqrt(n))))
        # Differences that are all alike: as if one more pair had not changed.
        floor = np.maximum(np.abs(mean) / math.sqrt(n + 1), _TINY_SD)
        sd = np.maximum(np.sqrt(np.maximum(self.squares, 0.0) / (n - 1)), floor)
        t = standardised(mean, margins, sd / math.sqrt(n))
        skewness = self.cubes / n / (sd * math.sqrt((n - 1) / n)) ** 3
        # No sample has more than √n, but rounding errors may.
        skewness = np.clip(skewness, -math.sqrt(n), math.sqrt(n))
        # "Better" looks at the differences from the other end, and so at the opposite tail.
        skewness = np.stack([-skewness, -skewness, skewness])
        return np.asarray(stdtr(n - 1, np.maximum(t, transform(t, skewness, n))))


def _differences(p: _Matrix, q: _Matrix) -> _Moments:
    """Take the moments of all differences from products of the two score matrices."""
    mean = p.mean(1)[:, None] - q.mean(1)
    a, b = p - p.mean(1)[:, None], q - q.mean(1)[:, None]
    aa, bb = a * a, b * b  # numpy's powers take ten times as long as products
    squares = aa.sum(1)[:, None] + bb.sum(1) - 2 * a @ b.T
    cubes = (aa * a).sum(1)[:, None] - (bb * b).sum(1) - 3 * (aa @ b.T - a @ bb.T)
    return _Moments(p.shape[1], mean, squares, cubes)


def _signs(p: _Matrix, q: _Matrix) -> _Moments:
    """Take the moments of the signs of all differences, which counts of them are enough for."""
    n = p.shape[1]
    harmed = np.stack([(row > q).sum(1) for row in p]).astype(np.float64)
    helped = np.stack([(row < q).sum(1) for row in p]).astype(np.float64)
    mean, second = (harmed - helped) / n, (harmed + helped) / n
    return _Moments(n, mean, n * (second - mean**2), n * (mean - 3 * mean * second + 2 * mean**3))


def standardised(distance: _Matrix, margin: _Matrix, sd: _Matrix) -> _Matrix:
    """Return the three statistics whose lower tails are the p-values."""
    with np.errstate(over="ignore"):  # what is infinite is clipped
        scores = np.stack([-distance, margin - distance, distance + margin]) / sd
    return np.clip(scores, -_LARGEST_T, _LARGEST_T)
