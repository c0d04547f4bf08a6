"""The verdict of one case, from the outcomes of its metrics; which trade-offs are let through."""

from collections.abc import Iterator

from pytest_pareto.judge.holm import holm
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.policy import Policy, TradeOffs
from pytest_pareto.model.verdict import CaseComparison, Place, Verdict

_HARMLESS = {Outcome.BETTER, Outcome.UNCHANGED, Outcome.NOT_WORSE}


def names_of(comparison: CaseComparison, outcome: Outcome) -> str:
    """Name the metrics with this outcome, among those that can decide."""
    return ", ".join(result.metric.name for result in comparison.results(outcome))


def past_limits(comparison: CaseComparison, did: str) -> str:
    """Say of its worse metrics that they ``did`` so beyond what is allowed."""
    several = len(comparison.results(Outcome.WORSE)) > 1
    limit = "their limits" if several else "its limit"
    return f"{names_of(comparison, Outcome.WORSE)} {did} beyond {limit}"


def judge_case(comparison: CaseComparison) -> Verdict:
    """Say what happened to one case.

    What is worse is never hidden behind what is missing, and only metrics that gate have
    a say: a better diagnostic does not make a trade.
    """
    results = comparison.gated
    states = {result.outcome for result in results}
    changes = [result.change for result in results if result.change is not None]
    unmeasured = _unmeasured(comparison)
    if unmeasured is not None:
        return unmeasured
    if Outcome.BROKEN in states:
        return Verdict.BROKEN
    if Outcome.WORSE in states:
        return _harmed(changes, complete=len(changes) == len(results))
    if Outcome.MISSING in states or not changes:
        return _uncompared(states)
    return _unharmed({change.outcome for change in changes})


def _harmed(changes: list[Change], *, complete: bool) -> Verdict:
    if _rescued(changes):
        return Verdict.TRADE_OFF
    # A metric that could still be better leaves the domination unproven, not the harm.
    nothing_better = all(
        change.outcome is Outcome.WORSE or change.low >= change.improvement_edge
        for change in changes
    )
    return Verdict.DOMINATED if complete and nothing_better else Verdict.WORSE


def _rescued(changes: list[Change]) -> bool:
    """Whether something is better, corrected for having looked at every metric of the case."""
    others = [change for change in changes if change.outcome is not Outcome.WORSE]
    adjusted = holm([change.p_better for change in others])
    return any(
        p <= change.alpha and change.outcome is Outcome.BETTER
        for p, change in zip(adjusted, others, strict=True)
    )


def _unmeasured(comparison: CaseComparison) -> Verdict | None:
    if comparison.missing is not None:
        return Verdict.MISSING
    if comparison.skipped is not None:
        return Verdict.SKIPPED
    return Verdict.BROKEN if comparison.broken is not None else None


def _uncompared(states: set[Outcome]) -> Verdict:
    if Outcome.MISSING in states:
        return Verdict.MISSING
    if Outcome.NOT_COMPARABLE in states:
        return Verdict.NOT_COMPARABLE
    return Verdict.NEW if Outcome.NEW in states else Verdict.INCONCLUSIVE


def _unharmed(outcomes: set[Outcome]) -> Verdict:
    if not outcomes <= _HARMLESS:
        return Verdict.INCONCLUSIVE
    if Outcome.BETTER in outcomes:
        return Verdict.IMPROVED
    return Verdict.NOT_WORSE if Outcome.NOT_WORSE in outcomes else Verdict.UNCHANGED


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
        for result in case.gated
        if result.change is not None
        and result.outcome is Outcome.WORSE
        and result.change.high > result.metric.trade_bound
    ]
    if beyond:
        yield f"{', '.join(beyond)} is not shown to stay within what a trade may give up"
    if place.on_front is not True:
        yield "its place on the front is not shown to be kept"
