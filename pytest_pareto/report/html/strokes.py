"""What joins the points of a picture or stands around them: fronts, bars and arrows."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_pareto.model.verdict import CaseVerdict
from pytest_pareto.report.axes import position
from pytest_pareto.report.html.axis import Axis
from pytest_pareto.report.html.case import Case
from pytest_pareto.report.html.front_line import front_line
from pytest_pareto.report.html.levels import around_now, level
from pytest_pareto.report.html.paper import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Spot
from pytest_pareto.report.html.places import across, spot_of, up, within
from pytest_pareto.report.html.section import Section

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
