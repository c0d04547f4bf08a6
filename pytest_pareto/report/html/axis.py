"""Axes of the HTML plots: spans, ticks, levels in SI and their positions in pixels.

`build_axis` lays an axis through the levels of a metric. `level` and `level_interval` return
what can be drawn of a result. `x_pixel`, `y_pixel` and `pixel_of` map levels to the plot, whose
size and margins are constants here, for the drawing and for the script.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_pareto.model.change import Change
from pytest_pareto.model.metric import Kind, Metric
from pytest_pareto.model.verdict import CaseVerdict, MetricResult
from pytest_pareto.report.numbers import (
    MAX_DECIMALS,
    Scale,
    decimals_for,
    fixed,
    levels,
    to_metric_direction,
    trimmed,
    typeset,
)
from pytest_pareto.report.plots import axis_label, coordinates, is_logarithmic

WIDTH, HEIGHT = 720, 460
LEFT, RIGHT, TOP, BOTTOM = 74, 16, 34, 52
_MARGIN_SHARE = 0.07
_STEP_SIZES = (1.0, 2.0, 2.5, 5.0, 10.0)
_TARGET_TICKS = 6
_MAX_TICKS = 12
_MIN_LEVEL = 1e-300  # below, floats lose digits and their ratios overflow
Pixel = tuple[float, float]
"""x and y in pixels, from the upper left corner of the plot."""


@dataclass(frozen=True, slots=True)
class Span:
    """The range of an axis, from ``low`` to ``high`` in SI, and its ticks with their text."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    log: bool = False

    def share(self, value: float) -> float:
        """Return the position of a value along the axis: 0 at the low end, 1 at the high one."""
        if self.log:
            low, high = math.log(self.low), math.log(self.high)
            return (math.log(value) - low) / (high - low)
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True, slots=True)
class Axis:
    """A metric as an axis of a plot.

    ``log`` is None where a value is not positive. ``starts_log`` is whether it is logarithmic until
    the reader chooses otherwise.
    """

    metric: Metric
    label: str
    linear: Span
    log: Span | None
    starts_log: bool

    @property
    def span(self) -> Span:
        """The span that the axis has at first."""
        return self.log if self.log is not None and self.starts_log else self.linear


def build_axis(metric: Metric, values: Sequence[float]) -> Axis | None:
    """Build an axis through finite values; None where they leave it no length."""
    low, high = min(values), max(values)
    scale = levels((low, high), metric.unit).scale
    linear = _linear_span(low, high, scale)
    if linear is None:
        return None
    return Axis(
        metric,
        axis_label(metric, scale),
        linear,
        _log_span(low, high, scale) if low > 0 else None,
        is_logarithmic(low, high),
    )


def _linear_span(low: float, high: float, scale: Scale) -> Span | None:
    margin = _MARGIN_SHARE * (high - low) or 0.1 * abs(high) or 1.0
    ends = low - margin, high + margin
    if not (math.isfinite(ends[1] - ends[0]) and ends[0] < low and high < ends[1]):
        return None
    ticks = _linear_ticks(ends[0] if low < 0 else max(0.0, ends[0]), ends[1], scale)
    return Span(*ends, tuple(ticks))


def _linear_ticks(low: float, high: float, scale: Scale) -> Iterator[tuple[float, str]]:
    low, high = low / scale.factor, high / scale.factor
    rough = (high - low) / _TARGET_TICKS
    if not rough > 0:
        return
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * size for size in _STEP_SIZES if power * size >= rough * (1 - 1e-9))
    decimals = decimals_for(step, 1) if f"{step:.1e}"[2] == "0" else decimals_for(step, 2)
    first = math.ceil(low / step)
    for number in range(first, min(math.floor(high / step), first + _MAX_TICKS) + 1):
        value = number * step
        readable = decimals <= MAX_DECIMALS and abs(value) < 1e6
        yield value * scale.factor, fixed(value, decimals) if readable else typeset(f"{value:.6g}")


def _log_span(low: float, high: float, scale: Scale) -> Span | None:
    decades = math.log10(high) - math.log10(low)
    margin = 10 ** (_MARGIN_SHARE * decades) if decades else 1.1
    ends = low / margin, high * margin
    if not (_MIN_LEVEL < ends[0] < low and high < ends[1] < math.inf):
        return None
    if decades < 1:
        return Span(*ends, tuple(_linear_ticks(*ends, scale)), log=True)
    return Span(*ends, tuple(_log_ticks(*ends, scale)), log=True)


def _log_ticks(low: float, high: float, scale: Scale) -> Iterator[tuple[float, str]]:
    low, high = low / scale.factor, high / scale.factor
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    mantissas = (1, 2, 5) if math.log10(high) - math.log10(low) <= 3 else (1,)
    stride = max(1, math.ceil((last - first) / _MAX_TICKS))
    for exponent in range(first, last + 1, stride):
        for size in mantissas:
            value = size * 10.0**exponent
            if low <= value <= high:
                yield value * scale.factor, trimmed(value, 3)


def level(result: MetricResult | None, metric: Metric, side: str) -> float | None:
    """Return a level that can be drawn beside those of other cases, or None.

    A lower bound cannot. ``side`` is "baseline" or "candidate". The unit and direction must be
    those of ``metric``.
    """
    if result is None or (result.metric.unit, result.metric.better) != (metric.unit, metric.better):
        return None
    if side == "candidate" and result.lower_bound is not None:
        return None
    value: float | None = getattr(result, side)
    return value if value is not None and math.isfinite(value) else None


def level_interval(result: MetricResult | None) -> tuple[float, float] | None:
    """Return the interval of a change as levels around the candidate; None where it has no width.

    The estimate may be adjusted while levels are raw, so only its distance from the ends is used.
    """
    if result is None or result.change is None or result.candidate is None:
        return None
    change, metric, now = result.change, result.metric, result.candidate
    if metric.kind is Kind.EXACT or not change.low < change.high:
        return None
    ends = _shifted_interval(change, metric, now)
    return ends if all(map(math.isfinite, ends)) else None


def _shifted_interval(change: Change, metric: Metric, now: float) -> tuple[float, float]:
    estimate, (low, high) = to_metric_direction(change, metric)
    if not change.relative:
        return now + low - estimate, now + high - estimate
    if not 0 < 1 + estimate < math.inf:
        return math.inf, math.inf
    return now * (1 + low) / (1 + estimate), now * (1 + high) / (1 + estimate)


def pixel_of(case: CaseVerdict, x: Axis, y: Axis, side: str) -> Pixel | None:
    """Return the pixel of a case on one side; None where it has no position on these axes."""
    levels = (level(case.comparison.metric(a.metric.name), a.metric, side) for a in (x, y))
    point = coordinates(*levels)
    return None if point is None else (x_pixel(x.span, point[0]), y_pixel(y.span, point[1]))


def x_pixel(span: Span, value: float) -> float:
    """Return the pixel of a level along the horizontal axis, from the left."""
    return round(LEFT + span.share(value) * (WIDTH - LEFT - RIGHT), 1)


def y_pixel(span: Span, value: float) -> float:
    """Return the pixel of a level along the vertical axis, from the top."""
    return round(HEIGHT - BOTTOM - span.share(value) * (HEIGHT - TOP - BOTTOM), 1)


def clamp(span: Span, value: float) -> float:
    """Return the level, or the end of the axis if it is beyond that end."""
    return min(max(value, span.low), span.high)
