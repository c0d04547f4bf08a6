"""Where everything of a front's picture stands before a script moves it: a static drawing.

What joins the points of a picture or stands around them: fronts, bars and arrows.

Names beside points: as many as there is room for, and none above another.

The front as a line: the cases that no other beats in both of two metrics.
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
    Spot,
    across,
    around_now,
    level,
    spot_of,
    up,
    within,
)
from pytest_pareto.report.html.case_rows import CROWD, Case, Mark, Section
from pytest_pareto.report.plots import position
from pytest_pareto.report.text import display_width, shorten

GAP = 12
"""How far before a mark an arrow ends."""
SHORTEST = 18
"""What moved less than this has no arrow."""


@dataclass(frozen=True, slots=True)
class Arrow:
    """From where a case was to where it is; ``at`` is None where they are in one place."""

    case: int
    at: tuple[Spot, Spot] | None


def stairs(section: Section, spots: Sequence[Spot | None], side: str) -> str:
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


def lines_of(section: Section, side: str, first: int, second: int) -> tuple[int, ...]:
    """Return the cases on a front of two axes, as it was or is, the best across first."""
    x, y = section.axes[first].metric, section.axes[second].metric
    points = []
    for number, case in enumerate(section.cases):
        comparison = case.verdict.comparison
        found = position(
            level(comparison.metric(x.name), x, side), level(comparison.metric(y.name), y, side)
        )
        if found is not None:
            points.append((number, *found))
    return front_line(points, x, y)


def cross(case: CaseVerdict, x: Axis, y: Axis) -> str:
    """Draw a bar along each axis whose change has an interval, as far as the picture goes."""
    spot = spot_of(case, x, y, "candidate")
    assert spot is not None
    path = ""
    along_x = around_now(case.comparison.metric(x.metric.name))
    along_y = around_now(case.comparison.metric(y.metric.name))
    if along_x is not None:
        low, high = (within(x.span, end) for end in along_x)
        path += f"M{across(x.span, low):g} {spot[1]:g}H{across(x.span, high):g}"
    if along_y is not None:
        low, high = (within(y.span, end) for end in along_y)
        path += f"M{spot[0]:g} {up(y.span, low):g}V{up(y.span, high):g}"
    return path


def arrows(
    cases: Sequence[Case], old: Sequence[Spot | None], new: Sequence[Spot | None]
) -> Iterator[Arrow]:
    """Lead the cases that have news from where they were to where they are."""
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


NAMES_FOR = 12
"""With more cases than this, only those with news have their name beside them."""
LETTER = 6.3
LINE = 13
LONGEST = 26
POINT = 7
TRIES = ((12, -11), (-12, -11), (12, 20), (-12, 20), (17, 4), (-17, 4))
"""Where a name may begin, or end where it is to the left, from its point.

Right beside it comes last: there the front's line and the interval begin, which a name hides.
"""

Box = tuple[float, float, float, float]
"""Left, top, right and bottom."""


@dataclass(frozen=True, slots=True)
class Label:
    """A name beside a point, which ends there where ``ends``."""

    case: int
    x: float
    y: float
    text: str
    ends: bool


def is_named(section: Section, case: Case) -> bool:
    """Whether a case has its name beside it, room allowing."""
    return case.block.changed or len(section.cases) <= NAMES_FOR


def label_text(case: Case) -> str:
    """Name a case beside its point."""
    return shorten(case.block.name, LONGEST)


def place_labels(section: Section, at: Sequence[Spot | None]) -> Iterator[Label]:
    """Name cases, the gravest first, as long as no name covers another or a point with news."""
    spots = [spot for spot in at if spot is not None]
    taken = [(x - POINT, y - POINT, x + POINT, y + POINT) for x, y in spots]
    for number, case in enumerate(section.cases):
        spot = at[number]
        if spot is None or not is_named(section, case):
            continue
        text = label_text(case)
        for label, box in _places(number, spot, text):
            if not any(_overlap(box, other) for other in taken):
                taken.append(box)
                yield label
                break


def _places(number: int, spot: Spot, text: str) -> Iterator[tuple[Label, Box]]:
    """Try above, below and beside, within the picture."""
    width = LETTER * display_width(text)
    for dx, dy in TRIES:
        x, y, ends = round(spot[0] + dx, 1), round(spot[1] + dy, 1), dx < 0
        box = (x - width * ends, y - LINE + 3, x + width * (not ends), y + 3)
        inside = min(box[0] - LEFT, WIDTH - box[2], box[1] - TOP, HEIGHT - BOTTOM - box[3])
        if inside > 0:
            yield Label(number, x, y, text, ends), box


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


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
    old = [spot_of(case.verdict, x, y, "baseline") for case in section.cases]
    new = [spot_of(case.verdict, x, y, "candidate") for case in section.cases]
    at = [b or a for a, b in zip(old, new, strict=True)]
    lines = stairs(section, old, "baseline"), stairs(section, new, "candidate")
    bars = tuple(
        (number, cross(case.verdict, x, y) if new[number] else "")
        for number, case in enumerate(section.cases)
        if has_bars(section, case)
    )
    moves = tuple(arrows(section.cases, old, new))
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
        "moved": any(arrow.at for arrow in moves),
        "bars": any(path for _, path in bars),
    }
    return Drawing(
        x,
        y,
        tuple(Tick(across(x.span, value), text) for value, text in x.span.ticks),
        tuple(Tick(up(y.span, value), text) for value, text in y.span.ticks),
        *lines,
        bars,
        moves,
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


def front_line(points: Iterable[tuple[int, float, float]], x: Metric, y: Metric) -> tuple[int, ...]:
    """Return the numbers of the points on the front of two metrics, the best along ``x`` first.

    This is drawn, and decides nothing: whether a case is on the front of all metrics, beyond
    their tolerances, is the judge's word, and is marked apart.
    """
    ordered = sorted(points, key=lambda point: (x.harm_sign * point[1], y.harm_sign * point[2]))
    line, least = [], math.inf
    for number, _, height in ordered:
        if y.harm_sign * height < least:
            line.append(number)
            least = y.harm_sign * height
    return tuple(line)
