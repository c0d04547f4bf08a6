"""The static plot of a front: points, front lines, intervals, arrows, labels and legend in pixels.

`draw` lays out a section on the two axes that it starts with; the script of the page redraws it
on others. `front_line` computes the front of two metrics, which is drawn and decides nothing.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from pytest_pareto.model.metric import Metric
from pytest_pareto.model.verdict import CaseVerdict
from pytest_pareto.report.html.axis import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Axis,
    Pixel,
    clamp,
    level,
    level_interval,
    pixel_of,
    x_pixel,
    y_pixel,
)
from pytest_pareto.report.html.case_rows import MANY_CASES, CaseView, Mark, Section
from pytest_pareto.report.plots import coordinates
from pytest_pareto.report.text import display_width, shorten

ARROW_GAP = 12
"""Distance in pixels between the end of an arrow and its mark."""
MIN_ARROW_LENGTH = 18
"""In pixels; shorter arrows are not drawn."""
LABEL_ALL_UP_TO = 12
"""With more cases than this, only changed ones have a label."""
LETTER_WIDTH = 6.3
LINE_HEIGHT = 13
MAX_LABEL_CELLS = 26
POINT_RADIUS = 7
LABEL_OFFSETS = ((12, -11), (-12, -11), (12, 20), (-12, 20), (17, 4), (-17, 4))
"""Offsets of a label from its point: of its start, or of its end if it is to the left.

Right beside the point comes last: a label there hides the front line and the interval.
"""
Box = tuple[float, float, float, float]
"""Left, top, right and bottom."""


@dataclass(frozen=True, slots=True)
class Arrow:
    """The arrow of a case from its old to its new pixel; ``at`` is None where it is too short."""

    case: int
    at: tuple[Pixel, Pixel] | None


@dataclass(frozen=True, slots=True)
class Label:
    """The name of a case beside its point, right-aligned to ``x`` if ``ends``."""

    case: int
    x: float
    y: float
    text: str
    ends: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark along an axis; ``at`` is its pixel."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Dot:
    """The point of a case. ``gone`` is whether it has no new position, and is drawn at its old one.

    ``name`` is "" for a case in brief: its row has the name, and a script adds it.
    """

    case: int
    mark: Mark
    name: str
    label: str
    on_front: bool
    gone: bool
    at: Pixel | None


@dataclass(frozen=True, slots=True)
class Drawing:
    """A plot in pixels.

    What has no position on these axes has None or "": a script may move it. ``legend`` has the
    entries beside the marks that any axes may need, and whether these axes do.
    """

    x: Axis
    y: Axis
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    old_line: str
    new_line: str
    bars: tuple[tuple[int, str], ...]
    arrows: tuple[Arrow, ...]
    dots: tuple[Dot, ...]
    labels: tuple[Label, ...]
    marks: tuple[Mark, ...]
    legend: Mapping[str, bool]


def draw(section: Section) -> Drawing:
    """Draw a section on the two axes that it starts with."""
    x, y = (section.axes[place] for place in section.start)
    old = [pixel_of(case.verdict, x, y, "baseline") for case in section.cases]
    new = [pixel_of(case.verdict, x, y, "candidate") for case in section.cases]
    at = [b or a for a, b in zip(old, new, strict=True)]
    lines = front_path(section, old, "baseline"), front_path(section, new, "candidate")
    bars = tuple(
        (number, interval_path(case.verdict, x, y) if new[number] else "")
        for number, case in enumerate(section.cases)
        if shows_intervals(section, case)
    )
    drawn_arrows = tuple(change_arrows(section.cases, old, new))
    dots = tuple(
        Dot(
            n,
            c.mark,
            "" if c.brief else c.block.name,
            c.block.label,
            c.on_front,
            new[n] is None,
            at[n],
        )
        for n, c in _drawing_order(section.cases)
    )
    shown = {
        "ring": any(dot.on_front and dot.at for dot in dots),
        "new": bool(lines[1]),
        "old": bool(lines[0]),
        "moved": any(arrow.at for arrow in drawn_arrows),
        "bars": any(path for _, path in bars),
    }
    return Drawing(
        x,
        y,
        tuple(Tick(x_pixel(x.span, value), text) for value, text in x.span.ticks),
        tuple(Tick(y_pixel(y.span, value), text) for value, text in y.span.ticks),
        *lines,
        bars,
        drawn_arrows,
        dots,
        tuple(place_labels(section, at)),
        tuple(mark for mark in Mark if any(case.mark is mark for case in section.cases)),
        {name: shown[name] for name in _legend_entries(section)},
    )


def _legend_entries(section: Section) -> Iterator[str]:
    """Yield the legend entries that some pair of axes needs."""
    pairs = list(combinations(range(len(section.axes)), 2))
    old, new = (
        any(front_cases(section, side, *pair) for pair in pairs)
        for side in ("baseline", "candidate")
    )
    if any(case.on_front for case in section.cases):
        yield "ring"
    if new:
        yield "new"
    if old:
        yield "old"
    if old and new and any(case.block.changed for case in section.cases):
        yield "moved"
    if any(
        level_interval(case.verdict.comparison.metric(axis.metric.name))
        for case in section.cases
        if shows_intervals(section, case)
        for axis in section.axes
    ):
        yield "bars"


def _drawing_order(cases: Sequence[CaseView]) -> list[tuple[int, CaseView]]:
    """Return the cases with their numbers, changed ones last, so that they are on top."""
    return sorted(enumerate(cases), key=lambda pair: (pair[1].block.changed, -pair[0]))


def shows_intervals(section: Section, case: CaseView) -> bool:
    """Whether the intervals of a case are drawn."""
    return case.block.changed or len(section.cases) <= MANY_CASES


def front_path(section: Section, pixels: Sequence[Pixel | None], side: str) -> str:
    """Return the SVG path of the old or new front, as steps; "" where it has no point.

    ``side`` is "baseline" or "candidate", and ``pixels`` are those of the cases on that side.

    Between two points, the step has its corner at the worse value of each axis. The first and last
    step end at the worse edges of the plot.
    """
    x, y = (section.axes[place].metric for place in section.start)
    front = front_cases(section, side, *section.start)
    front_pixels = [pixel for number in front if (pixel := pixels[number]) is not None]
    if not front_pixels:
        return ""
    worst_y = TOP if y.harm_sign > 0 else HEIGHT - BOTTOM
    worst_x = WIDTH - RIGHT if x.harm_sign > 0 else LEFT
    steps = [f"M{front_pixels[0][0]:g} {worst_y}V{front_pixels[0][1]:g}"]
    steps += [f"H{pixel[0]:g}V{pixel[1]:g}" for pixel in front_pixels[1:]]
    return f"{''.join(steps)}H{worst_x}"


def front_cases(section: Section, side: str, first: int, second: int) -> tuple[int, ...]:
    """Return the cases on the old or new front of two axes, the best along ``first`` first."""
    x, y = section.axes[first].metric, section.axes[second].metric
    points = []
    for number, case in enumerate(section.cases):
        comparison = case.verdict.comparison
        found = coordinates(
            level(comparison.metric(x.name), x, side), level(comparison.metric(y.name), y, side)
        )
        if found is not None:
            points.append((number, *found))
    return front_line(points, x, y)


def front_line(points: Iterable[tuple[int, float, float]], x: Metric, y: Metric) -> tuple[int, ...]:
    """Return the numbers of the points on the front of two metrics, the best along ``x`` first.

    The line is drawn and decides nothing. Whether a case is on the front of all metrics, beyond
    their tolerances, is in the judgement, and has a mark of its own.
    """
    ordered = sorted(points, key=lambda point: (x.harm_sign * point[1], y.harm_sign * point[2]))
    front, least = [], math.inf
    for number, _, height in ordered:
        if y.harm_sign * height < least:
            front.append(number)
            least = y.harm_sign * height
    return tuple(front)


def interval_path(case: CaseVerdict, x: Axis, y: Axis) -> str:
    """Return the SVG path of the intervals of a case, a bar along each axis where there is one.

    Bars are clamped to the plot.
    """
    pixel = pixel_of(case, x, y, "candidate")
    assert pixel is not None
    path = ""
    along_x = level_interval(case.comparison.metric(x.metric.name))
    along_y = level_interval(case.comparison.metric(y.metric.name))
    if along_x is not None:
        low, high = (clamp(x.span, end) for end in along_x)
        path += f"M{x_pixel(x.span, low):g} {pixel[1]:g}H{x_pixel(x.span, high):g}"
    if along_y is not None:
        low, high = (clamp(y.span, end) for end in along_y)
        path += f"M{pixel[0]:g} {y_pixel(y.span, low):g}V{y_pixel(y.span, high):g}"
    return path


def change_arrows(
    cases: Sequence[CaseView], old: Sequence[Pixel | None], new: Sequence[Pixel | None]
) -> Iterator[Arrow]:
    """Yield an arrow for each changed case."""
    for number, case in enumerate(cases):
        if case.block.changed:
            a, b = old[number], new[number]
            yield Arrow(number, None if a is None or b is None else _shortened(a, b))


def _shortened(start: Pixel, end: Pixel) -> tuple[Pixel, Pixel] | None:
    """End an arrow before its mark; None where it is shorter than `MIN_ARROW_LENGTH`."""
    length = math.hypot(end[0] - start[0], end[1] - start[1])
    if length < MIN_ARROW_LENGTH:
        return None
    share = 1 - ARROW_GAP / length
    x, y = (round(a + share * (b - a), 1) for a, b in zip(start, end, strict=True))
    return start, (x, y)


def place_labels(section: Section, at: Sequence[Pixel | None]) -> Iterator[Label]:
    """Yield labels, those of the most severe cases first.

    A label is placed where it covers no other label and no point, else it is left out.
    """
    pixels = [pixel for pixel in at if pixel is not None]
    taken = [
        (x - POINT_RADIUS, y - POINT_RADIUS, x + POINT_RADIUS, y + POINT_RADIUS) for x, y in pixels
    ]
    for number, case in enumerate(section.cases):
        pixel = at[number]
        if pixel is None or not has_label(section, case):
            continue
        text = label_text(case)
        for label, box in _label_candidates(number, pixel, text):
            if not any(_overlap(box, other) for other in taken):
                taken.append(box)
                yield label
                break


def _label_candidates(number: int, pixel: Pixel, text: str) -> Iterator[tuple[Label, Box]]:
    """Yield positions of a label within the plot with their boxes: above, below, then beside."""
    width = LETTER_WIDTH * display_width(text)
    for dx, dy in LABEL_OFFSETS:
        x, y, ends = round(pixel[0] + dx, 1), round(pixel[1] + dy, 1), dx < 0
        box = (x - width * ends, y - LINE_HEIGHT + 3, x + width * (not ends), y + 3)
        inside = min(box[0] - LEFT, WIDTH - box[2], box[1] - TOP, HEIGHT - BOTTOM - box[3])
        if inside > 0:
            yield Label(number, x, y, text, ends), box


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def has_label(section: Section, case: CaseView) -> bool:
    """Whether a case has a label, if there is room for it."""
    return case.block.changed or len(section.cases) <= LABEL_ALL_UP_TO


def label_text(case: CaseView) -> str:
    """Return the label of a case."""
    return shorten(case.block.name, MAX_LABEL_CELLS)
