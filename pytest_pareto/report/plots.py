"""A small picture of each front: two metrics as axes, cases as letters.

What a picture of a front shows along its sides, and what it marks: for terminals and pages.

Pictures of a metric over commits: a row of bars, and a drawing with axes.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from pytest_pareto.model.baseline import Course, Revision
from pytest_pareto.model.metric import Better, Metric
from pytest_pareto.model.verdict import CaseVerdict, Judgement
from pytest_pareto.report.fronts import Names, build_case, front_names
from pytest_pareto.report.numbers import Levels, Scale, levels
from pytest_pareto.report.text import Line, Tone, clean, clip, pad, shorten, wrap

_COLUMNS, _ROWS = 60, 16
_DOT = "·"


@dataclass(frozen=True, slots=True)
class Point:
    """A case in the picture: its letter, where it was if that is worth showing, and is.

    Cases that no letter is left for are dots.
    """

    letter: str
    name: str
    on_front: bool
    old: tuple[float, float] | None
    new: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Axis:
    """One metric along one side of the picture."""

    metric: Metric
    low: float
    high: float
    ticks: Levels

    @property
    def log(self) -> bool:
        """Whether equal distances are equal ratios."""
        return is_logarithmic(self.low, self.high)

    def place(self, value: float, cells: int) -> int:
        """The cell of a value, counted from the low end."""
        scale: Callable[[float], float] = math.log if self.log else float
        span = scale(self.high) - scale(self.low)
        return round((scale(value) - scale(self.low)) / span * (cells - 1)) if span else cells // 2

    def label(self) -> str:
        """Name the metric, its unit, and the direction in which it improves."""
        return axis_label(self.metric, self.ticks.scale) + (", logarithmic" if self.log else "")


def plot_lines(judgement: Judgement, width: int) -> list[list[Line]]:
    """Draw every front in lines of at most ``width`` cells, one list of lines per front."""
    fronts: dict[str, list[CaseVerdict]] = {}
    for case in judgement.cases:
        fronts.setdefault(case.comparison.front, []).append(case)
    return [_front_lines(front, cases, width) for front, cases in fronts.items()]


def _front_lines(front: str, cases: Sequence[CaseVerdict], width: int) -> list[Line]:
    names = front_names(front, [case.case_id for case in cases])
    metrics = default_axes(cases)
    points = [] if metrics is None else _points(cases, names, metrics)
    if metrics is None or len(points) < 2:
        why = "not drawn: a picture needs two gated metrics measured in two cases"
        return [Line(text) for text in wrap(f"{names.title} {why}", width, hanging="  ")]
    x, y = (_axis(metric, points, dimension) for dimension, metric in enumerate(metrics))
    lines = [clip(names.title, width), *_picture(points, x, y, width)]
    tones = [Tone.BOLD] + [Tone.PLAIN] * (len(lines) - 1)
    return [Line(text, tone) for text, tone in zip(lines, tones, strict=True)]


def _points(
    cases: Sequence[CaseVerdict], names: Names, metrics: tuple[Metric, Metric]
) -> list[Point]:
    points: list[Point] = []
    blocks = {case.case_id: build_case(case) for case in cases}
    for case in sorted(cases, key=lambda case: not blocks[case.case_id].changed):
        x, y = (case.comparison.metric(metric.name) for metric in metrics)
        if x is None or y is None:
            continue
        new = position(x.candidate, y.candidate)
        changed = blocks[case.case_id].changed
        old = position(x.baseline, y.baseline) if changed else None
        if new or old:
            letter = ascii_uppercase[len(points)] if len(points) < len(ascii_uppercase) else _DOT
            on_front = shown_on_front(case)
            points.append(Point(letter, names.of(case.case_id), on_front, old, new))
    return points


def _axis(metric: Metric, points: Sequence[Point], dimension: int) -> Axis:
    values = [at[dimension] for point in points for at in (point.old, point.new) if at]
    low, high = min(values), max(values)
    return Axis(metric, low, high, levels((low, high), metric.unit))


def _picture(points: Sequence[Point], x: Axis, y: Axis, width: int) -> list[str]:
    low, high = (shorten(text, 12) for text in y.ticks.texts)
    margin = max(len(low), len(high))
    columns = max(8, min(_COLUMNS, width - margin - 3))
    canvas, shared = _canvas(points, x, y, columns)
    ends = [high, *[""] * (_ROWS - 2), low]
    up = "↑" if y.metric.better is Better.HIGHER else "↓"
    along = "→" if x.metric.better is Better.HIGHER else "←"
    left, right = (shorten(text, columns // 2 - 1) for text in x.ticks.texts)
    axis = left + " " * (columns - len(left) - len(right)) + right
    lines = [f"{up} {y.label()}"]
    lines += [
        f"{pad(end, margin, right=True)} │{''.join(row)}".rstrip()
        for end, row in zip(ends, canvas, strict=True)
    ]
    lines += [f"{' ' * margin} └{'─' * columns}", f"{' ' * (margin + 2)}{axis}"]
    lines += [f"{' ' * (margin + 2)}{along} {x.label()}"]
    return [clip(line, width) for line in [*lines, *_legend(points, shared, width)]]


def _canvas(
    points: Sequence[Point], x: Axis, y: Axis, columns: int
) -> tuple[list[list[str]], dict[str, str]]:
    """Put letters into cells; letters that share one are replaced by a digit."""
    cells: dict[tuple[int, int], list[str]] = {}
    starred = set()
    for point in points:
        for at, letter in ((point.old, point.letter.lower()), (point.new, point.letter)):
            if at is not None:
                cell = _ROWS - 1 - y.place(at[1], _ROWS), x.place(at[0], columns)
                cells.setdefault(cell, []).append(letter)
                if point.on_front and at is point.new:
                    starred.add(cell)
    canvas = [[" "] * columns for _ in range(_ROWS)]
    shared: dict[str, str] = {}
    for (row, column), letters in cells.items():
        named = [letter for letter in letters if letter != _DOT]
        mark = named[0] if named else _DOT
        if len(named) > 1:
            mark = str(len(shared) + 1) if len(shared) < 9 else "#"
            shared[mark] = ", ".join([*filter(None, [shared.get(mark)]), *named])
        canvas[row][column] = mark
    for row, column in starred:
        beside = next((c for c in (column + 1, column - 1) if 0 <= c < columns), column)
        if canvas[row][beside] == " ":
            canvas[row][beside] = "*"
    return canvas, shared


def _legend(points: Sequence[Point], shared: dict[str, str], width: int) -> list[str]:
    lines = []
    lettered = [point for point in points if point.letter != _DOT]
    for point in lettered:
        letters = f"{point.letter.lower()} → {point.letter}" if point.old else f"    {point.letter}"
        if point.new is None:
            letters = f"{point.letter.lower()}    "
        mark = "  * on the front" if point.on_front else ""
        lines.append(f"  {letters}  {shorten(point.name, width - 9 - len(mark))}{mark}")
    if len(points) > len(lettered):
        lines.append(f"      {_DOT}  {len(points) - len(lettered)} more")
    for mark, letters in shared.items():
        lines += wrap(f"{mark} = {letters} in one place", width, indent="  ", hanging="      ")
    return lines


_LOG_FROM = 20.0
"""Beyond this ratio of the largest value to the smallest, an axis is logarithmic."""


def default_axes(cases: Sequence[CaseVerdict]) -> tuple[Metric, Metric] | None:
    """Choose a cost and a quality, or else two metrics that gate: those that most cases have."""
    known: dict[str, Metric] = {}
    having: Counter[str] = Counter()
    for case in cases:
        for result in case.comparison.metrics:
            if result.metric.gates and result.candidate is not None:
                known.setdefault(result.metric.name, result.metric)
                having[result.metric.name] += 1
    gated = sorted(known.values(), key=lambda metric: -having[metric.name])
    costs = [metric for metric in gated if metric.better is Better.LOWER]
    qualities = [metric for metric in gated if metric.better is Better.HIGHER]
    if costs and qualities:
        return costs[0], qualities[0]
    return (gated[0], gated[1]) if len(gated) > 1 else None


def is_logarithmic(low: float, high: float) -> bool:
    """Whether equal distances are to be equal ratios, unless the reader wants it otherwise."""
    return low > 0 and high > _LOG_FROM * low


def axis_label(metric: Metric, scale: Scale) -> str:
    """Name the metric, its unit, and the direction in which it improves."""
    unit = f" ({clean(scale.unit)})" if scale.unit else ""
    return f"{clean(metric.name)}{unit}, {metric.better} is better"


def position(x: float | None, y: float | None) -> tuple[float, float] | None:
    """Return where a case is, or None where one of its values is not a number."""
    if x is None or y is None or not (math.isfinite(x) and math.isfinite(y)):
        return None
    return x, y


def shown_on_front(case: CaseVerdict) -> bool:
    """Whether a case is marked as one of the front: the judge's decision, and nobody else's."""
    return case.place.on_front is True


_BARS = "▁▂▃▄▅▆▇█"
_COURSE_COLUMNS, _COURSE_ROWS = 60, 10
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
    columns = max(8, min(_COURSE_COLUMNS, width - margin - 3))
    up = "↑" if course.metric.better is Better.HIGHER else "↓"
    ends = [top, *[""] * (_COURSE_ROWS - 2), bottom]
    rows = [
        f"{pad(end, margin, right=True)} │{''.join(row)}".rstrip()
        for end, row in zip(
            ends, _course_canvas(course, axis, len(revisions), columns), strict=True
        )
    ]
    first, last = clean(revisions[0].date), clean(revisions[-1].date)
    dates = first + " " * (columns - len(first) - len(last)) + last
    if columns < len(first) + len(last) + 1:
        dates = first
    lines = [f"{up} {axis.label()}: {name}", *rows]
    lines += [f"{' ' * margin} └{'─' * columns}", f"{' ' * (margin + 2)}{dates}"]
    return [clip(line, width) for line in lines]


def _course_canvas(course: Course, axis: Axis, revisions: int, columns: int) -> list[list[str]]:
    """Put a mark for every commit; of several in one cell the one with most to say."""
    canvas = [[" "] * columns for _ in range(_COURSE_ROWS)]
    moments = {moment.at: moment for moment in course.moments}
    for at in range(revisions):
        level = course.level_at(at)
        if level is None or not math.isfinite(level):
            continue
        moment = moments.get(at)
        mark = _HELD if moment is None else _ACCEPTED if moment.accepted else _MEASURED
        row = _COURSE_ROWS - 1 - axis.place(level, _COURSE_ROWS)
        column = round(at / (revisions - 1) * (columns - 1)) if revisions > 1 else 0
        if _GRAVER.get(canvas[row][column], -1) < _GRAVER[mark]:
            canvas[row][column] = mark
    return canvas
