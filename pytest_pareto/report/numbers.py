"""SI values to readable text: the unit is chosen once for all the numbers of a row.

How many digits a number deserves, and how it is written: a true minus, no padded zero.

Changes to text, with the interval around them: "+6.3 %" and "[+6.2, +6.4]".

The figures of one metric as text: levels, tolerances and changes, all in the unit of a row.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_pareto.model.change import Change
from pytest_pareto.model.metric import Better, Kind, Metric
from pytest_pareto.model.verdict import MetricResult
from pytest_pareto.report.text import clean

_SCALES = {
    "s": ((1e-9, "ns"), (1e-6, "µs"), (1e-3, "ms"), (1.0, "s")),
    "J": ((1e-6, "µJ"), (1e-3, "mJ"), (1.0, "J"), (1e3, "kJ")),
    "B": ((1.0, "B"), (2.0**10, "KiB"), (2.0**20, "MiB"), (2.0**30, "GiB"), (2.0**40, "TiB")),
    "count": ((1.0, ""), (1e3, "k"), (1e6, "M"), (1e9, "G"), (1e12, "T"), (1e15, "P")),
}
_WHOLE = {"B", "count"}
TIMES = 3.0
"""From this ratio on, "×12" reads better than "+1100 %"."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A readable unit; one of it is ``factor`` of the SI unit."""

    factor: float
    unit: str


@dataclass(frozen=True, slots=True)
class Levels:
    """Values of one metric in one unit with the same decimals; "" where there is none."""

    texts: tuple[str, ...]
    scale: Scale


def levels(
    values: Sequence[float | None], unit: str, *, exact: bool = False, scale: Scale | None = None
) -> Levels:
    """Write SI values side by side, with four significant digits of the largest.

    ``exact`` values that differ get as many digits as it takes to see that they do. ``scale`` is
    of what they stand beside; without it they have one of their own.
    """
    finite = [value for value in values if value is not None and math.isfinite(value)]
    scale = scale or _scale_of(finite, unit)
    decimals = _decimals([value / scale.factor for value in finite], unit, scale)
    found = _written(values, scale, decimals)
    if not exact or _tells_apart(finite, found):
        return found
    for more in range(decimals + 1, decimals + 4):
        found = _written(values, scale, more)
        if _tells_apart(finite, found):
            return found
    raw = tuple("" if v is None else typeset(f"{v:.17g}") for v in values)
    return Levels(raw, Scale(1.0, "" if unit == "count" else unit))


def _tells_apart(values: Sequence[float], found: Levels) -> bool:
    return len(set(values)) <= len(set(found.texts) - {""})


def _written(values: Sequence[float | None], scale: Scale, decimals: int) -> Levels:
    scaled = [None if value is None else value / scale.factor for value in values]
    largest = max((abs(v) for v in scaled if v is not None and math.isfinite(v)), default=0.0)
    readable = not largest or 1e-3 <= largest < 1e6
    texts = (
        "" if v is None else fixed(v, decimals) if readable else typeset(f"{v:.3e}") for v in scaled
    )
    return Levels(tuple(texts), scale)


def _scale_of(values: Sequence[float], unit: str) -> Scale:
    largest = float(f"{max((abs(value) for value in values), default=0.0):.3e}")
    steps = [Scale(*step) for step in _SCALES.get(unit, ((1.0, unit),))]
    if not largest:
        return next(step for step in steps if step.factor == 1.0)
    return next((step for step in reversed(steps) if largest >= step.factor), steps[0])


def _decimals(values: Sequence[float], unit: str, scale: Scale) -> int:
    sizes = [abs(value) for value in values if value]
    whole = unit in _WHOLE and scale.factor == 1.0 and all(v.is_integer() for v in values)
    if not sizes or whole:
        return 0
    return min(MOST_DECIMALS, max(decimals_for(max(sizes), 4), decimals_for(min(sizes), 2)))


def fraction(value: float, digits: int = 3) -> str:
    """Write a tolerance or a resolution given as a fraction: "5 %"; "nothing" for `inf`."""
    if math.isinf(value):
        return "nothing"
    if 1 + value >= TIMES:
        return f"×{trimmed(1 + value, digits)}"
    return f"{trimmed(100 * value, digits)} %"


def amount(value: float, unit: str, digits: int = 3, scale: Scale | None = None) -> str:
    """Write a tolerance or a resolution given in a metric's unit; "nothing" for `inf`.

    ``scale`` is of what it stands beside; without it, it has one of its own.
    """
    if math.isinf(value):
        return "nothing"
    scale = scale or _scale_of([value], unit)
    text = trimmed(value / scale.factor, digits)
    return f"{text} {scale.unit}" if scale.unit else text


def duration(seconds: float) -> str:
    """Write how long a session took: "212 s", "0.35 s"."""
    return f"{fixed(seconds, min(2, decimals_for(seconds, 2)))} s"


MINUS = "−"
MOST_DECIMALS = 6


def decimals_for(value: float, digits: int) -> int:
    """How many decimals show so many significant digits of a value."""
    if not value or not math.isfinite(value):
        return 0
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])
    return max(0, digits - 1 - exponent)


def fixed(value: float, decimals: int) -> str:
    """Write a number with so many decimals; what rounds to zero has no minus."""
    text = typeset(f"{value:.{decimals}f}")
    return text.removeprefix(MINUS) if not text.strip(f"{MINUS}0.") else text


def signed(value: float, decimals: int) -> str:
    """Write a number with its sign; what rounds to zero has none."""
    text = fixed(value, decimals)
    unsigned = text.startswith(MINUS) or math.isnan(value) or not text.strip("0.")
    return text if unsigned else f"+{text}"


def trimmed(value: float, digits: int, *, sign: bool = False) -> str:
    """Write so many significant digits, without zeros that only fill up the decimals."""
    if value and abs(value) < 10.0**-MOST_DECIMALS:
        return ("+" if sign and value > 0 else "") + typeset(f"{value:.0e}")
    decimals = decimals_for(value, digits)
    text = signed(value, decimals) if sign else fixed(value, decimals)
    return text.rstrip("0").rstrip(".") if "." in text else text


def typeset(text: str) -> str:
    """Turn Python's "-1.5e-08", "inf" and "nan" into what a report shows."""
    text = text.replace("inf", "∞").replace("nan", "NaN").replace("-", MINUS)
    head, e, exponent = text.partition("e")
    if not e:
        return text
    minus = MINUS if exponent.startswith(MINUS) else ""
    return f"{head}e{minus}{exponent.lstrip(f'+{MINUS}0') or '0'}"


Ends = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Figure:
    """A change and the interval around it, "" where it has none."""

    text: str
    interval: str = ""


def relative_change(estimate: float, ends: Ends | None = None) -> Figure:
    """Write a change of a metric given as a fraction of it, with its interval's ends."""
    ends = _bounded(ends)
    if 1 + estimate >= TIMES:
        return _ratio(1 + estimate, ends)
    percent = 100 * estimate
    if ends is None:
        return Figure(f"{_percent(percent)} %")
    interval, decimals = _percent_interval((100 * ends[0], 100 * ends[1]))
    if decimals == 0 and abs(percent) < 10:
        decimals = 1
    return Figure(f"{signed(percent, decimals)} %", interval)


def absolute_change(estimate: float, ends: Ends | None, scale: Scale) -> Figure:
    """Write a change in the unit of its row: "−0.027" with "[−.040, −.014]"."""
    unit = f" {scale.unit}" if scale.unit else ""
    ends = _bounded(ends)
    if ends is None:
        return Figure(trimmed(estimate / scale.factor, 3, sign=True) + unit)
    scaled = ends[0] / scale.factor, ends[1] / scale.factor
    interval, decimals = _written_change(scaled, _interval_decimals(scaled))
    if max(map(abs, scaled)) < 1:
        interval = interval.replace("+0.", "+.").replace(f"{MINUS}0.", f"{MINUS}.")
    return Figure(signed(estimate / scale.factor, decimals) + unit, interval)


def _bounded(ends: Ends | None) -> Ends | None:
    """Drop an interval from minus to plus infinity: it says nothing."""
    return None if ends is None or all(map(math.isinf, ends)) else ends


def _ratio(ratio: float, ends: Ends | None) -> Figure:
    decimals = decimals_for(ratio, 2)
    if ends is None:
        return Figure(f"×{fixed(ratio, decimals)}")
    low, high = (fixed(1 + end, decimals) for end in ends)
    return Figure(f"×{fixed(ratio, decimals)}", f"[×{low}, ×{high}]")


def _percent(percent: float) -> str:
    size = abs(percent)
    if 0 < size < 1e-3:
        return ("+" if percent > 0 else "") + typeset(f"{percent:.0e}")
    if 90 < size < 100 and percent < 0:  # "−100 %" would read as if nothing were left
        return signed(percent, decimals_for(100 - size, 1))
    return signed(percent, decimals_for(percent, 2))


def _percent_interval(ends: Ends) -> tuple[str, int]:
    largest = max(map(abs, ends))
    most = 0 if largest >= 20 else 1 if largest >= 1 else MOST_DECIMALS
    return _written_change(ends, min(_interval_decimals(ends), most))


def _interval_decimals(ends: Ends) -> int:
    """Two digits of half the interval's width where its first digit is small, else one."""
    half = (ends[1] - ends[0]) / 2
    if not math.isfinite(half) or not half:
        finite = (abs(end) for end in ends if math.isfinite(end))
        return min(MOST_DECIMALS, decimals_for(max(finite), 2))
    leading = float(f"{half:.2e}".partition("e")[0])
    return min(MOST_DECIMALS, decimals_for(half, 2 if leading < 3.55 else 1))


def _written_change(ends: Ends, decimals: int) -> tuple[str, int]:
    low, high = (signed(end, decimals) for end in ends)
    while low == high and ends[0] != ends[1] and decimals < MOST_DECIMALS:
        decimals += 1
        low, high = (signed(end, decimals) for end in ends)
    return f"[{low}, {high}]", decimals


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
