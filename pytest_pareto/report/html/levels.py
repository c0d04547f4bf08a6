"""Levels that can be drawn, and how sure they are: numbers of the judgement, in SI."""

import math

from pytest_pareto.model.change import Change
from pytest_pareto.model.metric import Kind, Metric
from pytest_pareto.model.verdict import MetricResult
from pytest_pareto.report.figures import own_direction


def level(result: MetricResult | None, metric: Metric, side: str) -> float | None:
    """Return a level that can be drawn beside those of other cases, or None."""
    if result is None or (result.metric.unit, result.metric.better) != (metric.unit, metric.better):
        return None
    value: float | None = getattr(result, side)
    return value if value is not None and math.isfinite(value) else None


def around_now(result: MetricResult | None) -> tuple[float, float] | None:
    """Lay the interval of a change around the level now; None where it has no width to show.

    The estimate may be adjusted where levels are raw, so only its distance from the ends is used.
    """
    if result is None or result.change is None or result.candidate is None:
        return None
    change, metric, now = result.change, result.metric, result.candidate
    if metric.kind is Kind.EXACT or not change.low < change.high:
        return None
    ends = _ends(change, metric, now)
    return ends if all(map(math.isfinite, ends)) else None


def _ends(change: Change, metric: Metric, now: float) -> tuple[float, float]:
    estimate, (low, high) = own_direction(change, metric)
    if not change.relative:
        return now + low - estimate, now + high - estimate
    if not 0 < 1 + estimate < math.inf:
        return math.inf, math.inf
    return now * (1 + low) / (1 + estimate), now * (1 + high) / (1 + estimate)
