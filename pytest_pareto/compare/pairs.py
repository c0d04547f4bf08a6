"""Pairs: the two sides of every metric, with the spread between their runs.

`pair` comes first. It matches each metric of a session with the comparable sessions of the baseline
and of the anchor, adjusts latency by the host reference, lends spreads between cases, and replaces
flagged metrics by their confirming runs.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from operator import itemgetter
from statistics import fmean
from typing import TypeVar

from pytest_pareto.compare.host_adjustment import adjust_pair
from pytest_pareto.compare.levels import CaseLevels, Levels, Measured, case_levels
from pytest_pareto.compare.matching import Pair, missing_result, pair_metric
from pytest_pareto.compare.runs import compare_levels
from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory, Past, Session
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import DEVICE_TIME, DYNAMIC_ENERGY, ENERGY, LATENCY, Kind
from pytest_pareto.model.policy import POOLED_TESTS, Policy
from pytest_pareto.model.run import CaseRun, Run
from pytest_pareto.model.verdict import MetricResult
from pytest_pareto.stats.contrast import interleaved_contrast
from pytest_pareto.stats.scale import to_working
from pytest_pareto.stats.variance import (
    ENOUGH_DF,
    SessionEvidence,
    Spread,
    case_spread,
    estimate_prior,
    moderated_spread,
    on_working_scale,
    session_evidence,
    session_spreads,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CasePairs:
    """One case with both sides of each metric by name, or the result where a side is missing.

    ``spreads`` has, for each noisy metric that was measured, the spread between its runs, moderated
    by ``priors``: the spread that the other cases of a metric lend, if any. ``between_sessions``
    has the spread between sessions, estimated from all cases of a metric. ``confirmed`` are the
    metrics whose sides are those of the confirming runs; ``first`` is then the case as the
    session's own runs measured it. ``stored`` is False where the other side is old code measured
    alternately with this one.
    """

    run: CaseRun
    history: CaseHistory | None
    measured: Mapping[str, Measured]
    pairs: Mapping[str, Pair | MetricResult]
    spreads: Mapping[str, Spread]
    priors: Mapping[str, Spread | None]
    between_sessions: Mapping[str, Spread]
    stored: bool = True
    confirmed: frozenset[str] = frozenset()
    first: "CasePairs | None" = None

    @property
    def case_id(self) -> str:
        """The id of the case."""
        return self.run.case_id

    @property
    def own(self) -> "CasePairs":
        """The case as the session's own runs measured it, for budgets and positions."""
        return self if self.first is None else self.first

    def tested(self) -> Iterable[Pair]:
        """The pairs whose tests share the session's alpha."""
        for found in self.pairs.values():
            if isinstance(found, Pair) and not found.exact and found.measured.metric.gates:
                yield found


@dataclass(frozen=True, slots=True)
class Pairs:
    """Both sides of every case of a session, against the baseline and against the anchor.

    ``family`` is the number of tests against the baseline that share the session's alpha.
    ``pooled`` is whether the runs that screen and those that confirm decide together.
    """

    levels: Levels
    past: Past
    cases: tuple[CasePairs, ...]
    anchored: tuple[CasePairs, ...] | None
    family: int
    pooled: bool


def pair(levels: Levels, past: Past) -> Pairs:
    """Pair the levels of a session with the baseline and the anchor.

    Flagged metrics use their confirming runs, if any; where few are tested in turn, the runs that
    screened count with these.
    """
    record = levels.record
    cases = pair_cases(levels.cases, past.baseline, record.environment, record.policy)
    screens = record.interleaved and record.policy.confirming > 0
    pooled = screens and family_size(cases) <= POOLED_TESTS
    cases = _confirm(cases, levels.again, record.old_again, levels, past.baseline)
    if pooled:
        old = (*record.old_runs, *record.old_again)
        cases = _confirm(cases, levels.pooled, old, levels, past.baseline, only_pairs=True)
    anchored = None
    if past.anchor is not None:
        anchored = pair_cases(levels.cases, past.anchor, record.environment, record.policy)
        anchored = _confirm(anchored, levels.again, record.old_again, levels, past.anchor)
    return Pairs(levels, past, cases, anchored, family_size(cases), pooled)


def _confirm(
    first: tuple[CasePairs, ...],
    again: Mapping[str, CaseLevels],
    old: Sequence[Run],
    levels: Levels,
    past: Baseline,
    *,
    only_pairs: bool = False,
) -> tuple[CasePairs, ...]:
    """Return the cases with flagged metrics by other levels, of other runs of ``old`` code too.

    With ``only_pairs``, by these levels only where the present ones have both sides.
    """
    record = levels.record
    if not again:
        return first
    other = interleaved_baseline(old) if record.interleaved else past
    now = record.again[-1].environment
    found = {case.case_id: case for case in pair_cases(again, other, now, record.policy)}
    flagged = record.flagged_by_case()
    return tuple(
        _confirmed(
            case,
            found[case.case_id],
            frozenset(
                name
                for name in flagged.get(case.case_id, ())
                if not only_pairs or isinstance(case.pairs.get(name), Pair)
            ),
        )
        if case.case_id in found
        else case
        for case in first
    )


def family_size(cases: Iterable[CasePairs]) -> int:
    """Count the tests that share the session's alpha: noisy, gated, and comparable."""
    return sum(1 for case in cases if case.run.gate for _ in case.tested())


def pair_cases(
    levels: Mapping[str, CaseLevels], past: Baseline, now: Environment, policy: Policy
) -> tuple[CasePairs, ...]:
    """Pair every measured case with a past; ``now`` is the environment that measured it.

    Where a case has almost no history of its own, the other cases of the same metric lend it their
    spread. What sessions differ by is estimated from all of them.
    """
    cases = [_pair_case(found, past, now, policy) for found in levels.values()]
    between = _session_spreads(cases)
    own = {
        (case.case_id, name): spread
        for case in cases
        for name, spread in case.spreads.items()
        # The residual spread after an adjustment is smaller than that of unadjusted cases.
        if not (isinstance(found := case.pairs[name], Pair) and found.adjusted)
    }
    needy = {name for (_, name), spread in own.items() if spread.df < ENOUGH_DF}
    priors = {
        name: estimate_prior([spread for (_, metric), spread in own.items() if metric == name])
        for name in needy
    }
    return tuple(
        replace(
            case,
            spreads={
                name: moderated_spread(own, priors.get(name)) for name, own in case.spreads.items()
            },
            priors=priors,
            between_sessions=between.get(case.case_id, {}),
        )
        for case in cases
    )


def _session_spreads(cases: Iterable[CasePairs]) -> dict[str, dict[str, Spread]]:
    """Return the spread between sessions of each noisy metric, by case and name.

    Metrics are estimated each from all its cases, adjusted ones apart: adjusted sessions differ by
    less.
    """
    evidence: dict[tuple[str, bool], dict[str, SessionEvidence]] = {}
    for case in cases:
        for name, found in case.pairs.items():
            if case.stored and isinstance(found, Pair) and name in case.spreads and not found.exact:
                shown = _session_evidence(found, case.spreads[name])
                if shown is not None:
                    evidence.setdefault((name, found.adjusted), {})[case.case_id] = shown
    between: dict[str, dict[str, Spread]] = {}
    for (name, _), shown_by in evidence.items():
        spreads = session_spreads(list(shown_by.values()))
        for case_id, spread in zip(shown_by, spreads, strict=True):
            between.setdefault(case_id, {})[name] = spread
    return between


def _session_evidence(found: Pair, own: Spread) -> SessionEvidence | None:
    metric = found.measured.metric
    return session_evidence(
        on_working_scale(found.sessions, relative=metric.relative),
        to_working(found.runs, relative=metric.relative),
        own,
        found.assumed_sd,
        relative=metric.relative,
    )


def _pair_case(levels: CaseLevels, past: Baseline, now: Environment, policy: Policy) -> CasePairs:
    run = levels.runs[-1]
    history = past.cases.get(run.case_id)
    compared = partial(
        pair_metric,
        case_id=run.case_id,
        history=history,
        baseline=past,
        now=now,
        spreads=policy.spreads,
    )
    pairs = {name: compared(found) for name, found in levels.metrics.items()}
    for name, found in levels.metrics.items():
        if isinstance(found, MetricResult) and min(found.without_waiting, default=0.0) > 0:
            pair = compared(_without_waiting(found))
            if isinstance(pair, Pair) and _is_far_slower(pair):
                pairs[name] = pair
    for name in (ENERGY.name, DYNAMIC_ENERGY.name):
        energy = pairs.get(name)
        if isinstance(energy, Pair):
            then = past.environments[energy.sessions[-1].env]
            if name == ENERGY.name:
                assumed = policy.spreads.of_energy(_waiting_share(levels, now), now, then)
            else:
                assumed = policy.spreads.of_dynamic_energy(now, then)
            pairs[name] = replace(energy, session_spread=assumed)
    if past.stored:  # interleaved sides ran under the same states of the host
        pairs = {
            name: adjust_pair(found, past, now, policy.spreads)
            if isinstance(found, Pair) and found.measured.reference
            else found
            for name, found in pairs.items()
        }
    for name, metric in history.metrics.items() if history is not None else ():
        if name not in levels.metrics:
            pairs[name] = missing_result(name, metric, past)
    measured = {name: m for name, m in levels.metrics.items() if isinstance(m, Measured)}
    spreads = {
        name: own_spread(m, pairs[name], interleaved=not past.stored)
        for name, m in measured.items()
        if m.metric.kind is Kind.RUN
    }
    return CasePairs(
        run,
        history,
        measured,
        pairs,
        spreads,
        priors={},
        between_sessions={},
        stored=past.stored,
    )


_MOST_BESIDE_WAITING = 1.0
"""How much longer a busy host makes a call beside its waiting: its core's other half, caches."""
_BUSY_ALPHA = 0.01


def _without_waiting(found: MetricResult) -> Measured:
    """Return a metric that a busy host alone measured as it would be without the waiting."""
    note = "the host was busy: this is compared without the time that waiting can explain"
    return Measured(
        found.metric,
        found.without_waiting,
        first=found.first,
        notes=(*found.notes, note),
        without_waiting=True,
    )


def _is_far_slower(pair: Pair) -> bool:
    """Return whether a metric of a busy host is so much worse that the host cannot explain it.

    That is twice as much as before, and more, without the waiting.
    """
    metric = pair.measured.metric
    if pair.exact or not metric.relative:
        return False
    change = compare_levels(
        pair.sessions,
        pair.runs,
        better=metric.better,
        relative=True,
        tolerance=max(metric.tolerance, _MOST_BESIDE_WAITING),
        alpha=_BUSY_ALPHA,
        session_spread=pair.assumed_sd,
    )
    return change.outcome is Outcome.WORSE


def _waiting_share(levels: CaseLevels, now: Environment) -> float:
    """Return the share of a call for which its GPUs wait for the host, 1 where it is unknown."""
    device_time, latency = (levels.metrics.get(m.name) for m in (DEVICE_TIME, LATENCY))
    if not isinstance(device_time, Measured) or not isinstance(latency, Measured):
        return 1.0
    busy_s = fmean(device_time.runs) / max(1, len(now.boards))
    return max(0.0, 1 - busy_s / fmean(latency.runs))


def own_spread(
    measured: Measured, found: Pair | MetricResult, *, interleaved: bool = False
) -> Spread:
    """Return the spread between the runs of one metric of a case, with or without a past."""
    relative = measured.metric.relative
    if not isinstance(found, Pair):
        return case_spread((), measured.runs, relative=relative)
    if interleaved:
        blocks = on_working_scale(found.sessions, relative=relative)
        return interleaved_contrast(
            blocks, to_working(found.runs, relative=relative), relative=relative
        ).between_runs
    own = case_spread(found.sessions, found.runs, relative=relative)
    return found.adjustment_error.spent(own)


def _confirmed(first: CasePairs, again: CasePairs, names: frozenset[str]) -> CasePairs:
    """Replace the metrics of these ``names`` by the results of the confirming runs.

    This holds also where the confirming runs measured nothing: a flagged metric that cannot be
    measured again is not cleared, and one that looked better makes no trade-off.
    """

    def chosen(before: Mapping[str, T], after: Mapping[str, T]) -> dict[str, T]:
        kept = {name: found for name, found in before.items() if name not in names}
        return kept | {name: found for name, found in after.items() if name in names}

    return replace(
        first,
        measured=chosen(first.measured, again.measured),
        pairs=chosen(first.pairs, again.pairs),
        spreads=chosen(first.spreads, again.spreads),
        priors=chosen(first.priors, again.priors),
        between_sessions=chosen(first.between_sessions, again.between_sessions),
        confirmed=names | first.confirmed,
        first=first.own,
    )


_OLD = "there"
"""The key of the environment in which the old code ran."""


def interleaved_baseline(runs: Sequence[Run]) -> Baseline:
    """Return the ``runs`` of the old code, in the order of their blocks, as a baseline.

    A noisy metric has a session for each block, so that a comparison knows which runs were
    neighbours in time.
    """
    environment = runs[-1].environment
    broken = {
        case_id: f"{m.metric.name} broke: {m.absent}"
        for run in runs
        for case_id, case in run.cases.items()
        for m in case.measurements
        if m.broken
    }
    failed = {nodeid: why for run in runs for nodeid, why in run.failed.items()}
    return Baseline(
        environment.hardware_key,
        {
            case_id: _case_history(found, [r.block for r in runs if case_id in r.cases])
            for case_id, found in case_levels(runs).items()
        },
        {_OLD: environment},
        stored=False,
        failed=broken | failed,
    )


def _case_history(levels: CaseLevels, blocks: Sequence[int]) -> CaseHistory:
    newest = levels.runs[-1]
    metrics = {
        name: _metric_history(found, blocks)
        for name, found in levels.metrics.items()
        if isinstance(found, Measured)
    }
    return CaseHistory(newest.case_id, newest.front, newest.source, metrics)


def _metric_history(found: Measured, blocks: Sequence[int]) -> MetricHistory:
    metric, runs = found.metric, found.runs
    # Where a run lacks the metric, the blocks of the other runs are unknown.
    whole = metric.kind is Kind.RUN and len(runs) == len(blocks)
    grouped = groupby(zip(blocks, runs, strict=True), itemgetter(0)) if whole else ()
    levels = [tuple(level for _, level in block) for _, block in grouped] or [runs]
    bound = found.lower_bound or ""
    sessions = tuple(Session(_OLD, 0, block, lower_bound=bound) for block in levels)
    return MetricHistory(
        metric.unit,
        metric.better,
        metric.kind,
        metric.scope,
        sessions,
        found.samples,
        metric.gates,
        breakdown=found.breakdown,
    )
