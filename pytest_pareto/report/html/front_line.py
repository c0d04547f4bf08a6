"""The front as a line: the cases that no other beats in both of two metrics."""

import math
from collections.abc import Iterable

from pytest_pareto.model.metric import Metric


def front_line(points: Iterable[tuple[int, float, float]], x: Metric, y: Metric) -> tuple[int, ...]:
    """Return the numbers of the points on the front of two metrics, the best along ``x`` first.

    This is drawn, and decides nothing: whether a case is on the front of all metrics, beyond
    their tolerances, is the judge's word, and is marked apart.
    """
    ordered = sorted(points, key=lambda point: (x.harm_sign * point[1], y.harm_sign * point[2]))
    line, least = [], math.inf
    for number, _, level in ordered:
        if y.harm_sign * level < least:
            line.append(number)
            least = y.harm_sign * level
    return tuple(line)
