"""Cases and fronts of the HTML page: table rows, marks, details and the axes of plots.

`build_sections` makes a section of each front and one of all cases without rivals.
`build_case_view` makes one case: its cells, its mark and the details that unfold below its row.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import accumulate

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import Metric
from pytest_pareto.model.verdict import CaseVerdict, Judgement, Verdict
from pytest_pareto.report.case_lines import (
    absent_texts,
    case_tone,
    diagnostic_texts,
    is_routine_diagnostic,
    row_tone,
)
from pytest_pareto.report.fronts import (
    CaseBlock,
    FrontBlock,
    build_fronts,
    by_front,
    drift_lines,
    drift_text,
    drifted_rows,
    front_status_text,
)
from pytest_pareto.report.html.axis import Axis, build_axis, level
from pytest_pareto.report.numbers import detectable_text
from pytest_pareto.report.plots import coordinates, default_axes, is_on_front
from pytest_pareto.report.rows import Row
from pytest_pareto.report.text import Tone, clean, clip, display_width
from pytest_pareto.report.wording import sort_by_severity

_NO_WRAP = 10**9
MANY_CASES = 60
"""In a section of more cases than this, unchanged ones are shown in brief and without intervals."""
MAX_CASES = 1_000
"""How many cases the page shows in full, of the most severe fronts; others have a line each."""
_PAGE_LINES = 200
_REASON_CELLS = 120
_LONG_NAME_CELLS = 28
_MIN_SHARE = 1 / 3
_MAX_COLUMNS = 8
_ALONE = "Cases without rivals"
_BILLED = (" per 1,000 items", " per 1,000 calls")


class Mark(StrEnum):
    """The mark of a case in a plot.

    Each has a shape of its own, since not every reader can distinguish colors.
    """

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
    """One metric in the table of cases; ``certainty`` is the interval and the resolution."""

    now: str = ""
    change: str = ""
    tone: Tone = Tone.PLAIN
    before: str = ""
    certainty: str = ""


@dataclass(frozen=True, slots=True)
class MetricLine:
    """One metric in the details of a case; ``more`` is the text below it."""

    row: Row
    tone: Tone
    more: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CaseView:
    """One case of a section; ``anchor`` has its rows of the comparison with the anchor.

    ``brief`` is whether its details are a single row. ``others`` are the changes of its gated
    metrics that have no column, None where it has no such metric.
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
    def summary(self) -> str:
        """Its position and facts in one line, for a case in brief; rivals are counted."""
        reasons = (text for _, text in self.reasons if text != self.block.position)
        return " · ".join((front_status_text(self.verdict.place, None), *reasons, *self.facts))

    @property
    def coverage(self) -> str:
        """The coverage of the intervals of its changes, "" where they do not share one."""
        coverages = {line.row.coverage for line in self.lines if line.row.coverage}
        return coverages.pop() if len(coverages) == 1 else ""


@dataclass(frozen=True, slots=True)
class Section:
    """The table and plot of a front, or of all cases without rivals.

    ``number`` is part of the ids of its elements. ``names`` are those of the metrics with a column,
    ``columns`` the same names as they are shown. ``shared`` are facts that hold for all cases.
    ``axes`` are the axes that the plot can have, ``start`` the numbers of the two that it has at
    first, and ``why_not`` the reason why there is no plot.
    """

    number: int
    title: str
    cases: tuple[CaseView, ...]
    names: tuple[str, ...]
    columns: tuple[str, ...]
    shared: tuple[str, ...] = ()
    axes: tuple[Axis, ...] = ()
    start: tuple[int, int] = (0, 0)
    why_not: str = ""

    @property
    def failing(self) -> int:
        """The number of its cases that fail."""
        return sum(case.block.failing for case in self.cases)

    @property
    def has_long_names(self) -> bool:
        """Whether the column of names should wrap."""
        return any(display_width(case.block.name) > _LONG_NAME_CELLS for case in self.cases)

    @property
    def has_others(self) -> bool:
        """Whether some gated metric has no column, and is only in the details of its case."""
        return any(case.others is not None for case in self.cases)

    @property
    def has_many_cases(self) -> bool:
        """Whether it has too many cases to show unchanged ones in full."""
        return len(self.cases) > MANY_CASES


@dataclass(frozen=True, slots=True)
class Digest:
    """Cases of one front, or without rivals, with a line each: what changed, by case."""

    title: str
    cases: tuple[tuple[CaseBlock, str], ...]

    @property
    def counts(self) -> str:
        """The cases by label, such as "3 DOMINATED, 7 unchanged"."""
        labels = Counter(case.label for case, _ in self.cases)
        return ", ".join(f"{count} {label}" for label, count in labels.items())


def count_in_full(fronts: Sequence[FrontBlock]) -> int:
    """Return how many fronts are shown in full: the first, and as many as fit with it."""
    sizes = accumulate(len(front.cases) for front in fronts)
    return max(1, sum(size <= MAX_CASES for size in sizes))


def build_digests(fronts: Sequence[FrontBlock]) -> tuple[Digest, ...]:
    """Return the cases that `build_sections` leaves out, in lists that are not too long."""
    left_out = fronts[count_in_full(fronts) :]
    alone = [replace(c, name=c.case_id) for f in left_out if len(f.cases) == 1 for c in f.cases]
    lists = [(front.title, front.cases) for front in left_out if len(front.cases) > 1]
    if alone:
        lists.append((_ALONE, tuple(alone)))
    return tuple(
        Digest(title, tuple((case, _digest(case)) for case in cases[at : at + _PAGE_LINES]))
        for title, cases in lists
        for at in range(0, len(cases), _PAGE_LINES)
    )


def _digest(case: CaseBlock) -> str:
    """Return what changed in a case, or else why it fails."""
    return _other_changes(case.rows) or clip("; ".join(case.fails), _REASON_CELLS)


def build_sections(judgement: Judgement) -> tuple[Section, ...]:
    """Return a section of each front with several cases, and one of all other cases.

    Those that are more than `MAX_CASES` are in `build_digests`.
    """
    blocks = build_fronts(judgement)
    shown = blocks[: count_in_full(blocks)]
    fronts = zip(shown, by_front(judgement).values(), strict=False)
    sections: list[tuple[str, list[CaseBlock], list[CaseVerdict]]] = []
    without_rivals: list[tuple[CaseBlock, CaseVerdict]] = []
    for front, verdicts in fronts:
        if len(verdicts) > 1:
            sections.append((front.title, list(front.cases), verdicts))
        else:
            block = replace(front.cases[0], name=front.cases[0].case_id)
            without_rivals.append((block, verdicts[0]))
    built = [_section(number, *section) for number, section in enumerate(sections)]
    if without_rivals:
        title = _ALONE if sections else "Cases"
        columns = _common_columns([verdict for _, verdict in without_rivals])
        many = len(without_rivals) > MANY_CASES
        cases = [
            build_case_view(
                b, v, columns, brief=many and not b.changed and _columns_cover(v, columns)
            )
            for b, v in without_rivals
        ]
        built.append(_table(len(built), title, cases, columns))
    return tuple(built)


def _section(
    number: int, title: str, blocks: Sequence[CaseBlock], verdicts: Sequence[CaseVerdict]
) -> Section:
    columns = _columns(verdicts)
    brief = [len(verdicts) > MANY_CASES and not block.changed for block in blocks]
    cases = [
        build_case_view(block, verdict, columns, brief=short)
        for block, verdict, short in zip(blocks, verdicts, brief, strict=True)
    ]
    table = _table(number, title, cases, columns)
    metrics: dict[str, Metric] = {}
    for verdict in verdicts:
        for result in verdict.comparison.metrics:
            metrics.setdefault(result.metric.name, result.metric)
    axes = [axis for metric in metrics.values() if (axis := _axis(metric, verdicts)) is not None]
    chosen = default_axes(verdicts)
    at = {axis.metric.name: place for place, axis in enumerate(axes)}
    preferred = [at[m.name] for m in chosen or () if m.name in at]
    start = (*preferred, *(place for place in range(len(axes)) if place not in preferred))[:2]
    if len(start) < 2 or sum(_is_drawable(v, axes, start) for v in verdicts) < 2:
        why = "Not drawn: a picture needs two metrics measured in two cases."
        return replace(table, why_not=why)
    return replace(table, axes=tuple(axes), start=(start[0], start[1]))


def _table(number: int, title: str, cases: Sequence[CaseView], columns: Sequence[str]) -> Section:
    """Return a section without a plot; facts that hold for every case become ``shared``."""
    first = cases[0].facts if len(cases) > 1 else ()
    shared = tuple(text for text in first if all(text in case.facts for case in cases))
    stated = (replace(c, facts=tuple(t for t in c.facts if t not in shared)) for c in cases)
    return Section(number, title, tuple(stated), tuple(columns), tuple(map(clean, columns)), shared)


def _axis(metric: Metric, verdicts: Sequence[CaseVerdict]) -> Axis | None:
    results = [verdict.comparison.metric(metric.name) for verdict in verdicts]
    levels = [level(r, metric, side) for r in results for side in ("baseline", "candidate")]
    values = [value for value in levels if value is not None]
    return build_axis(metric, values) if values else None


def _is_drawable(verdict: CaseVerdict, axes: Sequence[Axis], start: Sequence[int]) -> bool:
    x, y = (axes[place].metric for place in start)
    found = verdict.comparison.metric(x.name), verdict.comparison.metric(y.name)
    return any(
        coordinates(level(found[0], x, side), level(found[1], y, side)) is not None
        for side in ("baseline", "candidate")
    )


def _common_columns(verdicts: Sequence[CaseVerdict]) -> list[str]:
    """Return the columns for cases that share no test: gated metrics that many of them have.

    Metrics that only one test measures would make the table wide and empty.
    """
    case_counts = Counter(name for verdict in verdicts for name in _columns([verdict]))
    least = max(_MIN_SHARE * len(verdicts), min(2, len(verdicts)))
    common = [name for name, count in case_counts.most_common() if count >= least]
    return common[:_MAX_COLUMNS]


def _columns_cover(verdict: CaseVerdict, columns: Sequence[str]) -> bool:
    """Whether all gated metrics of a case have a column."""
    return set(_columns([verdict])) <= set(columns)


def _columns(verdicts: Sequence[CaseVerdict]) -> list[str]:
    """Return the names of the gated metrics that some case has, or should have."""
    results = (r for v in verdicts for r in v.comparison.metrics)
    found = (r for r in results if r.metric.gates and r.outcome is not Outcome.ABSENT)
    return list(dict.fromkeys(result.metric.name for result in found))


def build_case_view(
    block: CaseBlock, verdict: CaseVerdict, columns: Sequence[str], *, brief: bool
) -> CaseView:
    """Return the view of a case.

    ``columns`` are the names of the gated metrics that have a column. With ``brief``, its details
    are a single row.
    """
    metrics = [result.metric.name for result in sort_by_severity(verdict.comparison.metrics)]
    rows = dict(zip(metrics, block.rows, strict=True))
    return CaseView(
        block,
        verdict,
        _mark(block),
        case_tone(block),
        tuple(_cell(rows[name], block) if name in rows else Cell() for name in columns),
        tuple(
            _metric_line(row, block)
            for row in block.rows
            if row.outcome is not Outcome.ABSENT and not is_routine_diagnostic(row)
        ),
        tuple(_facts(block, brief=brief)),
        tuple(_reasons(block)),
        tuple(_metric_line(row, block) for row in block.anchor if row.gates),
        is_on_front(verdict),
        brief,
        _other_changes([row for name, row in rows.items() if name not in columns]),
    )


def _cell(row: Row, block: CaseBlock) -> Cell:
    now = f"{row.candidate} {row.unit}".rstrip() if row.candidate else ""
    is_unchanged = row.outcome is Outcome.UNCHANGED and row.change
    change = row.change if is_unchanged else f"{row.change} {row.word}".lstrip()
    # The baseline level needs no unit beside the candidate level, which has it.
    unit = "" if row.candidate else row.unit
    before = f"{row.baseline} {unit}".rstrip() if row.baseline else ""
    caught = f"≥{row.resolution}" if row.resolution else ""
    certainty = " ".join(part for part in (row.interval, caught) if part)
    return Cell(
        now, change, row_tone(row, block) if row.remarkable else Tone.PLAIN, before, certainty
    )


def _metric_line(row: Row, block: CaseBlock) -> MetricLine:
    # Columns and the bill have these: of a hundred cases, they would be here a thousand times.
    stated = {detectable_text(row.resolution)}
    more = [
        text
        for text in (*row.facts, *row.details)
        if text not in stated and not text.endswith(_BILLED)
    ]
    if row.worst:
        more.append(f"worst samples: {', '.join(row.worst)}")
    if block.changed and row.remarkable and row.statistics:
        more.append(row.statistics)
    return MetricLine(row, row_tone(row, block), tuple(more))


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


def _facts(block: CaseBlock, *, brief: bool) -> Iterator[str]:
    """Return the texts below the rows: absent metrics, diagnostics, and in brief the drift."""
    if not brief:
        yield from diagnostic_texts(block.rows)
    yield from absent_texts(block.rows)
    if brief:
        yield from drift_lines(block, _NO_WRAP, "", 1)


def _reasons(block: CaseBlock) -> list[tuple[str, str]]:
    """Return the failures, notices, drift and position of a case, each with its leading word."""
    return [
        *(("fails", text) for text in block.fails),
        *(("note", text) for text in block.notices),
        *(("since the anchor", drift_text(row)) for row in drifted_rows(block)),
        *(("", text) for text in (*block.notes, block.position, *block.budgets) if text),
    ]


def _other_changes(rows: Sequence[Row]) -> str | None:
    gating = [row for row in rows if row.gates and row.outcome is not Outcome.ABSENT]
    if not gating:
        return None
    stated = (
        " ".join(part for part in (row.metric, row.change, row.word) if part)
        for row in gating
        if row.remarkable
    )
    return ", ".join(stated)
