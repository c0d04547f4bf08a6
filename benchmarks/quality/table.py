"""The table's sections, and how they look: a share, beside the bound that it must meet."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.calibration.rows import Row
from benchmarks.calibration.table import Finished
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


def line(texts: Sequence[str]) -> str:
    """Lay cells out in the terminal's columns: the first to the left, the others to the right."""
    first, *others = zip(texts, WIDTHS, strict=True)
    return " ".join([first[0].ljust(first[1]), *(t.rjust(w) for t, w in others)]).rstrip()


def markdown(sections: Sequence[Finished]) -> str:
    """Return the whole table as Markdown; titles of sections are rows of their own."""
    lines = [_markdown_line(HEAD), "|---|" + "---:|" * (len(HEAD) - 1)]
    for section in sections:
        lines.append(_markdown_line((f"**{section.title}**", *("",) * (len(HEAD) - 1))))
        lines += [_markdown_line(cells(row)) for row in section.rows]
    return "\n".join(lines) + "\n"


def _markdown_line(texts: Sequence[str]) -> str:
    return f"| {' | '.join(texts)} |"
