"""Character plots: fronts as scatter plots of two metrics, and levels over commits.

`plot_lines` draws each front, cases as letters; `sparkline` and `course_plot` draw one metric of
one case over commits. `default_axes`, `is_logarithmic`, `axis_label`, `coordinates` and
`is_on_front` are shared with the HTML page.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from pytest_pareto.model.baseline import LevelHistory, Revision
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import Better, Metric
from pytest_pareto.model.verdict import CaseVerdict, Judgement
from pytest_pareto.report.fronts import Names, build_case, front_names
from pytest_pareto.report.numbers import Levels, Scale, levels
from pytest_pareto.report.text import Line, Tone, clean, clip, pad, shorten, wrap

_COLUMNS, _ROWS = 60, 16
_DOT = "·"
_LOG_RATIO = 20.0
"""An axis is logarithmic beyond this ratio of the largest value to the smallest."""
_BARS = "▁▂▃▄▅▆▇█"
_COURSE_COLUMNS, _COURSE_ROWS = 60, 10
_UNCHANGED_MARK, _MEASURED_MARK, _ACCEPTED_MARK = "·", "o", "A"
_MARK_PRIORITY = {_UNCHANGED_MARK: 0, _MEASURED_MARK: 1, _ACCEPTED_MARK: 2}


@dataclass(frozen=True, slots=True)
class Point:
    """A case in the plot: its letter, and its old and new coordinates.

    ``old`` is None unless the case changed. Cases beyond the alphabet have a dot.
    """

    letter: str
    name: str
    on_front: bool
    old: tuple[float, float] | None
    new: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Axis:
    """One metric along one side of a plot, from ``low`` to ``high`` in SI."""

    metric: Metric
    low: float
    high: float
    ticks: Levels

    @property
    def log(self) -> bool:
        """Whether the axis is logarithmic: equal distances are equal ratios."""
        return is_logarithmic(self.low, self.high)

    def place(self, value: float, cells: int) -> int:
        """Return the cell of a value on an axis of ``cells`` cells, counted from the low end."""
        scale: Callable[[float], float] = math.log if self.log else float
        span = scale(self.high) - scale(self.low)
        return round((scale(value) - scale(self.low)) / span * (cells - 1)) if span else cells // 2

    def label(self) -> str:
        """Return the name of the metric, its unit, and the direction in which it improves."""
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
        reason = "not drawn: a picture needs two gated metrics measured in two cases"
        return [Line(text) for text in wrap(f"{names.title} {reason}", width, hanging="  ")]
    x, y = (_axis(metric, points, dimension) for dimension, metric in enumerate(metrics))
    lines = [clip(names.title, width), *_front_plot(points, x, y, width)]
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
        bounded = x.lower_bound is not None or y.lower_bound is not None
        new = None if bounded else coordinates(x.candidate, y.candidate)
        changed = blocks[case.case_id].changed
        old = coordinates(x.baseline, y.baseline) if changed else None
        if new or old:
            letter = ascii_uppercase[len(points)] if len(points) < len(ascii_uppercase) else _DOT
            on_front = is_on_front(case)
            points.append(Point(letter, names.of(case.case_id), on_front, old, new))
    return points


def _axis(metric: Metric, points: Sequence[Point], dimension: int) -> Axis:
    values = [at[dimension] for point in points for at in (point.old, point.new) if at]
    low, high = min(values), max(values)
    return Axis(metric, low, high, levels((low, high), metric.unit))


def _front_plot(points: Sequence[Point], x: Axis, y: Axis, width: int) -> list[str]:
    low, high = (shorten(text, 12) for text in y.ticks.texts)
    margin = max(len(low), len(high))
    columns = max(8, min(_COLUMNS, width - margin - 3))
    canvas, shared = _canvas(points, x, y, columns)
    ends = [high, *[""] * (_ROWS - 2), low]
    y_arrow = "↑" if y.metric.better is Better.HIGHER else "↓"
    x_arrow = "→" if x.metric.better is Better.HIGHER else "←"
    left, right = (shorten(text, columns // 2 - 1) for text in x.ticks.texts)
    axis = left + " " * (columns - len(left) - len(right)) + right
    lines = [f"{y_arrow} {y.label()}"]
    lines += [
        f"{pad(end, margin, right=True)} │{''.join(row)}".rstrip()
        for end, row in zip(ends, canvas, strict=True)
    ]
    lines += [f"{' ' * margin} └{'─' * columns}", f"{' ' * (margin + 2)}{axis}"]
    lines += [f"{' ' * (margin + 2)}{x_arrow} {x.label()}"]
    return [clip(line, width) for line in [*lines, *_legend(points, shared, width)]]


def _canvas(
    points: Sequence[Point], x: Axis, y: Axis, columns: int
) -> tuple[list[list[str]], dict[str, str]]:
    """Return a grid of characters with the letters of points.

    Letters that share a cell are replaced by a digit; the mapping gives the letters of each digit.
    """
    cells: dict[tuple[int, int], list[str]] = {}
    front_cells = set()
    for point in points:
        for at, letter in ((point.old, point.letter.lower()), (point.new, point.letter)):
            if at is not None:
                cell = _ROWS - 1 - y.place(at[1], _ROWS), x.place(at[0], columns)
                cells.setdefault(cell, []).append(letter)
                if point.on_front and at is point.new:
                    front_cells.add(cell)
    canvas = [[" "] * columns for _ in range(_ROWS)]
    shared: dict[str, str] = {}
    for (row, column), letters in cells.items():
        named = [letter for letter in letters if letter != _DOT]
        mark = named[0] if named else _DOT
        if len(named) > 1:
            mark = str(len(shared) + 1) if len(shared) < 9 else "#"
            shared[mark] = ", ".join([*filter(None, [shared.get(mark)]), *named])
        canvas[row][column] = mark
    for row, column in front_cells:
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


def default_axes(cases: Sequence[CaseVerdict]) -> tuple[Metric, Metric] | None:
    """Choose the two metrics of a plot: a cost and a quality, or else two gated metrics.

    Those that got worse come first, then those that moved, then those that most cases have: of the
    metrics that at least half as many cases have. None where there are not two.
    """
    metrics_by_name: dict[str, Metric] = {}
    counts, worse, moved = Counter[str](), Counter[str](), Counter[str]()
    for case in cases:
        for result in case.comparison.metrics:
            name, known = result.metric.name, result.candidate is not None
            if result.metric.gates and known and result.lower_bound is None:
                metrics_by_name.setdefault(name, result.metric)
                counts[name] += 1
                worse[name] += result.outcome is Outcome.WORSE
                moved[name] += result.outcome in {Outcome.WORSE, Outcome.BETTER}
    most = max(counts.values(), default=0)

    def rank(metric: Metric) -> tuple[bool, int, int, int]:
        name = metric.name
        return 2 * counts[name] < most, -worse[name], -moved[name], -counts[name]

    gated = sorted(metrics_by_name.values(), key=rank)
    costs = [metric for metric in gated if metric.better is Better.LOWER]
    qualities = [metric for metric in gated if metric.better is Better.HIGHER]
    if costs and qualities:
        return costs[0], qualities[0]
    return (gated[0], gated[1]) if len(gated) > 1 else None


def is_logarithmic(low: float, high: float) -> bool:
    """Whether an axis from ``low`` to ``high`` is logarithmic by default."""
    return low > 0 and high > _LOG_RATIO * low


def axis_label(metric: Metric, scale: Scale) -> str:
    """Return the name of a metric, its unit, and the direction in which it improves."""
    unit = f" ({clean(scale.unit)})" if scale.unit else ""
    return f"{clean(metric.name)}{unit}, {metric.better} is better"


def coordinates(x: float | None, y: float | None) -> tuple[float, float] | None:
    """Return a pair of finite values, or None where one is missing or not finite."""
    if x is None or y is None or not (math.isfinite(x) and math.isfinite(y)):
        return None
    return x, y


def is_on_front(case: CaseVerdict) -> bool:
    """Whether the judgement, and no computation of the plot, puts a case on its front."""
    return case.place.on_front is True


def sparkline(course: LevelHistory, revisions: int, cells: int) -> str:
    """Draw the levels over commits as one line of bars, scaled from the lowest to the highest.

    Where there are more commits than cells, each cell shows the last of its commits.
    """
    cells = min(cells, revisions)
    sampled = [course.level_at((cell + 1) * revisions // cells - 1) for cell in range(cells)]
    finite = [level for level in sampled if level is not None and math.isfinite(level)]
    if not finite:
        return ""
    low, high = min(finite), max(finite)
    span = high - low
    return "".join(
        " "
        if level is None or not math.isfinite(level)
        else _BARS[round((level - low) / span * (len(_BARS) - 1)) if span else 3]
        for level in sampled
    )


def course_plot(
    course: LevelHistory, revisions: Sequence[Revision], name: str, width: int
) -> list[str]:
    """Draw one metric of one case over commits, from left to right, with axes.

    Empty where no level is finite.
    """
    finite = [m.level for m in course.entries if m.level is not None and math.isfinite(m.level)]
    if not finite:
        return []
    low, high = min(finite), max(finite)
    axis = Axis(course.metric, low, high, levels((low, high), course.metric.unit))
    bottom, top = (shorten(text, 12) for text in axis.ticks.texts)
    margin = max(len(bottom), len(top))
    columns = max(8, min(_COURSE_COLUMNS, width - margin - 3))
    y_arrow = "↑" if course.metric.better is Better.HIGHER else "↓"
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
    lines = [f"{y_arrow} {axis.label()}: {name}", *rows]
    lines += [f"{' ' * margin} └{'─' * columns}", f"{' ' * (margin + 2)}{dates}"]
    return [clip(line, width) for line in lines]


def _course_canvas(
    course: LevelHistory, axis: Axis, revisions: int, columns: int
) -> list[list[str]]:
    """Return a grid with a mark for every commit; a shared cell has that of highest priority."""
    canvas = [[" "] * columns for _ in range(_COURSE_ROWS)]
    moments = {moment.at: moment for moment in course.entries}
    for at in range(revisions):
        level = course.level_at(at)
        if level is None or not math.isfinite(level):
            continue
        moment = moments.get(at)
        if moment is None:
            mark = _UNCHANGED_MARK
        else:
            mark = _ACCEPTED_MARK if moment.accepted else _MEASURED_MARK
        row = _COURSE_ROWS - 1 - axis.place(level, _COURSE_ROWS)
        column = round(at / (revisions - 1) * (columns - 1)) if revisions > 1 else 0
        if _MARK_PRIORITY.get(canvas[row][column], -1) < _MARK_PRIORITY[mark]:
            canvas[row][column] = mark
    return canvas
