"""Drift: slow changes since the anchor, the baseline that a release froze.

A rolling baseline follows each small change that is accepted or not detected; the anchor does not.
`find_drift` judges one case against the anchor.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pytest_pareto.judge.case import beyond_limits_text, judge_case, judge_trade
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.policy import Policy
from pytest_pareto.model.session_record import Changes
from pytest_pareto.model.verdict import CaseComparison, Place, Verdict

_CONVICTED = {Verdict.DOMINATED, Verdict.WORSE}
_REASONS = {
    Outcome.NEW: "newer than it",
    Outcome.MISSING: "not measured now",
    Outcome.BROKEN: "not the quantity that it holds",
}


@dataclass(frozen=True, slots=True)
class Drift:
    """The metrics of a case that are worse than the anchor, with the text of the report.

    ``let_through`` is whether it is a trade-off that the policy lets pass.
    """

    metrics: tuple[str, ...]
    text: str
    let_through: bool = False


def find_drift(
    case: CaseComparison, verdict: Verdict, place: Place, policy: Policy
) -> Drift | None:
    """Judge a case against the anchor by the rules that apply against the baseline.

    Metrics that fail the build as worse than the baseline are not reported again. An update accepts
    changes into the baseline only, so it does not hide a drift from the anchor.
    """
    worse = {result.metric.name for result in case.results(Outcome.WORSE)}
    reported = worse if verdict in _CONVICTED and not policy.accepts_changes else set()
    since = case.against_anchor()
    since = replace(since, metrics=tuple(r for r in since.metrics if r.metric.name not in reported))
    names = tuple(result.metric.name for result in since.results(Outcome.WORSE))
    match judge_case(since):
        case Verdict.DOMINATED | Verdict.WORSE:
            return Drift(names, f"{beyond_limits_text(since, 'drifted')} since the anchor")
        case Verdict.TRADE_OFF:
            let_through, text = judge_trade(since, place, policy)
            if let_through and verdict is Verdict.TRADE_OFF and worse.issuperset(names):
                return None  # the same trade
            return Drift(names, f"since the anchor, {text}", let_through)
    return None


def uncompared_with_anchor(changes: Changes, comparisons: Sequence[CaseComparison]) -> str | None:
    """Return a notice of gated metrics and cases that were not compared with the anchor.

    None where everything was compared with it. The session must have an anchor.
    """
    past = changes.past
    assert past.anchor is not None  # the caller has checked it
    measured = {case.case_id for case in changes.comparisons}
    anchor_only = past.anchor.cases.keys() - past.baseline.cases.keys() - measured
    gone = sum(map(changes.record.expects, anchor_only))
    metrics: dict[str, dict[str, None]] = {}
    cases: dict[str, set[str]] = {}
    for case in comparisons:
        for result in replace(case, metrics=case.anchor).gated if case.gate else ():
            if result.change is None:
                reason = _REASONS.get(result.outcome) or result.reason or str(result.outcome)
                metrics.setdefault(reason, {})[result.metric.name] = None
                cases.setdefault(reason, set()).add(case.case_id)
    parts = [
        f"{', '.join(names)} of {plural(len(cases[reason]), 'case')} ({reason})"
        for reason, names in metrics.items()
    ]
    parts += [f"{plural(gone, 'case')} of it (gone)"] if gone else []
    return f"not compared with the anchor: {'; '.join(parts)}" if parts else None
