"""``--pareto-json``: all that the reports show of a session, and what it measured."""

from pytest_pareto.model.session_record import SessionReport
from pytest_pareto.model.verdict import CaseVerdict, Judgement, MetricResult
from pytest_pareto.results.file import encode
from pytest_pareto.results.form import ResultsFile
from pytest_pareto.results.recording import evidence_of
from pytest_pareto.results.table import (
    BudgetRecord,
    CaseRecord,
    Gate,
    MetricRecord,
    PictureRecord,
)


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
        failures=judgement.failures,
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
