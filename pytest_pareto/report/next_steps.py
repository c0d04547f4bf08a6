"""The next step: what to do about a case, and about a session.

One step, as a command that can be copied, and how steps are laid out.

How what was measured is accepted: from what the session left, or measured anew.
"""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import CaseVerdict, Judgement, Position, Verdict
from pytest_pareto.report.text import clean, display_width, pad, wrap
from pytest_pareto.report.wording import HARMED, breaks_a_budget, only_crept, uncompared


@dataclass(frozen=True, slots=True)
class Step:
    """What to do and for what; ``instead`` says it in words where a command cannot be shown."""

    purpose: str
    command: tuple[str, ...] = ()
    instead: str = ""


def step_lines(steps: Sequence[Step], width: int, indent: str = "") -> list[str]:
    """Write steps below one another; a long command goes on after a backslash, never cut."""
    label = max((display_width(step.purpose) for step in steps), default=0)
    aligned = all(_fits(step, width, indent, label) for step in steps)
    lines: list[str] = []
    for step in steps:
        lines += _step(step, width, indent, label if aligned else display_width(step.purpose))
    return lines


def shown_command(step: Step) -> str:
    """Return a step's command as it can be typed, "" where there is none or it cannot be shown."""
    command = shlex.join(step.command)
    return command if clean(command) == command else ""


def _fits(step: Step, width: int, indent: str, label: int) -> bool:
    line = _on_one_line(step, indent, label)
    return not step.command or (display_width(line) <= width and bool(shown_command(step)))


def _on_one_line(step: Step, indent: str, label: int) -> str:
    return f"{indent}{pad(step.purpose, label)}  {shlex.join(step.command)}"


def _step(step: Step, width: int, indent: str, label: int) -> list[str]:
    beside, below = f"{indent}{pad(step.purpose, label)}  ", indent + "  "
    if not step.command:
        return wrap(step.instead, width, indent=beside, hanging=" " * len(beside))
    if _fits(step, width, indent, label):
        return [_on_one_line(step, indent, label)]
    command = _command_lines(step.command, width, below)
    if command is not None:
        return [indent + step.purpose, *command]
    return wrap(f"{step.purpose} {step.instead}", width, indent=indent, hanging=below)


def _command_lines(words: Sequence[str], width: int, indent: str) -> list[str] | None:
    """Break a command between its words; None where one of them cannot be shown whole."""
    quoted = [shlex.quote(word) for word in words]
    room = width - len(" \\")
    if any(clean(w) != w or display_width(indent + "  " + w) > room for w in quoted):
        return None
    lines, line = [], indent + quoted[0]
    for word in quoted[1:]:
        if display_width(f"{line} {word}") > room:
            lines.append(f"{line} \\")
            line = f"{indent}  {word}"
        else:
            line = f"{line} {word}"
    return [*lines, line]


_ALONE_UPDATE = "run this test with --pareto --pareto-update"
_ALONE_ACCEPT = "give the folder, this test and --reason to pytest-pareto accept"
_NAMED_ACCEPT = "give the folder, these tests and --reason to pytest-pareto accept"
_MOST_NAMED = 5
REASON = "say why"
"""What stands for the reason in commands; whoever accepts writes their own in its place."""


@dataclass(frozen=True, slots=True)
class Offered:
    """Where the session left what can be accepted, and into which baseline.

    ``baseline`` is None for the project's own.
    """

    folder: str
    baseline: str | None = None

    def command(self, nodeids: Sequence[str]) -> tuple[str, ...]:
        """Return the command that accepts tests; without any it accepts all that changed."""
        into = () if self.baseline is None else ("--baseline", self.baseline)
        return ("pytest-pareto", "accept", self.folder, *nodeids, *into, "--reason", REASON)


def offered_of(cases: Sequence[CaseVerdict], facts: SessionFacts | None) -> Offered | None:
    """Return what of these cases can be accepted from the session's candidate, if anything."""
    if facts is None or facts.candidate_path is None:
        return None
    some = any(case.case_id in facts.acceptable for case in cases)
    return Offered(facts.candidate_path, facts.other_baseline) if some else None


def accept_step(nodeid: str, offered: Offered | None = None) -> Step:
    """Say how to accept what one test measured, or where nothing is left of that, measures."""
    if offered is not None:
        return Step("to accept:", offered.command([nodeid]), _ALONE_ACCEPT)
    return Step("to accept:", ("pytest", nodeid, "--pareto", "--pareto-update"), _ALONE_UPDATE)


def trade_step(case_id: str, nodeid: str, facts: SessionFacts) -> Step | None:
    """Say how to accept one case that was let through; None where this session offers no way."""
    if not facts.accepts:
        return None
    path = facts.candidate_path
    if not path or case_id not in facts.acceptable:
        return accept_step(nodeid)
    return accept_step(nodeid, Offered(path, facts.other_baseline))


def trades_step(cases: Sequence[CaseVerdict], facts: SessionFacts) -> Step | None:
    """Say how to accept, together, what was let through; None where there is nothing or no way."""
    traded = [c for c in cases if c.verdict is Verdict.TRADE_OFF and not c.fails]
    offered = offered_of(traded, facts)
    nodeids = list(dict.fromkeys(case.comparison.nodeid for case in traded))
    if offered is None or len(nodeids) > _MOST_NAMED:
        return None
    return Step("to accept what was traded:", offered.command(nodeids), _NAMED_ACCEPT)


def accept_steps(changed: Sequence[CaseVerdict], offered: Offered | None) -> Iterator[Step]:
    """Say how to accept what failed: as it was measured, and by measuring it anew."""
    nodeids = list(dict.fromkeys(case.comparison.nodeid for case in changed))
    if offered is not None and len(nodeids) <= _MOST_NAMED:
        words = _ALONE_ACCEPT if len(nodeids) == 1 else _NAMED_ACCEPT
        yield Step("to accept:", offered.command(nodeids), words)
    elif offered is not None:
        yield Step("to accept all that changed:", offered.command([]))
    if len(changed) == 1:
        step = accept_step(nodeids[0])
    else:
        command = ("pytest", "--lf", "--pareto", "--pareto-update")
        step = Step("to accept all that failed:", command)
    yield step if offered is None else replace(step, purpose="or, measured anew:")


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
