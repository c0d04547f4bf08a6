"""Sessions built by hand for the pipeline: levels in, a judgement out."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pytest_pareto.model.baseline import (
    Baseline,
    CaseHistory,
    MetricHistory,
    Past,
    Samples,
    Session,
)
from pytest_pareto.model.change import Change
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.formatting import round_samples
from pytest_pareto.model.metric import Better, Kind, Metric, Scope
from pytest_pareto.model.policy import Policy
from pytest_pareto.model.run import CaseRun, Measurement, Run
from pytest_pareto.model.session_record import Asked, Judged, SessionRecord
from pytest_pareto.model.verdict import CaseVerdict, Failure
from pytest_pareto.pipeline import judge_record

HERE = Environment("EPYC", 16, 8, gpu_product="NVIDIA H200", gpu_count=1, boards=("ab12",))
DEVICE = Metric("device", "s", Better.LOWER, Kind.RUN, Scope.GPU, 0.01, relative=True)
ACCURACY = Metric("accuracy", "", Better.HIGHER, Kind.RUN, Scope.GPU, 0.01, relative=False)
SCORE = Metric("score", "", Better.HIGHER, Kind.PAIRED, Scope.GPU, 0.01, relative=False)
METRICS = {m.name: m for m in (DEVICE, ACCURACY, SCORE)}
SHAPE = (-0.002, -0.001, 0.0, 0.001, 0.002)

Confirmation = tuple[frozenset[tuple[str, str]], Sequence[Run]]
"""What was flagged, and the runs that measured it again."""
NOTHING_FLAGGED: Confirmation = (frozenset(), ())

Levels = Mapping[str, Sequence[Any]]
"""By metric: a level per run, or of a score one row of samples per run."""


def five(level: float) -> list[float]:
    """Five runs around a level, one thousandth apart."""
    return [level * math.exp(x) for x in SHAPE]


def ids(count: int) -> tuple[str, ...]:
    return tuple(f"s{i}" for i in range(count))


def case_runs(case_id: str, levels: Levels, **about: Any) -> list[CaseRun]:
    about = {"nodeid": case_id.partition("#")[0], "front": "f", "source": "s"} | about
    metrics = {name: about.pop(name, METRICS.get(name)) for name in levels}
    return [
        CaseRun(
            case_id,
            measurements=tuple(
                Measurement(metric, tuple(levels[name][run]), ids(len(levels[name][run])))
                if metric.kind is Kind.PAIRED
                else Measurement(metric, (levels[name][run],))
                for name, metric in metrics.items()
            ),
            **about,
        )
        for run in range(len(next(iter(levels.values()))))
    ]


def session(*cases: Sequence[CaseRun], count: int | None = None, **about: Any) -> list[Run]:
    """One session's runs; a case that was measured fewer times is absent from the last ones."""
    count = max(map(len, cases)) if count is None else count
    return [
        Run(HERE, {runs[i].case_id: runs[i] for runs in cases if i < len(runs)}, **about)
        for i in range(count)
    ]


def remembered(case_id: str, levels: Levels, front: str = "f") -> CaseHistory:
    metrics = {}
    for name, runs in levels.items():
        metric, samples, kept = METRICS[name], None, tuple(runs)
        if metric.kind is Kind.PAIRED:
            samples = Samples(ids(len(runs[0])), round_samples(runs[0]))
            kept = (float(np.mean(runs[0])),)
        metrics[name] = MetricHistory(
            metric.unit,
            metric.better,
            metric.kind,
            metric.scope,
            (Session("here", 0, kept),),
            samples,
        )
    return CaseHistory(case_id, front, "s", metrics)


def baseline(*cases: CaseHistory) -> Baseline:
    return Baseline(HERE.hardware_key, {c.case_id: c for c in cases}, {"here": HERE})


def judged(
    runs: Sequence[Run],
    past: Baseline,
    policy: Policy | None = None,
    *,
    confirmation: Confirmation = NOTHING_FLAGGED,
    anchor: Baseline | None = None,
    asked: Asked | None = None,
    failures: Sequence[str] = (),
) -> Judged:
    flagged, again = confirmation
    record = SessionRecord(
        tuple(runs),
        policy or Policy(),
        asked or Asked(),
        flagged=flagged,
        again=tuple(again),
        failures=tuple(map(Failure, failures)),
    )
    return judge_record(record, Past(past, anchor))


def by_case(found: Judged) -> dict[str, CaseVerdict]:
    return {case.case_id: case for case in found.judgement.cases}


def change_of(case: CaseVerdict, name: str) -> Change:
    result = case.comparison.metric(name)
    assert result is not None
    assert result.change is not None
    return result.change
