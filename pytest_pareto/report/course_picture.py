"""Pictures of a metric over commits: a row of bars, and a drawing with axes."""

import math
from collections.abc import Sequence

from pytest_pareto.model.baseline import Course, Revision
from pytest_pareto.model.metric import Better
from pytest_pareto.report.plot import Axis
from pytest_pareto.report.text import clean, clip, pad, shorten
from pytest_pareto.report.units import levels

_BARS = "▁▂▃▄▅▆▇█"
_COLUMNS, _ROWS = 60, 10
_HELD, _MEASURED, _ACCEPTED = "·", "o", "A"
_GRAVER = {_HELD: 0, _MEASURED: 1, _ACCEPTED: 2}


def sparkline(course: Course, revisions: int, cells: int) -> str:
    """Draw the levels after so many commits in one line, the lowest and the highest to the full.

    Where there are more commits than cells, each cell shows the last of its commits.
    """
    cells = min(cells, revisions)
    held = [course.level_at((cell + 1) * revisions // cells - 1) for cell in range(cells)]
    finite = [level for level in held if level is not None and math.isfinite(level)]
    if not finite:
        return ""
    low, high = min(finite), max(finite)
    span = high - low
    return "".join(
        " "
        if level is None or not math.isfinite(level)
        else _BARS[round((level - low) / span * (len(_BARS) - 1)) if span else 3]
        for level in held
    )


def picture(course: Course, revisions: Sequence[Revision], name: str, width: int) -> list[str]:
    """Draw one metric of one case, commits from left to right."""
    known = [m.level for m in course.moments if m.level is not None and math.isfinite(m.level)]
    if not known:
        return []
    low, high = min(known), max(known)
    axis = Axis(course.metric, low, high, levels((low, high), course.metric.unit))
    bottom, top = (shorten(text, 12) for text in axis.ticks.texts)
    margin = max(len(bottom), len(top))
    columns = max(8, min(_COLUMNS, width - margin - 3))
    up = "↑" if course.metric.better is Better.HIGHER else "↓"
    ends = [top, *[""] * (_ROWS - 2), bottom]
    rows = [
        f"{pad(end, margin, right=True)} │{''.join(row)}".rstrip()
        for end, row in zip(ends, _canvas(course, axis, len(revisions), columns), strict=True)
    ]
    first, last = clean(revisions[0].date), clean(revisions[-1].date)
    dates = first + " " * (columns - len(first) - len(last)) + last
    if columns < len(first) + len(last) + 1:
        dates = first
    lines = [f"{up} {axis.label()}: {name}", *rows]
    lines += [f"{' ' * margin} └{'─' * columns}", f"{' ' * (margin + 2)}{dates}"]
    return [clip(line, width) for line in lines]


def _canvas(course: Course, axis: Axis, revisions: int, columns: int) -> list[list[str]]:
    """Put a mark for every commit; of several in one cell the one with most to say."""
    canvas = [[" "] * columns for _ in range(_ROWS)]
    moments = {moment.at: moment for moment in course.moments}
    for at in range(revisions):
        level = course.level_at(at)
        if level is None or not math.isfinite(level):
            continue
        moment = moments.get(at)
        mark = _HELD if moment is None else _ACCEPTED if moment.accepted else _MEASURED
        row = _ROWS - 1 - axis.place(level, _ROWS)
        column = round(at / (revisions - 1) * (columns - 1)) if revisions > 1 else 0
        if _GRAVER.get(canvas[row][column], -1) < _GRAVER[mark]:
            canvas[row][column] = mark
    return canvas
