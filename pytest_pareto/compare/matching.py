"""What each metric can be compared with, or the name of why it cannot."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from pytest_pareto.compare.scale import STORED_ROUNDING
from pytest_pareto.compare.summary import summarise_run
from pytest_pareto.compare.terms import SessionSpreads
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.digits import round_samples
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.history import Baseline, CaseHistory, MetricHistory, Samples, Session
from pytest_pareto.model.metric import BUILT_IN, Kind, Metric
from pytest_pareto.model.run import CaseRun, Measurement
from pytest_pareto.model.verdict import MetricResult

_REPEATS = 3
"""So many identical runs make a recorded number repeatable."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric of one case as this session measured it.

    ``runs`` holds a level per run in the metric's unit; of a paired metric ``samples``
    holds each sample's mean over the runs.
    """

    metric: Metric
    runs: tuple[float, ...]
    samples: Samples | None = None
    first: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """Both sides of one metric, fit to be compared.

    ``sessions`` are those of the baseline that were measured where this one was;
    ``session_spread`` is a fraction of the level. ``exact`` is whether plain comparison
    does, because the metric is exact or has repeated to the last digit.
    """

    measured: Measured
    sessions: tuple[Session, ...]
    samples: Samples | None
    session_spread: float
    exact: bool


def measured_metrics(runs: Sequence[CaseRun]) -> dict[str, Measured | MetricResult]:
    """Summarise what the runs of one case measured: by metric, a `Measured` or why not."""
    by_name: dict[str, list[Measurement]] = {}
    for run in runs:
        for measurement in run.measurements:
            by_name.setdefault(measurement.metric.name, []).append(measurement)
    return {name: _measured(found, len(runs)) for name, found in by_name.items()}


def _measured(found: Sequence[Measurement], runs: int) -> Measured | MetricResult:
    present = [m for m in found if m.absent is None]
    metric = found[-1].metric
    if not present:
        return MetricResult(metric, state=Outcome.ABSENT, reason=found[-1].absent, unmeasured=True)
    notes = tuple(dict.fromkeys(note for m in found for note in m.notes))
    if len(present) < runs:
        reason = next((m.absent for m in found if m.absent), "not recorded in every run")
        notes = (*notes, f"measured in {len(present)} of {runs} runs: {reason}")
    metric = present[0].metric
    try:
        levels = tuple(_level(m) for m in present)
        samples = _mean_scores(present) if metric.kind is Kind.PAIRED else None
    except ParetoError as error:
        return MetricResult(metric, state=Outcome.BROKEN, reason=str(error))
    return Measured(metric, levels, samples, present[0].first, notes)


def _level(measurement: Measurement) -> float:
    match measurement.metric.kind:
        case Kind.RUN:
            return summarise_run(measurement.values, relative=measurement.metric.relative)
        case Kind.EXACT:
            return measurement.values[0]
        case Kind.PAIRED:
            return fmean(measurement.values)


def _mean_scores(found: Sequence[Measurement]) -> Samples:
    """Average each sample over the runs: runs are not further samples."""
    ids = found[0].ids
    for measurement in found[1:]:
        if measurement.ids != ids:
            raise ParetoError(
                "the runs of this session scored different samples; sample ids must not "
                "depend on time or chance"
            )
    columns = zip(*(m.values for m in found), strict=True)
    # Rounded as the baseline keeps them: rounding alone must not look like a change.
    return Samples(ids, round_samples(map(fmean, columns)))


def match_metric(
    found: Measured | MetricResult,
    case_id: str,
    history: CaseHistory | None,
    baseline: Baseline,
    now: Environment,
    spreads: SessionSpreads,
) -> Match | MetricResult:
    """Find what a metric can be compared with, or say why there is nothing."""
    metric = found.metric
    past = history.metrics.get(metric.name) if history is not None else None
    if isinstance(found, MetricResult):
        return _unmeasured(found, past)
    here = _Here(found, now)
    if past is None:
        return here.unrecorded(baseline.holder(case_id, metric.name), history)
    difference = past.disagreement(metric) or _other_samples(past, found)
    if difference is not None:
        return here.result(Outcome.BROKEN, f"{difference}; {_ACCEPT_ALL}")
    sessions = tuple(
        s for s in past.sessions if now.mismatch(baseline.environments[s.env], metric.scope) is None
    )
    then = baseline.environments[past.newest.env]
    if not sessions or sessions[-1].epoch != past.newest.epoch:
        mismatch = now.mismatch(then, metric.scope) or "the accepted level was measured elsewhere"
        return here.result(Outcome.NOT_COMPARABLE, mismatch)
    return Match(
        found,
        sessions,
        past.samples,
        spreads.of(metric.scope, now, baseline.environments[sessions[-1].env]),
        exact=metric.kind is Kind.EXACT or _repeats(found, sessions),
    )


_ACCEPT_ALL = "if that is meant, accept it with --pareto-update=all"


@dataclass(frozen=True, slots=True)
class _Here:
    measured: Measured
    now: Environment

    def result(self, state: Outcome, reason: str) -> MetricResult:
        return unmatched(self.measured, state, reason)

    def unrecorded(self, holder: str | None, history: CaseHistory | None) -> MetricResult:
        if holder is not None:
            reason = f"recorded on {holder} only, and this is {self.now.hardware_key}"
            return self.result(Outcome.NOT_COMPARABLE, reason)
        what = "a new case" if history is None else "a new metric of this case"
        return self.result(Outcome.NEW, f"{what}; record it with --pareto-update")


def unmatched(measured: Measured, state: Outcome, reason: str) -> MetricResult:
    """Return the result of a metric that was measured and has nothing to be compared with."""
    return MetricResult(
        measured.metric,
        candidate=level_for_people(measured.runs, measured.metric),
        first=measured.first,
        state=state,
        reason=reason,
        notes=measured.notes,
    )


def level_for_people(runs: Sequence[float], metric: Metric) -> float:
    """Return the level of several runs as reports show it, in the metric's unit."""
    return summarise_run(runs, relative=metric.relative and metric.kind is Kind.RUN)


def _unmeasured(found: MetricResult, past: MetricHistory | None) -> MetricResult:
    if past is None or found.outcome is Outcome.BROKEN:
        return found
    reason = f"{found.reason}; the baseline has it"
    return replace(found, state=Outcome.MISSING, reason=reason)


def vanished(name: str, past: MetricHistory) -> MetricResult:
    """Return the result of a metric that the baseline has and the test no longer measures."""
    metric = BUILT_IN.get(name) or Metric(
        name, past.unit, past.better, past.kind, past.scope, 0.0, relative=False
    )
    return MetricResult(
        metric,
        baseline=level_for_people(past.newest.runs, metric),
        state=Outcome.MISSING,
        reason=f"the baseline has it and this test no longer measures it; {_ACCEPT_ALL}",
    )


def _other_samples(past: MetricHistory, found: Measured) -> str | None:
    if found.samples is None or past.samples is None:
        return None
    then, now = set(past.samples.ids), set(found.samples.ids)
    if then == now:
        return None
    gone, come = sorted(then - now), sorted(now - then)
    parts = [
        f"{len(names)} {what} (such as {names[0]!r})"
        for names, what in ((gone, "of the baseline's ids are gone"), (come, "ids are new"))
        if names
    ]
    return f"its samples are not those of the baseline: {' and '.join(parts)}"


def _repeats(found: Measured, sessions: Sequence[Session]) -> bool:
    """Whether a recorded number has come out the same in every run of both sides.

    Such a number has no spread to test with, and needs none.
    """
    if found.metric.kind is not Kind.RUN or found.metric.relative:
        return False
    level = [x for s in sessions if s.epoch == sessions[-1].epoch for x in s.runs]
    if len(level) < _REPEATS:
        return False
    return all(_same(level[0], x) for x in level) and all(
        _same(found.runs[0], x) for x in found.runs
    )


def _same(a: float, b: float) -> bool:
    return abs(a - b) <= 2 * STORED_ROUNDING * max(abs(a), abs(b))
