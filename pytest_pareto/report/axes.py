"""What a picture of a front shows along its sides, and what it marks: for terminals and pages."""

import math
from collections import Counter
from collections.abc import Sequence

from pytest_pareto.model.metric import Better, Metric
from pytest_pareto.model.verdict import CaseVerdict
from pytest_pareto.report.text import clean
from pytest_pareto.report.units import Scale

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
