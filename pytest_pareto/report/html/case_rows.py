"""One case as the page shows it: a row, a mark in a picture, and what unfolds below the row.

The cases of one front as the page shows them: a table, and what a picture needs.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import Metric
from pytest_pareto.model.verdict import CaseVerdict, Judgement, Verdict
from pytest_pareto.report.case_lines import (
    absences,
    case_tone,
    is_quiet_diagnostic,
    quiet_diagnostics,
    row_tone,
)
from pytest_pareto.report.fronts import (
    CaseBlock,
    build_fronts,
    by_front,
    creep_lines,
    creep_text,
    crept_rows,
)
from pytest_pareto.report.html.axis import Axis, build_axis, level
from pytest_pareto.report.numbers import caught_text
from pytest_pareto.report.plots import default_axes, position, shown_on_front
from pytest_pareto.report.rows import DIAGNOSTIC, Row
from pytest_pareto.report.text import Tone, clean, display_width
from pytest_pareto.report.wording import gravest_first

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


CROWD = 60
"""In a section of more cases than this, those without news have no bars, and are told in brief."""

_LONG = 28
_SHARED_BY = 1 / 3
_MOST_COLUMNS = 8


@dataclass(frozen=True, slots=True)
class Section:
    """A front, or the cases that have no rivals; ``number`` makes the ids of its elements.

    ``names`` are those of the metrics that gate, ``columns`` as they are shown, and ``shared`` is
    what is to be said of all cases. ``axes`` is what a picture can have along its sides, ``start``
    the two that it has at first, and ``why_not`` why there is no picture.
    """

    number: int
    title: str
    cases: tuple[Case, ...]
    names: tuple[str, ...]
    columns: tuple[str, ...]
    shared: tuple[str, ...] = ()
    axes: tuple[Axis, ...] = ()
    start: tuple[int, int] = (0, 0)
    why_not: str = ""

    @property
    def failing(self) -> int:
        """How many of its cases fail."""
        return sum(case.block.failing for case in self.cases)

    @property
    def has_long_names(self) -> bool:
        """Whether the column of names is better wrapped."""
        return any(display_width(case.block.name) > _LONG for case in self.cases)

    @property
    def has_others(self) -> bool:
        """Whether some metric that gates has no column, and is among the details of its case."""
        return any(case.others is not None for case in self.cases)

    @property
    def is_crowd(self) -> bool:
        """Whether it has too many cases to tell everything of those without news."""
        return len(self.cases) > CROWD


def build_sections(judgement: Judgement) -> tuple[Section, ...]:
    """Make a section of each front, and one of all cases that compete with none."""
    fronts = zip(build_fronts(judgement), by_front(judgement).values(), strict=True)
    sections: list[tuple[str, list[CaseBlock], list[CaseVerdict]]] = []
    alone: list[tuple[CaseBlock, CaseVerdict]] = []
    for front, verdicts in fronts:
        if len(verdicts) > 1:
            sections.append((front.title, list(front.cases), verdicts))
        else:
            block = replace(front.cases[0], name=front.cases[0].case_id)
            alone.append((block, verdicts[0]))
    made = [_section(number, *section) for number, section in enumerate(sections)]
    if alone:
        title = "Cases without rivals" if sections else "Cases"
        columns = _common_columns([verdict for _, verdict in alone])
        crowd = len(alone) > CROWD
        cases = [
            build_case_view(b, v, columns, brief=crowd and not b.changed and _fits(v, columns))
            for b, v in alone
        ]
        made.append(_table(len(made), title, cases, columns))
    return tuple(made)


def _section(
    number: int, title: str, blocks: Sequence[CaseBlock], verdicts: Sequence[CaseVerdict]
) -> Section:
    columns = _columns(verdicts)
    brief = [len(verdicts) > CROWD and not block.changed for block in blocks]
    cases = [
        build_case_view(block, verdict, columns, brief=short)
        for block, verdict, short in zip(blocks, verdicts, brief, strict=True)
    ]
    plain = _table(number, title, cases, columns)
    known: dict[str, Metric] = {}
    for verdict in verdicts:
        for result in verdict.comparison.metrics:
            known.setdefault(result.metric.name, result.metric)
    axes = [axis for metric in known.values() if (axis := _axis(metric, verdicts)) is not None]
    chosen = default_axes(verdicts)
    at = {axis.metric.name: place for place, axis in enumerate(axes)}
    wanted = [at[m.name] for m in chosen or () if m.name in at]
    start = (*wanted, *(place for place in range(len(axes)) if place not in wanted))[:2]
    if len(start) < 2 or sum(_is_drawable(v, axes, start) for v in verdicts) < 2:
        why = "Not drawn: a picture needs two metrics measured in two cases."
        return replace(plain, why_not=why)
    return replace(plain, axes=tuple(axes), start=(start[0], start[1]))


def _table(number: int, title: str, cases: Sequence[Case], columns: Sequence[str]) -> Section:
    """Make a section without a picture; what is said of every one of its cases is said once."""
    first = cases[0].facts if len(cases) > 1 else ()
    shared = tuple(text for text in first if all(text in case.facts for case in cases))
    told = (replace(c, facts=tuple(t for t in c.facts if t not in shared)) for c in cases)
    return Section(number, title, tuple(told), tuple(columns), tuple(map(clean, columns)), shared)


def _axis(metric: Metric, verdicts: Sequence[CaseVerdict]) -> Axis | None:
    results = [verdict.comparison.metric(metric.name) for verdict in verdicts]
    levels = [level(r, metric, side) for r in results for side in ("baseline", "candidate")]
    values = [value for value in levels if value is not None]
    return build_axis(metric, values) if values else None


def _is_drawable(verdict: CaseVerdict, axes: Sequence[Axis], start: Sequence[int]) -> bool:
    x, y = (axes[place].metric for place in start)
    found = verdict.comparison.metric(x.name), verdict.comparison.metric(y.name)
    return any(
        position(level(found[0], x, side), level(found[1], y, side)) is not None
        for side in ("baseline", "candidate")
    )


def _common_columns(verdicts: Sequence[CaseVerdict]) -> list[str]:
    """Choose columns for cases that share no test: metrics that many of them have.

    What each test measures of its own would leave the table wide and empty.
    """
    having = Counter(name for verdict in verdicts for name in _columns([verdict]))
    least = max(_SHARED_BY * len(verdicts), min(2, len(verdicts)))
    common = [name for name, count in having.most_common() if count >= least]
    return common[:_MOST_COLUMNS]


def _fits(verdict: CaseVerdict, columns: Sequence[str]) -> bool:
    """Whether all that gates in a case has a column."""
    return set(_columns([verdict])) <= set(columns)


def _columns(verdicts: Sequence[CaseVerdict]) -> list[str]:
    """Name the metrics that gate and that some case has, or should have."""
    results = (r for v in verdicts for r in v.comparison.metrics)
    found = (r for r in results if r.metric.gates and r.outcome is not Outcome.ABSENT)
    return list(dict.fromkeys(result.metric.name for result in found))
