"""``--pareto-json``: all that the reports show of a session, and what it measured.

From a session's record to the evidence in its file: once, whatever repeats.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Generic, TypeVar

from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import Kind, Metric
from pytest_pareto.model.run import CaseRun, Measurement, Run
from pytest_pareto.model.session_record import SessionRecord, SessionReport
from pytest_pareto.model.verdict import CaseVerdict, Judgement, MetricResult
from pytest_pareto.results.json_schema import (
    BudgetRecord,
    BudgetText,
    CaseEvidence,
    CaseRecord,
    Evidence,
    Gate,
    Lacking,
    MetricEvidence,
    MetricRecord,
    Noted,
    PictureRecord,
    Places,
    Policy,
    ResultsFile,
    RunEvidence,
    RunsEvidence,
    Scored,
)
from pytest_pareto.results.reader import encode


def render_json(report: SessionReport) -> str:
    """Write a session as JSON."""
    return encode(results_of(report))


def results_of(report: SessionReport) -> ResultsFile:
    """Return a session in the form of the file."""
    judgement = report.judgement
    metrics, anchor = (
        tuple(
            _metric(case, result)
            for case in judgement.cases
            for result in (case.comparison.anchor if since else case.comparison.metrics)
        )
        for since in (False, True)
    )
    return ResultsFile(
        format="pytest-pareto results",
        version=1,
        gate=_gate(judgement),
        session=report.facts,
        environment=report.environment,
        cases=tuple(map(_case, judgement.cases)),
        metrics=metrics,
        anchor=anchor,
        pictures=tuple(
            PictureRecord(p.case_id, p.metric, p.sample, p.file.as_posix()) for p in report.pictures
        ),
        evidence=None if report.record is None else evidence_of(report.record),
    )


def _gate(judgement: Judgement) -> Gate:
    return Gate(
        failed=judgement.failed,
        failures=tuple(failure.text for failure in judgement.failures),
        notices=judgement.notices,
        counts=dict(judgement.counts),
        common_modes=judgement.common_modes,
        shares=judgement.shares,
    )


def _case(case: CaseVerdict) -> CaseRecord:
    found, place = case.comparison, case.place
    return CaseRecord(
        case=found.case_id,
        nodeid=found.nodeid,
        front=found.front,
        verdict=case.verdict,
        fails=case.fails,
        notices=case.notices,
        notes=found.notes,
        gate=found.gate,
        position=place.position,
        on_front=place.on_front,
        rivals=place.rivals,
        position_reason=place.reason,
        budgets=tuple(
            BudgetRecord(b.metric, b.text, b.value, b.broken, b.reason) for b in found.budgets
        ),
        broken=found.broken,
        missing=found.missing,
        skipped=found.skipped,
        confirmed=tuple(sorted(found.confirmed)),
        common=case.common,
        crept=case.crept,
    )


def _metric(case: CaseVerdict, result: MetricResult) -> MetricRecord:
    metric, change, looks = result.metric, result.change, result.looks
    return MetricRecord(
        case=case.case_id,
        front=case.comparison.front,
        verdict=case.verdict,
        metric=metric.name,
        outcome=result.outcome,
        unit=metric.unit,
        better=metric.better,
        kind=metric.kind,
        scope=metric.scope,
        gates=metric.gates,
        relative=metric.relative,
        tolerance=metric.tolerance,
        give_up=metric.trade_bound,
        baseline=result.baseline,
        candidate=result.candidate,
        first=result.first,
        items=result.items,
        estimate=None if change is None else change.estimate,
        low=None if change is None else change.low,
        high=None if change is None else change.high,
        resolution=None if change is None else change.resolution,
        alpha=None if change is None else change.alpha,
        p_worse=None if change is None else change.p_worse,
        p_better=None if change is None else change.p_better,
        p_convicting=None if change is None else change.p_convicting,
        df=None if change is None else change.df,
        pairs=None if change is None else change.pairs,
        runs_to_settle=None if change is None else change.runs_to_settle,
        suspected=None if change is None else change.suspected,
        exact=None if change is None else change.exact,
        reason=result.reason if change is None else change.reason,
        unmeasured=result.unmeasured,
        for_now=result.for_now,
        confirmed=metric.name in case.comparison.confirmed,
        look=None if looks is None else looks.at,
        looks=None if looks is None else looks.planned,
        samples=None if looks is None else looks.samples,
        notes=result.notes,
        worst_ids=() if change is None else change.worst_ids,
    )


T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


def evidence_of(record: SessionRecord) -> Evidence:
    """Return a record in the form of the file. Noisy metrics have one reading in each run."""
    pools = _Pools()
    groups = [pools.runs(r) for r in (record.runs, record.again, record.old_runs, record.old_again)]
    runs, again, old, old_again = groups
    return Evidence(
        policy=Policy.of(record.policy),
        spreads=record.policy.spreads,
        confirming=record.policy.confirming,
        anchored=record.anchored,
        asked=record.asked,
        failures=tuple(failure.text for failure in record.failures),
        notices=record.notices,
        gone=record.gone,
        flagged=tuple(sorted(record.flagged)),
        environments=tuple(pools.environments.items),
        metrics=tuple(pools.metrics.items),
        lists=tuple(pools.lists.items),
        runs=runs,
        again=again,
        old=old,
        old_again=old_again,
    )


class _Pool(Generic[T]):
    """Things held once, each named by its position."""

    def __init__(self) -> None:
        self.items: list[T] = []
        self._places: dict[Hashable, int] = {}

    def place(self, item: T, key: Hashable) -> int:
        if key not in self._places:
            self._places[key] = len(self.items)
            self.items.append(item)
        return self._places[key]


class _Pools:
    def __init__(self) -> None:
        self.environments: _Pool[Environment] = _Pool()
        self.metrics: _Pool[Metric] = _Pool()
        self.lists: _Pool[tuple[str, ...]] = _Pool()

    def runs(self, runs: Sequence[Run]) -> RunsEvidence:
        found: dict[Hashable, list[tuple[int, CaseRun]]] = {}
        for number, run in enumerate(runs):
            for case in run.cases.values():
                found.setdefault(_about(case), []).append((number, case))
        return RunsEvidence(
            tuple(map(self._run, runs)), tuple(self._case(same) for same in found.values())
        )

    def _run(self, run: Run) -> RunEvidence:
        where = run.environment
        return RunEvidence(
            self.environments.place(where, repr(where)),
            self._list(sorted(run.finished)),
            self._list(sorted(run.skipped)),
            dict(run.failed),
        )

    def _list(self, texts: Iterable[str]) -> int:
        held = tuple(texts)
        return self.lists.place(held, held)

    def _case(self, same: Sequence[tuple[int, CaseRun]]) -> CaseEvidence:
        _, case = same[0]
        by_metric: dict[Metric, list[Measurement | None]] = {}
        for place, (_, run) in enumerate(same):
            for m in run.measurements:
                by_metric.setdefault(m.metric, [None] * len(same))[place] = m
        return CaseEvidence(
            case.case_id,
            case.nodeid,
            case.front,
            case.source,
            tuple(number for number, _ in same),
            tuple(self._metric(metric, found) for metric, found in by_metric.items()),
            case.gate,
            tuple(BudgetText(budget.metric, budget.text) for budget in case.budgets),
            case.items,
        )

    def _metric(self, metric: Metric, found: Sequence[Measurement | None]) -> MetricEvidence:
        lacking = _alike(found, lambda m: None if m.absent is None else (m.absent, m.broken))
        scores = _alike(found, lambda m: (m.ids, m.values, m.looks) if m.ids else None)
        notes = _alike(found, lambda m: m.notes or None)
        return MetricEvidence(
            self.metrics.place(metric, metric),
            _column(found, _level),
            _column(found, lambda m: m.first),
            tuple(
                Scored(runs, self._list(ids), values, looks)
                for (ids, values, looks), runs in scores.items()
            ),
            tuple(Lacking(runs, why, broken) for (why, broken), runs in lacking.items()),
            tuple(Noted(runs, texts) for texts, runs in notes.items()),
        )


def _about(case: CaseRun) -> Hashable:
    texts = case.case_id, case.nodeid, case.front, case.source
    return *texts, case.gate, case.budgets, case.items


def _level(measurement: Measurement) -> float | None:
    if measurement.absent is not None:
        return None
    match measurement.metric.kind:
        case Kind.SET:
            return measurement.whole
        case Kind.PAIRED | Kind.ORDINAL:
            return None  # the mean of its scores
    (level,) = measurement.values
    return level


def _column(
    found: Sequence[Measurement | None], number: Callable[[Measurement], float | None]
) -> tuple[float | None, ...]:
    """Return a number of each run; nothing where no run has one."""
    numbers = tuple(None if m is None else number(m) for m in found)
    return numbers if any(x is not None for x in numbers) else ()


def _alike(
    found: Sequence[Measurement | None], what: Callable[[Measurement], K | None]
) -> dict[K, Places]:
    """Group runs by what they have in common; runs of which there is nothing to say are out."""
    places: dict[K, Places] = {}
    for place, measurement in enumerate(found):
        content = None if measurement is None else what(measurement)
        if content is not None:
            places[content] = (*places.get(content, ()), place)
    return places
