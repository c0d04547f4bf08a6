"""The table: for a terminal of 100 columns, and as Markdown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.calibration.rows import Row

PEERS = ("p-bm", "asv", "bst", "crit", "nvb", "Wel")
HEAD = ("how often, in %", "draws", "ours", "bound", *PEERS)
WIDTHS = (45, 6, 9, 7, *(4,) * len(PEERS))
MISSED = "✗"
BEGIN, END = "<!-- calibration -->\n", "<!-- /calibration -->\n"


@dataclass(frozen=True, slots=True)
class Finished:
    """A section with its rows, and how long they took."""

    title: str
    rows: tuple[Row, ...]
    seconds: float


def cells(row: Row) -> tuple[str, ...]:
    """Return a row's cells as text, shares in per cent."""
    if row.error is None:
        ours = _per_cent(row.share)
    else:
        ours = f"{_per_cent(row.share)} ±{100 * row.error:.{1 if row.error < 0.1 else 0}f}"
    bound = "" if row.bound is None else str(row.bound)
    peers = (f"{100 * row.peers[name]:.0f}" if name in row.peers else "·" for name in PEERS)
    return (row.what, f"{row.draws:,}", ours, f"{bound} {MISSED}" if row.missed else bound, *peers)


def _per_cent(share: float) -> str:
    return f"{100 * share:.1f}" if share < 0.9995 else "100"


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a table: their heads, their widths on a terminal, and a row's texts."""

    head: tuple[str, ...]
    widths: tuple[int, ...]
    cells: Callable[[Row], tuple[str, ...]]

    def line(self, texts: Sequence[str]) -> str:
        """Lay texts out in the columns: the first to the left, the others to the right."""
        first, *others = zip(texts, self.widths, strict=True)
        return " ".join([first[0].ljust(first[1]), *(t.rjust(w) for t, w in others)]).rstrip()

    def markdown(self, sections: Sequence[Finished]) -> str:
        """Return the whole table as Markdown; titles of sections are rows of their own."""
        rest = ("",) * (len(self.head) - 1)
        lines = [_markdown_line(self.head), "|---|" + "---:|" * len(rest)]
        for section in sections:
            lines.append(_markdown_line((f"**{section.title}**", *rest)))
            lines += [_markdown_line(self.cells(row)) for row in section.rows]
        return "\n".join(lines) + "\n"


BESIDE_PEERS = Layout(HEAD, WIDTHS, cells)


def _markdown_line(texts: Sequence[str]) -> str:
    return f"| {' | '.join(texts)} |"


def fill(page: Path, table: str, marks: tuple[str, str] = (BEGIN, END)) -> None:
    """Put the table between the markers of a page."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not (begin and end):
        raise ValueError(f"{page} lacks the lines {marks[0].strip()} and {marks[1].strip()}")
    page.write_text(f"{before}{begin}\n{table}\n{end}{after}", encoding="utf-8")
