"""The console of the commands: output lines, exit codes, and the project's own configuration.

`write_lines` writes coloured lines to standard output, in the encoding that it has.
`EXIT_ERROR` and `EXIT_INTERRUPTED` are exit codes; `exit_code_of_pytest` maps those of pytest.
`find_project` reads the configuration of the project in the working directory as pytest does,
without running tests.
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

EXIT_ERROR = 2
"""The exit code of a command that could not do what was requested."""

EXIT_INTERRUPTED = 130
"""The exit code of a command that SIGINT ended, as shells report it. Pytest uses another one."""

_COLOURS = {Tone.RED: "31", Tone.GREEN: "32", Tone.YELLOW: "33", Tone.BOLD: "1"}

_ASCII = str.maketrans("−—–…→←↑↓×·µ±│└─●▁▂▃▄▅▆▇█∞", "---.><^vx.u~|+-o_.:-=+*#8")
"""An ASCII replacement for each character that reports draw with, one cell for one cell."""


def terminal_width() -> int:
    """Return the width of the terminal in cells: from COLUMNS, else its own, else 80."""
    return shutil.get_terminal_size().columns


def write_lines(lines: Iterable[Line]) -> None:
    """Write lines to standard output.

    Colours are written to terminals only, and not where NO_COLOR is set. A character that the
    encoding lacks is replaced by the ASCII character that looks most like it, so that columns
    stay aligned, or else escaped. A reader that closes the pipe early is no error.

    Raises ParetoError where standard output cannot be written, for example to a full disk.
    """
    coloured = _wants_colour()
    try:
        for line in lines:
            colour = _COLOURS.get(line.tone) if coloured else None
            text = _encodable(line.text)
            sys.stdout.write(f"\x1b[{colour}m{text}\x1b[0m\n" if colour else f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        discard_output()
    except OSError as error:
        discard_output()
        raise ParetoError(
            f"standard output took not all of it ({error.strerror}): write it elsewhere"
        ) from error


def _wants_colour() -> bool:
    # https://no-color.org: set and not empty, whatever its value.
    disabled = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not disabled


def _encodable(text: str) -> str:
    """Return a text with every character that standard output cannot encode replaced."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_ASCII).encode(encoding, "backslashreplace").decode(encoding)
    return text


def open_closed_streams() -> None:
    """Open standard output and standard error on the null device where they are closed."""
    if sys.stdout is None:  # `>&-` in a shell, some services
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - to the end
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - to the end


def discard_output() -> None:
    """Redirect standard output to the null device.

    Otherwise Python flushes it again at exit, and reports the same error.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def find_baseline() -> Path | None:
    """Return the baseline's folder of this project; None where pytest refuses to start."""
    project = find_project()
    return None if project is None else project.baseline


def find_project() -> "Project | None":
    """Return the paths of this project, as pytest finds them.

    Returns None where pytest refuses to start; it has then written the reason.
    """
    # Most commands do without pytest, which takes a while to import.
    from pytest_pareto.plugin.settings import probe_project  # noqa: PLC0415 - see above

    return probe_project()
