"""Where the cases of a baseline stand, from what it holds alone: levels, and duels on fronts.

A metric over the commits of its baseline: levels, and the changes between them.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_pareto.compare.dominance import axis_at_rest, claim_pairs
from pytest_pareto.compare.levels import level_for_people
from pytest_pareto.compare.matching import remembered_metric
from pytest_pareto.compare.points import Axis, Point
from pytest_pareto.model.baseline import (
    Baseline,
    CaseHistory,
    LevelEntry,
    LevelHistory,
    MetricHistory,
    RecordedLevel,
    Revision,
)
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Kind, Metric, Scope, in_turn
from pytest_pareto.model.verdict import CaseComparison, FrontClaims, MetricResult
from pytest_pareto.stats.scale import all_same, to_fraction
from pytest_pareto.stats.variance import case_spread


@dataclass(frozen=True, slots=True)
class Standing:
    """The cases of one front, each metric at its accepted level, and the duels between them."""

    members: tuple[CaseComparison, ...]
    duels: FrontClaims
    held: Mapping[tuple[str, str], RecordedLevel]


def newest_environment(baseline: Baseline) -> Environment | None:
    """Return where most of what depends on a machine was measured last, or None."""
    names = Counter(
        past.newest.env
        for case in baseline.cases.values()
        for past in case.metrics.values()
        if past.scope is not Scope.ANYWHERE
    )
    return baseline.environments[names.most_common(1)[0][0]] if names else None


def recorded_standings(baseline: Baseline) -> dict[str, Standing]:
    """Place the cases of every front by their baseline, as rivals that no session measured are.

    Metrics have the tolerances of their own: those that tests ask for are not recorded. What
    was measured on another machine than most is not comparable here.
    """
    fronts: dict[str, list[CaseHistory]] = {}
    for case in baseline.cases.values():
        fronts.setdefault(case.front, []).append(case)
    now = newest_environment(baseline)
    return {front: _standing(cases, baseline, now) for front, cases in fronts.items()}


def accepted_level(past: MetricHistory, metric: Metric) -> float:
    """Return the level accepted now as reports show it, over the runs of its sessions."""
    return level_for_people([x for s in past.level_sessions for x in s.runs], metric)


def _standing(cases: list[CaseHistory], baseline: Baseline, now: Environment | None) -> Standing:
    members, points = [], []
    held: dict[tuple[str, str], RecordedLevel] = {}
    for case in cases:
        placed = [
            _placed(n, case.metrics[n], baseline, now) for n in sorted(case.metrics, key=in_turn)
        ]
        results = tuple(result for result, _ in placed)
        nodeid = case.case_id.partition("#")[0]
        members.append(CaseComparison(case.case_id, nodeid, case.front, results))
        axes = {r.metric.name: axis for r, axis in placed if axis is not None and r.metric.gates}
        if axes:
            points.append(Point(case.case_id, axes))
        for result in results:
            name = result.metric.name
            held[case.case_id, name] = _held(case.metrics[name], result.metric)
    ids = frozenset(point.case_id for point in points)
    return Standing(tuple(members), FrontClaims(new=ids, now=claim_pairs(points, points)), held)


def _placed(
    name: str, past: MetricHistory, baseline: Baseline, now: Environment | None
) -> tuple[MetricResult, Axis | None]:
    metric = remembered_metric(name, past)
    level = accepted_level(past, metric)
    state, axis, reason = Outcome.NEW, None, None
    try:
        here = now or baseline.environments[past.newest.env]
        axis = axis_at_rest(past, metric, baseline, here)
    except ParetoError as error:
        state, reason = Outcome.BROKEN, f"in the baseline, {error}"
    else:
        different = past.disagreement(metric)
        if different is not None:
            state, reason = Outcome.BROKEN, different
        elif axis is None:
            state, reason = Outcome.NOT_COMPARABLE, "it was not measured last where most was"
    return MetricResult(metric, candidate=level, state=state, reason=reason), axis


def _held(past: MetricHistory, metric: Metric) -> RecordedLevel:
    level = past.level_sessions
    runs = [x for session in level for x in session.runs]
    return RecordedLevel(
        _spread_between_runs(past, metric),
        len(runs),
        len(level),
        older=len(past.sessions) - len(level),
    )


def _spread_between_runs(past: MetricHistory, metric: Metric) -> float | None:
    if metric.kind is Kind.EXACT or all(all_same(s.runs) for s in past.sessions):
        alone = all(len(session.runs) == 1 for session in past.sessions)
        return None if alone and metric.kind is not Kind.EXACT else 0.0
    relative = metric.relative and min(x for s in past.sessions for x in s.runs) > 0
    known = case_spread(past.sessions[:-1], past.newest.runs, relative=relative)
    sd = math.sqrt(known.variance)
    return to_fraction(sd, relative=relative) if known.df else None


Past = tuple[int, Revision, MetricHistory | None, Baseline]


def courses_of(
    read: Sequence[tuple[int, Revision, Baseline]], *, diagnostics: bool = False
) -> tuple[LevelHistory, ...]:
    """Return the course of every metric of every case through baselines, oldest first.

    Each baseline comes with the place of its commit among all. Metrics that did not gate when
    they were recorded last are left out unless ``diagnostics``.
    """
    fronts: dict[tuple[str, str], str] = {}
    for _, _, baseline in read:
        for case in baseline.cases.values():
            fronts |= {(case.case_id, name): case.front for name in case.metrics}
    courses = [_course(*key, front, read) for key, front in fronts.items()]
    courses.sort(key=lambda course: (in_turn(course.metric.name), course.front, course.case_id))
    return tuple(course for course in courses if course.metric.gates or diagnostics)


def _course(
    case_id: str, name: str, front: str, read: Sequence[tuple[int, Revision, Baseline]]
) -> LevelHistory:
    pasts: list[Past] = []
    for at, revision, baseline in read:
        case = baseline.cases.get(case_id)
        past = None if case is None else case.metrics.get(name)
        if past != (pasts[-1][2] if pasts else None):
            pasts.append((at, revision, past, baseline))
    newest = next(past for _, _, past, _ in reversed(pasts) if past is not None)
    metric = remembered_metric(name, newest)
    return LevelHistory(case_id, front, metric, tuple(_moments(pasts, metric)))


def _moments(pasts: Iterable[Past], metric: Metric) -> Iterator[LevelEntry]:
    first = before = held = None
    for at, revision, past, baseline in pasts:
        if past is None:
            yield LevelEntry(at, revision, None, notes=("it is not in the baseline any more",))
            continue
        different = past.disagreement(metric)
        if different is not None:
            yield LevelEntry(at, revision, None, notes=(f"another quantity: {different}",))
            continue
        level = accepted_level(past, metric)
        yield LevelEntry(
            at,
            revision,
            level,
            None if before is None else _change(before, level, metric),
            None if first is None else _change(first, level, metric),
            accepted=held is not None and past.newest.epoch != held[0].newest.epoch,
            notes=() if held is None else tuple(_elsewhere(*held, past, baseline)),
        )
        first = level if first is None else first
        before, held = level, (past, baseline)


def _change(then: float, now: float, metric: Metric) -> float | None:
    if not metric.relative:
        return now - then
    return now / then - 1 if then > 0 else None


def _elsewhere(
    then: MetricHistory, old: Baseline, now: MetricHistory, new: Baseline
) -> Iterator[str]:
    """Say what else was another when this was measured: the machine, and versions."""
    before, after = old.environments[then.newest.env], new.environments[now.newest.env]
    facts, others = after.scope_facts(now.scope), before.scope_facts(now.scope)
    other = [name for name, fact in facts.items() if others.get(name) != fact]
    if other:
        yield f"measured on another machine: other {', '.join(other)}"
    versions = sorted(before.software.keys() & after.software.keys())
    moved = [n for n in versions if before.software[n] != after.software[n]]
    if moved:
        yield ", ".join(f"{n} {before.software[n]} → {after.software[n]}" for n in moved)
