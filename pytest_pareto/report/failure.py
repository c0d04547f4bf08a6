"""One failed case as pytest shows it: a line for the summary, a text for the report."""

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import CaseVerdict, Position
from pytest_pareto.report.blocks import CaseBlock, build_case
from pytest_pareto.report.cases import case_lines, visible_rows
from pytest_pareto.report.creep import creep_text, crept_rows
from pytest_pareto.report.rows import Row
from pytest_pareto.report.step import step_lines
from pytest_pareto.report.steps import case_steps
from pytest_pareto.report.table import before_now, fit_columns, header_text

_WIDTH = 80


def failure_message(case: CaseVerdict) -> str:
    """Return what one failed case comes to, in a line."""
    return failure_line(case, build_case(case))


def failure_text(case: CaseVerdict, facts: SessionFacts | None = None) -> tuple[str, str]:
    """Return the one-line message and the long text of the report of a failed case.

    ``facts`` tell what was compared with, and how the case can be accepted.
    """
    ref = None if facts is None else facts.ref
    block = build_case(case)
    rows = visible_rows(block, 0)
    columns = fit_columns(rows, _WIDTH)
    lines = [line.text for line in case_lines(block, columns)]
    if rows:
        levels = {row.level for row in rows if row.level}
        lines.insert(0, header_text(columns, levels, before_now(ref)))
    # Of a shared movement, accepting the case that speaks for it would settle nothing.
    steps = [] if case.common else step_lines([*case_steps(case, facts)], _WIDTH)
    return failure_line(case, block), "\n".join([*lines, *([""] if steps else []), *steps])


def failure_line(case: CaseVerdict, block: CaseBlock) -> str:
    """Say in one line what is worse in a failing case, or for what else it fails."""
    convicted = [row for row in block.rows if row.gates and row.outcome is Outcome.WORSE]
    worse = [row for row in convicted if row.metric not in block.crept]
    crept = [creep_text(row) for row in crept_rows(block)]
    broke = [f"budget broken: {figures}" for figures in block.broke]
    if not worse:
        return "; ".join([*crept, *broke] if crept else block.fails)
    lead = "LOST its place: " if case.place.position is Position.LOST else ""
    others = "".join(f", {row.metric} WORSE {row.change}" for row in worse[1:])
    return "; ".join([f"{lead}{_in_one_line(worse[0])}{others}", *crept, *broke])


def _in_one_line(row: Row) -> str:
    levels = f"{row.baseline} → {row.candidate} {row.unit}".rstrip()
    return f"{row.metric} WORSE: {levels} ({row.change}, limit {row.limit})"
