"""The working scale of comparisons, the level of a run, and the trimmed mean of differences.

Relative metrics are compared as logarithms, the others in their own unit. `summarise_run` reduces
the readings of a run to its level; later modules see levels only. The ``read_*`` and ``require_*``
functions validate the arguments of `compare_runs` and `compare_paired`.
"""

import math
from collections.abc import Sequence

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Better, Kind

STORED_ROUNDING = 5.001e-7
"""The largest relative error of a number stored with 7 significant digits, slightly rounded up."""

TRIMMED_SHARE = 0.2
"""The share of paired differences that is left out at either end.

Neighbours in time differ with heavy tails where a host is shared. Recorded on two H200 hosts, this
halves the scatter of a mean over a hundred pairs. A slow-down of every second call is read in full,
one of every fourth to six tenths, and one of every tenth hardly at all.
"""

LARGEST = 1e150  # the squares of such numbers still fit a float


def require_usable(values: Sequence[float], *, relative: bool, noun: str = "reading") -> None:
    """Raise ParetoError unless there are values, and a mean of them (or of their logs) exists.

    ``noun`` names one value in the message.
    """
    if len(values) == 0:
        raise ParetoError(f"there is no {noun} to compare; give at least one")
    # The sum is finite only if every value is; the loop below only finds the value to report.
    within = min(values) > 0 if relative else LARGEST >= max(values) >= min(values) >= -LARGEST
    if within and math.isfinite(sum(values)):
        return
    for position, value in enumerate(values):
        if not _usable(value, relative=relative):
            remedy = _remedy(value, relative=relative)
            raise ParetoError(f"{noun} {position} is {value:g}; {remedy}")


def _usable(value: float, *, relative: bool) -> bool:
    return math.isfinite(value) and (value > 0 if relative else abs(value) <= LARGEST)


def _remedy(value: float, *, relative: bool) -> str:
    if not math.isfinite(value):
        return "a finite number is needed"
    if not relative:
        return f"numbers beyond {LARGEST:g} cannot be compared"
    if value == 0:
        return (
            "that is below the resolution of the clock or counter: "
            "let one reading cover more work, or record the metric with an absolute tolerance"
        )
    return "ratios need positive numbers: record the metric with an absolute tolerance"


def to_working(levels: Sequence[float], *, relative: bool) -> tuple[float, ...]:
    """Return levels in the metric's unit, one per run, on the scale on which they are compared.

    Raises ParetoError where a level is not finite, or not positive although ``relative``.
    """
    require_usable(levels, relative=relative, noun="run")
    return tuple(map(math.log, levels)) if relative else tuple(map(float, levels))


def to_fraction(distance: float, *, relative: bool) -> float:
    """Return a distance on the working scale as a fraction, or unchanged in the metric's unit."""
    if not relative:
        return distance
    try:
        return math.expm1(distance)
    except OverflowError:
        return math.inf


def to_distance(fraction: float, *, relative: bool) -> float:
    """Return a fraction as a distance on the working scale; the inverse of `to_fraction`."""
    if not relative:
        return fraction
    return math.log1p(fraction) if fraction > -1 else -math.inf


def all_same(levels: Sequence[float]) -> bool:
    """Return whether levels are one number, apart from the rounding of stored ones."""
    first = levels[0]
    return all(abs(x - first) <= 2 * STORED_ROUNDING * max(abs(x), abs(first)) for x in levels)


def margin_of(tolerance: float, *, relative: bool) -> float:
    """Return the tolerance as a distance on the working scale."""
    return math.log1p(tolerance) if relative else tolerance


def power_of_two(largest: float) -> float:
    """Return the power of two next above ``largest``, limited to about 1e-150 to 1e150.

    Numbers divided by it keep their digits, and their cubes neither overflow nor underflow.
    """
    return math.ldexp(1.0, min(max(math.frexp(largest)[1], -498), 499))


def harm_sign(better: Better) -> float:
    """Return +1 where more is worse, -1 where less is worse."""
    return 1.0 if better is Better.LOWER else -1.0


_TRIMMED_SHARE = 4  # a quarter of the readings at each end: the interquartile mean


def summarise_run(readings: Sequence[float], *, relative: bool) -> float:
    """Return the level of one run, in the unit of its readings.

    The level is the mean after trimming a quarter of the readings at each end. Where ``relative``,
    it is the mean of logarithms, transformed back by the exponential. Trimming removes calls that
    other work on the machine stalled: on an H200, trimming a tenth only left differences of 6 and
    10 % between processes of two host-bound pipelines, a quarter left 5 and 8 %. A median would
    hide a process that ran slowly half of the time.

    Raises ParetoError where there are no readings, one is not finite, or one is zero or negative
    although ``relative``.
    """
    require_usable(readings, relative=relative)
    cut = len(readings) // _TRIMMED_SHARE
    return mean_level(sorted(readings)[cut : len(readings) - cut], relative=relative)


def mean_level(levels: Sequence[float], *, relative: bool) -> float:
    """Return the mean of levels, computed on the working scale, in their own unit."""
    if len(levels) == 1:
        return levels[0]  # exactly: the logarithm would lose the last digit
    mean = math.fsum(to_working(levels, relative=relative)) / len(levels)
    return math.exp(mean) if relative else mean


def trimmed_mean(values: Sequence[float]) -> float:
    """Return the mean of ``values`` without the smallest and the largest fifth."""
    ordered = sorted(values)
    cut = int(TRIMMED_SHARE * len(ordered))
    kept = ordered[cut : len(ordered) - cut]
    return math.fsum(kept) / len(kept)


def trimmed_mean_error(values: Sequence[float]) -> float:
    """Return the standard error of `trimmed_mean` for independent ``values``; 0 for fewer than two.

    s_w / ((1 - 2 · share) √n), where s_w is the standard deviation of the Winsorized values (Yuen
    1974, Biometrika 61, 165).
    """
    ordered = sorted(values)
    count = len(ordered)
    if count < 2:
        return 0.0
    cut = int(TRIMMED_SHARE * count)
    low, high = ordered[cut], ordered[count - 1 - cut]
    winsorized = [min(max(x, low), high) for x in ordered]
    mean = math.fsum(winsorized) / count
    variance = math.fsum((x - mean) ** 2 for x in winsorized) / (count - 1)
    return math.sqrt(variance / count) / (1 - 2 * cut / count)


def parse_better(better: str) -> Better:
    """Return the direction that is better, from its name.

    Raises ParetoError unless it is "lower" or "higher".
    """
    if better not in tuple(Better):
        raise ParetoError(f"better must be 'lower' or 'higher', not {better!r}")
    return Better(better)


def parse_kind(kind: str) -> Kind:
    """Return the kind of scores that samples have, from its name.

    Raises ParetoError unless it is "paired" or "ordinal".
    """
    if kind not in (Kind.PAIRED, Kind.ORDINAL):
        raise ParetoError(f"kind must be 'paired' or 'ordinal', not {kind!r}")
    return Kind(kind)


def require_valid_options(*, alpha: object, **limits: object) -> None:
    """Raise ParetoError unless alpha is in (0, 0.5) and each limit is finite and >= 0."""
    for name, value in limits.items():
        if not (isinstance(value, int | float) and math.isfinite(value) and value >= 0):
            raise ParetoError(f"{name} must be a finite number >= 0, not {value!r}")
    if not (isinstance(alpha, int | float) and 0 < alpha < 0.5):
        raise ParetoError(f"alpha must lie between 0 and 0.5, not {alpha!r}")
