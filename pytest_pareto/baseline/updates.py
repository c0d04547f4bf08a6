"""Plan an update of the baseline: which entries a session adds, replaces or drops.

`plan_update` returns the new baseline and its `Edit`s; `store.write` applies it. `choose_action`
decides for one metric by its outcome, and `next_history` makes its new entry.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from pytest_pareto.baseline.layout import ANYWHERE_FOLDER, belongs, environment_key
from pytest_pareto.model.attribution import CASE_BYTES, Breakdown, fold_breakdowns
from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory, Samples, Session
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.formatting import exact_number, plural
from pytest_pareto.model.metric import HOST_REFERENCE, LATENCY, Kind, Metric, Rule
from pytest_pareto.model.run import CaseRun
from pytest_pareto.model.session_record import Judged
from pytest_pareto.model.verdict import CaseComparison, MetricResult


class UpdateMode(StrEnum):
    """The values of ``--pareto-update``: what it may write."""

    CHANGED = "changed"  # new and changed entries
    NEW = "new"  # only entries that were not recorded on this kind of machine
    RUNS = "runs"  # another session of unchanged cases
    ALL = "all"  # everything; only this mode drops entries


class Action(StrEnum):
    """The effect of an update on one metric of one case."""

    ADD = "add"
    ACCEPT_WORSE = "accept-worse"
    ACCEPT_BETTER = "accept-better"
    ACCEPT_CHANGE = "accept-change"
    APPEND = "append"
    DROP = "drop"

    @property
    def accepts(self) -> bool:
        """Whether it changes the level that later sessions are compared with."""
        return self in (Action.ACCEPT_WORSE, Action.ACCEPT_BETTER, Action.ACCEPT_CHANGE)


_ONLY_ALL = frozenset({UpdateMode.ALL})
_MODES = {
    Action.ADD: frozenset({UpdateMode.NEW, UpdateMode.CHANGED, UpdateMode.ALL}),
    Action.ACCEPT_WORSE: frozenset({UpdateMode.CHANGED, UpdateMode.ALL}),
    Action.ACCEPT_BETTER: frozenset({UpdateMode.CHANGED, UpdateMode.ALL}),
    Action.ACCEPT_CHANGE: frozenset({UpdateMode.CHANGED, UpdateMode.ALL}),
    Action.APPEND: frozenset({UpdateMode.RUNS, UpdateMode.ALL}),
    Action.DROP: _ONLY_ALL,
}

KEPT_SESSIONS = 6
"""Older sessions are dropped: enough for a spread between sessions, and one readable line."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One planned change of one metric; ``detail`` describes it in a few words."""

    case_id: str
    metric: str
    action: Action
    detail: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """One metric's measurements in this session: one level per run.

    ``reference`` is the host reference of each of these runs, for a latency where all runs timed
    it. ``env`` is the name of the session's environment. ``is_other_machine`` is whether the
    baseline's newest session ran on a machine with which a metric of this scope cannot be compared.
    ``lower_bound`` is what the levels leave out, if anything, ``breakdown`` what they consist of.
    """

    levels: tuple[float, ...]
    reference: tuple[float, ...]
    samples: Samples | None
    env: str
    is_other_machine: bool
    lower_bound: str | None = None
    breakdown: Breakdown | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """An action, and the modes that take it; ``resets_history`` drops the past sessions."""

    action: Action
    modes: frozenset[UpdateMode]
    resets_history: bool = False


def plan_update(
    baseline: Baseline, judged: Judged, mode: UpdateMode, *, prune: frozenset[str]
) -> tuple[Baseline, tuple[Edit, ...]]:
    """Return the baseline after an update, and its changes, by case and metric name.

    A case with fewer runs than another is incomplete and keeps its entry, as a broken one does.
    ``prune`` holds the missing cases that the mode `ALL` may drop; it is empty unless all tests
    ran.
    """
    session = _Session(
        baseline,
        judged.measured,
        judged.levels,
        judged.samples,
        judged.breakdowns,
        judged.environment,
        environment_key(judged.environment),
        runs=max(map(len, judged.measured.values()), default=0),
    )
    cases = dict(baseline.cases)
    edits: list[Edit] = []
    for verdict in sorted(judged.judgement.cases, key=lambda verdict: verdict.case_id):
        case_id = verdict.case_id
        if verdict.comparison.missing is not None:
            if mode is UpdateMode.ALL and case_id in prune and case_id in cases:
                gone = cases.pop(case_id)
                edits += [
                    Edit(case_id, name, Action.DROP, "its test is gone")
                    for name in sorted(gone.metrics)
                ]
        elif verdict.comparison.broken is None and session.is_complete(case_id):
            steps = _steps(session, verdict.comparison, mode)
            if steps:
                _apply(steps, cases, judged.measured[case_id][-1])
                edits += [step.edit(case_id) for step in steps]
    environments = dict(baseline.environments)
    if any(edit.action is not Action.DROP for edit in edits):
        environments[session.environment_key] = judged.environment
    return replace(baseline, cases=cases, environments=environments), tuple(edits)


def describe_edits(edits: Iterable[Edit]) -> tuple[str, ...]:
    """Return lines that describe edits, one per case, action and detail, with the metrics."""
    metrics_of: dict[tuple[str, str, str], list[str]] = {}
    for edit in edits:
        metrics_of.setdefault((edit.action, edit.case_id, edit.detail), []).append(edit.metric)
    return tuple(
        f"{action}: {case_id} {', '.join(metrics)} ({detail})"
        for (action, case_id, detail), metrics in metrics_of.items()
    )


@dataclass(frozen=True, slots=True)
class _Session:
    """The measurements of a session, by case and metric; a complete case has so many ``runs``."""

    baseline: Baseline
    measured: Mapping[str, tuple[CaseRun, ...]]
    levels: Mapping[tuple[str, str], tuple[float, ...]]
    samples: Mapping[tuple[str, str], Samples]
    breakdowns: Mapping[tuple[str, str], Breakdown]
    environment: Environment
    environment_key: str
    runs: int

    def is_complete(self, case_id: str) -> bool:
        return len(self.measured.get(case_id, ())) == self.runs > 0

    def history(self, case_id: str, metric: Metric) -> MetricHistory | None:
        case = self.baseline.cases.get(case_id)
        return None if case is None else case.metrics.get(metric.name)

    def recorded(self, case_id: str, result: MetricResult) -> Recorded | None:
        metric = result.metric
        key = (case_id, metric.name)
        levels = self.levels.get(key)
        if not levels:
            return None
        history = self.history(case_id, metric)
        is_other_machine = history is not None and self._is_other_machine(history, metric)
        reference = self._reference(case_id, metric, levels)
        samples = self.samples.get(key)
        return Recorded(
            levels,
            reference,
            samples,
            self.environment_key,
            is_other_machine=is_other_machine,
            lower_bound=result.lower_bound,
            breakdown=self.breakdowns.get(key),
        )

    def _reference(
        self, case_id: str, metric: Metric, levels: tuple[float, ...]
    ) -> tuple[float, ...]:
        if metric.name != LATENCY.name:
            return ()
        reference = self.levels.get((case_id, HOST_REFERENCE.name), ())
        complete = len(reference) == len(levels) == len(self.measured[case_id])
        return reference if complete else ()

    def has_vanished(self, case_id: str, metric: Metric) -> bool:
        """Return whether no run requested a metric; a failed measurement is a request too."""
        return all(run.measurement(metric.name) is None for run in self.measured[case_id])

    def _is_other_machine(self, history: MetricHistory, metric: Metric) -> bool:
        there = self.baseline.environments[history.newest.env]
        return self.environment.mismatch(there, metric.scope) is not None


@dataclass(frozen=True, slots=True)
class _Step:
    """One metric's choice, with the data it was made from."""

    choice: Choice
    result: MetricResult
    history: MetricHistory | None
    recorded: Recorded | None

    def edit(self, case_id: str) -> Edit:
        detail = edit_detail(self.choice, self.result, self.recorded)
        return Edit(case_id, self.result.metric.name, self.choice.action, detail)


def _steps(session: _Session, comparison: CaseComparison, mode: UpdateMode) -> list[_Step]:
    """Return the steps of a mode for the metrics of one case, by name."""
    steps = []
    for result in sorted(comparison.metrics, key=lambda result: result.metric.name):
        if result.metric.name == HOST_REFERENCE.name:
            continue  # its numbers are stored with those of the latency
        history = session.history(comparison.case_id, result.metric)
        recorded = session.recorded(comparison.case_id, result)
        vanished = session.has_vanished(comparison.case_id, result.metric)
        choice = choose_action(result, history, recorded, vanished=vanished)
        if choice is not None:
            steps.append(_Step(choice, result, history, recorded))
    if mode is UpdateMode.RUNS and any(step.choice.action.accepts for step in steps):
        return []
    return [step for step in steps if mode in step.choice.modes]


def _apply(steps: list[_Step], cases: dict[str, CaseHistory], newest: CaseRun) -> None:
    """Store a case's new entry in ``cases``; remove an entry without metrics."""
    case_id = newest.case_id
    metrics = dict(cases[case_id].metrics) if case_id in cases else {}
    for step in steps:
        metric = step.result.metric
        if step.recorded is None:
            del metrics[metric.name]
        else:
            rule = Rule.of(metric, newest.budgets, gate=newest.gate)
            after = next_history(step.choice, metric, step.history, step.recorded)
            metrics[metric.name] = replace(after, rule=rule, digest=None, edited=False)
    if metrics:
        kept = with_folded_breakdowns(metrics)
        cases[case_id] = CaseHistory(case_id, newest.front, newest.source, kept)
    else:
        del cases[case_id]


def with_folded_breakdowns(metrics: Mapping[str, MetricHistory]) -> dict[str, MetricHistory]:
    """Return the metrics of a case with breakdowns that are small enough for a baseline.

    The bytes of the case are shared between the folders that its metrics are stored in.
    """
    wholes: dict[bool, dict[str, Breakdown]] = {}
    for name, history in metrics.items():
        if history.breakdown is not None:
            anywhere = belongs(history.scope, ANYWHERE_FOLDER)
            wholes.setdefault(anywhere, {})[name] = history.breakdown
    known = sum(map(len, wholes.values()))
    folded: dict[str, Breakdown] = {}
    for whole in wholes.values():
        folded |= fold_breakdowns(whole, CASE_BYTES * len(whole) // known)
    return {
        name: replace(history, breakdown=folded[name]) if name in folded else history
        for name, history in metrics.items()
    }


def choose_action(
    result: MetricResult,
    history: MetricHistory | None,
    recorded: Recorded | None,
    *,
    vanished: bool,
) -> Choice | None:
    """Return the action for a metric's outcome, or None where its entry stays as it is.

    ``recorded`` is None where the session has no reading. The entry is then dropped only if the
    metric has ``vanished``: its test no longer requests it, as opposed to failing to measure it.
    """
    outcome = result.outcome
    if recorded is None:
        gone = outcome is Outcome.MISSING and vanished and history is not None
        return _choice(Action.DROP) if gone else None
    if history is None:
        return None if outcome is Outcome.BROKEN else _choice(Action.ADD)
    if outcome is Outcome.BROKEN:
        # It was measured correctly and contradicts the baseline: accept only on request.
        return Choice(Action.ACCEPT_CHANGE, _ONLY_ALL, resets_history=True)
    if result.change is not None and result.change.suspected:
        return None  # accepting a flagged level would lower the standard it may fail
    if outcome in (Outcome.NEW, Outcome.NOT_COMPARABLE):
        return _uncompared(result, history, recorded)
    return _choice(_compared(result, history, recorded))


def _choice(action: Action) -> Choice:
    return Choice(action, _MODES[action])


def _uncompared(result: MetricResult, history: MetricHistory, recorded: Recorded) -> Choice:
    if recorded.lower_bound is not None:
        return Choice(Action.ACCEPT_CHANGE, _ONLY_ALL)  # with it, the metric decides nothing more
    if history.newest.lower_bound:
        return Choice(Action.ADD, _MODES[Action.ADD], resets_history=True)  # its first level
    if result.for_now:
        return Choice(Action.ACCEPT_CHANGE, _ONLY_ALL)  # a lasting host speed becomes the level
    if _is_other_quantity(history, result.metric, recorded):
        return Choice(Action.ACCEPT_CHANGE, _MODES[Action.ACCEPT_CHANGE], resets_history=True)
    first_here = result.outcome is Outcome.NEW or recorded.is_other_machine
    return _choice(Action.ADD if first_here else Action.ACCEPT_CHANGE)


def _compared(result: MetricResult, history: MetricHistory, recorded: Recorded) -> Action:
    if result.outcome is Outcome.WORSE:
        return Action.ACCEPT_WORSE
    if result.outcome is Outcome.BETTER:
        return Action.ACCEPT_BETTER
    exact = result.metric.kind is Kind.EXACT
    if exact and set(recorded.levels) != set(history.newest.runs):
        return Action.ACCEPT_CHANGE
    return Action.APPEND


def _is_other_quantity(history: MetricHistory, metric: Metric, recorded: Recorded) -> bool:
    """Return whether past sessions measured another quantity than this one."""
    if history.disagreement(metric) is not None:
        return True
    if history.samples is None or recorded.samples is None:
        return False
    return set(history.samples.ids) != set(recorded.samples.ids)


def next_history(
    choice: Choice, metric: Metric, history: MetricHistory | None, recorded: Recorded
) -> MetricHistory:
    """Return a metric's history with this session as its newest."""
    past = () if history is None or choice.resets_history else history.sessions
    if history is not None and choice.action is Action.APPEND and metric.kind.sampled:
        # The accepted scores stay the reference; updating them would let scores drift.
        return history
    # A session on another machine measures the same accepted level.
    epoch = past[-1].epoch + choice.action.accepts if past else 0
    exact = metric.kind is Kind.EXACT
    levels = recorded.levels
    if exact and len(set(levels)) == 1:
        levels = levels[:1]
    session = Session(
        recorded.env, epoch, levels, recorded.reference, lower_bound=recorded.lower_bound or ""
    )
    alone = exact and choice.action is not Action.ADD
    sessions = (session,) if alone else (*past, session)[-KEPT_SESSIONS:]
    sessions = keep_reason(sessions, None if choice.resets_history else history)
    samples = recorded.samples if metric.kind.sampled else None
    breakdown = recorded.breakdown
    if breakdown is None and history is not None and choice.action is Action.APPEND:
        breakdown = history.breakdown  # the level is the same
    return MetricHistory(
        metric.unit,
        metric.better,
        metric.kind,
        metric.scope,
        sessions,
        samples,
        metric.gates,
        breakdown=breakdown,
    )


def keep_reason(
    sessions: tuple[Session, ...], history: MetricHistory | None
) -> tuple[Session, ...]:
    """Return the sessions with the reason of the accepted level, kept past its own session."""
    epoch = sessions[-1].epoch
    if history is None or not history.reason or history.newest.epoch != epoch:
        return sessions
    if any(s.reason for s in sessions if s.epoch == epoch):
        return sessions
    first = next(at for at, s in enumerate(sessions) if s.epoch == epoch)
    explained = replace(sessions[first], reason=history.reason)
    return (*sessions[:first], explained, *sessions[first + 1 :])


def edit_detail(choice: Choice, result: MetricResult, recorded: Recorded | None) -> str:
    """Return a few words on an action; figures are in the metric's own unit."""
    if choice.action is Action.DROP or recorded is None:
        return "no longer measured"
    if not choice.action.accepts:
        return plural(len(recorded.levels), "run")
    if choice.resets_history or result.baseline is None or result.candidate is None:
        return result.reason or "recorded afresh"
    return format_step(result.baseline, result.candidate, result.metric)


def format_step(then: float | None, now: float, metric: Metric) -> str:
    """Return the change from one accepted level to another with its unit: "0.2 → 0.1 s"."""
    texts = [_figure(level, metric) for level in (then, now) if level is not None]
    return f"{' → '.join(texts)} {metric.unit}".rstrip()


def _figure(level: float, metric: Metric) -> str:
    return str(exact_number(level)) if metric.kind is Kind.EXACT else f"{level:.4g}"
