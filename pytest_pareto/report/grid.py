"""A plain table: a name at the left of each row, and cells that line up at the right."""

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_pareto.report.lines import Line, Tone
from pytest_pareto.report.text import clip, display_width, pad, shorten

_GAP = "  "
_LEAST_NAME = 10


@dataclass(frozen=True, slots=True)
class GridRow:
    """A row of cells; without cells it is a heading of the rows below."""

    name: str
    cells: tuple[str, ...] = ()
    tone: Tone = Tone.PLAIN


def grid_lines(head: Sequence[str], rows: Sequence[GridRow], width: int) -> list[Line]:
    """Lay rows out under their heads, names shortened so that a line fits the width."""
    table = [tuple(head), *(row.cells for row in rows if row.cells)]
    widths = [max(map(display_width, column)) for column in zip(*table, strict=True)]
    room = width - sum(len(_GAP) + size for size in widths)
    names = max(display_width(row.name) for row in rows if row.cells)
    names = max(_LEAST_NAME, min(names, room))

    def line(name: str, cells: Sequence[str], tone: Tone = Tone.PLAIN) -> Line:
        texts = [pad(shorten(name, names), names)]
        texts += [pad(cell, size, right=True) for cell, size in zip(cells, widths, strict=True)]
        return Line(clip(_GAP.join(texts).rstrip(), width), tone)

    return [
        line("", head),
        *(
            line(row.name, row.cells, row.tone)
            if row.cells
            else Line(clip(row.name, width), row.tone)
            for row in rows
        ),
    ]
