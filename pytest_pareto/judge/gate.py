"""What fails the build, what only deserves a word, and why."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from pytest_pareto.judge.case import gated, names_of, past_limits, results_of
from pytest_pareto.judge.creep import Creep
from pytest_pareto.judge.streamed import other_items
from pytest_pareto.judge.trades import judge_trade
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.policy import Missing, Policy
from pytest_pareto.model.verdict import CaseComparison, Place, Position, Verdict


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
    undecided = results_of(case, Outcome.INCONCLUSIVE)
    suspected = [r.metric.name for r in undecided if r.change is not None and r.change.suspected]
    if not gated(case):
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
    for result in gated(case):
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
            yield True, budget.said
        elif budget.broken is None:
            fatal = policy.fail_inconclusive or (budget.value is None and policy.unrecorded_fails)
            yield fatal, budget.said
