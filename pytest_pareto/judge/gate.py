"""What fails the build, what only deserves a word, and why.

What looks worse, and is measured again before anybody is told that it is.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from pytest_pareto.judge.case import judge_trade, names_of, past_limits
from pytest_pareto.judge.drift import Creep, against_anchor
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.metric import ITEMS, STREAMED
from pytest_pareto.model.policy import SCREEN_ALPHA, Missing, Policy
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
    """The reasons for which a case fails, and what is said of it besides."""

    fails: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shared:
    """A case's part in a movement that many cases share; one of them speaks for all."""

    text: str
    speaks: bool


def rule(
    comparison: CaseComparison,
    verdict: Verdict,
    place: Place,
    policy: Policy,
    shared: Shared | None = None,
    creep: Creep | None = None,
) -> Ruling:
    """Apply the policy to one judged case.

    Whatever the policy, a case marked ``gate=False`` is told and does not fail, and what
    this session's update accepts into the baseline is told as accepted. No update accepts
    anything into the anchor.
    """
    rulings = chain(
        _shared_rules(shared, policy)
        if shared is not None
        else chain(_verdict_rules(comparison, verdict, place, policy), _place_rules(place, policy)),
        _creep_rules(creep),
        _metric_rules(comparison, policy),
        _budget_rules(comparison, policy),
    )
    said = [(fatal and comparison.gate, fatal, text) for fatal, text in rulings]
    return Ruling(
        tuple(text for fails, _, text in said if fails),
        tuple(f"not gated: {text}" if fatal else text for fails, fatal, text in said if not fails),
    )


_Rules = Iterator[tuple[bool, str]]


def _shared_rules(shared: Shared, policy: Policy) -> _Rules:
    if shared.speaks:
        yield _accepted(policy, shared.text)


def _verdict_rules(case: CaseComparison, verdict: Verdict, place: Place, policy: Policy) -> _Rules:
    match verdict:
        case Verdict.BROKEN:
            if case.broken is not None:
                yield True, case.broken
        case Verdict.DOMINATED | Verdict.WORSE:
            yield _accepted(policy, past_limits(case, "got worse"))
        case Verdict.TRADE_OFF:
            let_through, text = judge_trade(case, place, policy)
            yield (False, text) if let_through else _accepted(policy, text)
        case Verdict.INCONCLUSIVE:
            yield from _undecided_rules(case, policy)
        case Verdict.MISSING if case.missing is not None:
            yield policy.vanished_fails, case.missing
        case Verdict.MISSING:
            yield from _undecided_rules(case, policy)
        case Verdict.SKIPPED if case.skipped is not None:
            # Skipping is said aloud in the test; who wants it to fail can say so too.
            yield policy.missing is Missing.FAIL, case.skipped


def _undecided_rules(case: CaseComparison, policy: Policy) -> _Rules:
    """An undecided case deserves a word of its own where it fails or is suspected of harm."""
    undecided = case.results(Outcome.INCONCLUSIVE)
    suspected = [r.metric.name for r in undecided if r.change is not None and r.change.suspected]
    if not case.gated:
        yield policy.fail_inconclusive, "no metric of this case can gate"
    elif suspected:
        yield policy.fail_inconclusive, f"{', '.join(suspected)} suspected of being worse"
    elif undecided and policy.fail_inconclusive:
        yield True, f"{names_of(case, Outcome.INCONCLUSIVE)} undecided"


def _accepted(policy: Policy, text: str) -> tuple[bool, str]:
    if policy.accepts_changes:
        return False, f"accepted: {text}"
    return True, text


def _place_rules(place: Place, policy: Policy) -> _Rules:
    rivals = ", ".join(place.rivals)
    if place.position is Position.LOST:
        yield _accepted(policy, f"it lost its place on the front: now dominated by {rivals}")
    elif place.position is Position.OVERTAKEN:
        yield False, f"overtaken: {rivals} got better"


def _creep_rules(creep: Creep | None) -> _Rules:
    if creep is not None:
        yield not creep.let_through, creep.text


def _notices_of_diagnostics(case: CaseComparison) -> _Rules:
    for result in case.metrics:
        if not result.metric.gates and result.outcome is Outcome.BROKEN:
            yield False, f"{result.metric.name}, a diagnostic, broke: {result.reason}"
    streamed = other_items(case)
    if streamed is not None:
        yield False, streamed


def _metric_rules(case: CaseComparison, policy: Policy) -> _Rules:
    if case.broken is not None:
        return
    yield from _notices_of_diagnostics(case)
    for result in case.gated:
        name, reason = result.metric.name, result.reason or ""
        match result.outcome:
            case Outcome.MISSING:
                dropped = policy.accepts_all and not result.unmeasured
                fatal = policy.vanished_fails and not dropped
                yield fatal, f"{name} is missing: {reason}"
            case Outcome.NOT_COMPARABLE if result.for_now:
                yield policy.fail_inconclusive, f"{name} could not be compared: {reason}"
            case Outcome.NEW | Outcome.NOT_COMPARABLE if not policy.accepts_new:
                yield policy.unrecorded_fails, f"{name} has nothing to be compared with: {reason}"
            case Outcome.BROKEN:
                # Only what was measured well can be written, and so accepted.
                writable = policy.accepts_all and result.candidate is not None
                yield not writable, f"{name} cannot be judged: {reason}"


def _budget_rules(case: CaseComparison, policy: Policy) -> _Rules:
    for budget in case.budgets:
        if budget.broken:
            yield True, budget.message
        elif budget.broken is None:
            fatal = policy.fail_inconclusive or (budget.value is None and policy.unrecorded_fails)
            yield fatal, budget.message


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


def flagged(judgement: Judgement) -> frozenset[tuple[str, str]]:
    """Name what looks worse to a session's own runs, as (case id, metric name).

    At α = 0.2, uncorrected, beside the baseline or the anchor. With them goes what is better in
    the same case, since it could rescue it. Scores of samples are a function of their seeds, and
    measuring them again says nothing new.
    """
    cases = [case.comparison for case in judgement.cases if case.comparison.gate]
    return frozenset(
        (case.case_id, result.metric.name)
        for case in cases
        if case.broken is None
        for side in (case, against_anchor(case))
        for result in _to_confirm(side)
    )


def suspected_changes(judgement: Judgement, names: Iterable[tuple[str, str]]) -> tuple[Change, ...]:
    """Return the changes of what was `flagged`, those since the anchor among them."""
    cases = {case.case_id: case.comparison for case in judgement.cases}
    found = (
        side.metric(name)
        for case, name in names
        for side in (cases[case], against_anchor(cases[case]))
    )
    return tuple(r.change for r in found if r is not None and r.change is not None)


def confirming_level(
    judgement: Judgement, names: frozenset[tuple[str, str]], alpha: float
) -> float:
    """Return the level at which each of these is judged, once both sides of it are measured anew.

    Scores share ``alpha`` with them, since they are judged as well, and not measured again.
    """
    tested = [
        name
        for case in judgement.cases
        if case.comparison.gate
        for result in case.comparison.gated
        if result.change is not None and not result.change.exact
        for name in [(case.case_id, result.metric.name)]
        if name in names or result.metric.kind.sampled
    ]
    return alpha * judgement.shares.changes / max(1, len(tested))


def only_exact(judgement: Judgement, names: Iterable[tuple[str, str]]) -> bool:
    """Whether all of these are compared as they stand, so that one more look will do."""
    return all(change.exact for change in suspected_changes(judgement, names))


def _to_confirm(case: CaseComparison) -> Iterator[MetricResult]:
    results = [result for result in case.gated if result.change is not None]
    if not any(_looks_worse(result) for result in results):
        return
    for result in results:
        repeatable = not result.metric.kind.sampled
        if repeatable and (_looks_worse(result) or result.outcome is Outcome.BETTER):
            yield result


def _looks_worse(result: MetricResult) -> bool:
    return result.change is not None and result.change.p_worse <= SCREEN_ALPHA
