"""What a command writes: lines on standard output, as whatever reads there can take them."""

import os
import sys
from collections.abc import Iterable

from pytest_pareto.report.lines import Line, Tone

_COLOURS = {Tone.RED: "31", Tone.GREEN: "32", Tone.YELLOW: "33", Tone.BOLD: "1"}


def write_lines(lines: Iterable[Line]) -> None:
    """Write to the terminal, or to whatever reads instead and may have seen enough."""
    coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    encoding = sys.stdout.encoding
    try:
        for line in lines:
            colour = _COLOURS.get(line.tone) if coloured else None
            text = line.text.encode(encoding, "backslashreplace").decode(encoding)
            sys.stdout.write(f"\x1b[{colour}m{text}\x1b[0m\n" if colour else f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # Else Python would try again when it ends, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
