"""Fitting text into a terminal: display width, visible control characters, wrapping.

One line of a report and how it should stand out.

A plain table: a name at the left of each row, and cells that line up at the right.

How a path is spelled for who reads it, or types it at the shell.
"""

import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ELLIPSIS = "…"
_BREAKS = re.compile(r"\s+(?!%(?:\W|$))")


def clean(text: str) -> str:
    r"""Make control, format and line-breaking characters visible, as ``\x1b`` or ``\u202e``.

    An id may hold an escape sequence or a change of writing direction; a report shows it
    and does not obey it.
    """
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if category[0] != "C" and category not in {"Zl", "Zp"}:
        return character
    code = ord(character)
    form = f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    return _ESCAPES.get(character, form)


def display_width(text: str) -> int:
    """How many terminal cells a clean text takes: East Asian wide ones two, marks none."""
    return sum(_cells(character) for character in text)


def _cells(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Fill with spaces up to ``width`` cells; ``right`` moves the text to the right edge."""
    space = " " * (width - display_width(text))
    return space + text if right else text + space


def shorten(text: str, width: int) -> str:
    """Cut the middle out of a text that is wider than ``width``: ids differ at their ends."""
    if display_width(text) <= width:
        return text
    if width < 3:
        return _head(text, width)
    tail = (width - 1) // 2
    return _head(text, width - 1 - tail) + _ELLIPSIS + _head(text[::-1], tail)[::-1]


def clip(text: str, width: int) -> str:
    """Cut the end off a text that is wider than ``width``."""
    return text if display_width(text) <= width else _head(text, width - 1) + _ELLIPSIS


def _head(text: str, width: int) -> str:
    used = 0
    for position, character in enumerate(text):
        used += _cells(character)
        if used > width:
            return text[:position]
    return text


def wrap(text: str, width: int, *, indent: str = "", hanging: str | None = None) -> list[str]:
    """Break a text at its spaces, and words that are wider than a line wherever they end.

    A per cent sign stays with its number.
    """
    words = _BREAKS.split(clean(text).strip())
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
    """Lay parts side by side, as many to a line as fit; a part too wide is broken.

    Lines after the first begin with ``hanging``, or with ``indent`` where it is None.
    """
    hanging = indent if hanging is None else hanging
    hanging = hanging[: max(0, width - 2)]  # room for one wide character, so that lines end
    lines: list[str] = []
    line, empty = indent, True
    for part in parts:
        joined = line + ("" if empty else separator) + part
        if not empty and display_width(joined) > width:
            lines.append(line)
            joined = hanging + part
        *full, line = _split(joined, width, hanging)
        lines += full
        empty = False
    return lines if empty else [*lines, line]


def _split(line: str, width: int, hanging: str) -> list[str]:
    pieces: list[str] = []
    while display_width(line) > width:
        words = line.rstrip().rfind(" ", len(hanging) + 1, len(_head(line, width)) + 1)
        cut = words if words > 0 else len(_head(line, width))
        pieces.append(line[:cut].rstrip())
        line = hanging + line[cut:].lstrip()
    return [*pieces, line]


class Tone(StrEnum):
    """What a line is, as a terminal can show it."""

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


def typed(path: Path, cwd: Path) -> str:
    """Return a path as it can be typed in ``cwd``, with slashes; as it is where no way leads."""
    try:
        return Path(os.path.relpath(path, cwd)).as_posix()
    except ValueError:  # on another drive
        return path.as_posix()
