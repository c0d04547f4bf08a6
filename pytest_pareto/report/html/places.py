"""Where a level stands in a picture."""

from pytest_pareto.model.verdict import CaseVerdict
from pytest_pareto.report.axes import position
from pytest_pareto.report.html.axis import Axis, Span
from pytest_pareto.report.html.levels import level
from pytest_pareto.report.html.paper import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Spot


def across(span: Span, value: float) -> float:
    """Return the pixel from the left of a level along the horizontal axis."""
    return round(LEFT + span.share(value) * (WIDTH - LEFT - RIGHT), 1)


def up(span: Span, value: float) -> float:
    """Return the pixel from above of a level along the vertical axis."""
    return round(HEIGHT - BOTTOM - span.share(value) * (HEIGHT - TOP - BOTTOM), 1)


def spot_of(case: CaseVerdict, x: Axis, y: Axis, side: str) -> Spot | None:
    """Place a case as it was or is; None where it has no place on these axes."""
    levels = (level(case.comparison.metric(a.metric.name), a.metric, side) for a in (x, y))
    found = position(*levels)
    return None if found is None else (across(x.span, found[0]), up(y.span, found[1]))


def within(span: Span, value: float) -> float:
    """Return the level, or the end of the axis that it is beyond."""
    return min(max(value, span.low), span.high)
