"""Terminal text: display width, escaped control characters, wrapping, grids and paths.

Widths are in terminal cells: a wide East Asian character takes two, a combining mark none.
`clean` comes first: the other functions expect text without control characters. `Line` is the
unit of every text report, and `grid_lines` lays out a table of right-aligned cells.
"""

import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ELLIPSIS = "…"
_SPACES = re.compile(r"\s+(?!%(?:\W|$))")


def clean(text: str) -> str:
    r"""Return a text with control, format and line-breaking characters escaped.

    They become visible, as ``\x1b`` or ``\u202e``. An id may hold an escape sequence or a change of
    writing direction; a report shows these and the terminal does not execute them.
    """
    if text.isprintable():  # most texts are; a space alone is no control or format character
        return text
    return "".join(map(_escape_character, text))


def _escape_character(character: str) -> str:
    category = unicodedata.category(character)
    if category[0] != "C" and category not in {"Zl", "Zp"}:
        return character
    code = ord(character)
    form = f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    return _ESCAPES.get(character, form)


def display_width(text: str) -> int:
    """Return how many terminal cells a clean text takes.

    East Asian wide characters take two cells, combining marks none.
    """
    return len(text) if text.isascii() else sum(map(_cell_width, text))


@lru_cache(maxsize=4096)
def _cell_width(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Fill a text with spaces up to ``width`` cells.

    The text is left-aligned, or right-aligned with ``right``.
    """
    space = " " * (width - display_width(text))
    return space + text if right else text + space


def shorten(text: str, width: int) -> str:
    """Cut the middle out of a text that is wider than ``width`` cells.

    The ends stay, since ids of one test differ there.
    """
    if display_width(text) <= width:
        return text
    if width < 3:
        return _prefix(text, width)
    tail = (width - 1) // 2
    return _prefix(text, width - 1 - tail) + _ELLIPSIS + _prefix(text[::-1], tail)[::-1]


def clip(text: str, width: int) -> str:
    """Cut the end off a text that is wider than ``width`` cells."""
    return text if display_width(text) <= width else _prefix(text, width - 1) + _ELLIPSIS


def _prefix(text: str, width: int) -> str:
    """Return the longest prefix of a text that takes at most ``width`` cells."""
    if text.isascii():
        return text[: max(0, width)]
    used = 0
    for position, character in enumerate(text):
        used += _cell_width(character)
        if used > width:
            return text[:position]
    return text


def wrap(text: str, width: int, *, indent: str = "", hanging: str | None = None) -> list[str]:
    """Break a text into lines of at most ``width`` cells, at its spaces.

    A word that is wider than a line is broken where the line ends. A per cent sign stays with its
    number. The first line begins with ``indent``, the others as in `pack`.
    """
    words = _SPACES.split(clean(text).strip())
    return pack(
        words if words != [""] else [], width, separator=" ", indent=indent, hanging=hanging
    )


def pack(
    parts: Sequence[str],
    width: int,
    *,
    separator: str = " · ",
    indent: str = "",
    hanging: str | None = None,
) -> list[str]:
    """Join parts into lines of at most ``width`` cells, as many parts to a line as fit.

    A part that is too wide is broken. Lines after the first begin with ``hanging``, or with
    ``indent`` where it is None.
    """
    hanging = indent if hanging is None else hanging
    # Room for one wide character is left, else a line could never end.
    hanging = hanging[: max(0, width - 2)]
    lines: list[str] = []
    line, empty = indent, True
    for part in parts:
        joined = line + ("" if empty else separator) + part
        if not empty and display_width(joined) > width:
            lines.append(line)
            joined = hanging + part
        *full, line = _break_line(joined, width, hanging)
        lines += full
        empty = False
    return lines if empty else [*lines, line]


def _break_line(line: str, width: int, hanging: str) -> list[str]:
    """Break a line that is too wide, at a space where there is one."""
    pieces: list[str] = []
    # The width of the whole would be computed once for each of its lines.
    while len(fitting := _prefix(line, width)) < len(line):
        words = line.rstrip().rfind(" ", len(hanging) + 1, len(fitting) + 1)
        cut = words if words > 0 else len(fitting)
        pieces.append(line[:cut].rstrip())
        line = hanging + line[cut:].lstrip()
    return [*pieces, line]


class Tone(StrEnum):
    """The emphasis of a line, as a terminal can render it."""

    PLAIN = "plain"
    RED = "red"
    GREEN = "green"
    YELLOW = "yellow"
    BOLD = "bold"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text without its line break, and its tone."""

    text: str
    tone: Tone = Tone.PLAIN

    @property
    def markup(self) -> dict[str, bool]:
        """The tone as keyword arguments of pytest's terminal writer."""
        return {} if self.tone is Tone.PLAIN else {self.tone.value: True}


_GAP = "  "
_MIN_NAME_WIDTH = 10


@dataclass(frozen=True, slots=True)
class GridRow:
    """A table row: a name and its cells. Without cells it is a heading of the rows below."""

    name: str
    cells: tuple[str, ...] = ()
    tone: Tone = Tone.PLAIN


def grid_lines(head: Sequence[str], rows: Sequence[GridRow], width: int) -> list[Line]:
    """Lay out rows under their column heads in lines of at most ``width`` cells.

    Cells are right-aligned. Names are shortened so that a line fits.
    """
    table = [tuple(head), *(row.cells for row in rows if row.cells)]
    widths = [max(map(display_width, column)) for column in zip(*table, strict=True)]
    room = width - sum(len(_GAP) + size for size in widths)
    names = max(display_width(row.name) for row in rows if row.cells)
    names = max(_MIN_NAME_WIDTH, min(names, room))

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


def relative_path(path: Path, cwd: Path) -> str:
    """Return a path relative to ``cwd``, with slashes, as it can be typed there.

    A path that has no relative form, as one on another Windows drive, is returned as it is.
    """
    try:
        return Path(os.path.relpath(path, cwd)).as_posix()
    except ValueError:  # on another Windows drive
        return path.as_posix()
