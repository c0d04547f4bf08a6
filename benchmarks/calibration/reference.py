"""One latency with the host reference beside it: judged alone, and as a session of one case."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.calibration.alone import ALPHA, NO_SESSIONS, change_of
from benchmarks.calibration.nouns import HERE
from pytest_pareto.compare.runs import compare_levels
from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory, Past, Session
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.metric import HOST_REFERENCE, LATENCY, Better, Metric
from pytest_pareto.model.policy import Policy, SessionSpreads
from pytest_pareto.model.run import CaseRun, Measurement, Run
from pytest_pareto.model.session_record import SessionRecord
from pytest_pareto.model.verdict import MetricResult
from pytest_pareto.pipeline import judge_record
from pytest_pareto.stats.ancova import Adjusted, Unadjusted, adjust

Pair = tuple[Sequence[float], Sequence[float]]
"""Levels of the baseline's runs and of the session's, one per run (s)."""

NAME = "test_latency"


@dataclass(frozen=True, slots=True)
class BesideReference:
    """What is said of a latency that has the host reference beside it.

    ``change`` is None where the hosts are too far apart to compare, unless it looks worse even
    so; ``how`` is what became of the reference.
    """

    change: Change | None
    how: Adjusted | Unadjusted

    @property
    def used(self) -> bool:
        """Whether the latency was adjusted by the reference."""
        return isinstance(self.how, Adjusted) and self.change is not None

    @property
    def worse(self) -> bool:
        """Whether the latency is called WORSE."""
        return self.change is not None and self.change.outcome is Outcome.WORSE


def adjusted_alone(
    levels: Pair,
    references: Pair,
    *,
    tolerance: float,
    spreads: SessionSpreads = NO_SESSIONS,
) -> BesideReference:
    """Compare one latency with the host reference as a covariate; both sides."""
    (then, now), (then_host, now_host) = levels, references
    how = adjust([Session("", 0, tuple(then), tuple(then_host))], now, now_host)
    if isinstance(how, Unadjusted):
        return BesideReference(change_of(then, now, tolerance, spreads.host), how)
    change = compare_levels(
        how.sessions,
        how.runs,
        better=Better.LOWER,
        relative=True,
        tolerance=tolerance,
        alpha=ALPHA,
        session_spread=math.log1p(spreads.host_adjusted),
        adjustment_error=how.adjustment_error,
    )
    told = how.apart is None or change.p_worse <= ALPHA
    return BesideReference(change if told else None, how)


def judge_beside_reference(
    levels: Pair,
    references: Pair,
    *,
    tolerance: float,
    spreads: SessionSpreads = NO_SESSIONS,
    software: Mapping[str, str] | None = None,
) -> MetricResult:
    """Judge a session of one case with a latency and the host reference.

    ``software`` is what runs now, where it differs from the baseline's.
    """
    metric = LATENCY.with_policy(tolerance=tolerance)
    now = replace(HERE, software=dict(software or {}))
    runs = [
        Run(now, {NAME: CaseRun(NAME, NAME, NAME, "", _measured(metric, level, reference))})
        for level, reference in zip(levels[1], references[1], strict=True)
    ]
    past = Session("here", 0, tuple(levels[0]), tuple(references[0]))
    history = MetricHistory(metric.unit, metric.better, metric.kind, metric.scope, (past,))
    cases = {NAME: CaseHistory(NAME, NAME, "", {LATENCY.name: history})}
    record = SessionRecord(tuple(runs), Policy(spreads=spreads))
    judged = judge_record(record, Past(Baseline(HERE.hardware_key, cases, {"here": HERE})))
    (case,) = judged.judgement.cases
    result = case.comparison.metric(LATENCY.name)
    assert result is not None
    return result


def _measured(metric: Metric, level: float, reference: float) -> tuple[Measurement, ...]:
    return Measurement(metric, (level,)), Measurement(HOST_REFERENCE, (reference,))
