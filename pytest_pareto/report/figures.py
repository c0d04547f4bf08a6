"""The figures of one metric as text: levels, tolerances and changes, all in the unit of a row."""

import math

from pytest_pareto.model.change import Change
from pytest_pareto.model.metric import Better, Kind, Metric
from pytest_pareto.model.verdict import MetricResult
from pytest_pareto.report.changes import Ends, Figure, absolute_change, relative_change
from pytest_pareto.report.text import clean
from pytest_pareto.report.units import Levels, Scale, amount, fraction, levels


def sides_of(result: MetricResult) -> Levels:
    """Write both levels of a metric; their unit is the one of all that stands beside them."""
    exact = result.metric.kind is Kind.EXACT
    return levels((result.baseline, result.candidate), result.metric.unit, exact=exact)


def on_scale_of(metric: Metric, value: float, digits: int = 3, scale: Scale | None = None) -> str:
    """Write a tolerance as its author would: in percent, or in the metric's unit.

    ``scale`` is of the levels that it stands beside.
    """
    if metric.relative:
        return clean(fraction(value, digits))
    return clean(amount(value, metric.unit, digits, scale))


def resolution_text(metric: Metric, value: float, scale: Scale | None = None) -> str:
    """Write the smallest regression that would have been caught, in two digits."""
    return on_scale_of(metric, value, 2, scale) if value else "any change"


def caught_text(resolution: str) -> str:
    """Say the resolution where no column says it."""
    return f"would have caught {resolution}"


def change_figure(change: Change, metric: Metric, sides: Levels) -> Figure:
    """Write what happened to a metric, on the scale of its ``sides`` where it is absolute."""
    unbounded = math.isinf(change.low) and math.isinf(change.high)
    estimate, ends = own_direction(change, metric)
    shown = None if unbounded or metric.kind is Kind.EXACT else ends
    if change.relative:
        return relative_change(estimate, shown)
    return absolute_change(estimate, shown, sides.scale)


def own_direction(change: Change, metric: Metric) -> tuple[float, Ends]:
    """Turn a change in the harmful direction into what happened to the metric itself."""
    if metric.better is Better.LOWER:
        return change.estimate, (change.low, change.high)
    turn = _inverse if change.relative else float.__neg__
    return turn(change.estimate), (turn(change.high), turn(change.low))


def _inverse(harm: float) -> float:
    return 1 / (1 + harm) - 1 if harm > -1 else math.inf
