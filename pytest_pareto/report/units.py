"""SI values to readable text: the unit is chosen once for all the numbers of a row."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_pareto.report.digits import MOST_DECIMALS, decimals_for, fixed, trimmed, typeset

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
