"""The gate: which verdicts fail the build under the policy, and which only give a notice.

`rule` applies the policy to one judged case. `flagged` selects the metrics of a first judgement
that confirming runs measure again before they are reported as worse.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from pytest_pareto.judge.case import beyond_limits_text, judge_trade, metric_names
from pytest_pareto.judge.drift import Drift
from pytest_pareto.judge.host_counts import host_work_notice
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.metric import ITEMS, STREAMED
from pytest_pareto.model.policy import LEAST_P_CONFIRMING, SCREEN_ALPHA, Missing, Policy
from pytest_pareto.model.verdict import (
    CaseComparison,
    Judgement,
    MetricResult,
    Place,
    Position,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class Ruling:
    """The reasons for which a case fails, and the notices about it that do not fail the build."""

    fails: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shared:
    """A case's part in a common mode; one case ``reports`` the ``text`` for all of them."""

    text: str
    reports: bool
    harmful: bool = True


def rule(
    comparison: CaseComparison,
    verdict: Verdict,
    place: Place,
    policy: Policy,
    shared: Shared | None = None,
    drift: Drift | None = None,
) -> Ruling:
    """Apply the policy to one judged case.

    Under any policy, a case marked ``gate=False`` gives notices and does not fail, and changes that
    this session's update accepts into the baseline are notices of acceptance. No update accepts
    anything into the anchor.
    """
    rulings = chain(
        _shared_rules(shared, policy) if shared is not None else (),
        ()
        if shared is not None and shared.harmful
        else chain(_verdict_rules(comparison, verdict, place, policy), _place_rules(place, policy)),
        _drift_rules(drift),
        _metric_rules(comparison, policy),
        _budget_rules(comparison, policy),
        _host_work_rules(comparison, shared),
    )
    texts = [(fatal and comparison.gate, fatal, text) for fatal, text in rulings]
    return Ruling(
        tuple(text for fails, _, text in texts if fails),
        tuple(f"not gated: {text}" if fatal else text for fails, fatal, text in texts if not fails),
    )


_Rules = Iterator[tuple[bool, str]]
"""Whether each rule fails the build of a gated case, and its text."""


def _shared_rules(shared: Shared, policy: Policy) -> _Rules:
    if shared.reports:
        yield _accepted(policy, shared.text) if shared.harmful else (False, shared.text)


def _verdict_rules(case: CaseComparison, verdict: Verdict, place: Place, policy: Policy) -> _Rules:
    match verdict:
        case Verdict.BROKEN:
            if case.broken is not None:
                yield True, case.broken
        case Verdict.DOMINATED | Verdict.WORSE:
            yield _accepted_change(case, policy, beyond_limits_text(case, "got worse"))
        case Verdict.TRADE_OFF:
            let_through, text = judge_trade(case, place, policy)
            yield (False, text) if let_through else _accepted_change(case, policy, text)
        case Verdict.INCONCLUSIVE:
            yield from _undecided_rules(case, policy)
        case Verdict.MISSING if case.missing is not None:
            yield policy.vanished_fails, case.missing
        case Verdict.MISSING:
            yield from _undecided_rules(case, policy)
        case Verdict.SKIPPED if case.skipped is not None:
            # A skip is explicit in the test; an option makes it a failure.
            yield policy.missing is Missing.FAIL, case.skipped


def _undecided_rules(case: CaseComparison, policy: Policy) -> _Rules:
    """Yield a rule for an undecided case, where it fails or a metric is suspected to be worse."""
    undecided = case.results(Outcome.INCONCLUSIVE)
    suspected = [r.metric.name for r in undecided if r.change is not None and r.change.suspected]
    if not case.gated:
        yield policy.fail_inconclusive, "no metric of this case can gate"
    elif suspected:
        yield policy.fail_inconclusive, f"{', '.join(suspected)} likely worse, not proven"
    elif undecided and policy.fail_inconclusive:
        yield True, f"{metric_names(case, Outcome.INCONCLUSIVE)} inconclusive"


def _accepted_change(case: CaseComparison, policy: Policy, text: str) -> tuple[bool, str]:
    """Return the rule for a case that got worse; what a busy host measured cannot be accepted."""
    if any(result.without_waiting for result in case.results(Outcome.WORSE)):
        return True, f"{text}, on a busy host, of which nothing can be recorded"
    return _accepted(policy, text)


def _accepted(policy: Policy, text: str) -> tuple[bool, str]:
    """Return the rule for a change that fails, unless this session's update accepts it."""
    if policy.accepts_changes:
        return False, f"accepted: {text}"
    return True, text


def _place_rules(place: Place, policy: Policy) -> _Rules:
    rivals = ", ".join(place.rivals)
    if place.position is Position.LOST:
        yield _accepted(policy, f"it lost its place on the front: now dominated by {rivals}")
    elif place.position is Position.OVERTAKEN:
        yield False, f"overtaken: {rivals} got better"


def _drift_rules(drift: Drift | None) -> _Rules:
    if drift is not None:
        yield not drift.let_through, drift.text


def _diagnostic_notices(case: CaseComparison) -> _Rules:
    for result in case.metrics:
        if not result.metric.gates and result.outcome is Outcome.BROKEN:
            yield False, f"{result.metric.name}, a diagnostic, broke: {result.reason}"
    notice = item_count_notice(case)
    if notice is not None:
        yield False, notice


def _is_for_now(result: MetricResult) -> bool:
    """Whether this session, and not the baseline, kept a metric from being compared."""
    return result.for_now or result.lower_bound is not None


def _unmatched_texts(case: CaseComparison) -> Iterator[str]:
    """Yield for each reason which metrics have nothing to be compared with; the reason if all."""
    by_reason: dict[str, list[str]] = {}
    for result in case.gated:
        new = result.outcome is Outcome.NEW
        if new or (result.outcome is Outcome.NOT_COMPARABLE and not _is_for_now(result)):
            by_reason.setdefault(result.reason or "", []).append(result.metric.name)
    for reason, names in by_reason.items():
        if reason and len(names) == len(case.gated):
            yield reason
        else:
            verb = "has" if len(names) == 1 else "have"
            yield f"{', '.join(names)} {verb} nothing to be compared with: {reason}"


def _metric_rules(case: CaseComparison, policy: Policy) -> _Rules:
    if case.broken is not None:
        return
    yield from _diagnostic_notices(case)
    if not policy.accepts_new:
        yield from ((policy.unrecorded_fails, text) for text in _unmatched_texts(case))
    for result in case.gated:
        name, reason = result.metric.name, result.reason or ""
        match result.outcome:
            case Outcome.MISSING:
                dropped = policy.accepts_all and not result.unmeasured
                fatal = policy.vanished_fails and not dropped
                yield fatal, f"{name} is missing: {reason}"
            case Outcome.NOT_COMPARABLE if _is_for_now(result):
                yield policy.fail_inconclusive, f"{name} could not be compared: {reason}"
            case Outcome.BROKEN:
                # Only a metric with a number can be written to the baseline, and so accepted.
                writable = policy.accepts_all and result.candidate is not None
                yield not writable, f"{name} cannot be judged: {reason}"


def _budget_rules(case: CaseComparison, policy: Policy) -> _Rules:
    for budget in case.budgets:
        if budget.broken:
            yield True, budget.message
        elif budget.broken is None:
            fatal = policy.fail_inconclusive or (budget.value is None and policy.unrecorded_fails)
            yield fatal, budget.message


def _host_work_rules(case: CaseComparison, shared: Shared | None) -> _Rules:
    """Yield the notice about the host's work; of a common mode, its one report has it."""
    notice = host_work_notice(case) if shared is None and case.broken is None else None
    if notice is not None:
        yield False, notice


def item_count_notice(case: CaseComparison) -> str | None:
    """Return a notice that a stream's number of items changed, or is not constant; else None.

    A stream that was cut short is faster but not better, which its times alone would not show. None
    also for a case that is no stream, and where nothing of a stream could be measured.
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


def flagged(judgement: Judgement) -> frozenset[tuple[str, str]]:
    """Return the metrics that confirming runs measure again, as (case id, metric name).

    These are the metrics that a session's own runs find worse than the baseline or the anchor at
    α = 0.2, uncorrected, but for those that confirming runs cannot settle (`unconfirmable`). They
    include metrics that are better in the same case, since these could make it a trade-off. Scores
    of samples are a function of their seeds, so measuring them again gives no new information.
    """
    cases = [case.comparison for case in judgement.cases if case.comparison.gate]
    return frozenset(
        (case.case_id, result.metric.name)
        for case in cases
        if case.broken is None
        for side in (case, case.against_anchor())
        for result in _flagged_results(side)
    )


def flagged_by_test(
    judgement: Judgement, names: Iterable[tuple[str, str]]
) -> dict[str, frozenset[str]]:
    """Return the names of `flagged` metrics by the node id of their test."""
    tests = {case.case_id: case.comparison.nodeid for case in judgement.cases}
    found: dict[str, frozenset[str]] = {}
    for case, name in names:
        found[tests[case]] = found.get(tests[case], frozenset()) | {name}
    return found


def flagged_changes(judgement: Judgement, names: Iterable[tuple[str, str]]) -> tuple[Change, ...]:
    """Return the changes of `flagged` metrics, including those since the anchor."""
    return tuple(change for _, change in _changes_by_case(judgement, names))


def _changes_by_case(
    judgement: Judgement, names: Iterable[tuple[str, str]]
) -> Iterator[tuple[str, Change]]:
    cases = {case.case_id: case.comparison for case in judgement.cases}
    for case, name in names:
        for side in (cases[case], cases[case].against_anchor()):
            result = side.metric(name)
            if result is not None and result.change is not None:
                yield case, result.change


def confirming_level(
    judgement: Judgement, names: frozenset[tuple[str, str]], alpha: float
) -> float:
    """Return the level at which each named metric is tested after both sides are measured again.

    Scores share ``alpha`` with them, since they are tested as well, but not measured again. Where
    all runs decide together, all tests share it.
    """
    tested = [
        name
        for case in judgement.cases
        if case.comparison.gate
        for result in case.comparison.gated
        if result.change is not None and not result.change.exact
        for name in [(case.case_id, result.metric.name)]
        if judgement.pooled or name in names or result.metric.kind.sampled
    ]
    return alpha * judgement.shares.changes / max(1, len(tested))


def confirming_runs(
    judgement: Judgement, names: Iterable[tuple[str, str]], most: int
) -> dict[str, int]:
    """Return how many of at most ``most`` fresh runs confirm the named metrics, by case id.

    Exact metrics need one. What looks worse needs as many as are nearly sure to confirm it, and
    what looks better all of them: how much better it is decides whether it makes a trade-off.
    """
    needed: dict[str, int] = {}
    for case, change in _changes_by_case(judgement, names):
        runs = 1 if change.exact else change.confirming_runs or most
        needed[case] = max(needed.get(case, 1), runs)
    return needed


def _flagged_results(case: CaseComparison) -> Iterator[MetricResult]:
    """Yield the worse and the better metrics of a case, if it has a worse one; no scores."""
    results = [result for result in case.gated if result.change is not None]
    if not any(_is_flagged(result) for result in results):
        return
    for result in results:
        repeatable = not result.metric.kind.sampled
        if repeatable and (_is_flagged(result) or result.outcome is Outcome.BETTER):
            yield result


def unconfirmable(judgement: Judgement) -> frozenset[tuple[str, str]]:
    """Return the metrics that look worse, but not so much that confirming runs could show it."""
    return frozenset(
        (case.comparison.case_id, result.metric.name)
        for case in judgement.cases
        if case.comparison.gate and case.comparison.broken is None
        for result in case.comparison.gated
        if _looks_worse(result) and not _is_flagged(result)
    )


def _is_flagged(result: MetricResult) -> bool:
    if result.change is None or not _looks_worse(result):
        return False
    confirmed = result.change.p_confirming
    return confirmed is None or confirmed >= LEAST_P_CONFIRMING


def _looks_worse(result: MetricResult) -> bool:
    return result.change is not None and result.change.p_worse <= SCREEN_ALPHA
