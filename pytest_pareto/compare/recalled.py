"""The old code's runs, measured in turn with the new code's, in the form of a baseline."""

from collections.abc import Sequence

from pytest_pareto.compare.measured import Measured, measured_metrics, runs_by_case
from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory, Session
from pytest_pareto.model.metric import Kind
from pytest_pareto.model.policy import PER_BLOCK
from pytest_pareto.model.run import CaseRun, Run

_THERE = "there"


def baseline_of(runs: Sequence[Run]) -> Baseline:
    """Return what ``runs`` of the old code, in the order of blocks, say of every case.

    A noisy metric has a session for each block, so that a comparison knows what ran together.
    """
    environment = runs[-1].environment
    return Baseline(
        environment.hardware_key,
        {case_id: _history(measured) for case_id, measured in runs_by_case(runs).items()},
        {_THERE: environment},
        stored=False,
        failed={
            **_broken(runs),
            **{nodeid: why for run in runs for nodeid, why in run.failed.items()},
        },
    )


def _broken(runs: Sequence[Run]) -> dict[str, str]:
    """Say by case id what of it broke, and how."""
    return {
        case_id: f"{m.metric.name} broke: {m.absent}"
        for run in runs
        for case_id, case in run.cases.items()
        for m in case.measurements
        if m.broken
    }


def _history(runs: Sequence[CaseRun]) -> CaseHistory:
    newest = runs[-1]
    metrics = {
        name: _metric(found, len(runs))
        for name, found in measured_metrics(runs).items()
        if isinstance(found, Measured)
    }
    return CaseHistory(newest.case_id, newest.front, newest.source, metrics)


def _metric(found: Measured, count: int) -> MetricHistory:
    metric, runs = found.metric, found.runs
    # Where a run lacks the metric, nobody knows any more which of the others were one block.
    whole = metric.kind is Kind.RUN and len(runs) == count
    size = PER_BLOCK if whole else len(runs)
    sessions = tuple(
        Session(_THERE, 0, runs[start : start + size]) for start in range(0, len(runs), size)
    )
    return MetricHistory(
        metric.unit,
        metric.better,
        metric.kind,
        metric.scope,
        sessions,
        found.samples,
        metric.gates,
    )
