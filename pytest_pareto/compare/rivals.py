"""Who dominates whom, and who is ahead of whom: claims about every pair of a front."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_pareto.compare.claims import claims_of
from pytest_pareto.compare.points import Axis, ExactAxis, Point
from pytest_pareto.stats.variance import NO_SPREAD, Spread

_Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Duels:
    """p-values of two claims for each ordered pair; rows are points, columns are rivals.

    NaN in the matrices, None from the methods, where the pair is undecidable: a metric of
    one is missing or not comparable in the other.
    """

    points: Mapping[str, int]
    rivals: Mapping[str, int]
    p_dominated: _Matrix
    p_ahead: _Matrix

    def dominated(self, point: str, rival: str) -> float | None:
        """Return the p-value of "``rival`` dominates ``point``"."""
        return self._ask(self.p_dominated, point, rival)

    def ahead(self, point: str, rival: str) -> float | None:
        """Return the p-value of "``point`` beats ``rival`` beyond its tolerance somewhere"."""
        return self._ask(self.p_ahead, point, rival)

    def _ask(self, matrix: _Matrix, point: str, rival: str) -> float | None:
        row, column = self.points.get(point), self.rivals.get(rival)
        if row is None or column is None or np.isnan(matrix[row, column]):
            return None
        return float(matrix[row, column])


def duel(
    points: Sequence[Point],
    rivals: Sequence[Point],
    *,
    session_variance: Mapping[str, Spread] | None = None,
) -> Duels:
    """Test both claims for every point against every rival.

    A rival dominates when it is better in every metric (an intersection-union test: the
    largest p-value, without correction) and better beyond the point's tolerance in at
    least one (the smallest, times the noisy metrics). A point is ahead when it is better
    beyond its tolerance in at least one. Exact metrics have no p-value but 0 or 1, spend
    nothing, and a tie there speaks against no one.

    ``session_variance`` gives, per metric, the variance between sessions where points and
    rivals were measured in different ones; without it they share their sessions. A case is
    no rival of itself: that pair is undecidable too.
    """
    between = session_variance or {}
    bout = _Bout.of(len(points), len(rivals))
    for name in dict.fromkeys(name for p in (*points, *rivals) for name in p.axes):
        mine = [point.axes.get(name) for point in points]
        theirs = [rival.axes.get(name) for rival in rivals]
        absent = _both(mine, theirs, type(None))
        exact = _both(mine, theirs, ExactAxis)
        bout.add(claims_of(mine, theirs, between.get(name, NO_SPREAD)), absent, exact)
    rows = {point.case_id: row for row, point in enumerate(points)}
    columns = {rival.case_id: column for column, rival in enumerate(rivals)}
    for case_id in rows.keys() & columns.keys():
        bout.undecidable[rows[case_id], columns[case_id]] = True
    return Duels(rows, columns, *bout.settle())


def _both(
    mine: Sequence[Axis | None], theirs: Sequence[Axis | None], kind: type
) -> NDArray[np.bool_]:
    """Mark the pairs of which both sides are of one kind."""
    rows = np.array([isinstance(axis, kind) for axis in mine], dtype=np.bool_)
    return rows[:, None] & np.array([isinstance(axis, kind) for axis in theirs], dtype=np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class _Bout:
    """The claims of all metrics so far, one entry per pair."""

    worse_everywhere: _Matrix
    beyond: _Matrix  # axis 0: dominated, ahead; axis 1: by noisy metrics, by exact ones
    noisy: _Matrix
    undecidable: NDArray[np.bool_]
    shared: NDArray[np.bool_]

    @classmethod
    def of(cls, points: int, rivals: int) -> "_Bout":
        shape = (points, rivals)
        no = np.zeros(shape, dtype=np.bool_)
        return cls(np.zeros(shape), np.ones((2, 2, *shape)), np.zeros(shape), no, no.copy())

    def add(self, claims: _Matrix, absent: NDArray[np.bool_], exact: NDArray[np.bool_]) -> None:
        known = ~np.isnan(claims[0])
        self.undecidable[:] |= ~known & ~absent
        self.shared[:] |= known
        self.noisy[:] += known & ~exact
        np.fmax(self.worse_everywhere, claims[0], out=self.worse_everywhere)
        for which, applies in enumerate((~exact, exact)):
            smaller = np.fmin(self.beyond[:, which], claims[1:])
            self.beyond[:, which] = np.where(applies, smaller, self.beyond[:, which])

    def settle(self) -> tuple[_Matrix, _Matrix]:
        noisy = np.minimum(1.0, self.noisy * self.beyond[:, 0])
        somewhere = np.minimum(np.where(self.noisy > 0, noisy, 1.0), self.beyond[:, 1])
        unknown = self.undecidable | ~self.shared
        dominated = np.maximum(self.worse_everywhere, somewhere[0])
        return np.where(unknown, np.nan, dominated), np.where(unknown, np.nan, somewhere[1])
