"""Lines of one case in a text report: its name and label, its rows in columns, its reasons.

`fit_columns` chooses the layout for the rows of all cases, `header_text` renders its head and
`case_lines` each case; the other public functions select and color rows for the other reports.
Verbosity 0 shows changed rows, -v (1) all gated ones, -vv (2) diagnostics as well. Where the width
is too small, the interval and then the limit leave the table, and stand below their row.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.verdict import Verdict
from pytest_pareto.report.fronts import CaseBlock, drift_lines
from pytest_pareto.report.next_steps import Step, step_lines
from pytest_pareto.report.rows import Row
from pytest_pareto.report.text import Line, Tone, clip, display_width, pack, pad, shorten, wrap
from pytest_pareto.report.wording import AttributionRow

INDENT = "    "
_DETAIL_INDENT = INDENT + "  "
_WHY = "why: "
_MIN_NAME_WIDTH = 14
_COLUMNS = (
    "metric", "baseline", "arrow", "candidate", "unit", "change", "interval", "limit", "outcome",
)  # fmt: skip
_HARMFUL = {Outcome.WORSE, Outcome.BROKEN, Outcome.MISSING}
_ONE_SPACE = {"arrow", "candidate", "unit", "interval"}
_ONE_SPACE_IF_TIGHT = {"baseline", "change", "limit"}
_RIGHT_ALIGNED = {"baseline", "candidate", "limit"}
_LAYOUTS: tuple[tuple[bool, frozenset[str]], ...] = (
    (False, frozenset()),
    (True, frozenset()),
    (False, frozenset({"interval"})),
    (True, frozenset({"interval"})),
    (True, frozenset({"interval", "limit"})),
)
"""From wide to narrow: whether gaps are tight, and which columns are dropped."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The layout of a table; ``dropped`` columns are shown in a line below each row."""

    widths: dict[str, int]
    dropped: frozenset[str]
    tight: bool
    width: int

    def gap(self, column: str) -> int:
        """Return how many spaces precede a column."""
        if column == "metric":
            return 0
        return 1 if column in _ONE_SPACE or (self.tight and column in _ONE_SPACE_IF_TIGHT) else 2

    def start(self, column: str) -> int:
        """Return the cell in which a column begins, counted from 0."""
        before = takewhile(lambda name: name != column, self.widths)
        taken = (self.gap(name) + self.widths[name] for name in before if self.widths[name])
        return len(INDENT) + sum(taken) + self.gap(column)


def _cells(row: Row) -> dict[str, str]:
    has_level = bool(row.baseline or row.candidate)
    return {
        "metric": row.metric,
        "baseline": row.baseline or "—" * has_level,
        "arrow": "→" * has_level,
        "candidate": row.candidate or "—" * has_level,
        "unit": row.unit,
        "change": row.change,
        "interval": row.interval,
        "limit": row.limit,
        "outcome": row.word,
    }


def fit_columns(rows: Sequence[Row], width: int) -> Columns:
    """Fit the columns of rows to a width.

    Where they do not fit, gaps shrink, then the interval is dropped, then the limit.
    """
    cells = [_cells(row) for row in rows]
    widest = {
        name: max((display_width(cell[name]) for cell in cells), default=0) for name in _COLUMNS
    }
    widest["outcome"] = max(widest["outcome"], len("outcome"))
    for tight, dropped in _LAYOUTS:
        widths = {name: 0 if name in dropped else size for name, size in widest.items()}
        columns = Columns(widths, dropped, tight, width)
        taken = sum(columns.gap(n) + size for n, size in widths.items() if size and n != "metric")
        room = width - len(INDENT) - taken
        if room >= min(widest["metric"], _MIN_NAME_WIDTH):
            break
    widths["metric"] = max(1, min(widest["metric"], room))
    return columns


def row_text(row: Row, columns: Columns) -> str:
    """Render one row in one line; it is never wrapped."""
    text = INDENT
    for name, cell in _cells(row).items():
        width = columns.widths[name]
        if width:
            text += " " * columns.gap(name) + pad(
                shorten(cell, width), width, right=name in _RIGHT_ALIGNED
            )
    return clip(text.rstrip(), columns.width)


def dropped_texts(row: Row, columns: Columns) -> list[str]:
    """Return the parts of a row whose columns were dropped."""
    parts = []
    if "interval" in columns.dropped and row.interval:
        parts.append(f"{row.coverage} interval {row.interval}")
    if "limit" in columns.dropped and row.limit:
        parts.append(f"limit {row.limit}")
    return parts


def baseline_label(ref: str | None) -> str:
    """Return the head of the baseline column: "old" against a git ref, else "baseline"."""
    return "baseline" if ref is None else "old"


def header_text(columns: Columns, coverages: Collection[str], before: str = "baseline") -> str:
    """Render the head of the table, with the coverage of its intervals if they share one.

    ``before`` is the head of the baseline column.
    """
    shared = len(coverages) == 1 and "interval" not in columns.dropped
    change = f"change ({', '.join(coverages)})" if shared else "change"
    line = ""
    for name, label in (
        ("baseline", before),
        ("arrow", "→"),
        ("candidate", "now"),
        ("change", change),
        ("limit", "limit"),
        ("outcome", "outcome"),
    ):
        width = columns.widths[name]
        if not width:
            continue
        # A right-aligned label may extend to the left of its column: the label before is shorter.
        start = columns.start(name) + (width - len(label) if name in _RIGHT_ALIGNED else 0)
        line = (line + " " if len(line) >= start else line.ljust(start)) + label
    return clip(line, columns.width)


def case_lines(
    case: CaseBlock, columns: Columns, *, verbosity: int = 0, accept: Step | None = None
) -> list[Line]:
    """Render one case in lines of at most the width of ``columns``.

    ``accept`` is the step that accepts a trade that passes.
    """
    width = columns.width
    lines = [Line(_header_text(case, columns), case_tone(case))]
    for row in visible_rows(case, verbosity):
        lines.append(Line(row_text(row, columns), row_tone(row, case)))
        lines += [Line(text) for text in _row_details(row, columns, verbosity)]
        lines += [Line(text) for text in _why_lines(row, width, verbosity)]
    tone = case_tone(case) if case.drifted else Tone.PLAIN
    lines += [Line(text, tone) for text in drift_lines(case, width, INDENT, verbosity)]
    lines += [Line(text) for text in _metrics_without_row(case, width, verbosity)]
    for lead, texts, tone in (
        ("fails", case.fails, Tone.RED),
        ("note", case.notices, Tone.YELLOW),
    ):
        lines += [
            Line(line, tone)
            for text in texts
            for line in wrap(f"{lead}: {text}", width, indent=INDENT, hanging=_DETAIL_INDENT)
        ]
    lines += [Line(text) for text in _note_lines(case, width, verbosity)]
    if accept is not None and is_passing_trade(case):
        lines += [Line(text) for text in step_lines([accept], width, INDENT)]
    return lines


def is_passing_trade(case: CaseBlock) -> bool:
    """Whether a case is a trade that passes: what got worse in it may be accepted."""
    return not case.failing and case.verdict is Verdict.TRADE_OFF


def visible_rows(case: CaseBlock, verbosity: int) -> list[Row]:
    """Return the rows that a verbosity shows.

    By default the remarkable ones, with -v all gated ones, with -vv every diagnostic as well.
    """
    return [
        row
        for row in case.rows
        if row.outcome is not Outcome.ABSENT
        and (row.remarkable or verbosity > 1 or (verbosity > 0 and row.gates))
    ]


def _header_text(case: CaseBlock, columns: Columns) -> str:
    label = shorten(case.label, columns.width // 2)
    room = columns.width - display_width(label) - 4
    name = shorten(case.name, room)
    start = min(max(columns.start("outcome"), display_width(name) + 4), room + 4)
    return pad(f"  {name}", start) + label


def case_tone(case: CaseBlock) -> Tone:
    """Return the tone of a case.

    Red if it fails, yellow if it has notices or is inconclusive, green if it improved.
    """
    if case.failing:
        return Tone.RED
    if case.notices or case.verdict is Verdict.INCONCLUSIVE:
        return Tone.YELLOW
    return Tone.GREEN if case.verdict is Verdict.IMPROVED else Tone.PLAIN


def row_tone(row: Row, case: CaseBlock) -> Tone:
    """Return the tone of a row of a case; diagnostics are plain."""
    if not row.gates:
        return Tone.PLAIN
    if row.outcome in _HARMFUL:
        return Tone.RED if case.failing else Tone.YELLOW
    if row.outcome is Outcome.BETTER:
        return Tone.GREEN
    return Tone.YELLOW if row.outcome is Outcome.INCONCLUSIVE else Tone.PLAIN


def _row_details(row: Row, columns: Columns, verbosity: int) -> Iterator[str]:
    parts = [*dropped_texts(row, columns), *row.facts]
    if verbosity > 0:
        parts += row.details
    yield from pack(parts, columns.width, indent=_DETAIL_INDENT)
    if row.worst and (row.remarkable or verbosity > 0):
        worst = f"worst samples: {', '.join(row.worst)}"
        yield from wrap(worst, columns.width, indent=_DETAIL_INDENT, hanging=_DETAIL_INDENT + "  ")
    if verbosity > 1 and row.statistics:
        yield from wrap(row.statistics, columns.width, indent=_DETAIL_INDENT)


def shown_parts(row: Row, verbosity: int) -> tuple[AttributionRow, ...]:
    """Return the parts that moved the metric of a row, as many as a verbosity shows.

    By default those of gated metrics that got worse; with -v those of all metrics.
    """
    if row.why is None:
        return ()
    if verbosity > 0:
        # The host count that explains a time has a row of its own then.
        return () if row.why.instead else row.why.more
    return row.why.rows if row.gates and row.outcome is Outcome.WORSE else ()


def _why_lines(row: Row, width: int, verbosity: int) -> Iterator[str]:
    parts = shown_parts(row, verbosity)
    lead = f"{_DETAIL_INDENT}{_WHY}"
    if row.why is not None and row.why.instead and parts:
        yield from wrap(row.why.instead, width, indent=lead, hanging=_DETAIL_INDENT + "  ")
        lead = " " * len(lead)
    room = max((display_width(part.change) for part in parts), default=0)
    for part in parts:
        indent = f"{lead}{pad(part.change, room, right=True)}  "
        hanging = " " * min(display_width(indent), width // 2)
        text = f"{part.name}: {part.detail}" if part.detail else part.name
        yield from wrap(text, width, indent=indent, hanging=hanging)
        lead = " " * len(lead)


def _metrics_without_row(case: CaseBlock, width: int, verbosity: int) -> Iterator[str]:
    """List the metrics that have no row: unchanged ones, diagnostics, absent ones."""
    names_by_word: dict[str, list[str]] = {}
    if verbosity <= 0:
        for row in case.rows:
            if row.gates and not row.remarkable and row.outcome is not Outcome.ABSENT:
                names_by_word.setdefault(f"{row.word}: ", []).append(row.metric)
    lines = [f"{word}{', '.join(names)}" for word, names in names_by_word.items()]
    if verbosity == 1:
        lines += diagnostic_texts(case.rows)
    if verbosity > 0 or not (visible_rows(case, verbosity) or case.drifted):
        lines += absent_texts(case.rows)
    for line in lines:
        yield from wrap(line, width, indent=INDENT, hanging=_DETAIL_INDENT)


def diagnostic_texts(rows: Sequence[Row]) -> Iterator[str]:
    """Return the readings of the diagnostics that did not change, one text for each outcome."""
    by_word: dict[str, list[str]] = {}
    for row in rows:
        if is_routine_diagnostic(row):
            moved = f" ({row.change})" if row.outcome is Outcome.INCONCLUSIVE else ""
            reading = f"{row.metric} {row.candidate} {row.unit}".rstrip() + moved
            by_word.setdefault(row.word, []).append(reading)
    for word, readings in by_word.items():
        yield f"diagnostics, {word}: {', '.join(readings)}"


def is_routine_diagnostic(row: Row) -> bool:
    """Whether a row is a diagnostic that was measured and is not remarkable."""
    return not (row.gates or row.remarkable or row.outcome is Outcome.ABSENT)


def absent_texts(rows: Sequence[Row]) -> Iterator[str]:
    """Return which metrics are absent, one text for each reason."""
    by_reason: dict[str, list[str]] = {}
    for row in rows:
        if row.outcome is Outcome.ABSENT:
            by_reason.setdefault(", ".join(row.facts), []).append(row.metric)
    for reason, metrics in by_reason.items():
        yield f"absent: {', '.join(metrics)} ({reason})"


def _note_lines(case: CaseBlock, width: int, verbosity: int) -> Iterator[str]:
    texts = [*case.notes, *((case.position, *case.budgets) if verbosity > 0 else ())]
    for text in texts:
        yield from wrap(text, width, indent=INDENT, hanging=_DETAIL_INDENT)
