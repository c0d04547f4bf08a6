"""The verdict of one case from the outcomes of its metrics, and the policy for trade-offs.

`judge_case` returns the verdict. `judge_trade` decides whether a trade-off passes.
"""

import math
from collections.abc import Iterator

from pytest_pareto.judge.holm import holm
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.formatting import significant
from pytest_pareto.model.metric import Metric
from pytest_pareto.model.policy import Policy, TradeOffs
from pytest_pareto.model.verdict import CaseComparison, Place, Verdict

_HARMLESS = {Outcome.BETTER, Outcome.UNCHANGED, Outcome.NOT_WORSE}


def metric_names(comparison: CaseComparison, outcome: Outcome) -> str:
    """Return the names of the gated metrics with this outcome, separated by commas."""
    return ", ".join(result.metric.name for result in comparison.results(outcome))


def beyond_limits_text(comparison: CaseComparison, verb: str) -> str:
    """Return the sentence that the worse metrics exceed their limits: "latency got worse ..."."""
    several = len(comparison.results(Outcome.WORSE)) > 1
    limit = "their limits" if several else "its limit"
    return f"{metric_names(comparison, Outcome.WORSE)} {verb} beyond {limit}"


def judge_case(comparison: CaseComparison) -> Verdict:
    """Return the verdict of one case.

    A missing metric never hides a worse one. Only gated metrics count: a better diagnostic does not
    make a trade-off.
    """
    results = comparison.gated
    states = {result.outcome for result in results}
    changes = [result.change for result in results if result.change is not None]
    unmeasured = _unmeasured_verdict(comparison)
    if unmeasured is not None:
        return unmeasured
    if Outcome.BROKEN in states:
        return Verdict.BROKEN
    if Outcome.WORSE in states:
        return _worse_verdict(changes, complete=len(changes) == len(results))
    if Outcome.MISSING in states or not changes:
        return _uncompared_verdict(states)
    return _harmless_verdict({change.outcome for change in changes})


def _worse_verdict(changes: list[Change], *, complete: bool) -> Verdict:
    """Return TRADE_OFF, DOMINATED or WORSE; ``complete`` if every gated metric has a change."""
    if _has_better_metric(changes):
        return Verdict.TRADE_OFF
    # A metric that could still be better leaves the domination unproven, but not the harm.
    nothing_better = all(
        change.outcome is Outcome.WORSE or change.low >= change.improvement_edge
        for change in changes
    )
    return Verdict.DOMINATED if complete and nothing_better else Verdict.WORSE


def _has_better_metric(changes: list[Change]) -> bool:
    """Return whether a metric is better, after Holm's correction over the metrics of the case."""
    others = [change for change in changes if change.outcome is not Outcome.WORSE]
    adjusted = holm([change.p_better for change in others])
    return any(
        p <= change.alpha and change.outcome is Outcome.BETTER
        for p, change in zip(adjusted, others, strict=True)
    )


def _unmeasured_verdict(comparison: CaseComparison) -> Verdict | None:
    """Return the verdict of a case that was not measured as it should be, or None."""
    if comparison.missing is not None:
        return Verdict.MISSING
    if comparison.skipped is not None:
        return Verdict.SKIPPED
    return Verdict.BROKEN if comparison.broken is not None else None


def _uncompared_verdict(states: set[Outcome]) -> Verdict:
    """Return the verdict of a case that lacks a metric, or of which nothing was compared."""
    if Outcome.MISSING in states:
        return Verdict.MISSING
    if Outcome.NOT_COMPARABLE in states:
        return Verdict.NOT_COMPARABLE
    return Verdict.NEW if Outcome.NEW in states else Verdict.INCONCLUSIVE


def _harmless_verdict(outcomes: set[Outcome]) -> Verdict:
    """Return the verdict of a case of which nothing is worse."""
    if not outcomes <= _HARMLESS:
        return Verdict.INCONCLUSIVE
    if Outcome.BETTER in outcomes:
        return Verdict.IMPROVED
    return Verdict.NOT_WORSE if Outcome.NOT_WORSE in outcomes else Verdict.UNCHANGED


def judge_trade(case: CaseComparison, place: Place, policy: Policy) -> tuple[bool, str]:
    """Return whether the policy lets a trade-off pass, and the text that describes it."""
    worse, better = metric_names(case, Outcome.WORSE), metric_names(case, Outcome.BETTER)
    trade = f"{worse} traded for {better}"
    objections = list(_objections(case, place))
    if policy.trade_offs is TradeOffs.FAIL:
        return False, f"{trade}; trade-offs fail by policy"
    if policy.trade_offs is TradeOffs.BOUNDED and objections:
        return False, f"{trade}, but {' and '.join(objections)}"
    return True, trade if objections else f"{trade}, within its bound"


def _amount(metric: Metric, value: float) -> str:
    """Return a change as its tolerance is written: in percent, or in the unit of the metric."""
    if math.isinf(value):
        return "an unknown amount"
    if metric.relative:
        return f"{significant(100 * value, 2):g} %"
    return f"{significant(value, 2):g} {metric.unit}".rstrip()


def _objections(case: CaseComparison, place: Place) -> Iterator[str]:
    """Yield the reasons for which a trade-off is not shown to stay within its bounds."""
    # A trade-off is an exception to the rule, so it has the burden of proof.
    for result in case.gated:
        change, bound = result.change, result.metric.trade_bound
        if change is not None and result.outcome is Outcome.WORSE and change.high > bound:
            harm = f"up to {_amount(result.metric, change.high)}"
            if change.estimate > bound:
                harm = _amount(result.metric, change.estimate)
            limit = _amount(result.metric, bound)
            yield f"{result.metric.name} got worse by {harm} and the trade-off limit is {limit}"
    if place.on_front is not True:
        yield "its place on the front is not shown to be kept"
