"""One metric given up for another: whether that is let through, and what is said of it."""

from collections.abc import Iterator

from pytest_pareto.judge.case import gated, names_of
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.policy import Policy, TradeOffs
from pytest_pareto.model.verdict import CaseComparison, Place


def judge_trade(case: CaseComparison, place: Place, policy: Policy) -> tuple[bool, str]:
    """Return whether the trade that a case made is let through, and the words for it."""
    worse, better = names_of(case, Outcome.WORSE), names_of(case, Outcome.BETTER)
    what = f"{worse} traded for {better}"
    objections = list(_objections(case, place))
    if policy.trade_offs is TradeOffs.FAIL:
        return False, f"{what}; trade-offs fail by policy"
    if policy.trade_offs is TradeOffs.BOUNDED and objections:
        return False, f"{what}, but {' and '.join(objections)}"
    return True, what if objections else f"{what}, within its bound"


def _objections(case: CaseComparison, place: Place) -> Iterator[str]:
    # The burden of proof lies on the exception: a trade must be shown to stay in bounds.
    beyond = [
        result.metric.name
        for result in gated(case)
        if result.change is not None
        and result.outcome is Outcome.WORSE
        and result.change.high > result.metric.trade_bound
    ]
    if beyond:
        yield f"{', '.join(beyond)} is not shown to stay within what a trade may give up"
    if place.on_front is not True:
        yield "its place on the front is not shown to be kept"
