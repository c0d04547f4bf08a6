"""What a command writes: lines on standard output, as whatever reads there can take them.

How a command ends: 0, 1 for what failed, and 2 for what cannot be done.

What a project's own configuration says to a command that runs no tests.
"""

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.report.text import Line, Tone

if TYPE_CHECKING:
    from pytest_pareto.plugin.settings import Project

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


CANNOT = 2
INTERRUPTED = 130
"""As a shell tells of a command that SIGINT ended; pytest has a code of its own for that."""


def own_baseline() -> Path | None:
    """Find the baseline of this project as pytest would; None where it refuses."""
    project = own_project()
    return None if project is None else project.baseline


def own_project() -> "Project | None":
    """Find this project as pytest would; None where it refuses, and has said why."""
    # pytest takes a second to import, and most commands do without.
    from pytest_pareto.plugin.settings import find_project  # noqa: PLC0415 - see above

    return find_project()
