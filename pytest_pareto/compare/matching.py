"""Comparability: match a measured metric with the stored sessions of the same quantity and host.

`pair_metric` comes first. It returns a `Pair`, the two sides of one metric, or the `MetricResult`
with the reason why there is nothing to compare with.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from pytest_pareto.compare.levels import Measured, reported_level
from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory, Samples, Session
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import (
    BUILT_IN,
    HOST_REFERENCE,
    LATENCY,
    Better,
    Kind,
    Metric,
    Scope,
)
from pytest_pareto.model.policy import Option, SessionSpreads
from pytest_pareto.model.run import Looks, failure_reason, order_seed
from pytest_pareto.model.verdict import MetricResult
from pytest_pareto.stats.contrast import NO_ADJUSTMENT, AdjustmentError
from pytest_pareto.stats.scale import all_same, require_usable
from pytest_pareto.stats.variance import session_sd

_REPEATS = 3
"""The number of identical runs that make a recorded number repeatable."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Both sides of one metric that are comparable.

    ``sessions`` are the comparable sessions of the baseline, oldest first, and ``runs`` the levels
    to compare with them. ``session_spread`` is the assumed standard deviation between sessions, a
    fraction of the level. ``exact`` is whether the levels are compared without a test, because the
    metric is exact or has repeated to the last digit. ``adjustment_error`` is the error that an
    adjustment of both sides adds, ``apart`` the reason why the adjustment extrapolates too far, if
    it does, and ``notes`` the notes about it.
    """

    measured: Measured
    sessions: tuple[Session, ...]
    runs: tuple[float, ...]
    samples: Samples | None
    session_spread: float
    exact: bool
    adjustment_error: AdjustmentError = NO_ADJUSTMENT
    apart: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def adjusted(self) -> bool:
        """Whether the levels were adjusted, and differ from the measured ones."""
        return self.adjustment_error is not NO_ADJUSTMENT

    @property
    def assumed_sd(self) -> float:
        """The assumed standard deviation between sessions, on the metric's working scale."""
        metric = self.measured.metric
        level = () if metric.relative else self.accepted_level()
        return session_sd(metric, self.session_spread, level)

    def accepted_level(self) -> Sequence[float]:
        """Return the accepted levels; of an early stop, the mean of the samples scored so far."""
        if not self.measured.complete:
            return [fmean(self.accepted_scores().values())]
        return _newest_level(self.sessions)

    def accepted_scores(self) -> dict[str, float]:
        """Return the accepted scores by id, of the samples that this session has scored."""
        assert self.samples is not None
        assert self.measured.samples is not None
        scores = dict(zip(self.samples.ids, self.samples.values, strict=True))
        if self.measured.complete:
            return scores
        return {name: scores[name] for name in self.measured.samples.ids}


def sample_difference(past: MetricHistory, found: Measured, called: str) -> str | None:
    """Return how the scored samples differ from those of the past, or None.

    ``called`` is the name of the past in the message, such as "the baseline".
    """
    if found.samples is None or past.samples is None:
        return None
    then, now = set(past.samples.ids), set(found.samples.ids)
    if then == now or (found.looks is not None and _is_part(found.looks, now, then)):
        return None
    if found.metric.kind is Kind.SET:
        return f"the samples of the set are not those of {called}"
    if found.looks is not None and not found.complete and now < then:
        return (
            f"{found.looks.samples} samples were planned, of which some are not among "
            f"the {len(then)} of {called}"
        )
    gone, new = sorted(then - now), sorted(now - then)
    parts = [
        f"{len(names)} {what} (such as {names[0]!r})"
        for names, what in ((gone, f"ids of {called} are gone"), (new, "ids are new"))
        if names
    ]
    return f"its samples are not those of {called}: {' and '.join(parts)}"


def repeats(found: Measured, sessions: Sequence[Session]) -> bool:
    """Return whether a recorded number was identical in every run of both sides.

    Such a number has no spread to test with, and needs none.
    """
    if found.metric.kind is not Kind.RUN or found.metric.relative:
        return False
    level = _newest_level(sessions)
    if len(level) < _REPEATS:
        return False
    return all_same(level) and all_same(found.runs)


def _newest_level(sessions: Sequence[Session]) -> list[float]:
    newest = sessions[-1].epoch
    return [x for session in sessions if session.epoch == newest for x in session.runs]


def _is_part(looks: Looks, now: set[str], then: set[str]) -> bool:
    """Return whether an evaluation that stopped early had planned exactly the samples ``then``."""
    planned = looks.samples == len(then) and looks.seed == order_seed(then)
    return not looks.complete and now < then and planned


def pair_metric(
    found: Measured | MetricResult,
    case_id: str,
    history: CaseHistory | None,
    baseline: Baseline,
    now: Environment,
    spreads: SessionSpreads,
) -> Pair | MetricResult:
    """Return both sides of a metric, or the result with the reason why it cannot be compared.

    ``now`` is the environment that measured ``found``, and ``history`` what ``baseline`` has of the
    case.
    """
    metric = found.metric
    past = _past(history, metric.name) if history is not None else None
    if isinstance(found, MetricResult):
        return _unmeasured(found, past, baseline)
    if past is None:
        return _unrecorded(found, now, case_id, baseline, history)
    difference = past.disagreement(metric, baseline.called) or sample_difference(
        past, found, baseline.called
    )
    if difference is not None:
        return unmatched(found, Outcome.BROKEN, f"{difference}{_advice(baseline)}")
    sessions = sessions_here(past, metric.scope, baseline, now)
    incomparable = _incomparable(found, past, sessions, baseline, now)
    if incomparable is not None:
        return unmatched(found, Outcome.NOT_COMPARABLE, incomparable)
    try:
        for session in sessions:
            _require_comparable(session.runs, metric)
    except ParetoError as error:
        return unmatched(found, Outcome.BROKEN, f"in {baseline.called}, {error}{_advice(baseline)}")
    return Pair(
        found,
        sessions,
        found.runs,
        past.samples,
        spreads.of(metric.scope, now, baseline.environments[sessions[-1].env]),
        exact=metric.kind is Kind.EXACT or repeats(found, sessions),
    )


def _require_comparable(runs: Sequence[float], metric: Metric) -> None:
    """Raise ParetoError where the stored levels of a metric cannot be compared with anything."""
    require_usable(runs, relative=metric.relative and metric.kind is Kind.RUN)
    if metric.relative and min(runs) < 0:
        raise ParetoError(f"{min(runs):g} is less than 0, and ratios need more")


def _incomparable(
    found: Measured,
    past: MetricHistory,
    sessions: Sequence[Session],
    baseline: Baseline,
    now: Environment,
) -> str | None:
    """Return why a metric is not comparable with its past: another machine, or a lower bound."""
    if found.lower_bound is not None:
        return f"it is a lower bound, {found.lower_bound}"
    if not sessions:
        mismatch = now.mismatch(baseline.environments[past.newest.env], found.metric.scope)
        assert mismatch is not None
        return mismatch
    if sessions[-1].lower_bound:
        record = f"; record it again with {Option.UPDATE}" if baseline.stored else ""
        return f"{baseline.called} has a lower bound of it, {sessions[-1].lower_bound}{record}"
    return None


def _past(history: CaseHistory, name: str) -> MetricHistory | None:
    """Return what a case history holds of one metric; of the host reference, beside latency."""
    if name != HOST_REFERENCE.name:
        return history.metrics.get(name)
    # The reference has no history of its own: each of its numbers belongs to a run of a latency.
    latency = history.metrics.get(LATENCY.name)
    timed = [s for s in latency.sessions if s.reference] if latency is not None else []
    if latency is None or not timed:
        return None
    sessions = tuple(Session(s.env, s.epoch, s.reference) for s in timed)
    return MetricHistory("s", Better.LOWER, Kind.RUN, Scope.HOST, sessions, gates=False)


def sessions_here(
    past: MetricHistory, scope: Scope, baseline: Baseline, now: Environment
) -> tuple[Session, ...]:
    """Return the sessions that were measured on comparable hardware, oldest first.

    The result is empty where the newest of them is not of the accepted level, or where the stored
    scores, those of the newest session, are of another machine.
    """
    if not baseline.stored:
        # Both sides ran on one machine: a difference there comes from the code, and counts.
        return past.sessions
    here = tuple(
        s for s in past.sessions if now.mismatch(baseline.environments[s.env], scope) is None
    )
    if not here or here[-1].epoch != past.newest.epoch:
        return ()
    return here if past.samples is None or here[-1] is past.newest else ()


_ACCEPT_ALL = f"if that is meant, accept it with {Option.UPDATE}=all"


def _advice(baseline: Baseline) -> str:
    """Return how to accept a difference, where the past is a baseline that can be updated."""
    return f"; {_ACCEPT_ALL}" if baseline.stored else ""


def _unrecorded(
    measured: Measured,
    now: Environment,
    case_id: str,
    baseline: Baseline,
    history: CaseHistory | None,
) -> MetricResult:
    """Return the result of a metric that the past does not hold: NEW, or of other hardware."""
    what = "a new case" if history is None else "a new metric of this case"
    if not baseline.stored:
        cause = failure_reason(case_id, baseline.failed)
        why = f" ({cause})" if cause is not None else ""
        return unmatched(measured, Outcome.NEW, f"{what}: the old code did not measure it{why}")
    holder = baseline.holder(case_id, measured.metric.name)
    if holder is not None:
        reason = f"recorded on {holder} only, and this is {now.hardware_key}"
        return unmatched(measured, Outcome.NOT_COMPARABLE, reason)
    return unmatched(measured, Outcome.NEW, f"{what}; record it with {Option.UPDATE}")


def unmatched(measured: Measured, state: Outcome, reason: str) -> MetricResult:
    """Return the result of a metric that was measured and has nothing to compare with."""
    return MetricResult(
        measured.metric,
        candidate=reported_level(measured.runs, measured.metric),
        first=measured.first,
        state=state,
        reason=reason,
        notes=measured.notes,
        lower_bound=measured.lower_bound,
    )


def _unmeasured(
    found: MetricResult, past: MetricHistory | None, baseline: Baseline
) -> MetricResult:
    """Return the result of a metric without a level: MISSING where the past has one."""
    if past is None or found.outcome is Outcome.BROKEN:
        return found
    if found.for_now:  # it has readings, of a busy host
        comparable = past.disagreement(found.metric) is None
        then = [x for session in past.level_sessions for x in session.runs]
        return replace(found, baseline=reported_level(then, found.metric) if comparable else None)
    reason = f"{found.reason}; {baseline.called} has it"
    return replace(found, state=Outcome.MISSING, reason=reason)


def remembered_metric(name: str, past: MetricHistory) -> Metric:
    """Return a metric as its baseline describes it, without the tolerance of its test.

    Built-in metrics have their own. Without one, any significant loss of a score is a
    regression.
    """
    metric = BUILT_IN.get(name) or Metric(
        name, past.unit, past.better, past.kind, past.scope, 0.0, relative=False
    )
    return metric.with_policy(gates=past.gates)


def missing_result(name: str, past: MetricHistory, baseline: Baseline) -> MetricResult:
    """Return the result of a metric that the baseline has and the test no longer measures."""
    metric = remembered_metric(name, past)
    return MetricResult(
        metric,
        baseline=reported_level(past.newest.runs, metric),
        state=Outcome.MISSING,
        reason=f"{baseline.called} has it and this test no longer measures it{_advice(baseline)}",
    )
