"""The fronts: every case as a point then and now, and the duels between them.

Who dominates whom, and who is ahead of whom: claims about every pair of a front.

Where cases stood that were not measured now: points from what the baseline holds alone.
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
from pytest_pareto.compare.runs import session_sd
from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import Kind, Metric
from pytest_pareto.model.policy import SessionSpreads
from pytest_pareto.model.verdict import FrontClaims
from pytest_pareto.stats.variance import NO_SPREAD, PRIOR_DF, Spread, case_spread


def claim_fronts(
    baseline: Baseline, cases: Sequence[CasePairs], now: Environment, spreads: SessionSpreads
) -> Mapping[str, FrontClaims]:
    """Let the points of every front that this session measured duel.

    Rivals that the baseline has and this session did not measure stand where they stood.
    Points then and now are of different sessions, unless both sides were measured in turn.
    """
    measured: dict[str, list[CasePairs]] = {}
    for case in cases:
        measured.setdefault(case.run.front, []).append(case)
    here = {case.case_id for case in cases}
    resting: dict[str, list[CaseHistory]] = {}
    for history in baseline.cases.values():
        if history.case_id not in here and history.front in measured:
            resting.setdefault(history.front, []).append(history)
    return {
        front: _duel_front(members, resting.get(front, []), baseline, now, spreads)
        for front, members in measured.items()
    }


def _duel_front(
    members: Sequence[CasePairs],
    resting: Sequence[CaseHistory],
    baseline: Baseline,
    now: Environment,
    spreads: SessionSpreads,
) -> FrontClaims:
    # Rivals have to be measured in one session, under the same state of the host: not by the
    # confirming runs, nor adjusted by the host reference.
    members = [case.own for case in members]
    if len(members) == 1 and not resting:
        return _alone(members[0])
    new = [Point(case.case_id, _axes_now(case, as_measured=True)) for case in members]
    moved = [Point(case.case_id, _axes_now(case, as_measured=False)) for case in members]
    old = [Point(case.case_id, _axes_then(case)) for case in members if case.history is not None]
    policy = {m.metric.name: m.metric for case in members for m in case.measured.values()}
    old += [resting_point(history, policy, baseline, now) for history in resting]
    old = [point for point in old if point.axes]
    then_ids, now_ids = (frozenset(point.case_id for point in side) for side in (old, new))
    if not old:
        return FrontClaims(then_ids, now_ids, now=claim_pairs(new, new))
    apart = [
        *_sds_of_members(members),
        *_sds_at_rest(resting, policy, baseline, now, spreads),
    ]
    variance = _session_variance(apart) if baseline.stored else {}
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
    axes: dict[str, Axis] = {}
    for name, found in case.measured.items():
        if not found.metric.gates:
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
    axes: dict[str, Axis] = {}
    for name, found in case.pairs.items():
        if not isinstance(found, Pair) or not found.measured.metric.gates:
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
    """Return what points of different sessions differ by besides their runs, at most."""
    widest: dict[str, float] = {}
    for name, sd in sds:
        widest[name] = max(sd, widest.get(name, 0.0))
    return {name: Spread(sd**2, PRIOR_DF) for name, sd in widest.items()}


def _sds_of_members(members: Sequence[CasePairs]) -> Iterator[tuple[str, float]]:
    for case in members:
        for name, found in case.pairs.items():
            if isinstance(found, Pair) and not found.exact and found.samples is None:
                level = [x for s in found.sessions for x in s.runs]
                sd = session_sd(found.measured.metric, found.session_spread, level)
                yield name, math.hypot(sd, math.sqrt(found.adjustment_error.variance.variance))


def _sds_at_rest(
    resting: Sequence[CaseHistory],
    policy: Mapping[str, Metric],
    baseline: Baseline,
    now: Environment,
    spreads: SessionSpreads,
) -> Iterator[tuple[str, float]]:
    for history in resting:
        for name, past in history.metrics.items():
            if name in policy and past.kind is Kind.RUN:
                metric, then = policy[name], baseline.environments[past.newest.env]
                spread = spreads.of(metric.scope, now, then)
                yield name, session_sd(metric, spread, past.newest.runs)


_Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class PairClaims:
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


def claim_pairs(
    points: Sequence[Point],
    rivals: Sequence[Point],
    *,
    session_variance: Mapping[str, Spread] | None = None,
) -> PairClaims:
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
    return PairClaims(rows, columns, *bout.settle())


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


def resting_point(
    history: CaseHistory, policy: Mapping[str, Metric], baseline: Baseline, now: Environment
) -> Point:
    """Place a case that was not measured now, under the tolerances of those that were."""
    axes = {
        name: axis
        for name, past in history.metrics.items()
        if name in policy
        and policy[name].gates
        and (axis := axis_at_rest(past, policy[name], baseline, now)) is not None
    }
    return Point(history.case_id, axes)


def axis_at_rest(
    past: MetricHistory, metric: Metric, baseline: Baseline, now: Environment
) -> Axis | None:
    """Place a metric where its baseline has it, or nowhere if that was not measured here."""
    sessions = sessions_here(past, metric.scope, baseline, now)
    if past.disagreement(metric) is not None or not sessions:
        return None
    if past.samples is not None:
        return paired_axis(past.samples.ids, past.samples.values, metric)
    if past.kind is Kind.EXACT:
        return exact_axis(sessions[-1].runs, metric)
    spread = case_spread(sessions[:-1], sessions[-1].runs, relative=metric.relative)
    return remembered_axis(sessions, metric, spread)
