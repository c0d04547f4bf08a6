"""The plan of an update, as data: made after judging, shown to the reader, applied by `store`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from pytest_pareto.baseline.actions import (
    Action,
    Choice,
    Recorded,
    UpdateMode,
    choose,
)
from pytest_pareto.baseline.described import describe
from pytest_pareto.baseline.layout import environment_key
from pytest_pareto.baseline.succession import next_history
from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory, Samples
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import HOST_REFERENCE, LATENCY, Metric
from pytest_pareto.model.run import CaseRun
from pytest_pareto.model.verdict import CaseComparison, Judgement, MetricResult

__all__ = ["Action", "Edit", "UpdateMode", "plan_update", "told"]


@dataclass(frozen=True, slots=True)
class Edit:
    """One planned change of one metric; ``detail`` says in a few words what it is about."""

    case_id: str
    metric: str
    action: Action
    detail: str


def told(edits: Iterable[Edit]) -> tuple[str, ...]:
    """Say what was written, a line for all metrics of a case that went the same way."""
    together: dict[tuple[str, str, str], list[str]] = {}
    for edit in edits:
        together.setdefault((edit.action, edit.case_id, edit.detail), []).append(edit.metric)
    return tuple(
        f"{action}: {case_id} {', '.join(metrics)} ({detail})"
        for (action, case_id, detail), metrics in together.items()
    )


def plan_update(
    baseline: Baseline,
    judgement: Judgement,
    measured: Mapping[str, tuple[CaseRun, ...]],
    levels: Mapping[tuple[str, str], tuple[float, ...]],
    samples: Mapping[tuple[str, str], Samples],
    environment: Environment,
    mode: UpdateMode,
    *,
    prune: frozenset[str],
) -> tuple[Baseline, tuple[Edit, ...]]:
    """Return the baseline after an update, and what it changed, by case and metric name.

    ``measured`` holds the session's own runs by case id, without those that only confirmed:
    a case with fewer of them than another is incomplete, and keeps its entry, as a broken
    one does. ``levels`` holds one number per run by case id and metric name, in the
    metric's unit; ``samples`` the mean score per id of paired metrics. ``prune`` names the
    missing cases that the mode `ALL` may forget; it is empty unless everything ran.
    """
    session = _Session(baseline, measured, levels, samples, environment)
    cases = dict(baseline.cases)
    edits: list[Edit] = []
    for verdict in sorted(judgement.cases, key=lambda verdict: verdict.case_id):
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
                _apply(steps, cases, measured[case_id][-1])
                edits += [step.edit(case_id) for step in steps]
    environments = dict(baseline.environments)
    if any(edit.action is not Action.DROP for edit in edits):
        environments[session.environment_key] = environment
    return replace(baseline, cases=cases, environments=environments), tuple(edits)


@dataclass(frozen=True, slots=True)
class _Session:
    """What was measured, asked for by case and metric."""

    baseline: Baseline
    measured: Mapping[str, tuple[CaseRun, ...]]
    levels: Mapping[tuple[str, str], tuple[float, ...]]
    samples: Mapping[tuple[str, str], Samples]
    environment: Environment

    @property
    def environment_key(self) -> str:
        return environment_key(self.environment)

    def is_complete(self, case_id: str) -> bool:
        runs = max(map(len, self.measured.values()), default=0)
        return len(self.measured.get(case_id, ())) == runs > 0

    def history(self, case_id: str, metric: Metric) -> MetricHistory | None:
        case = self.baseline.cases.get(case_id)
        return None if case is None else case.metrics.get(metric.name)

    def recorded(self, case_id: str, metric: Metric) -> Recorded | None:
        key = (case_id, metric.name)
        levels = self.levels.get(key)
        if not levels:
            return None
        history = self.history(case_id, metric)
        alien = history is not None and self._is_alien(history, metric)
        reference = self._reference(case_id, metric, levels)
        samples = self.samples.get(key)
        return Recorded(levels, reference, samples, self.environment_key, alien=alien)

    def _reference(
        self, case_id: str, metric: Metric, levels: tuple[float, ...]
    ) -> tuple[float, ...]:
        if metric.name != LATENCY.name:
            return ()
        reference = self.levels.get((case_id, HOST_REFERENCE.name), ())
        complete = len(reference) == len(levels) == len(self.measured[case_id])
        return reference if complete else ()

    def has_vanished(self, case_id: str, metric: Metric) -> bool:
        """Tell whether no run asked for a metric; one that failed to measure it has asked."""
        return all(run.measurement(metric.name) is None for run in self.measured[case_id])

    def _is_alien(self, history: MetricHistory, metric: Metric) -> bool:
        there = self.baseline.environments[history.newest.env]
        return self.environment.mismatch(there, metric.scope) is not None


@dataclass(frozen=True, slots=True)
class _Step:
    """One metric's choice, with what it was made from."""

    choice: Choice
    result: MetricResult
    history: MetricHistory | None
    recorded: Recorded | None

    def edit(self, case_id: str) -> Edit:
        detail = describe(self.choice, self.result, self.recorded)
        return Edit(case_id, self.result.metric.name, self.choice.action, detail)


def _steps(session: _Session, comparison: CaseComparison, mode: UpdateMode) -> list[_Step]:
    """Return what a mode does to the metrics of one case, by name."""
    steps = []
    for result in sorted(comparison.metrics, key=lambda result: result.metric.name):
        if result.metric.name == HOST_REFERENCE.name:
            continue  # its numbers are kept beside those of the latency that they explain
        history = session.history(comparison.case_id, result.metric)
        recorded = session.recorded(comparison.case_id, result.metric)
        vanished = session.has_vanished(comparison.case_id, result.metric)
        choice = choose(result, history, recorded, vanished=vanished)
        if choice is not None:
            steps.append(_Step(choice, result, history, recorded))
    if mode is UpdateMode.RUNS and any(step.choice.action.accepts for step in steps):
        return []
    return [step for step in steps if mode in step.choice.modes]


def _apply(steps: list[_Step], cases: dict[str, CaseHistory], newest: CaseRun) -> None:
    """Put a case's new entry into ``cases``; an entry without metrics goes."""
    case_id = newest.case_id
    metrics = dict(cases[case_id].metrics) if case_id in cases else {}
    for step in steps:
        metric = step.result.metric
        if step.recorded is None:
            del metrics[metric.name]
        else:
            metrics[metric.name] = next_history(step.choice, metric, step.history, step.recorded)
    if metrics:
        cases[case_id] = CaseHistory(case_id, newest.front, newest.source, metrics)
    else:
        del cases[case_id]
