"""Number formatting: SI values, changes and intervals as text with few significant digits.

All numbers of one row share a unit and their decimals: `levels` chooses both. Changes are
written as "+6.3 %" with the interval "[+6.2, +6.4]", or in the metric's unit. A minus is the
typographic one (U+2212), and what rounds to zero has no sign. Values are in SI units (s, J, B).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_pareto.model.change import Change
from pytest_pareto.model.metric import Better, Kind, Metric
from pytest_pareto.model.verdict import MetricResult
from pytest_pareto.report.text import clean

MINUS = "−"
MAX_DECIMALS = 6
NOTHING, ANY_CHANGE = "nothing", "any change"
"""What a resolution is that detects no regression, and one that detects each."""
RATIO_FROM = 3.0
"""Changes from this ratio on are written as "×12", which reads better than "+1100 %"."""

Interval = tuple[float, float]
"""The low and the high end."""

_SCALES = {
    "s": ((1e-9, "ns"), (1e-6, "µs"), (1e-3, "ms"), (1.0, "s")),
    "J": ((1e-6, "µJ"), (1e-3, "mJ"), (1.0, "J"), (1e3, "kJ")),
    "B": ((1.0, "B"), (2.0**10, "KiB"), (2.0**20, "MiB"), (2.0**30, "GiB"), (2.0**40, "TiB")),
    "count": ((1.0, ""), (1e3, "k"), (1e6, "M"), (1e9, "G"), (1e12, "T"), (1e15, "P")),
}
_INTEGER_UNITS = {"B", "count"}


@dataclass(frozen=True, slots=True)
class Scale:
    """A readable unit; one of it is ``factor`` of the SI unit."""

    factor: float
    unit: str


@dataclass(frozen=True, slots=True)
class Levels:
    """Values of one metric in one unit with equal decimals, as text; "" where there is no value."""

    texts: tuple[str, ...]
    scale: Scale


def levels(
    values: Sequence[float | None], unit: str, *, exact: bool = False, scale: Scale | None = None
) -> Levels:
    """Format SI values that stand side by side, with four significant digits of the largest.

    ``exact`` values that differ get as many digits as it takes to show that they do. ``scale`` is
    the unit of the numbers beside them; without it, a unit is chosen for these values.
    """
    finite = [value for value in values if value is not None and math.isfinite(value)]
    scale = scale or _choose_scale(finite, unit)
    decimals = _level_decimals([value / scale.factor for value in finite], unit, scale)
    formatted = _format_levels(values, scale, decimals)
    if not exact or _are_distinct(finite, formatted):
        return formatted
    for more in range(decimals + 1, decimals + 4):
        formatted = _format_levels(values, scale, more)
        if _are_distinct(finite, formatted):
            return formatted
    raw = tuple("" if v is None else typeset(f"{v:.17g}") for v in values)
    return Levels(raw, Scale(1.0, "" if unit == "count" else unit))


def _are_distinct(values: Sequence[float], formatted: Levels) -> bool:
    """Whether values that differ have texts that differ."""
    return len(set(values)) <= len(set(formatted.texts) - {""})


def _format_levels(values: Sequence[float | None], scale: Scale, decimals: int) -> Levels:
    scaled = [None if value is None else value / scale.factor for value in values]
    largest = max((abs(v) for v in scaled if v is not None and math.isfinite(v)), default=0.0)
    readable = not largest or 1e-3 <= largest < 1e6
    texts = (
        "" if v is None else fixed(v, decimals) if readable else typeset(f"{v:.3e}") for v in scaled
    )
    return Levels(tuple(texts), scale)


def _choose_scale(values: Sequence[float], unit: str) -> Scale:
    largest = float(f"{max((abs(value) for value in values), default=0.0):.3e}")
    steps = [Scale(*step) for step in _SCALES.get(unit, ((1.0, unit),))]
    if not largest:
        return next(step for step in steps if step.factor == 1.0)
    return next((step for step in reversed(steps) if largest >= step.factor), steps[0])


def _level_decimals(values: Sequence[float], unit: str, scale: Scale) -> int:
    """Return the decimals of levels: four digits of the largest, at least two of the smallest."""
    sizes = [abs(value) for value in values if value]
    whole = unit in _INTEGER_UNITS and scale.factor == 1.0 and all(v.is_integer() for v in values)
    if not sizes or whole:
        return 0
    return min(MAX_DECIMALS, max(decimals_for(max(sizes), 4), decimals_for(min(sizes), 2)))


def fraction(value: float, digits: int = 3) -> str:
    """Format a relative tolerance or resolution, given as a fraction: "5 %"; "nothing" for `inf`.

    From `RATIO_FROM` on it is written as a ratio: "×12".
    """
    if math.isinf(value):
        return NOTHING
    if 1 + value >= RATIO_FROM:
        return f"×{trimmed(1 + value, digits)}"
    return f"{trimmed(100 * value, digits)} %"


def amount(value: float, unit: str, digits: int = 3, scale: Scale | None = None) -> str:
    """Format a tolerance or resolution in a metric's unit; "nothing" for `inf`.

    ``value`` is in SI. ``scale`` is the unit of the numbers beside it; without it, a unit is chosen
    for this value.
    """
    if math.isinf(value):
        return NOTHING
    scale = scale or _choose_scale([value], unit)
    text = trimmed(value / scale.factor, digits)
    return f"{text} {scale.unit}" if scale.unit else text


def duration(seconds: float) -> str:
    """Format the duration of a session in seconds: "212 s", "0.35 s"."""
    return f"{fixed(seconds, min(2, decimals_for(seconds, 2)))} s"


def decimals_for(value: float, digits: int) -> int:
    """Return how many decimals show ``digits`` significant digits of a value."""
    if not value or not math.isfinite(value):
        return 0
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])
    return max(0, digits - 1 - exponent)


def fixed(value: float, decimals: int) -> str:
    """Format a number with a fixed number of decimals; what rounds to zero has no minus."""
    text = typeset(f"{value:.{decimals}f}")
    return text.removeprefix(MINUS) if not text.strip(f"{MINUS}0.") else text


def signed(value: float, decimals: int) -> str:
    """Format a number with its sign; what rounds to zero has none."""
    text = fixed(value, decimals)
    unsigned = text.startswith(MINUS) or math.isnan(value) or not text.strip("0.")
    return text if unsigned else f"+{text}"


def trimmed(value: float, digits: int, *, sign: bool = False) -> str:
    """Format a number with ``digits`` significant digits, without trailing zeros."""
    if value and abs(value) < 10.0**-MAX_DECIMALS:
        return ("+" if sign and value > 0 else "") + typeset(f"{value:.0e}")
    decimals = decimals_for(value, digits)
    text = signed(value, decimals) if sign else fixed(value, decimals)
    return text.rstrip("0").rstrip(".") if "." in text else text


def typeset(text: str) -> str:
    """Return a number as Python formats it with typographic signs.

    "-1.5e-08", "inf" and "nan" become "−1.5e−8", "∞" and "NaN".
    """
    text = text.replace("inf", "∞").replace("nan", "NaN").replace("-", MINUS)
    head, e, exponent = text.partition("e")
    if not e:
        return text
    minus = MINUS if exponent.startswith(MINUS) else ""
    return f"{head}e{minus}{exponent.lstrip(f'+{MINUS}0') or '0'}"


@dataclass(frozen=True, slots=True)
class Figure:
    """A change as text, and its interval, "" where it has none."""

    text: str
    interval: str = ""


def relative_change(estimate: float, ends: Interval | None = None) -> Figure:
    """Format a relative change, given as a fraction of the metric, with its interval."""
    ends = _drop_unbounded(ends)
    if 1 + estimate >= RATIO_FROM:
        return _ratio_figure(1 + estimate, ends)
    percent = 100 * estimate
    if ends is None:
        return Figure(f"{_percent_text(percent)} %")
    interval, decimals = _percent_interval((100 * ends[0], 100 * ends[1]))
    if decimals == 0 and abs(percent) < 10:
        decimals = 1
    return Figure(f"{signed(percent, decimals)} %", interval)


def absolute_change(estimate: float, ends: Interval | None, scale: Scale) -> Figure:
    """Format a change in the unit of its row: "−0.027" with the interval "[−.040, −.014]"."""
    unit = f" {scale.unit}" if scale.unit else ""
    ends = _drop_unbounded(ends)
    if ends is None:
        return Figure(trimmed(estimate / scale.factor, 3, sign=True) + unit)
    scaled = ends[0] / scale.factor, ends[1] / scale.factor
    interval, decimals = _format_interval(scaled, _interval_decimals(scaled))
    if max(map(abs, scaled)) < 1:
        interval = interval.replace("+0.", "+.").replace(f"{MINUS}0.", f"{MINUS}.")
    return Figure(signed(estimate / scale.factor, decimals) + unit, interval)


def _drop_unbounded(ends: Interval | None) -> Interval | None:
    """Return None for an interval from minus to plus infinity: it has no information."""
    return None if ends is None or all(map(math.isinf, ends)) else ends


def _ratio_figure(ratio: float, ends: Interval | None) -> Figure:
    decimals = decimals_for(ratio, 2)
    if ends is None:
        return Figure(f"×{fixed(ratio, decimals)}")
    low, high = (fixed(1 + end, decimals) for end in ends)
    return Figure(f"×{fixed(ratio, decimals)}", f"[×{low}, ×{high}]")


def _percent_text(percent: float) -> str:
    size = abs(percent)
    if 0 < size < 1e-3:
        return ("+" if percent > 0 else "") + typeset(f"{percent:.0e}")
    if 90 < size < 100 and percent < 0:  # "−100 %" would mean that nothing is left
        return signed(percent, decimals_for(100 - size, 1))
    return signed(percent, decimals_for(percent, 2))


def _percent_interval(ends: Interval) -> tuple[str, int]:
    largest = max(map(abs, ends))
    most = 0 if largest >= 20 else 1 if largest >= 1 else MAX_DECIMALS
    return _format_interval(ends, min(_interval_decimals(ends), most))


def _interval_decimals(ends: Interval) -> int:
    """Return the decimals of an interval: two digits of its half width, or one.

    Two where the first digit of the half width is small (below 3.55), else one.
    """
    half = (ends[1] - ends[0]) / 2
    if not math.isfinite(half) or not half:
        finite = (abs(end) for end in ends if math.isfinite(end))
        return min(MAX_DECIMALS, decimals_for(max(finite), 2))
    leading = float(f"{half:.2e}".partition("e")[0])
    return min(MAX_DECIMALS, decimals_for(half, 2 if leading < 3.55 else 1))


def _format_interval(ends: Interval, decimals: int) -> tuple[str, int]:
    """Format the ends of an interval, with more decimals where both ends would read the same.

    Returns the text and the decimals used.
    """
    low, high = (signed(end, decimals) for end in ends)
    while low == high and ends[0] != ends[1] and decimals < MAX_DECIMALS:
        decimals += 1
        low, high = (signed(end, decimals) for end in ends)
    return f"[{low}, {high}]", decimals


def result_levels(result: MetricResult) -> Levels:
    """Format the baseline and candidate level of a metric, in one unit."""
    exact = result.metric.kind is Kind.EXACT
    return levels((result.baseline, result.candidate), result.metric.unit, exact=exact)


def on_scale_of(metric: Metric, value: float, digits: int = 3, scale: Scale | None = None) -> str:
    """Format a tolerance as its author writes it: in per cent, or in the metric's unit.

    ``scale`` is the unit of the levels beside it.
    """
    if metric.relative:
        return clean(fraction(value, digits))
    return clean(amount(value, metric.unit, digits, scale))


def resolution_text(metric: Metric, value: float, scale: Scale | None = None) -> str:
    """Format a resolution, the minimum detectable regression, with two digits."""
    return on_scale_of(metric, value, 2, scale) if value else ANY_CHANGE


def detectable_text(resolution: str) -> str:
    """Return a resolution as a phrase, for texts outside the columns of a table."""
    if resolution in {NOTHING, ANY_CHANGE}:
        return f"{'no regression' if resolution == NOTHING else ANY_CHANGE} is detectable"
    return f"minimum detectable regression {resolution}"


def change_figure(change: Change, metric: Metric, sides: Levels) -> Figure:
    """Format the change of a metric in the metric's own direction.

    An absolute change is in the unit of its levels, ``sides``.
    """
    unbounded = math.isinf(change.low) and math.isinf(change.high)
    estimate, ends = to_metric_direction(change, metric)
    shown = None if unbounded or metric.kind is Kind.EXACT else ends
    if change.relative:
        return relative_change(estimate, shown)
    return absolute_change(estimate, shown, sides.scale)


def to_metric_direction(change: Change, metric: Metric) -> tuple[float, Interval]:
    """Turn a change from the harmful direction into the direction of the metric itself.

    Returns the estimate and its interval, relative or in SI as the change is.
    """
    if metric.better is Better.LOWER:
        return change.estimate, (change.low, change.high)
    turn = _inverse if change.relative else float.__neg__
    return turn(change.estimate), (turn(change.high), turn(change.low))


def _inverse(harm: float) -> float:
    return 1 / (1 + harm) - 1 if harm > -1 else math.inf
