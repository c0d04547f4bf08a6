"""The next step, as a command that can be copied."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_pareto.model.facts import SessionFacts
from pytest_pareto.model.verdict import CaseVerdict, Judgement, Position, Verdict
from pytest_pareto.report.text import clean, display_width, pad, wrap
from pytest_pareto.report.words import HARMED, only_crept

ENOUGH_RUNS = 5


@dataclass(frozen=True, slots=True)
class Step:
    """What to do and for what; ``instead`` says it in words where a command cannot be shown."""

    purpose: str
    command: tuple[str, ...] = ()
    instead: str = ""


def case_steps(case: CaseVerdict, ref: str | None = None) -> Iterator[Step]:
    """Say how to look closer at one case that fails, and how to let it be as it is.

    Compared with the old code of ``ref``, nothing is accepted into a baseline.
    """
    yield from _steps_for([case], 1) if ref is None else _in_turn_again([case], ref)


def accept_step(nodeid: str) -> Step:
    """Say how to accept what one test measures now."""
    return Step("to accept:", ("pytest", nodeid, "--pareto", "--pareto-update"), _ALONE_UPDATE)


def session_steps(judgement: Judgement, facts: SessionFacts) -> Iterator[Step]:
    """Say what to do about a session, unless it already updates the baseline.

    What crept is told in any case: an update accepts nothing into the anchor.
    """
    if facts.updating:
        yield from _about_creep(judgement.cases)
        return
    if facts.ref is not None:
        yield from _in_turn_again([c for c in judgement.cases if c.fails], facts.ref)
        return
    own = [case for case in judgement.cases if case.fails and case.common is None]
    yield from _steps_for(own, facts.runs)
    if any(case.common is not None and case.fails for case in judgement.cases):
        yield Step("code or machine?", ("pytest", "--pareto", "--pareto-against=origin/main"))
    fails = {case.case_id for case in own}
    rest = [case for case in judgement.cases if case.case_id not in fails]
    if any(case.verdict is Verdict.NEW for case in rest):
        yield _record(facts)


def _in_turn_again(failing: Sequence[CaseVerdict], ref: str) -> Iterator[Step]:
    if failing:
        where = _selection(failing)
        again = ("pytest", *where, "--pareto", f"--pareto-against={ref}", "-v")
        yield Step("to look closer:", again, "run this test with --pareto --pareto-against -v")


def _record(facts: SessionFacts) -> Step:
    if not facts.baseline_sessions:
        return Step("to record one here:", ("pytest", "--pareto", "--pareto-update"))
    return Step("to record what is new:", ("pytest", "--pareto", "--pareto-update=new"))


def _steps_for(failing: Sequence[CaseVerdict], runs: int) -> Iterator[Step]:
    changed = [case for case in failing if _can_be_accepted(case)]
    undecided = [case for case in failing if case.verdict is Verdict.INCONCLUSIVE]
    crept = [case for case in failing if case.crept]
    if changed or undecided or crept:
        where = _selection([*changed, *undecided, *crept])
        more = ("pytest", *where, "--pareto", f"--pareto-runs={_more(runs)}", "-v")
        yield Step("to look closer:", more, _ALONE_RUNS)
    if len(changed) == 1:
        yield accept_step(changed[0].comparison.nodeid)
    elif changed:
        accept = ("pytest", "--lf", "--pareto", "--pareto-update")
        yield Step("to accept all that failed:", accept)
    yield from _about_creep(failing)
    verdicts = {case.verdict for case in failing}
    if verdicts & {Verdict.NEW, Verdict.NOT_COMPARABLE}:
        yield Step("to record what is new:", ("pytest", "--pareto", "--pareto-update=new"))
    if Verdict.MISSING in verdicts:
        removed = ("pytest", "--pareto", "--pareto-update=all")
        yield Step("if it was removed on purpose:", removed)


def _about_creep(cases: Sequence[CaseVerdict]) -> Iterator[Step]:
    if any(case.fails and case.crept for case in cases):
        yield Step("if the creep is meant:", instead=_FREEZE_ANEW)


_FREEZE_ANEW = (
    "raise the tolerance, or replace the anchor by a copy of the baseline; no update writes it"
)
_ALONE_RUNS = "run this test with --pareto --pareto-runs=5 -v"
_ALONE_UPDATE = "run this test with --pareto --pareto-update"


def _selection(cases: Sequence[CaseVerdict]) -> tuple[str, ...]:
    """Select cases on the command line: a failed case is a failed test, so --lf finds many."""
    nodeids = list(dict.fromkeys(case.comparison.nodeid for case in cases))
    return (nodeids[0],) if len(nodeids) == 1 else ("--lf",)


def _can_be_accepted(case: CaseVerdict) -> bool:
    harmed = case.verdict in HARMED and not only_crept(case)
    return harmed or case.place.position is Position.LOST


def _more(runs: int) -> int:
    return ENOUGH_RUNS if runs < ENOUGH_RUNS else 2 * runs


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
