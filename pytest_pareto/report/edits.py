"""What was written into the baseline, told."""

from collections.abc import Sequence

from pytest_pareto.report.lines import Line, Tone
from pytest_pareto.report.text import wrap


def edit_lines(edits: Sequence[str], width: int) -> list[Line]:
    """Tell each edit; where there is none, that nothing was written."""
    heading = "written to the baseline:" if edits else "nothing was written to the baseline"
    lines = [line for edit in edits for line in wrap(edit, width, indent="  ", hanging="    ")]
    return [Line(heading, Tone.BOLD), *map(Line, lines)]
