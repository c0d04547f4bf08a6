"""One metric along one side of a picture: its span and its ticks, as numbers and as text."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_pareto.model.metric import Metric
from pytest_pareto.report.axes import axis_label, is_logarithmic
from pytest_pareto.report.digits import MOST_DECIMALS, decimals_for, fixed, trimmed, typeset
from pytest_pareto.report.units import Scale, levels

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
