"""Table layout: the columns of metric rows, fitted to a terminal width.

`fit_columns` chooses the layout for all rows, `header_text` and `row_text` render it. Where the
width is too small, the interval and then the limit leave the table; `dropped_texts` returns them
for a line below the row.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import takewhile

from pytest_pareto.report.rows import Row
from pytest_pareto.report.text import clip, display_width, pad, shorten

INDENT = "    "
_MIN_NAME_WIDTH = 14
_COLUMNS = (
    "metric", "baseline", "arrow", "candidate", "unit", "change", "interval", "limit", "outcome",
)  # fmt: skip
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
