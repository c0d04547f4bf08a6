"""Early stopping of an evaluation: whether the scores so far decide a case.

`is_decided` is called at each look. It compares the partial scores as a session would, and tests
with `pytest_pareto.stats.sequential.final_outcome` whether further samples could change a result.
"""

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

_SHARES = AlphaShares.of(has_budgets=True, has_anchor=True)


@dataclass(frozen=True, slots=True)
class EarlyStopContext:
    """What partial scores are judged against: the past, the environment that scores, the policy."""

    past: Past
    now: Environment
    policy: Policy


def is_decided(scored: CaseRun, grounds: EarlyStopContext, others: Sequence[Metric] = ()) -> bool:
    """Return whether every gated score of a case, and every budget, is decided at its latest look.

    ``scored`` holds the scores so far, with their `Looks`. ``others`` are the other metrics of the
    case. The process that scores does not know which tests the session runs. It therefore uses the
    level of a session that tests everything in the baseline: what is decided at that level is
    decided in any smaller session. For the same reason a budget counts as decided only where it is
    kept, because that level is not divided. A score without a baseline is never decided.
    """
    compared = _compared(scored, grounds.past.baseline, grounds, _SHARES.changes)
    gating = [m.metric for m in scored.measurements if m.metric.gates]
    results = {result.metric.name: result for result in compared.metrics}
    rescuers = _rescuers(results, gating, [*others, *_remembered(scored, grounds.past.baseline)])
    return (
        bool(gating)
        and all(_is_final(results[m.name], compared, grounds, rescuers - {m.name}) for m in gating)
        and all(b.broken is False for b in compared.comparison.budgets)
        and _drift_is_decided(scored, gating, grounds)
    )


@dataclass(frozen=True, slots=True)
class _Compared:
    """A case compared with one past; ``family`` is the number of tests by their share of alpha."""

    comparison: CaseComparison
    family: float

    @property
    def metrics(self) -> tuple[MetricResult, ...]:
        """The results of the metrics scored so far."""
        return self.comparison.metrics


def _compared(
    scored: CaseRun, past: Baseline, grounds: EarlyStopContext, share: float
) -> _Compared:
    """Compare the scores so far with one past, as a session that tests all of it would."""
    policy = grounds.policy
    levels = {scored.case_id: CaseLevels((scored,), measured_metrics((scored,)))}
    (case,) = pair_cases(levels, past, grounds.now, policy)
    family = _gated(past) + len(scored.measurements)
    return _Compared(compare_case(case, policy, _SHARES, family, budgets=1), family / share)


def _is_final(
    result: MetricResult, compared: _Compared, grounds: EarlyStopContext, rescuers: set[str]
) -> bool:
    """Return whether further samples cannot change the outcome of one metric."""
    if result.change is None:
        return False
    outcome = final_outcome(result.change, compared.family)
    if outcome is Outcome.WORSE and rescuers and grounds.policy.trade_offs is TradeOffs.BOUNDED:
        # A worse metric that may yet be traded is decided where it exceeds what a trade may cost.
        return result.change.low > result.metric.trade_bound
    return outcome is not None


def _rescuers(
    results: Mapping[str, MetricResult], gating: Sequence[Metric], others: Sequence[Metric]
) -> set[str]:
    """Return the names of metrics that may turn out better, and so make a trade-off.

    These are the gated metrics that are not scored here, and the scores that may be better.
    """
    scored = {metric.name for metric in gating}
    better = {
        name
        for name in scored
        if results[name].outcome in (Outcome.BETTER, Outcome.NOT_WORSE, Outcome.INCONCLUSIVE)
    }
    return better | {m.name for m in others if m.gates and m.name not in scored}


def _remembered(scored: CaseRun, baseline: Baseline) -> list[Metric]:
    """Return the gated metrics that the baseline holds of the case."""
    history = baseline.cases.get(scored.case_id)
    return [
        Metric(name, past.unit, past.better, past.kind, past.scope, 0.0, relative=False)
        for name, past in (history.metrics.items() if history is not None else ())
        if past.gates
    ]


def _drift_is_decided(scored: CaseRun, gating: Sequence[Metric], grounds: EarlyStopContext) -> bool:
    """Return whether the comparison with the anchor, too, is decided for these scores."""
    if grounds.past.anchor is None:
        return True
    since = _compared(scored, grounds.past.anchor, grounds, _SHARES.anchor)
    names = {metric.name for metric in gating}
    changes = [r.change for r in since.metrics if r.metric.name in names and r.change is not None]
    return all(final_outcome(change, since.family) is not None for change in changes)


def _gated(baseline: Baseline) -> int:
    """Count the noisy metrics of a baseline that gate."""
    return sum(
        metric.gates and metric.kind is not Kind.EXACT
        for case in baseline.cases.values()
        for metric in case.metrics.values()
    )
