"""The section at the end of a pytest run: what failed, by how much, how sure, what to do."""

from collections.abc import Sequence

from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import Judgement
from pytest_pareto.report.accepting import trade_step
from pytest_pareto.report.blocks import CaseBlock, FrontBlock, build_fronts
from pytest_pareto.report.cases import case_lines, visible_rows
from pytest_pareto.report.edits import edit_lines
from pytest_pareto.report.header import header_lines
from pytest_pareto.report.lines import Line, Tone
from pytest_pareto.report.plot import plot_lines
from pytest_pareto.report.quiet import quiet_line
from pytest_pareto.report.step import step_lines
from pytest_pareto.report.steps import session_steps
from pytest_pareto.report.summary import all_new, caught_by_quiet, since_baseline
from pytest_pareto.report.table import before_now, fit_columns, header_text
from pytest_pareto.report.text import clip, pack, wrap
from pytest_pareto.report.together import common_lines, uncompared_lines, undecided_lines


def render_terminal(
    judgement: Judgement, facts: SessionFacts, *, verbosity: int, plot: bool, width: int
) -> list[Line]:
    """Write the report of a session in lines of at most ``width`` cells.

    Below verbosity 0 it is one line; above, every case and metric; from 2 on, p-values.
    """
    if verbosity < 0:
        return [quiet_line(judgement, facts, width)]
    fronts = build_fronts(judgement)
    told_above = verbosity > 0 or (all_new(judgement, facts) and not judgement.failed)
    parts = [
        header_lines(judgement, facts, width),
        _session(judgement, width),
        *(common_lines(mode, judgement, fronts, width) for mode in judgement.common_modes),
        _table(fronts, facts, verbosity, width),
        [] if told_above else uncompared_lines(fronts, width),
        [] if told_above else undecided_lines(judgement, width),
        *(plot_lines(judgement, width) if plot else []),
        _closing(judgement, facts, verbosity, width),
        edit_lines(facts.edits, width) if facts.updating else [],
        [Line(text) for text in step_lines([*session_steps(judgement, facts)], width)],
    ]
    return _joined([part for part in parts if part])


def _joined(parts: Sequence[Sequence[Line]]) -> list[Line]:
    lines: list[Line] = []
    for part in parts:
        lines += [Line(""), *part] if lines else part
    return lines


def _session(judgement: Judgement, width: int) -> list[Line]:
    lines = []
    for text in judgement.failures:
        lead, *rest = text.splitlines() or [""]
        lines += [Line(t, Tone.RED) for t in wrap(lead, width, indent="FAIL  ", hanging="      ")]
        # The end of a process's output keeps its lines, and the way out stands at their ends.
        for line in rest:
            indent = " " * (6 + len(line) - len(line.lstrip()))
            lines += [Line(t) for t in wrap(line, width, indent=indent, hanging=f"{indent}  ")]
    for text in judgement.notices:
        lines += [Line(t, Tone.YELLOW) for t in wrap(text, width, hanging="  ")]
    return lines


def _table(
    fronts: Sequence[FrontBlock], facts: SessionFacts, verbosity: int, width: int
) -> list[Line]:
    shown = [(front, [c for c in front.cases if _has_block(c, verbosity)]) for front in fronts]
    rows = [row for _, cases in shown for case in cases for row in visible_rows(case, verbosity)]
    columns = fit_columns(rows, width)
    levels = {row.level for row in rows if row.level}
    lines = [Line(header_text(columns, levels, before_now(facts.ref)))] if rows else []
    for front, cases in shown:
        if cases:
            lines.append(Line(clip(front.title, width), Tone.BOLD))
        for case in cases:
            accept = trade_step(case.case_id, case.nodeid, facts)
            lines += case_lines(case, columns, verbosity=verbosity, accept=accept)
    return lines


def _has_block(case: CaseBlock, verbosity: int) -> bool:
    return verbosity > 0 or (case.changed and not case.common and not case.uncompared)


def _closing(judgement: Judgement, facts: SessionFacts, verbosity: int, width: int) -> list[Line]:
    lines: list[Line] = []
    for lead, caught in caught_by_quiet(judgement):
        parts = [*(f"{text}," for text in caught[:-1]), *caught[-1:]]
        lines += [Line(t) for t in pack(parts, width, separator=" ", indent=lead, hanging="  ")]
    texts = [*since_baseline(facts)]
    texts += [f"assumed: {text}" for text in facts.assumptions if verbosity > 0]
    return lines + [Line(t) for text in texts for t in wrap(text, width, hanging="  ")]
