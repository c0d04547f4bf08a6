"""Next steps: the commands that a report suggests for a case or for a session.

`session_steps` and `case_steps` select the steps, `trades_step` and `trade_step` those that
accept trades, and `step_lines` renders them as shell commands to copy. What was measured is
accepted from the candidate that the session wrote, or by measuring again with --pareto-update.
"""

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pytest_pareto.model.policy import Option
from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import (
    CaseVerdict,
    Judgement,
    MetricResult,
    Position,
    Rename,
    Verdict,
)
from pytest_pareto.report.text import clean, display_width, pad, wrap
from pytest_pareto.report.wording import (
    HARMFUL_VERDICTS,
    breaks_budget,
    only_drifted,
    uncompared_metrics,
)

REASON = "say why"
"""Placeholder of the reason in commands, which the user replaces."""
_ENOUGH_RUNS = 5
_MAX_NAMED = 5
_RUNS_INSTEAD = "run this test with --pareto --pareto-runs=5 -v"
_UPDATE_INSTEAD = "run this test with --pareto --pareto-update"
_ACCEPT_ONE_INSTEAD = "give the folder, this test and --reason to pytest-pareto accept"
_ACCEPT_SOME_INSTEAD = "give the folder, these tests and --reason to pytest-pareto accept"
_CHANGE_BUDGET = "change it in the test's marker; no update writes it"
_REPLACE_ANCHOR = (
    "raise the tolerance, or replace the anchor by a copy of the baseline; no update writes it"
)


@dataclass(frozen=True, slots=True)
class Step:
    """What to do and its purpose.

    ``instead`` describes the step in words, for where the command cannot be rendered.
    """

    purpose: str
    command: tuple[str, ...] = ()
    instead: str = ""


_RECORD_NEW = Step("to record what is new:", ("pytest", "--pareto", "--pareto-update=new"))
_COMPARE_INTERLEAVED = Step(
    "code or machine?", ("pytest", "--pareto", "--pareto-against=origin/main")
)


@dataclass(frozen=True, slots=True)
class AcceptSource:
    """The candidate folder that a session wrote, and the baseline to accept it into.

    ``baseline`` is None for the project's own.
    """

    folder: str
    baseline: str | None = None

    def command(self, nodeids: Sequence[str]) -> tuple[str, ...]:
        """Return the command that accepts tests; without any, all that changed."""
        into = () if self.baseline is None else ("--baseline", self.baseline)
        return ("pytest-pareto", "accept", self.folder, *nodeids, *into, "--reason", REASON)


def session_steps(judgement: Judgement, facts: SessionFacts) -> Iterator[Step]:
    """Return the steps for a session, without repetitions.

    An update gets only the steps for what no update settles, such as drift since the anchor. A
    comparison of stored results gets none: they may come from another folder.
    """
    if facts.new_side is not None:
        return
    if facts.updating:
        yield from _unsettled_steps(judgement.cases)
        return
    if facts.ref is not None:
        yield from _interleaved_steps([c for c in judgement.cases if c.fails], facts.ref)
        return
    yield from map(_rename_step, judgement.renames[:_MAX_NAMED])
    own = [case for case in judgement.cases if case.fails and case.common is None]
    fails = {case.case_id for case in own}
    rest = [case for case in judgement.cases if case.case_id not in fails]
    steps = [*_failure_steps(own, facts.runs, accept_source(own, facts), _record_step(facts))]
    if any(case.common is not None for case in judgement.cases):
        steps.append(_COMPARE_INTERLEAVED)
    steps += _uncompared_steps(rest, _record_step(facts))
    yield from dict.fromkeys(steps)


def _rename_step(found: Rename) -> Step:
    of = () if found.of is None else ("--of", found.of)
    command = ("pytest-pareto", "rename", found.old, found.new, *of)
    return Step("if renamed, keep its history:", command, "give both names to pytest-pareto rename")


def case_steps(case: CaseVerdict, facts: SessionFacts | None = None) -> Iterator[Step]:
    """Return the steps for one failing case: look closer, accept, or change a budget or the anchor.

    ``facts`` decide whether it was compared with old code, so that nothing can be accepted into
    a baseline, and whether it can be accepted from the candidate.
    """
    if facts is not None and facts.updating:
        yield from _unsettled_steps([case])
    elif facts is not None and facts.ref is not None:
        yield from _interleaved_steps([case], facts.ref)
    else:
        record = _RECORD_NEW if facts is None else _record_step(facts)
        yield from _failure_steps([case], 1, accept_source([case], facts), record)


def _interleaved_steps(failing: Sequence[CaseVerdict], ref: str) -> Iterator[Step]:
    if failing:
        selected = _select_tests(failing)
        command = ("pytest", *selected, "--pareto", f"--pareto-against={ref}", "-v")
        yield Step("to look closer:", command, "run this test with --pareto --pareto-against -v")
        yield from _unsettled_steps(failing)


def _failure_steps(
    failing: Sequence[CaseVerdict], runs: int, source: AcceptSource | None, record: Step
) -> Iterator[Step]:
    changed = [case for case in failing if _is_acceptable(case)]
    undecided = [case for case in failing if case.verdict is Verdict.INCONCLUSIVE]
    out_of_bounds = [case for case in failing if case.crept or breaks_budget(case)]
    if changed or undecided or out_of_bounds:
        selected = _select_tests([*changed, *undecided, *out_of_bounds])
        command = ("pytest", *selected, "--pareto", f"--pareto-runs={_proposed_runs(runs)}", "-v")
        yield Step("to look closer:", command, _RUNS_INSTEAD)
    if changed:
        yield from accept_steps(changed, source)
    yield from _unsettled_steps(failing)
    yield from _uncompared_steps(failing, record)
    if any(case.verdict is Verdict.MISSING for case in failing):
        removed = ("pytest", "--pareto", "--pareto-update=all")
        yield Step("if it was removed on purpose:", removed)


def _proposed_runs(runs: int) -> int:
    return _ENOUGH_RUNS if runs < _ENOUGH_RUNS else 2 * runs


def _select_tests(cases: Sequence[CaseVerdict]) -> tuple[str, ...]:
    """Return the arguments that select cases: one node id, or --lf for several.

    A failed case is a failed test, so --lf selects all of them.
    """
    nodeids = list(dict.fromkeys(case.comparison.nodeid for case in cases))
    return (nodeids[0],) if len(nodeids) == 1 else ("--lf",)


def _is_acceptable(case: CaseVerdict) -> bool:
    harmed = case.verdict in HARMFUL_VERDICTS and not only_drifted(case)
    return harmed or case.place.position is Position.LOST


def _record_step(facts: SessionFacts) -> Step:
    if not facts.baseline_sessions:
        return Step("to record one here:", ("pytest", "--pareto", "--pareto-update"))
    return _RECORD_NEW


def _uncompared_steps(cases: Sequence[CaseVerdict], record: Step) -> Iterator[Step]:
    """Return the steps that make uncompared metrics comparable."""
    # A test that failed has nothing to record.
    measured = [case for case in cases if case.comparison.broken is None]
    unmatched = [result for case in measured for result in uncompared_metrics(case)]
    if any(not result.for_now and result.lower_bound is None for result in unmatched):
        yield record
    if any(result.for_now for result in unmatched):
        yield _COMPARE_INTERLEAVED


def _unsettled_steps(cases: Sequence[CaseVerdict]) -> Iterator[Step]:
    """Return the steps for what no update settles: budgets and drift."""
    if any(case.fails and breaks_budget(case) for case in cases):
        yield Step("if a budget is too tight:", instead=_CHANGE_BUDGET)
    if any(case.fails and case.crept for case in cases):
        yield Step("if the drift is meant:", instead=_REPLACE_ANCHOR)


def accept_source(cases: Sequence[CaseVerdict], facts: SessionFacts | None) -> AcceptSource | None:
    """Return from where these cases can be accepted, None if none is in the session's candidate."""
    if facts is None or facts.candidate_path is None:
        return None
    some = any(case.case_id in facts.acceptable for case in cases)
    return AcceptSource(facts.candidate_path, facts.other_baseline) if some else None


def accept_step(nodeid: str, source: AcceptSource | None = None) -> Step:
    """Return the step that accepts one test: from ``source``, or by measuring again without it."""
    if source is not None:
        return Step("to accept:", source.command([nodeid]), _ACCEPT_ONE_INSTEAD)
    return Step("to accept:", ("pytest", nodeid, "--pareto", "--pareto-update"), _UPDATE_INSTEAD)


def accept_steps(changed: Sequence[CaseVerdict], source: AcceptSource | None) -> Iterator[Step]:
    """Return the steps that accept failed cases: as measured, and by measuring again."""
    nodeids = list(dict.fromkeys(case.comparison.nodeid for case in changed))
    if source is not None and len(nodeids) <= _MAX_NAMED:
        instead = _ACCEPT_ONE_INSTEAD if len(nodeids) == 1 else _ACCEPT_SOME_INSTEAD
        yield Step("to accept:", source.command(nodeids), instead)
    elif source is not None:
        yield Step("to accept all that changed:", source.command([]))
    if len(changed) == 1:
        step = accept_step(nodeids[0])
    else:
        command = ("pytest", "--lf", "--pareto", "--pareto-update")
        step = Step("to accept all that failed:", command)
    yield step if source is None else replace(step, purpose="or, measured anew:")


def trade_step(case_id: str, nodeid: str, facts: SessionFacts) -> Step | None:
    """Return the step that accepts one passing trade; None where the session accepts nothing."""
    if not facts.accepts:
        return None
    path = facts.candidate_path
    if not path or case_id not in facts.acceptable:
        return accept_step(nodeid)
    return accept_step(nodeid, AcceptSource(path, facts.other_baseline))


def trades_step(cases: Sequence[CaseVerdict], facts: SessionFacts) -> Step | None:
    """Return the step that accepts all passing trades together.

    None where there is no trade, no candidate, or too many tests to name.
    """
    traded = [c for c in cases if c.verdict is Verdict.TRADE_OFF and not c.fails]
    source = accept_source(traded, facts)
    nodeids = list(dict.fromkeys(case.comparison.nodeid for case in traded))
    if source is None or len(nodeids) > _MAX_NAMED:
        return None
    return Step("to accept what was traded:", source.command(nodeids), _ACCEPT_SOME_INSTEAD)


def step_lines(steps: Sequence[Step], width: int, indent: str = "") -> list[str]:
    """Render steps one below another in lines of at most ``width`` cells.

    A long command continues after a backslash; it is never cut.
    """
    label = max((display_width(step.purpose) for step in steps), default=0)
    aligned = all(_fits(step, width, indent, label) for step in steps)
    lines: list[str] = []
    for step in steps:
        lines += _step_lines(step, width, indent, label if aligned else display_width(step.purpose))
    return lines


def _step_lines(step: Step, width: int, indent: str, label: int) -> list[str]:
    beside, below = f"{indent}{pad(step.purpose, label)}  ", indent + "  "
    if not step.command:
        return wrap(step.instead, width, indent=beside, hanging=" " * len(beside))
    if _fits(step, width, indent, label):
        return [_line(step, indent, label)]
    command = _command_lines(step.command, width, below)
    if command is not None:
        return [indent + step.purpose, *command]
    return wrap(f"{step.purpose} {step.instead}", width, indent=indent, hanging=below)


def _fits(step: Step, width: int, indent: str, label: int) -> bool:
    line = _line(step, indent, label)
    return not step.command or (display_width(line) <= width and bool(shown_command(step)))


def _line(step: Step, indent: str, label: int) -> str:
    return f"{indent}{pad(step.purpose, label)}  {shlex.join(step.command)}"


def _command_lines(words: Sequence[str], width: int, indent: str) -> list[str] | None:
    """Break a command between its words; None where a word does not fit a line."""
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


def shown_command(step: Step) -> str:
    """Return the command of a step as typed in a shell.

    "" where there is none, or where it has control characters.
    """
    command = shlex.join(step.command)
    return command if clean(command) == command else ""


_RECORDING_ADVICE = re.compile(rf"; record (it|more)[^;]*{Option.UPDATE}[^;]*$")


def without_recording_advice(judgement: Judgement) -> Judgement:
    """Return the judgement of an update without the advice to record in its reasons."""

    def cut(text: str) -> str:
        return _RECORDING_ADVICE.sub("", text)

    def result_of(result: MetricResult) -> MetricResult:
        change = result.change
        if change is not None and change.reason:
            change = replace(change, reason=cut(change.reason))
        return replace(result, reason=cut(result.reason) if result.reason else None, change=change)

    cases = tuple(
        replace(
            case,
            comparison=replace(
                case.comparison, metrics=tuple(map(result_of, case.comparison.metrics))
            ),
            fails=tuple(map(cut, case.fails)),
            notices=tuple(map(cut, case.notices)),
        )
        for case in judgement.cases
    )
    return replace(judgement, cases=cases)
