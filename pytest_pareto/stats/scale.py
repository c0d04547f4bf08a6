"""The working scale: logarithms where changes are ratios, the metric's unit where not.

One number per run: nothing after this module sees a single call.

What the callers of `compare_runs` and `compare_paired` hand in, checked in one place.
"""

import math
from collections.abc import Sequence

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Better, Kind

STORED_ROUNDING = 5.001e-7
"""The largest relative error of a number stored with 7 significant digits, and a hair."""

_LARGEST = 1e150  # squares of such numbers still fit a float


def require_usable(values: Sequence[float], *, relative: bool, noun: str = "reading") -> None:
    """Raise ParetoError unless there are values, and a mean of them (or of their logs) exists."""
    if len(values) == 0:
        raise ParetoError(f"there is no {noun} to compare; give at least one")
    # A finite sum has no summand that is not; the rest is for telling which one it is.
    within = min(values) > 0 if relative else _LARGEST >= max(values) >= min(values) >= -_LARGEST
    if within and math.isfinite(sum(values)):
        return
    for position, value in enumerate(values):
        if not _usable(value, relative=relative):
            remedy = _remedy(value, relative=relative)
            raise ParetoError(f"{noun} {position} is {value:g}; {remedy}")


def _usable(value: float, *, relative: bool) -> bool:
    return math.isfinite(value) and (value > 0 if relative else abs(value) <= _LARGEST)


def _remedy(value: float, *, relative: bool) -> str:
    if not math.isfinite(value):
        return "a finite number is needed"
    if not relative:
        return f"numbers beyond {_LARGEST:g} cannot be compared"
    if value == 0:
        return (
            "that is below the resolution of the clock or counter: "
            "let one reading cover more work, or record the metric with an absolute tolerance"
        )
    return "ratios need positive numbers: record the metric with an absolute tolerance"


def to_working(levels: Sequence[float], *, relative: bool) -> tuple[float, ...]:
    """Bring levels in the metric's unit, one per run, to the scale on which they are compared.

    Raises ParetoError where a level is not finite, or not positive although ``relative``.
    """
    require_usable(levels, relative=relative, noun="run")
    return tuple(map(math.log, levels)) if relative else tuple(map(float, levels))


def to_fraction(distance: float, *, relative: bool) -> float:
    """Turn a distance on the working scale into a fraction, or leave it in the metric's unit."""
    if not relative:
        return distance
    try:
        return math.expm1(distance)
    except OverflowError:
        return math.inf


def to_distance(fraction: float, *, relative: bool) -> float:
    """Turn a fraction back into a distance on the working scale; the inverse of `to_fraction`."""
    if not relative:
        return fraction
    return math.log1p(fraction) if fraction > -1 else -math.inf


def all_same(levels: Sequence[float]) -> bool:
    """Whether levels are one number, but for the rounding of those that were stored."""
    first = levels[0]
    return all(abs(x - first) <= 2 * STORED_ROUNDING * max(abs(x), abs(first)) for x in levels)


def margin_of(tolerance: float, *, relative: bool) -> float:
    """Return the tolerance as a distance on the working scale."""
    return math.log1p(tolerance) if relative else tolerance


def power_of_two(largest: float) -> float:
    """Return the power of two next above ``largest``, but none beyond about 1e-150 and 1e150.

    Divided by it numbers keep their digits, and their cubes are numbers too.
    """
    return math.ldexp(1.0, min(max(math.frexp(largest)[1], -498), 499))


def harm_sign(better: Better) -> float:
    """+1 where more is worse, -1 where less is worse."""
    return 1.0 if better is Better.LOWER else -1.0


_TRIMMED_SHARE = 4  # a quarter of the readings at each end: the interquartile mean


def summarise_run(readings: Sequence[float], *, relative: bool) -> float:
    """Return the level of one run, in the unit of its readings.

    The mean after trimming a quarter of the readings at each end, of logarithms and brought
    back by the exponential where ``relative``. Calls stalled by something else on the
    machine fall to the trimming: on an H200 trimming a tenth only left 6 and 10 % between
    processes of two host-bound pipelines, a quarter 5 and 8 %. A median would forgive a
    process that ran slowly half of the time.

    Raises ParetoError where there are no readings, one is not finite, or one is zero or
    negative although ``relative``.
    """
    require_usable(readings, relative=relative)
    cut = len(readings) // _TRIMMED_SHARE
    return mean_level(sorted(readings)[cut : len(readings) - cut], relative=relative)


def mean_level(levels: Sequence[float], *, relative: bool) -> float:
    """Return the mean of levels on the scale on which they are compared, in their own unit."""
    if len(levels) == 1:
        return levels[0]  # to the last digit, which the logarithm would lose
    if relative:
        return math.exp(math.fsum(map(math.log, levels)) / len(levels))
    return math.fsum(levels) / len(levels)


def read_better(better: str) -> Better:
    """Read which way is better.

    Raises ParetoError unless it is "lower" or "higher".
    """
    if better not in tuple(Better):
        raise ParetoError(f"better must be 'lower' or 'higher', not {better!r}")
    return Better(better)


def read_kind(kind: str) -> Kind:
    """Read what kind of scores samples have.

    Raises ParetoError unless it is "paired" or "ordinal".
    """
    if kind not in (Kind.PAIRED, Kind.ORDINAL):
        raise ParetoError(f"kind must be 'paired' or 'ordinal', not {kind!r}")
    return Kind(kind)


def require_terms(*, alpha: float, **limits: float) -> None:
    """Raise ParetoError unless alpha is a chance below one half and each limit is finite, >= 0."""
    for name, value in limits.items():
        if not (math.isfinite(value) and value >= 0):
            raise ParetoError(f"{name} must be a finite number >= 0, not {value!r}")
    if not 0 < alpha < 0.5:
        raise ParetoError(f"alpha must lie between 0 and 0.5, not {alpha!r}")
