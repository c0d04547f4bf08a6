"""The verdict of one case, from the outcomes of its metrics."""

from pytest_pareto.judge.holm import holm
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.verdict import CaseComparison, MetricResult, Verdict

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
