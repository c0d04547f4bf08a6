"""One metric along one side of a picture: its span and its ticks, as numbers and as text.

Levels that can be drawn, and how sure they are: numbers of the judgement, in SI.

Where a level stands in a picture.

The size of a picture and of its margins, in pixels: for the drawing and for the script.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_pareto.model.change import Change
from pytest_pareto.model.metric import Kind, Metric
from pytest_pareto.model.verdict import CaseVerdict, MetricResult
from pytest_pareto.report.numbers import (
    MOST_DECIMALS,
    Scale,
    decimals_for,
    fixed,
    levels,
    own_direction,
    trimmed,
    typeset,
)
from pytest_pareto.report.plots import axis_label, is_logarithmic, position

_ROOM = 0.07
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_TICKS = 6
_MOST_TICKS = 12
_LEAST = 1e-300  # below, floats lose their digits, and ratios of them overflow


@dataclass(frozen=True, slots=True)
class Span:
    """What an axis shows, from ``low`` to ``high`` in SI, and its ticks with their text."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    log: bool = False

    def share(self, value: float) -> float:
        """How far along the axis a value is: 0 at the low end, 1 at the high one."""
        if self.log:
            low, high = math.log(self.low), math.log(self.high)
            return (math.log(value) - low) / (high - low)
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True, slots=True)
class Axis:
    """A metric that a picture can have along a side; ``log`` is None where a value is not > 0."""

    metric: Metric
    label: str
    linear: Span
    log: Span | None
    starts_log: bool

    @property
    def span(self) -> Span:
        """What it shows before the reader wants something else."""
        return self.log if self.log is not None and self.starts_log else self.linear


def build_axis(metric: Metric, values: Sequence[float]) -> Axis | None:
    """Lay an axis through values, which are finite; None where they leave it no length."""
    low, high = min(values), max(values)
    scale = levels((low, high), metric.unit).scale
    linear = _linear(low, high, scale)
    if linear is None:
        return None
    return Axis(
        metric,
        axis_label(metric, scale),
        linear,
        _logarithmic(low, high, scale) if low > 0 else None,
        is_logarithmic(low, high),
    )


def _linear(low: float, high: float, scale: Scale) -> Span | None:
    room = _ROOM * (high - low) or 0.1 * abs(high) or 1.0
    ends = low - room, high + room
    if not (math.isfinite(ends[1] - ends[0]) and ends[0] < low and high < ends[1]):
        return None
    ticks = _even_ticks(ends[0] if low < 0 else max(0.0, ends[0]), ends[1], scale)
    return Span(*ends, tuple(ticks))


def _even_ticks(low: float, high: float, scale: Scale) -> Iterator[tuple[float, str]]:
    low, high = low / scale.factor, high / scale.factor
    rough = (high - low) / _TICKS
    if not rough > 0:
        return
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * size for size in _STEPS if power * size >= rough * (1 - 1e-9))
    decimals = decimals_for(step, 1) if f"{step:.1e}"[2] == "0" else decimals_for(step, 2)
    first = math.ceil(low / step)
    for number in range(first, min(math.floor(high / step), first + _MOST_TICKS) + 1):
        value = number * step
        readable = decimals <= MOST_DECIMALS and abs(value) < 1e6
        yield value * scale.factor, fixed(value, decimals) if readable else typeset(f"{value:.6g}")


def _logarithmic(low: float, high: float, scale: Scale) -> Span | None:
    decades = math.log10(high) - math.log10(low)
    room = 10 ** (_ROOM * decades) if decades else 1.1
    ends = low / room, high * room
    if not (_LEAST < ends[0] < low and high < ends[1] < math.inf):
        return None
    if decades < 1:
        return Span(*ends, tuple(_even_ticks(*ends, scale)), log=True)
    return Span(*ends, tuple(_uneven_ticks(*ends, scale)), log=True)


def _uneven_ticks(low: float, high: float, scale: Scale) -> Iterator[tuple[float, str]]:
    low, high = low / scale.factor, high / scale.factor
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    sizes = (1, 2, 5) if math.log10(high) - math.log10(low) <= 3 else (1,)
    stride = max(1, math.ceil((last - first) / _MOST_TICKS))
    for exponent in range(first, last + 1, stride):
        for size in sizes:
            value = size * 10.0**exponent
            if low <= value <= high:
                yield value * scale.factor, trimmed(value, 3)


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


WIDTH, HEIGHT = 720, 460
LEFT, RIGHT, TOP, BOTTOM = 74, 16, 34, 52

Spot = tuple[float, float]
"""A place in the picture, from its upper left corner."""


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
