"""What a command writes: lines on standard output, as whatever reads there can take them."""

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.report.text import Line, Tone

_COLOURS = {Tone.RED: "31", Tone.GREEN: "32", Tone.YELLOW: "33", Tone.BOLD: "1"}
_PLAIN = str.maketrans("−—–…→←↑↓×·µ±│└─●▁▂▃▄▅▆▇█∞", "---.><^vx.u~|+-o_.:-=+*#8")
"""What our reports draw with, cell by cell, for terminals that know ASCII alone."""


def terminal_width() -> int:
    """Return how many cells a line may have: of the terminal, by COLUMNS, or 80."""
    return shutil.get_terminal_size().columns


def write_lines(lines: Iterable[Line]) -> None:
    """Write to the terminal, or to whatever reads instead and may have seen enough.

    Colours are for terminals, unless NO_COLOR is set. What the encoding lacks is replaced by
    what looks most like it, so that columns stay where they are, and else escaped.
    """
    coloured = _wants_colour()
    try:
        for line in lines:
            colour = _COLOURS.get(line.tone) if coloured else None
            text = _encodable(line.text)
            sys.stdout.write(f"\x1b[{colour}m{text}\x1b[0m\n" if colour else f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        let_go_of_output()
    except OSError as error:
        let_go_of_output()
        raise ParetoError(
            f"standard output took not all of it ({error.strerror}): write it elsewhere"
        ) from error


def open_what_is_closed() -> None:
    """Give streams to a process that was started without: what it says there goes nowhere."""
    if sys.stdout is None:  # `>&-` in a shell, some services
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - to the end
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - to the end


def let_go_of_output() -> None:
    """Write to nobody from now on: else Python would try again when it ends, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _wants_colour() -> bool:
    # https://no-color.org: set and not empty, whatever its value.
    silent = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not silent


def _encodable(text: str) -> str:
    encoding = sys.stdout.encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_PLAIN).encode(encoding, "backslashreplace").decode(encoding)
    return text
