"""Stored baselines without a session: accepted levels, claims about fronts, level histories.

`recorded_fronts` places the cases of one baseline on their fronts. `level_histories` follows each
metric over the commits of its baseline.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_pareto.compare.dominance import accepted_axis, claim_pairs
from pytest_pareto.compare.levels import reported_level
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
from pytest_pareto.model.metric import Kind, Metric, Scope, metric_order
from pytest_pareto.model.verdict import CaseComparison, FrontClaims, MetricResult
from pytest_pareto.stats.scale import all_same, to_fraction
from pytest_pareto.stats.variance import case_spread


@dataclass(frozen=True, slots=True)
class FrontLevels:
    """The cases of one front at their accepted levels, and the claims about their pairs.

    ``held`` describes the recorded level of each metric, by (case id, metric name).
    """

    members: tuple[CaseComparison, ...]
    claims: FrontClaims
    held: Mapping[tuple[str, str], RecordedLevel]


def newest_environment(baseline: Baseline) -> Environment | None:
    """Return the environment of most of the newest machine-dependent levels, or None."""
    names = Counter(
        past.newest.env
        for case in baseline.cases.values()
        for past in case.metrics.values()
        if past.scope is not Scope.ANYWHERE
    )
    return baseline.environments[names.most_common(1)[0][0]] if names else None


def recorded_fronts(baseline: Baseline) -> dict[str, FrontLevels]:
    """Place the cases of every front at their accepted levels, as unmeasured rivals are placed.

    Metrics have their default tolerances, not those of their tests. Levels
    of another machine than the `newest_environment` are not comparable here.
    """
    fronts: dict[str, list[CaseHistory]] = {}
    for case in baseline.cases.values():
        fronts.setdefault(case.front, []).append(case)
    now = newest_environment(baseline)
    return {front: _standing(cases, baseline, now) for front, cases in fronts.items()}


def accepted_level(past: MetricHistory, metric: Metric) -> float:
    """Return the accepted level as reports show it, over the runs of its sessions."""
    return reported_level([x for s in past.level_sessions for x in s.runs], metric)


def _standing(cases: list[CaseHistory], baseline: Baseline, now: Environment | None) -> FrontLevels:
    members, points = [], []
    held: dict[tuple[str, str], RecordedLevel] = {}
    for case in cases:
        placed = [
            _place(n, case.metrics[n], baseline, now)
            for n in sorted(case.metrics, key=metric_order)
        ]
        results = tuple(result for result, _ in placed)
        nodeid = case.case_id.partition("#")[0]
        members.append(CaseComparison(case.case_id, nodeid, case.front, results))
        axes = {r.metric.name: axis for r, axis in placed if axis is not None and r.metric.gates}
        if axes:
            points.append(Point(case.case_id, axes))
        for result in results:
            name = result.metric.name
            held[case.case_id, name] = _recorded_level(case.metrics[name], result.metric)
    ids = frozenset(point.case_id for point in points)
    return FrontLevels(tuple(members), FrontClaims(new=ids, now=claim_pairs(points, points)), held)


def _place(
    name: str, past: MetricHistory, baseline: Baseline, now: Environment | None
) -> tuple[MetricResult, Axis | None]:
    """Return the result and the axis of one metric; the axis is None where it has no place."""
    metric = remembered_metric(name, past)
    level = accepted_level(past, metric)
    state, axis, reason = Outcome.NEW, None, None
    try:
        here = now or baseline.environments[past.newest.env]
        axis = accepted_axis(past, metric, baseline, here)
    except ParetoError as error:
        state, reason = Outcome.BROKEN, f"in the baseline, {error}"
    else:
        different = past.disagreement(metric)
        if different is not None:
            state, reason = Outcome.BROKEN, different
        elif past.newest.lower_bound:
            state, reason = Outcome.NOT_COMPARABLE, f"a lower bound, {past.newest.lower_bound}"
        elif axis is None:
            state, reason = Outcome.NOT_COMPARABLE, "it was not measured last where most was"
    lower_bound = past.newest.lower_bound or None
    result = MetricResult(
        metric, candidate=level, state=state, reason=reason, lower_bound=lower_bound
    )
    return result, axis


def _recorded_level(past: MetricHistory, metric: Metric) -> RecordedLevel:
    """Return the spread and the numbers of runs and sessions behind the accepted level."""
    level = past.level_sessions
    runs = [x for session in level for x in session.runs]
    return RecordedLevel(
        _spread_between_runs(past, metric),
        len(runs),
        len(level),
        older=len(past.sessions) - len(level),
    )


def _spread_between_runs(past: MetricHistory, metric: Metric) -> float | None:
    """Return the standard deviation between runs, a fraction if relative; None if unknown."""
    if metric.kind is Kind.EXACT or all(all_same(s.runs) for s in past.sessions):
        alone = all(len(session.runs) == 1 for session in past.sessions)
        return None if alone and metric.kind is not Kind.EXACT else 0.0
    relative = metric.relative and min(x for s in past.sessions for x in s.runs) > 0
    known = case_spread(past.sessions[:-1], past.newest.runs, relative=relative)
    sd = math.sqrt(known.variance)
    return to_fraction(sd, relative=relative) if known.df else None


_Entry = tuple[int, Revision, MetricHistory | None, Baseline]
"""One change of a metric's history: the index of its commit, the commit, and the baseline there."""


def level_histories(
    read: Sequence[tuple[int, Revision, Baseline]], *, diagnostics: bool = False
) -> tuple[LevelHistory, ...]:
    """Return the level history of every metric of every case, from baselines oldest first.

    Each baseline comes with the index of its commit among all, and the commit. Metrics that did not
    gate when last recorded are omitted unless ``diagnostics``.
    """
    fronts: dict[tuple[str, str], str] = {}
    for _, _, baseline in read:
        for case in baseline.cases.values():
            fronts |= {(case.case_id, name): case.front for name in case.metrics}
    courses = [_course(*key, front, read) for key, front in fronts.items()]
    courses.sort(
        key=lambda course: (metric_order(course.metric.name), course.front, course.case_id)
    )
    return tuple(course for course in courses if course.metric.gates or diagnostics)


def _course(
    case_id: str, name: str, front: str, read: Sequence[tuple[int, Revision, Baseline]]
) -> LevelHistory:
    entries: list[_Entry] = []
    for at, revision, baseline in read:
        case = baseline.cases.get(case_id)
        past = None if case is None else case.metrics.get(name)
        if past != (entries[-1][2] if entries else None):
            entries.append((at, revision, past, baseline))
    newest = next(past for _, _, past, _ in reversed(entries) if past is not None)
    metric = remembered_metric(name, newest)
    return LevelHistory(case_id, front, metric, tuple(_level_entries(entries, metric)))


def _level_entries(entries: Iterable[_Entry], metric: Metric) -> Iterator[LevelEntry]:
    """Yield each recorded level, with its change from the entry before and from the first."""
    first = before = previous = None
    for at, revision, past, baseline in entries:
        if past is None:
            yield LevelEntry(at, revision, None, notes=("it is not in the baseline any more",))
            continue
        different = past.disagreement(metric)
        if different is not None:
            yield LevelEntry(at, revision, None, notes=(f"another quantity: {different}",))
            continue
        if past.newest.lower_bound:
            note = f"a lower bound, {past.newest.lower_bound}"
            yield LevelEntry(at, revision, None, notes=(note,))
            continue
        level = accepted_level(past, metric)
        yield LevelEntry(
            at,
            revision,
            level,
            None if before is None else _change(before, level, metric),
            None if first is None else _change(first, level, metric),
            accepted=previous is not None and past.newest.epoch != previous[0].newest.epoch,
            notes=() if previous is None else tuple(_notes(*previous, past, baseline)),
            reason=past.reason,
            ends=_ends(past),
        )
        first = level if first is None else first
        before, previous = level, (past, baseline)


def _ends(past: MetricHistory) -> tuple[float, float]:
    """Return the lowest and the highest run of the accepted level."""
    runs = [level for session in past.level_sessions for level in session.runs]
    return min(runs), max(runs)


def _change(then: float, now: float, metric: Metric) -> float | None:
    """Return the change of a level, a fraction if relative; None where ``then`` has no ratio."""
    if not metric.relative:
        return now - then
    return now / then - 1 if then > 0 else None


def _notes(then: MetricHistory, old: Baseline, now: MetricHistory, new: Baseline) -> Iterator[str]:
    """Yield notes of what else changed between two entries: the machine, and software versions."""
    before, after = old.environments[then.newest.env], new.environments[now.newest.env]
    facts, old_facts = after.scope_facts(now.scope), before.scope_facts(now.scope)
    differing = [name for name, fact in facts.items() if old_facts.get(name) != fact]
    if differing:
        yield f"measured on another machine: other {', '.join(differing)}"
    versions = sorted(before.software.keys() & after.software.keys())
    changed = [n for n in versions if before.software[n] != after.software[n]]
    if changed:
        yield ", ".join(f"{n} {before.software[n]} → {after.software[n]}" for n in changed)
