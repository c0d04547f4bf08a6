"""Slow creep: what got worse since the anchor, the baseline that a release froze.

A rolling baseline follows each small change that is accepted or not seen; the anchor does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pytest_pareto.judge.case import judge_case, judge_trade, past_limits
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.policy import Policy
from pytest_pareto.model.session_record import Changes
from pytest_pareto.model.verdict import CaseComparison, Place, Verdict

_CONVICTED = {Verdict.DOMINATED, Verdict.WORSE}
_WHY = {
    Outcome.NEW: "newer than it",
    Outcome.MISSING: "not measured now",
    Outcome.BROKEN: "not the quantity that it holds",
}


@dataclass(frozen=True, slots=True)
class Creep:
    """The metrics of a case that are worse than the anchor, and what is said of that.

    ``let_through`` is of a trade within its bound.
    """

    metrics: tuple[str, ...]
    text: str
    let_through: bool = False


def against_anchor(case: CaseComparison) -> CaseComparison:
    """Return the case as it compares with the anchor, as far as it does."""
    return replace(case, metrics=tuple(r for r in case.anchor if r.change is not None))


def find_creep(
    case: CaseComparison, verdict: Verdict, place: Place, policy: Policy
) -> Creep | None:
    """Judge a case beside the anchor by the rules that hold beside the baseline.

    What fails the build as worse than the baseline is not told twice. That an update accepts it
    into the baseline does not silence the anchor.
    """
    worse = {result.metric.name for result in case.results(Outcome.WORSE)}
    told = worse if verdict in _CONVICTED and not policy.accepts_changes else set()
    since = against_anchor(case)
    since = replace(since, metrics=tuple(r for r in since.metrics if r.metric.name not in told))
    names = tuple(result.metric.name for result in since.results(Outcome.WORSE))
    match judge_case(since):
        case Verdict.DOMINATED | Verdict.WORSE:
            return Creep(names, f"{past_limits(since, 'crept')} since the anchor")
        case Verdict.TRADE_OFF:
            let_through, text = judge_trade(since, place, policy)
            if let_through and verdict is Verdict.TRADE_OFF and worse.issuperset(names):
                return None  # the same trade
            return Creep(names, f"since the anchor, {text}", let_through)
    return None


def uncompared_with_anchor(changes: Changes, comparisons: Sequence[CaseComparison]) -> str | None:
    """Return a notice of what could fail the build and was not compared with the anchor.

    None where all was compared with it. The session has an anchor.
    """
    past = changes.past
    assert past.anchor is not None  # as whoever asks knows
    measured = {case.case_id for case in changes.comparisons}
    forgotten = past.anchor.cases.keys() - past.baseline.cases.keys() - measured
    gone = sum(map(changes.record.expects, forgotten))
    metrics: dict[str, dict[str, None]] = {}
    cases: dict[str, set[str]] = {}
    for case in comparisons:
        for result in replace(case, metrics=case.anchor).gated if case.gate else ():
            if result.change is None:
                why = _WHY.get(result.outcome) or result.reason or str(result.outcome)
                metrics.setdefault(why, {})[result.metric.name] = None
                cases.setdefault(why, set()).add(case.case_id)
    parts = [
        f"{', '.join(names)} of {plural(len(cases[why]), 'case')} ({why})"
        for why, names in metrics.items()
    ]
    parts += [f"{plural(gone, 'case')} of it (gone)"] if gone else []
    return f"not compared with the anchor: {'; '.join(parts)}" if parts else None
