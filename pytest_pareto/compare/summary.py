"""One number per run: nothing after this module sees a single call."""

import math
from collections.abc import Sequence

from pytest_pareto.compare.scale import require_usable

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
