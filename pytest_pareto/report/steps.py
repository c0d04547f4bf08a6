"""The next step: what to do about a case, and about a session."""

from collections.abc import Iterator, Sequence

from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import CaseVerdict, Judgement, Position, Verdict
from pytest_pareto.report.accepting import Offered, accept_steps, offered_of
from pytest_pareto.report.step import Step
from pytest_pareto.report.words import HARMED, breaks_a_budget, only_crept, uncompared

ENOUGH_RUNS = 5


def case_steps(case: CaseVerdict, facts: SessionFacts | None = None) -> Iterator[Step]:
    """Say how to look closer at one case that fails, and how to let it be as it is.

    ``facts`` tell whether it was compared with old code, so that nothing is accepted into a
    baseline, and whether it can be accepted from what the session left.
    """
    if facts is not None and facts.ref is not None:
        yield from _in_turn_again([case], facts.ref)
    else:
        record = _RECORD_NEW if facts is None else _record(facts)
        yield from _steps_for([case], 1, offered_of([case], facts), record)


def session_steps(judgement: Judgement, facts: SessionFacts) -> Iterator[Step]:
    """Say what to do about a session, unless it already updates the baseline.

    What no update settles is told in any case, as what crept since the anchor. Where results are
    compared that were measured at some time, nothing is said: they may be of another folder.
    """
    if facts.new_side is not None:
        return
    if facts.updating:
        yield from _beside_the_baseline(judgement.cases)
        return
    if facts.ref is not None:
        yield from _in_turn_again([c for c in judgement.cases if c.fails], facts.ref)
        return
    own = [case for case in judgement.cases if case.fails and case.common is None]
    fails = {case.case_id for case in own}
    rest = [case for case in judgement.cases if case.case_id not in fails]
    steps = [*_steps_for(own, facts.runs, offered_of(own, facts), _record(facts))]
    if any(case.common is not None and case.fails for case in judgement.cases):
        steps.append(_IN_TURN)
    steps += _about_uncompared(rest, _record(facts))
    yield from dict.fromkeys(steps)


def _in_turn_again(failing: Sequence[CaseVerdict], ref: str) -> Iterator[Step]:
    if failing:
        where = _selection(failing)
        again = ("pytest", *where, "--pareto", f"--pareto-against={ref}", "-v")
        yield Step("to look closer:", again, "run this test with --pareto --pareto-against -v")
        yield from _beside_the_baseline(failing)


def _record(facts: SessionFacts) -> Step:
    if not facts.baseline_sessions:
        return Step("to record one here:", ("pytest", "--pareto", "--pareto-update"))
    return _RECORD_NEW


def _about_uncompared(cases: Sequence[CaseVerdict], record: Step) -> Iterator[Step]:
    """Say how to have compared what was not, be it in whole cases or in parts of them."""
    # A test that failed has nothing to record.
    measured = [case for case in cases if case.comparison.broken is None]
    lacking = [result for case in measured for result in uncompared(case)]
    if any(not result.for_now for result in lacking):
        yield record
    if any(result.for_now for result in lacking):
        yield _IN_TURN


_RECORD_NEW = Step("to record what is new:", ("pytest", "--pareto", "--pareto-update=new"))
_IN_TURN = Step("code or machine?", ("pytest", "--pareto", "--pareto-against=origin/main"))


def _steps_for(
    failing: Sequence[CaseVerdict], runs: int, offered: Offered | None, record: Step
) -> Iterator[Step]:
    changed = [case for case in failing if _can_be_accepted(case)]
    undecided = [case for case in failing if case.verdict is Verdict.INCONCLUSIVE]
    doubtful = [case for case in failing if case.crept or breaks_a_budget(case)]
    if changed or undecided or doubtful:
        where = _selection([*changed, *undecided, *doubtful])
        more = ("pytest", *where, "--pareto", f"--pareto-runs={_more(runs)}", "-v")
        yield Step("to look closer:", more, _ALONE_RUNS)
    if changed:
        yield from accept_steps(changed, offered)
    yield from _beside_the_baseline(failing)
    yield from _about_uncompared(failing, record)
    if any(case.verdict is Verdict.MISSING for case in failing):
        removed = ("pytest", "--pareto", "--pareto-update=all")
        yield Step("if it was removed on purpose:", removed)


def _beside_the_baseline(cases: Sequence[CaseVerdict]) -> Iterator[Step]:
    """Say what to do about what no update settles."""
    if any(case.fails and breaks_a_budget(case) for case in cases):
        yield Step("if a budget is too tight:", instead=_CHANGE_THE_BUDGET)
    if any(case.fails and case.crept for case in cases):
        yield Step("if the creep is meant:", instead=_FREEZE_ANEW)


_CHANGE_THE_BUDGET = "change it in the test's marker; no update writes it"
_FREEZE_ANEW = (
    "raise the tolerance, or replace the anchor by a copy of the baseline; no update writes it"
)
_ALONE_RUNS = "run this test with --pareto --pareto-runs=5 -v"


def _selection(cases: Sequence[CaseVerdict]) -> tuple[str, ...]:
    """Select cases on the command line: a failed case is a failed test, so --lf finds many."""
    nodeids = list(dict.fromkeys(case.comparison.nodeid for case in cases))
    return (nodeids[0],) if len(nodeids) == 1 else ("--lf",)


def _can_be_accepted(case: CaseVerdict) -> bool:
    harmed = case.verdict in HARMED and not only_crept(case)
    return harmed or case.place.position is Position.LOST


def _more(runs: int) -> int:
    return ENOUGH_RUNS if runs < ENOUGH_RUNS else 2 * runs
