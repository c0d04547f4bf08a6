"""Changes to text, with the interval around them: "+6.3 %" and "[+6.2, +6.4]"."""

import math
from dataclasses import dataclass

from pytest_pareto.report.digits import (
    MINUS,
    MOST_DECIMALS,
    decimals_for,
    fixed,
    signed,
    trimmed,
    typeset,
)
from pytest_pareto.report.units import TIMES, Scale

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
    interval, decimals = _written(scaled, _interval_decimals(scaled))
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
    return _written(ends, min(_interval_decimals(ends), most))


def _interval_decimals(ends: Ends) -> int:
    """Two digits of half the interval's width where its first digit is small, else one."""
    half = (ends[1] - ends[0]) / 2
    if not math.isfinite(half) or not half:
        finite = (abs(end) for end in ends if math.isfinite(end))
        return min(MOST_DECIMALS, decimals_for(max(finite), 2))
    leading = float(f"{half:.2e}".partition("e")[0])
    return min(MOST_DECIMALS, decimals_for(half, 2 if leading < 3.55 else 1))


def _written(ends: Ends, decimals: int) -> tuple[str, int]:
    low, high = (signed(end, decimals) for end in ends)
    while low == high and ends[0] != ends[1] and decimals < MOST_DECIMALS:
        decimals += 1
        low, high = (signed(end, decimals) for end in ends)
    return f"[{low}, {high}]", decimals
