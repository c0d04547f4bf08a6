"""Whether what has been scored of a case decides about it, so that the rest can be saved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_pareto.compare.changes import compare_case
from pytest_pareto.compare.levels import CaseLevels, measured_metrics
from pytest_pareto.compare.pairs import pair_cases
from pytest_pareto.model.baseline import Baseline, Past
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import Kind, Metric
from pytest_pareto.model.policy import AlphaShares, Policy, TradeOffs
from pytest_pareto.model.run import CaseRun
from pytest_pareto.model.verdict import CaseComparison, MetricResult
from pytest_pareto.stats.sequential import final_outcome

_SHARES = AlphaShares.of(has_rivals=True, has_budgets=True, has_anchor=True)


@dataclass(frozen=True, slots=True)
class Grounds:
    """What an evaluation is judged by: the past, the machine that scores, the policy."""

    past: Past
    now: Environment
    policy: Policy


def is_decided(scored: CaseRun, grounds: Grounds, others: Sequence[Metric] = ()) -> bool:
    """Return whether every gated score of a case is decided at its latest look, budgets too.

    ``scored`` holds the scores so far, with their `Looks`; ``others`` are the metrics that the
    case has besides. The process that scores does not know what else the session tests, so the
    level is that of a session which tests all that the baseline holds: what is decided then, is
    in any smaller one. For the same reason a budget counts only where it is kept, which shares
    its level with nobody. What has nothing to be compared with is never decided.
    """
    compared = _compared(scored, grounds.past.baseline, grounds, _SHARES.changes)
    gating = [m.metric for m in scored.measurements if m.metric.gates]
    results = {result.metric.name: result for result in compared.metrics}
    rescuers = _rescuers(results, gating, [*others, *_remembered(scored, grounds.past.baseline)])
    return (
        bool(gating)
        and all(_settled(results[m.name], compared, grounds, rescuers - {m.name}) for m in gating)
        and all(b.broken is False for b in compared.comparison.budgets)
        and _no_creep_is_open(scored, gating, grounds)
    )


@dataclass(frozen=True, slots=True)
class _Compared:
    comparison: CaseComparison
    family: float

    @property
    def metrics(self) -> tuple[MetricResult, ...]:
        return self.comparison.metrics


def _compared(scored: CaseRun, past: Baseline, grounds: Grounds, share: float) -> _Compared:
    policy = grounds.policy
    levels = {scored.case_id: CaseLevels((scored,), measured_metrics((scored,)))}
    (case,) = pair_cases(levels, past, grounds.now, policy)
    family = _gated(past) + len(scored.measurements)
    return _Compared(compare_case(case, policy, _SHARES, family, budgets=1), family / share)


def _settled(
    result: MetricResult, compared: _Compared, grounds: Grounds, rescuers: set[str]
) -> bool:
    if result.change is None:
        return False
    outcome = final_outcome(result.change, compared.family)
    if outcome is Outcome.WORSE and rescuers and grounds.policy.trade_offs is TradeOffs.BOUNDED:
        # What is worse and may yet be traded is decided where no trade may give up as much.
        return result.change.low > result.metric.trade_bound
    return outcome is not None


def _rescuers(
    results: Mapping[str, MetricResult], gating: Sequence[Metric], others: Sequence[Metric]
) -> set[str]:
    """Name what may turn out better: what is not scored here, and scores that may be."""
    scored = {metric.name for metric in gating}
    better = {
        name
        for name in scored
        if results[name].outcome in (Outcome.BETTER, Outcome.NOT_WORSE, Outcome.INCONCLUSIVE)
    }
    return better | {m.name for m in others if m.gates and m.name not in scored}


def _remembered(scored: CaseRun, baseline: Baseline) -> list[Metric]:
    history = baseline.cases.get(scored.case_id)
    return [
        Metric(name, past.unit, past.better, past.kind, past.scope, 0.0, relative=False)
        for name, past in (history.metrics.items() if history is not None else ())
        if past.gates
    ]


def _no_creep_is_open(scored: CaseRun, gating: Sequence[Metric], grounds: Grounds) -> bool:
    """Whether the anchor, too, is decided about whatever it holds of these scores."""
    if grounds.past.anchor is None:
        return True
    beside = _compared(scored, grounds.past.anchor, grounds, _SHARES.anchor)
    names = {metric.name for metric in gating}
    changes = [r.change for r in beside.metrics if r.metric.name in names and r.change is not None]
    return all(final_outcome(change, beside.family) is not None for change in changes)


def _gated(baseline: Baseline) -> int:
    return sum(
        metric.gates and metric.kind is not Kind.EXACT
        for case in baseline.cases.values()
        for metric in case.metrics.values()
    )
