"""The fronts: every case as a point then and now, and the duels between them."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pytest_pareto.compare.cases import session_sd
from pytest_pareto.compare.match import Match
from pytest_pareto.compare.matched import MatchedCase
from pytest_pareto.compare.measured import Measured
from pytest_pareto.compare.points import (
    Axis,
    Point,
    exact_axis,
    measured_axis,
    paired_axis,
    remembered_axis,
)
from pytest_pareto.compare.resting import resting_point
from pytest_pareto.compare.rivals import duel
from pytest_pareto.model.baseline import Baseline, CaseHistory
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import Kind, Metric
from pytest_pareto.model.policy import SessionSpreads, Terms
from pytest_pareto.model.verdict import FrontDuels
from pytest_pareto.stats.variance import PRIOR_DF, Spread


def duel_fronts(
    baseline: Baseline, cases: Sequence[MatchedCase], now: Environment, terms: Terms
) -> Mapping[str, FrontDuels]:
    """Let the points of every front that this session measured duel.

    Rivals that the baseline has and this session did not measure stand where they stood.
    Points then and now are of different sessions, unless both sides were measured in turn.
    """
    measured: dict[str, list[MatchedCase]] = {}
    for case in cases:
        measured.setdefault(case.run.front, []).append(case)
    here = {case.case_id for case in cases}
    resting: dict[str, list[CaseHistory]] = {}
    for history in baseline.cases.values():
        if history.case_id not in here and history.front in measured:
            resting.setdefault(history.front, []).append(history)
    return {
        front: _duel_front(members, resting.get(front, []), baseline, now, terms)
        for front, members in measured.items()
    }


def _duel_front(
    members: Sequence[MatchedCase],
    resting: Sequence[CaseHistory],
    baseline: Baseline,
    now: Environment,
    terms: Terms,
) -> FrontDuels:
    # Rivals have to be measured in one session, and in its mood: not what was measured again
    # later, nor what was brought to the mood of the baseline.
    members = [case.own for case in members]
    new = [Point(case.case_id, _axes_now(case, as_measured=True)) for case in members]
    moved = [Point(case.case_id, _axes_now(case, as_measured=False)) for case in members]
    old = [Point(case.case_id, _axes_then(case)) for case in members if case.history is not None]
    policy = {m.metric.name: m.metric for case in members for m in case.measured.values()}
    old += [resting_point(history, policy, baseline, now) for history in resting]
    old = [point for point in old if point.axes]
    then_ids, now_ids = (frozenset(point.case_id for point in side) for side in (old, new))
    if not old:
        return FrontDuels(then_ids, now_ids, now=duel(new, new))
    apart = [
        *_sds_of_members(members),
        *_sds_at_rest(resting, policy, baseline, now, terms.spreads),
    ]
    variance = {} if terms.interleaved else _session_variance(apart)
    return FrontDuels(
        then_ids,
        now_ids,
        then=duel(old, old),
        across=duel(moved, old, session_variance=variance),
        now=duel(new, new),
    )


def _axes_now(case: MatchedCase, *, as_measured: bool) -> dict[str, Axis]:
    axes: dict[str, Axis] = {}
    for name, found in case.measured.items():
        if not found.metric.gates:
            continue
        match = case.matches[name]
        runs = match.runs if isinstance(match, Match) and not as_measured else found.runs
        exact = isinstance(match, Match) and match.exact
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


def _axes_then(case: MatchedCase) -> dict[str, Axis]:
    axes: dict[str, Axis] = {}
    for name, match in case.matches.items():
        if not isinstance(match, Match) or not match.measured.metric.gates:
            continue
        metric = match.measured.metric
        if match.samples is not None:
            axes[name] = paired_axis(match.samples.ids, match.samples.values, metric)
        elif match.exact:
            axes[name] = exact_axis(match.sessions[-1].runs, metric)
        else:
            axes[name] = remembered_axis(match.sessions, metric, case.spreads[name])
    return axes


def _session_variance(sds: Iterable[tuple[str, float]]) -> dict[str, Spread]:
    """Return what points of different sessions differ by besides their runs, at most."""
    widest: dict[str, float] = {}
    for name, sd in sds:
        widest[name] = max(sd, widest.get(name, 0.0))
    return {name: Spread(sd**2, PRIOR_DF) for name, sd in widest.items()}


def _sds_of_members(members: Sequence[MatchedCase]) -> Iterator[tuple[str, float]]:
    for case in members:
        for name, match in case.matches.items():
            if isinstance(match, Match) and not match.exact and match.samples is None:
                level = [x for s in match.sessions for x in s.runs]
                sd = session_sd(match.measured.metric, match.session_spread, level)
                yield name, math.hypot(sd, math.sqrt(match.doubt.variance.variance))


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
