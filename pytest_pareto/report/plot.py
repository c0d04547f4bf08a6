"""A small picture of each front: two metrics as axes, cases as letters."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from pytest_pareto.model.metric import Better, Metric
from pytest_pareto.model.verdict import CaseVerdict, Judgement
from pytest_pareto.report.axes import (
    axis_label,
    default_axes,
    is_logarithmic,
    position,
    shown_on_front,
)
from pytest_pareto.report.blocks import build_case
from pytest_pareto.report.lines import Line, Tone
from pytest_pareto.report.names import Names, front_names
from pytest_pareto.report.text import clip, pad, shorten, wrap
from pytest_pareto.report.units import Levels, levels

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
