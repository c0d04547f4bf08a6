"""Rows side by side: columns that fit a width, whatever has to move out of them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import takewhile

from pytest_pareto.report.rows import Row
from pytest_pareto.report.text import clip, display_width, pad, shorten

INDENT = "    "
_LEAST_NAME = 14
_COLUMNS = (
    "metric", "baseline", "arrow", "candidate", "unit", "change", "interval", "limit", "outcome",
)  # fmt: skip
_CLOSE = {"arrow", "candidate", "unit", "interval"}
_LOOSE = {"baseline", "change", "limit"}
_RIGHT = {"baseline", "candidate", "limit"}
_LAYOUTS: tuple[tuple[bool, frozenset[str]], ...] = (
    (False, frozenset()),
    (True, frozenset()),
    (False, frozenset({"interval"})),
    (True, frozenset({"interval"})),
    (True, frozenset({"interval", "limit"})),
)
"""From roomy to narrow: whether columns move together, and which are told elsewhere."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The layout of a table; ``dropped`` columns are told in a line below each row."""

    widths: dict[str, int]
    dropped: frozenset[str]
    tight: bool
    width: int

    def gap(self, column: str) -> int:
        """How many spaces stand before a column."""
        if column == "metric":
            return 0
        return 1 if column in _CLOSE or (self.tight and column in _LOOSE) else 2

    def start(self, column: str) -> int:
        """The cell in which a column begins."""
        before = takewhile(lambda name: name != column, self.widths)
        taken = (self.gap(name) + self.widths[name] for name in before if self.widths[name])
        return len(INDENT) + sum(taken) + self.gap(column)


def _cells(row: Row) -> dict[str, str]:
    told = bool(row.baseline or row.candidate)
    return {
        "metric": row.metric,
        "baseline": row.baseline or "—" * told,
        "arrow": "→" * told,
        "candidate": row.candidate or "—" * told,
        "unit": row.unit,
        "change": row.change,
        "interval": row.interval,
        "limit": row.limit,
        "outcome": row.word,
    }


def fit_columns(rows: Sequence[Row], width: int) -> Columns:
    """Lay rows out within a width: first the interval moves out, then the limit."""
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
        if room >= min(widest["metric"], _LEAST_NAME):
            break
    widths["metric"] = max(1, min(widest["metric"], room))
    return columns


def row_text(row: Row, columns: Columns) -> str:
    """Write one row; it is never wrapped."""
    text = INDENT
    for name, cell in _cells(row).items():
        width = columns.widths[name]
        if width:
            text += " " * columns.gap(name) + pad(shorten(cell, width), width, right=name in _RIGHT)
    return clip(text.rstrip(), columns.width)


def moved_out(row: Row, columns: Columns) -> list[str]:
    """Tell what of a row has no column."""
    parts = []
    if "interval" in columns.dropped and row.interval:
        parts.append(f"{row.level} interval {row.interval}")
    if "limit" in columns.dropped and row.limit:
        parts.append(f"limit {row.limit}")
    return parts


def before_now(ref: str | None) -> str:
    """Name what now is compared with: a baseline, or the old code of a git ref."""
    return "baseline" if ref is None else "old"


def header_text(columns: Columns, coverages: Collection[str], before: str = "baseline") -> str:
    """Write the head of the table, with the coverage of its intervals if they share one.

    ``before`` is what now is compared with.
    """
    told = len(coverages) == 1 and "interval" not in columns.dropped
    change = f"change ({', '.join(coverages)})" if told else "change"
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
        # What stands to the left of a number's label is shorter than its column.
        start = columns.start(name) + (width - len(label) if name in _RIGHT else 0)
        line = (line + " " if len(line) >= start else line.ljust(start)) + label
    return clip(line, columns.width)
