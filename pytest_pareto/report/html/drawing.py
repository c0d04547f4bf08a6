"""Where everything of a front's picture stands before a script moves it: a static drawing."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from pytest_pareto.model.verdict import CaseVerdict
from pytest_pareto.report.axes import position
from pytest_pareto.report.html.axis import Axis, Span
from pytest_pareto.report.html.case import Case, Mark
from pytest_pareto.report.html.front_line import front_line
from pytest_pareto.report.html.labels import Label, place_labels
from pytest_pareto.report.html.levels import around_now, level
from pytest_pareto.report.html.paper import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Spot
from pytest_pareto.report.html.section import CROWD, Section

GAP = 12
"""How far before a mark an arrow ends."""
SHORTEST = 18
"""What moved less than this has no arrow."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark along an axis, ``at`` its pixel."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A case as it is drawn; ``gone`` is whether it has no place now, and is where it was.

    ``name`` is "" where a case is told in brief: its row has it, and a script says it.
    """

    case: int
    mark: Mark
    name: str
    label: str
    on_front: bool
    gone: bool
    at: Spot | None


@dataclass(frozen=True, slots=True)
class Arrow:
    """From where a case was to where it is; ``at`` is None where they are in one place."""

    case: int
    at: tuple[Spot, Spot] | None


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture in pixels. What has no place on these axes has None, and a script may move it.

    ``legend`` names what may be drawn beside the marks, and whether it is on these axes.
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
    old = [_spot(case.verdict, x, y, "baseline") for case in section.cases]
    new = [_spot(case.verdict, x, y, "candidate") for case in section.cases]
    at = [b or a for a, b in zip(old, new, strict=True)]
    lines = _stairs(section, old, "baseline"), _stairs(section, new, "candidate")
    bars = tuple(
        (number, _cross(case.verdict, x, y) if new[number] else "")
        for number, case in enumerate(section.cases)
        if has_bars(section, case)
    )
    arrows = tuple(_arrows(section.cases, old, new))
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
        for n, c in _backmost_first(section.cases)
    )
    shown = {
        "ring": any(dot.on_front and dot.at for dot in dots),
        "new": bool(lines[1]),
        "old": bool(lines[0]),
        "moved": any(arrow.at for arrow in arrows),
        "bars": any(path for _, path in bars),
    }
    return Drawing(
        x,
        y,
        tuple(Tick(_across(x.span, value), text) for value, text in x.span.ticks),
        tuple(Tick(_up(y.span, value), text) for value, text in y.span.ticks),
        *lines,
        bars,
        arrows,
        dots,
        tuple(place_labels(section, at)),
        tuple(mark for mark in Mark if any(case.mark is mark for case in section.cases)),
        {name: shown[name] for name in _possible(section)},
    )


def _possible(section: Section) -> Iterator[str]:
    """Name what some pair of axes would show, as the legend has it."""
    pairs = list(combinations(range(len(section.axes)), 2))
    old, new = (
        any(lines_of(section, side, *pair) for pair in pairs) for side in ("baseline", "candidate")
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
        around_now(case.verdict.comparison.metric(axis.metric.name))
        for case in section.cases
        if has_bars(section, case)
        for axis in section.axes
    ):
        yield "bars"


def has_bars(section: Section, case: Case) -> bool:
    """Whether the uncertainty of a case is drawn."""
    return case.block.changed or len(section.cases) <= CROWD


def _backmost_first(cases: Sequence[Case]) -> list[tuple[int, Case]]:
    """What has news is drawn last, above the rest."""
    return sorted(enumerate(cases), key=lambda pair: (pair[1].block.changed, -pair[0]))


def _across(span: Span, value: float) -> float:
    return round(LEFT + span.share(value) * (WIDTH - LEFT - RIGHT), 1)


def _up(span: Span, value: float) -> float:
    return round(HEIGHT - BOTTOM - span.share(value) * (HEIGHT - TOP - BOTTOM), 1)


def _spot(case: CaseVerdict, x: Axis, y: Axis, side: str) -> Spot | None:
    levels = (level(case.comparison.metric(a.metric.name), a.metric, side) for a in (x, y))
    found = position(*levels)
    return None if found is None else (_across(x.span, found[0]), _up(y.span, found[1]))


def _stairs(section: Section, spots: Sequence[Spot | None], side: str) -> str:
    """Draw the front: between two of its points, what both beat begins at the worse of each."""
    x, y = (section.axes[place].metric for place in section.start)
    line = lines_of(section, side, *section.start)
    known = [spot for number in line if (spot := spots[number]) is not None]
    if not known:
        return ""
    worst_y = TOP if y.harm_sign > 0 else HEIGHT - BOTTOM
    worst_x = WIDTH - RIGHT if x.harm_sign > 0 else LEFT
    steps = [f"M{known[0][0]:g} {worst_y}V{known[0][1]:g}"]
    steps += [f"H{spot[0]:g}V{spot[1]:g}" for spot in known[1:]]
    return f"{''.join(steps)}H{worst_x}"


def lines_of(section: Section, side: str, across: int, up: int) -> tuple[int, ...]:
    """Return the cases on a front of two axes, as it was or is, the best across first."""
    x, y = section.axes[across].metric, section.axes[up].metric
    points = []
    for number, case in enumerate(section.cases):
        comparison = case.verdict.comparison
        found = position(
            level(comparison.metric(x.name), x, side), level(comparison.metric(y.name), y, side)
        )
        if found is not None:
            points.append((number, *found))
    return front_line(points, x, y)


def _cross(case: CaseVerdict, x: Axis, y: Axis) -> str:
    """Draw a bar along each axis whose change has an interval, as far as the picture goes."""
    spot = _spot(case, x, y, "candidate")
    assert spot is not None
    path = ""
    across = around_now(case.comparison.metric(x.metric.name))
    up = around_now(case.comparison.metric(y.metric.name))
    if across is not None:
        low, high = (_within(x.span, end) for end in across)
        path += f"M{_across(x.span, low):g} {spot[1]:g}H{_across(x.span, high):g}"
    if up is not None:
        low, high = (_within(y.span, end) for end in up)
        path += f"M{spot[0]:g} {_up(y.span, low):g}V{_up(y.span, high):g}"
    return path


def _within(span: Span, value: float) -> float:
    return min(max(value, span.low), span.high)


def _arrows(
    cases: Sequence[Case], old: Sequence[Spot | None], new: Sequence[Spot | None]
) -> Iterator[Arrow]:
    for number, case in enumerate(cases):
        if case.block.changed:
            a, b = old[number], new[number]
            yield Arrow(number, None if a is None or b is None else _shortened(a, b))


def _shortened(start: Spot, end: Spot) -> tuple[Spot, Spot] | None:
    """End an arrow before the mark that it leads to; None where it would have no length."""
    length = math.hypot(end[0] - start[0], end[1] - start[1])
    if length < SHORTEST:
        return None
    share = 1 - GAP / length
    x, y = (round(a + share * (b - a), 1) for a, b in zip(start, end, strict=True))
    return start, (x, y)
