"""The verdict of one case, from the outcomes of its metrics.

Streams of other lengths than before, whose times are of other work.

Correction for asking many questions at once.

One metric given up for another: whether that is let through, and what is said of it.
"""

from collections.abc import Iterator, Sequence

from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.metric import ITEMS, STREAMED
from pytest_pareto.model.policy import Policy, TradeOffs
from pytest_pareto.model.verdict import CaseComparison, MetricResult, Place, Verdict

_HARMLESS = {Outcome.BETTER, Outcome.UNCHANGED, Outcome.NOT_WORSE}


def gated(comparison: CaseComparison) -> tuple[MetricResult, ...]:
    """Return the metrics that can decide about a case.

    Not the diagnostics, and not what has never been measured here on either side.
    """
    return tuple(
        result
        for result in comparison.metrics
        if result.metric.gates and result.outcome is not Outcome.ABSENT
    )


def results_of(comparison: CaseComparison, outcome: Outcome) -> tuple[MetricResult, ...]:
    """Return the metrics with this outcome, among those that can decide."""
    return tuple(result for result in gated(comparison) if result.outcome is outcome)


def names_of(comparison: CaseComparison, outcome: Outcome) -> str:
    """Name the metrics with this outcome, among those that can decide."""
    return ", ".join(result.metric.name for result in results_of(comparison, outcome))


def past_limits(comparison: CaseComparison, did: str) -> str:
    """Say of its worse metrics that they ``did`` so beyond what is allowed."""
    several = len(results_of(comparison, Outcome.WORSE)) > 1
    limit = "their limits" if several else "its limit"
    return f"{names_of(comparison, Outcome.WORSE)} {did} beyond {limit}"


def judge_case(comparison: CaseComparison) -> Verdict:
    """Say what happened to one case.

    What is worse is never hidden behind what is missing, and only metrics that gate have
    a say: a better diagnostic does not make a trade.
    """
    results = gated(comparison)
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


def other_items(case: CaseComparison) -> str | None:
    """Say how a stream's number of items is another than the baseline's, or no one number.

    A stream that was cut short is quicker, and no better: its times alone would say that it is.
    None for what is no stream, and where nothing of a stream could be measured.
    """
    items = case.metric(ITEMS.name)
    if items is None or items.metric.unit != ITEMS.unit:
        return None
    if items.candidate is None:
        if not any(_measured(case.metric(name)) for name in STREAMED):
            return None
        return f"the stream has no one number of items: {items.reason}"
    change = items.change
    if change is not None and change.estimate:
        return (
            f"the stream has {items.candidate:g} items, and before it had "
            f"{items.baseline:g}: what is measured of whole calls (latency) is of other work"
        )
    if change is not None and change.reason:
        return f"the stream has no one number of items: {change.reason}"
    return None


def _measured(result: MetricResult | None) -> bool:
    return result is not None and result.candidate is not None


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjust p-values so that rejecting all at most alpha errs once with probability alpha.

    Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6
    (1979). Valid under any dependence. Returned in the order given, at most 1.
    """
    count = len(p_values)
    adjusted = [0.0] * count
    running = 0.0
    for rank, index in enumerate(sorted(range(count), key=lambda i: p_values[i])):
        running = max(running, (count - rank) * p_values[index])
        adjusted[index] = min(1.0, running)
    return tuple(adjusted)


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
