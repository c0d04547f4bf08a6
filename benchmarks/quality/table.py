"""The table's sections, and how they look: a share, beside the bound that it must meet."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.calibration.rows import Row
from benchmarks.calibration.table import Layout
from benchmarks.calibration.table import cells as with_peers

HEAD = ("how often, in %", "draws", "found", "bound")
WIDTHS = (70, 6, 10, 8)
FULL, QUICK = 10_000, 40


@dataclass(frozen=True, slots=True)
class Section:
    """Rows that belong together, made of so many draws each when asked for."""

    title: str
    rows: Callable[[int], Iterator[Row]]


def cells(row: Row) -> tuple[str, ...]:
    """Return a row's cells as text, shares in per cent."""
    return with_peers(row)[: len(HEAD)]


ALONE = Layout(HEAD, WIDTHS, cells)
