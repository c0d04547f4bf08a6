"""Pareto dominance: claims about every pair of cases on a front, before, now and across.

`claim_fronts` comes first. It places every case as a point with one axis per gated metric, at its
accepted levels and at those of this session. `claim_pairs` tests, for every pair of points, whether
one dominates the other and whether one is ahead. Cases that this session did not measure keep the
points of the baseline.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_pareto.compare.levels import Measured
from pytest_pareto.compare.matching import Pair, sessions_here
from pytest_pareto.compare.pairs import CasePairs
from pytest_pareto.compare.points import (
    Axis,
    ExactAxis,
    Point,
    claims_of,
    exact_axis,
    measured_axis,
    paired_axis,
    remembered_axis,
)
from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import Kind, Metric
from pytest_pareto.model.policy import SessionSpreads
from pytest_pareto.model.verdict import FrontClaims
from pytest_pareto.stats.variance import (
    NO_SPREAD,
    Spread,
    assumed_session_spread,
    case_spread,
    session_sd,
)


def claim_fronts(
    baseline: Baseline, cases: Sequence[CasePairs], now: Environment, spreads: SessionSpreads
) -> Mapping[str, FrontClaims]:
    """Return the claims about every front that this session measured, by the name of the front.

    Rivals that the baseline has and this session did not measure keep their accepted levels. Points
    before and now are of different sessions, unless both sides ran interleaved.
    """
    measured: dict[str, list[CasePairs]] = {}
    for case in cases:
        measured.setdefault(case.run.front, []).append(case)
    here = {case.case_id for case in cases}
    unmeasured: dict[str, list[CaseHistory]] = {}
    for history in baseline.cases.values():
        if history.case_id not in here and history.front in measured:
            unmeasured.setdefault(history.front, []).append(history)
    return {
        front: _claim_front(members, unmeasured.get(front, []), baseline, now, spreads)
        for front, members in measured.items()
    }


def _claim_front(
    members: Sequence[CasePairs],
    unmeasured: Sequence[CaseHistory],
    baseline: Baseline,
    now: Environment,
    spreads: SessionSpreads,
) -> FrontClaims:
    """Return the claims about one front: among old points, among new ones, and across."""
    # Rivals must be measured in one session, under the same state of the host: not by the
    # confirming runs, nor adjusted by the host reference.
    members = [case.own for case in members]
    if len(members) == 1 and not unmeasured:
        return _alone(members[0])
    new = [Point(case.case_id, _axes_now(case, as_measured=True)) for case in members]
    moved = [Point(case.case_id, _axes_now(case, as_measured=False)) for case in members]
    old = [Point(case.case_id, _axes_then(case)) for case in members if case.history is not None]
    policy = {m.metric.name: m.metric for case in members for m in case.measured.values()}
    old += [_remembered_point(history, policy, baseline, now) for history in unmeasured]
    old = [point for point in old if point.axes]
    then_ids, now_ids = (frozenset(point.case_id for point in side) for side in (old, new))
    if not old:
        return FrontClaims(then_ids, now_ids, now=claim_pairs(new, new))
    session_sds = [
        *_sds_of_members(members),
        *_sds_of_unmeasured(unmeasured, policy, baseline, now, spreads),
    ]
    variance = _session_variance(session_sds) if baseline.stored else {}
    return FrontClaims(
        then_ids,
        now_ids,
        then=claim_pairs(old, old),
        across=claim_pairs(moved, old, session_variance=variance),
        now=claim_pairs(new, new),
    )


def _alone(case: CasePairs) -> FrontClaims:
    """Return the claims of a front of one case: it has no rival, so there is nothing to test."""
    then = any(isinstance(p, Pair) and p.measured.metric.gates for p in case.pairs.values())
    here = frozenset({case.case_id})
    return FrontClaims(here if then else frozenset(), here)


def _axes_now(case: CasePairs, *, as_measured: bool) -> dict[str, Axis]:
    """Place a case where this session measured it: adjusted levels unless ``as_measured``."""
    axes: dict[str, Axis] = {}
    for name, found in case.measured.items():
        if not found.metric.gates or found.lower_bound is not None:
            continue
        pair = case.pairs[name]
        runs = pair.runs if isinstance(pair, Pair) and not as_measured else found.runs
        exact = isinstance(pair, Pair) and pair.exact
        axes[name] = _axis_now(found, runs, case.spreads.get(name), exact=exact)
    return axes


def _axis_now(
    found: Measured, runs: Sequence[float], spread: Spread | None, *, exact: bool
) -> Axis:
    if found.samples is not None:
        return paired_axis(found.samples.ids, found.samples.values, found.metric, found.looks)
    if exact or found.metric.kind is Kind.EXACT or spread is None:
        return exact_axis(runs, found.metric)
    return measured_axis(runs, found.metric, spread)


def _axes_then(case: CasePairs) -> dict[str, Axis]:
    """Place a case at its accepted levels."""
    axes: dict[str, Axis] = {}
    for name, found in case.pairs.items():
        if not isinstance(found, Pair) or not found.measured.metric.gates:
            continue
        if name not in case.measured:  # on a busy host, where a level is no more than a bound
            continue
        metric = found.measured.metric
        if found.samples is not None:
            axes[name] = paired_axis(found.samples.ids, found.samples.values, metric)
        elif found.exact:
            axes[name] = exact_axis(found.sessions[-1].runs, metric)
        else:
            axes[name] = remembered_axis(found.sessions, metric, case.spreads[name])
    return axes


def _session_variance(sds: Iterable[tuple[str, float]]) -> dict[str, Spread]:
    """Return the variance between sessions of each metric: the largest of its cases."""
    widest: dict[str, float] = {}
    for name, sd in sds:
        widest[name] = max(sd, widest.get(name, 0.0))
    return {name: assumed_session_spread(sd) for name, sd in widest.items()}


def _sds_of_members(members: Sequence[CasePairs]) -> Iterator[tuple[str, float]]:
    for case in members:
        for name, found in case.pairs.items():
            if isinstance(found, Pair) and not found.exact and found.samples is None:
                level = [x for s in found.sessions for x in s.runs]
                sd = session_sd(found.measured.metric, found.session_spread, level)
                yield name, math.hypot(sd, math.sqrt(found.adjustment_error.variance.variance))


def _sds_of_unmeasured(
    unmeasured: Sequence[CaseHistory],
    policy: Mapping[str, Metric],
    baseline: Baseline,
    now: Environment,
    spreads: SessionSpreads,
) -> Iterator[tuple[str, float]]:
    for history in unmeasured:
        for name, past in history.metrics.items():
            if name in policy and past.kind is Kind.RUN:
                metric, then = policy[name], baseline.environments[past.newest.env]
                spread = spreads.of(metric.scope, now, then)
                yield name, session_sd(metric, spread, past.newest.runs)


_Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ComputedClaims:
    """The p-values of two claims for each ordered pair: rows are points, columns are rivals.

    A pair is undecidable where a metric of one side is missing or not comparable in the other. It
    has NaN in the matrices, and the methods return None.
    """

    points: Mapping[str, int]
    rivals: Mapping[str, int]
    p_dominated: _Matrix
    p_ahead: _Matrix

    def dominated(self, point: str, rival: str) -> float | None:
        """Return the p-value of "``rival`` dominates ``point``"."""
        return self._p_value(self.p_dominated, point, rival)

    def ahead(self, point: str, rival: str) -> float | None:
        """Return the p-value of "``point`` beats ``rival`` beyond its tolerance somewhere"."""
        return self._p_value(self.p_ahead, point, rival)

    def _p_value(self, matrix: _Matrix, point: str, rival: str) -> float | None:
        row, column = self.points.get(point), self.rivals.get(rival)
        if row is None or column is None or np.isnan(matrix[row, column]):
            return None
        return float(matrix[row, column])


def claim_pairs(
    points: Sequence[Point],
    rivals: Sequence[Point],
    *,
    session_variance: Mapping[str, Spread] | None = None,
) -> ComputedClaims:
    """Test for every point and rival whether the rival dominates, and whether the point is ahead.

    A rival dominates where it is better in every metric, and better beyond the point's tolerance in
    at least one. The first is an intersection-union test, whose p-value is the largest, without
    correction. The second has the smallest p-value, times the number of noisy metrics. A point is
    ahead where it is better beyond its tolerance in at least one metric. Exact metrics have a
    p-value of 0 or 1 and are not counted in the correction; a tie there contradicts neither claim.

    ``session_variance`` holds, per metric, the variance between sessions where points and rivals
    were measured in different ones; without it they share their sessions. The pair of a case with
    itself is undecidable.
    """
    between = session_variance or {}
    table = _ClaimTable.of(len(points), len(rivals))
    for name in dict.fromkeys(name for p in (*points, *rivals) for name in p.axes):
        mine = [point.axes.get(name) for point in points]
        theirs = [rival.axes.get(name) for rival in rivals]
        absent = _both(mine, theirs, type(None))
        exact = _both(mine, theirs, ExactAxis)
        table.add(claims_of(mine, theirs, between.get(name, NO_SPREAD)), absent, exact)
    rows = {point.case_id: row for row, point in enumerate(points)}
    columns = {rival.case_id: column for column, rival in enumerate(rivals)}
    for case_id in rows.keys() & columns.keys():
        table.undecidable[rows[case_id], columns[case_id]] = True
    return ComputedClaims(rows, columns, *table.combined())


def _both(
    mine: Sequence[Axis | None], theirs: Sequence[Axis | None], kind: type
) -> NDArray[np.bool_]:
    """Return which pairs have axes of this ``kind`` on both sides."""
    rows = np.array([isinstance(axis, kind) for axis in mine], dtype=np.bool_)
    return rows[:, None] & np.array([isinstance(axis, kind) for axis in theirs], dtype=np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class _ClaimTable:
    """The claims of the metrics added so far, one entry per pair."""

    worse_everywhere: _Matrix
    beyond: _Matrix  # axis 0: dominated, ahead; axis 1: by noisy metrics, by exact ones
    noisy: _Matrix
    undecidable: NDArray[np.bool_]
    shared: NDArray[np.bool_]

    @classmethod
    def of(cls, points: int, rivals: int) -> "_ClaimTable":
        shape = (points, rivals)
        no = np.zeros(shape, dtype=np.bool_)
        return cls(np.zeros(shape), np.ones((2, 2, *shape)), np.zeros(shape), no, no.copy())

    def add(self, claims: _Matrix, absent: NDArray[np.bool_], exact: NDArray[np.bool_]) -> None:
        """Add one metric: which pairs lack it on both sides, and which have it exact on both."""
        known = ~np.isnan(claims[0])
        self.undecidable[:] |= ~known & ~absent
        self.shared[:] |= known
        self.noisy[:] += known & ~exact
        np.fmax(self.worse_everywhere, claims[0], out=self.worse_everywhere)
        for which, applies in enumerate((~exact, exact)):
            smaller = np.fmin(self.beyond[:, which], claims[1:])
            self.beyond[:, which] = np.where(applies, smaller, self.beyond[:, which])

    def combined(self) -> tuple[_Matrix, _Matrix]:
        """Return the p-values of "dominated" and "ahead" over all metrics, NaN if undecidable."""
        noisy = np.minimum(1.0, self.noisy * self.beyond[:, 0])
        somewhere = np.minimum(np.where(self.noisy > 0, noisy, 1.0), self.beyond[:, 1])
        unknown = self.undecidable | ~self.shared
        dominated = np.maximum(self.worse_everywhere, somewhere[0])
        return np.where(unknown, np.nan, dominated), np.where(unknown, np.nan, somewhere[1])


def _remembered_point(
    history: CaseHistory, policy: Mapping[str, Metric], baseline: Baseline, now: Environment
) -> Point:
    """Place a case that was not measured now, with the tolerances of the measured cases."""
    axes = {
        name: axis
        for name, past in history.metrics.items()
        if name in policy
        and policy[name].gates
        and (axis := accepted_axis(past, policy[name], baseline, now)) is not None
    }
    return Point(history.case_id, axes)


def accepted_axis(
    past: MetricHistory, metric: Metric, baseline: Baseline, now: Environment
) -> Axis | None:
    """Place a metric at its accepted level; None where it has none on this machine.

    A lower bound is no level.
    """
    sessions = sessions_here(past, metric.scope, baseline, now)
    if past.disagreement(metric) is not None or not sessions or sessions[-1].lower_bound:
        return None
    if past.samples is not None:
        return paired_axis(past.samples.ids, past.samples.values, metric)
    if past.kind is Kind.EXACT:
        return exact_axis(sessions[-1].runs, metric)
    spread = case_spread(sessions[:-1], sessions[-1].runs, relative=metric.relative)
    return remembered_axis(sessions, metric, spread)
