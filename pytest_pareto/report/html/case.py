"""One case as the page shows it: a row, a mark in a picture, and what unfolds below the row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.verdict import CaseVerdict, Verdict
from pytest_pareto.report.axes import shown_on_front
from pytest_pareto.report.blocks import CaseBlock
from pytest_pareto.report.cases import (
    absences,
    case_tone,
    is_quiet_diagnostic,
    quiet_diagnostics,
    row_tone,
)
from pytest_pareto.report.creep import creep_lines, creep_text, crept_rows
from pytest_pareto.report.figures import caught_text
from pytest_pareto.report.lines import Tone
from pytest_pareto.report.rows import DIAGNOSTIC, Row
from pytest_pareto.report.words import gravest_first

_NEVER_WRAPPED = 10**9


class Mark(StrEnum):
    """How a case is drawn: by a shape of its own, since colours are not for everybody."""

    FAILS = "fails"
    NOTED = "noted"
    UNDECIDED = "undecided"
    IMPROVED = "improved"
    MOVED = "moved"
    QUIET = "quiet"


MARK_WORDS = {
    Mark.FAILS: "fails",
    Mark.NOTED: "passes, with a notice",
    Mark.UNDECIDED: "undecided",
    Mark.IMPROVED: "improved",
    Mark.MOVED: "has news, and does not fail",
    Mark.QUIET: "unchanged or not worse",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """What the table of cases shows of one metric: ``sure`` is how sure its change is."""

    now: str = ""
    change: str = ""
    tone: Tone = Tone.PLAIN
    before: str = ""
    sure: str = ""


@dataclass(frozen=True, slots=True)
class MetricLine:
    """One metric among the details of a case; ``more`` stands below it."""

    row: Row
    tone: Tone
    more: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One case of a section; ``anchor`` are its rows beside the anchor.

    ``others`` is what moved of its metrics that gate and have no column, None where it has none.
    """

    block: CaseBlock
    verdict: CaseVerdict
    mark: Mark
    tone: Tone
    cells: tuple[Cell, ...]
    lines: tuple[MetricLine, ...]
    facts: tuple[str, ...]
    reasons: tuple[tuple[str, str], ...]
    anchor: tuple[MetricLine, ...]
    on_front: bool
    brief: bool
    others: str | None = None

    @property
    def level(self) -> str:
        """The coverage of the intervals of its changes, "" where they do not share one."""
        levels = {line.row.level for line in self.lines if line.row.level}
        return levels.pop() if len(levels) == 1 else ""


def build_case_view(
    block: CaseBlock, verdict: CaseVerdict, columns: Sequence[str], *, brief: bool
) -> Case:
    """Show a case beside others; ``columns`` are the metrics that gate, and ``brief`` is a row."""
    metrics = [result.metric.name for result in gravest_first(verdict.comparison.metrics)]
    rows = dict(zip(metrics, block.rows, strict=True))
    return Case(
        block,
        verdict,
        _mark(block),
        case_tone(block),
        tuple(_cell(rows[name], block) if name in rows else Cell() for name in columns),
        tuple(
            _line(row, block)
            for row in block.rows
            if row.outcome is not Outcome.ABSENT and not is_quiet_diagnostic(row)
        ),
        tuple(_facts(block, brief=brief)),
        tuple(_reasons(block)),
        tuple(_line(row, block) for row in block.anchor if row.gates),
        shown_on_front(verdict),
        brief,
        _others([row for name, row in rows.items() if name not in columns]),
    )


def _others(rows: Sequence[Row]) -> str | None:
    gating = [row for row in rows if row.gates and row.outcome is not Outcome.ABSENT]
    if not gating:
        return None
    told = (
        " ".join(part for part in (row.metric, row.change, row.word) if part)
        for row in gating
        if row.remarkable
    )
    return ", ".join(told)


def _facts(block: CaseBlock, *, brief: bool) -> Iterator[str]:
    """Say what needs no row of its own; in brief that is also how it is beside the anchor."""
    yield from quiet_diagnostics(block.rows)
    yield from absences(block.rows)
    if brief:
        yield from creep_lines(block, _NEVER_WRAPPED, "", 1)


def _mark(block: CaseBlock) -> Mark:
    if block.failing:
        return Mark.FAILS
    if block.notices:
        return Mark.NOTED
    if block.verdict is Verdict.INCONCLUSIVE:
        return Mark.UNDECIDED
    if block.verdict is Verdict.IMPROVED:
        return Mark.IMPROVED
    return Mark.MOVED if block.changed else Mark.QUIET


def _line(row: Row, block: CaseBlock) -> MetricLine:
    # Columns say these; a page of a hundred cases would say them a thousand times.
    told = {DIAGNOSTIC, caught_text(row.resolution)}
    more = [text for text in (*row.facts, *row.details) if text not in told]
    if row.worst:
        more.append(f"worst samples: {', '.join(row.worst)}")
    if block.changed and row.remarkable and row.statistics:
        more.append(row.statistics)
    return MetricLine(row, row_tone(row, block), tuple(more))


def _reasons(block: CaseBlock) -> list[tuple[str, str]]:
    """Return what is said of a case beside its metrics, each with the word it begins with."""
    return [
        *(("fails", text) for text in block.fails),
        *(("note", text) for text in block.notices),
        *(("since the anchor", creep_text(row)) for row in crept_rows(block)),
        *(("", text) for text in (*block.notes, block.place, *block.budgets) if text),
    ]


def _cell(row: Row, block: CaseBlock) -> Cell:
    now = f"{row.candidate} {row.unit}".rstrip() if row.candidate else ""
    silent = row.outcome is Outcome.UNCHANGED and row.change
    change = row.change if silent else f"{row.change} {row.word}".lstrip()
    # Beside a level now, which has the unit, that before needs none.
    unit = "" if row.candidate else row.unit
    before = f"{row.baseline} {unit}".rstrip() if row.baseline else ""
    caught = f"≥{row.resolution}" if row.resolution else ""
    sure = " ".join(part for part in (row.interval, caught) if part)
    return Cell(now, change, row_tone(row, block) if row.remarkable else Tone.PLAIN, before, sure)
