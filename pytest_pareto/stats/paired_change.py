"""The mean harm over samples, by the test that the kind of scores calls for.

The collapse guard: a few samples that fell far, which a mean over all samples hides.

What the mean of scores may claim while only a part of the samples is known.
"""

import math
from dataclasses import dataclass, replace
from statistics import median
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.special import bdtrc

from pytest_pareto.model.change import Change
from pytest_pareto.model.metric import Kind
from pytest_pareto.model.run import Looks
from pytest_pareto.stats.jackknife import BlockShift
from pytest_pareto.stats.paired_proportion import Flips, is_binary
from pytest_pareto.stats.sequential import sequential_p
from pytest_pareto.stats.skew_t import MeanShift

_Array = npt.NDArray[np.float64]


class Shift(Protocol):
    """What each of the tests can say of the mean harm."""

    @property
    def estimate(self) -> float:
        """The mean harm."""

    def p_above(self, margin: float) -> float:
        """Test "the mean is at most ``margin``"."""

    def p_below(self, margin: float) -> float:
        """Test "the mean is at least ``margin``"."""

    def limits(self, alpha: float) -> tuple[float, float]:
        """Return the one-sided limits at ``alpha``."""

    def resolution(self, tolerance: float, alpha: float, pairs: int | None = None) -> float:
        """Return the shift that is called WORSE with a probability of .8, by so many pairs."""

    def pairs_needed(self, tolerance: float, alpha: float) -> float:
        """Return how many pairs bound an unchanged mean within the tolerance."""


def shift_of(before: _Array, after: _Array, harm: _Array, kind: Kind) -> Shift:
    """Choose the test.

    Scores of samples go by t and Hall's t, those that are all 0 or 1 by Tango. Of grades only
    the order means something: a sample got worse or better, whatever by, and the shares of the
    two are compared as flips of binary scores are. Of a whole set's number the differences are
    those of the jackknife's pseudo-values, one per block, which t alone judges.
    """
    match kind:
        case Kind.ORDINAL:
            return Flips.of(harm)
        case Kind.SET:
            return BlockShift.of(harm)
    return Flips.of(harm) if is_binary(before, after) else MeanShift.of(harm)


RATE = 0.005
"""The share of samples that may fall by more than the drop: 1 in 200."""

MEAN_SHARE = 0.8
GUARD_SHARE = 0.2
"""How alpha is split between the claim about the mean and the guard.

By Bonferroni, so that WORSE at the margin stays within alpha. A fifth is enough for the
guard: 5 of 200 samples convict. Where the guard does not apply, the mean has all of it.
"""

DROP_PER_TOLERANCE = 10.0
"""A fall that matters: this many tolerances at once."""

DROP_PER_SD = 3.0
"""A fall that is out of the ordinary for the metric, in sd of the baseline's scores."""

DROP_PER_DIFFERENCE = 5.0
"""A fall that is out of the ordinary for this change, in robust sd of the differences.

Scores of images without a fixed seed are independent on both sides: 1.7 % of them fall by
three sd though nothing changed, and the guard would trip on 1,000 of them 4 % of the time.
"""

_MAD_TO_SD = 1.4826  # of normal values


@dataclass(frozen=True, slots=True)
class Collapse:
    """What the guard saw: ``fell`` of ``n`` samples got worse by more than ``drop``.

    ``p`` is weighted, to be set against alpha itself.
    """

    n: int
    drop: float
    fell: int
    rose: int
    p: float


def default_drop(
    baseline: npt.NDArray[np.float64], harm: npt.NDArray[np.float64], tolerance: float
) -> float:
    """Return how far a sample must fall to have collapsed; 0 where nothing can say."""
    spread = _MAD_TO_SD * float(median(np.abs(harm - median(harm.tolist())).tolist()))
    return max(
        DROP_PER_TOLERANCE * tolerance,
        DROP_PER_SD * float(baseline.std(ddof=1)),
        DROP_PER_DIFFERENCE * spread,
    )


def collapse_guard(
    harm: npt.NDArray[np.float64], drop: float, looks: Looks | None = None
) -> Collapse:
    """Test whether more samples collapsed than chance explains. It cannot acquit.

    ``harm`` holds differences, harm positive. Two exact binomial tests must agree. More
    than `RATE` of the samples fell by more than ``drop``: at a level of .01, 5 of 200. And
    those that fell outnumber those that rose as far, as they would not if all of it were
    noise with long tails. The second test may spend all of alpha: where noise leaves the
    mean alone, the claim about the mean does not err as well.

    Before the last look what fell is counted against all samples that are planned. A count
    never falls again, so that it convicts at no look unless it does at the last: all looks
    together cost no more than the last alone. The second test pays for them.
    """
    n = harm.size
    whole = n if looks is None else looks.samples
    fell, rose = int((harm > drop).sum()), int((harm < -drop).sum())
    too_many = float(bdtrc(fell - 1, whole, RATE)) / GUARD_SHARE
    one_sided = sequential_p(float(bdtrc(fell - 1, fell + rose, 0.5)), looks)
    return Collapse(n, drop, fell, rose, min(max(too_many, one_sided), 1.0))


ENOUGH = 59
"""So many samples, of which none collapsed, tell that fewer than 1 in 20 do: 0.95⁵⁹ < 0.05.

A mean knows nothing of what is rare and was not drawn. Where most scores hardly move, it would
be certain at the first look: of 40 samples a collapse of 5 % spares all with a chance of .13,
and as many rare successes would be missed by a claim of harm.
"""


@dataclass(frozen=True, slots=True)
class Barred:
    """That nothing got worse has to wait, claims of ``harm`` by the mean perhaps too; and why."""

    harm: bool
    reason: str

    def of(self, change: Change) -> Change:
        """Return the change without these claims, and with the reason where that leaves none."""
        low = -math.inf if self.harm else change.low
        return replace(change, low=low, high=math.inf, p_better=1.0)


def barred(guard: Collapse | None, pairs: int, looks: Looks | None) -> Barred | None:
    """Return what has to wait for more samples, or None.

    All claims wait for `ENOUGH` samples, the guard's alone do not. And while more samples
    collapsed than rose as far, that nothing got worse waits for the last look: a few of the
    part are too few to convict, and might be too many of the whole.
    """
    if looks is None or looks.complete:
        return None
    if pairs < ENOUGH:
        reason = f"a mean of {pairs} samples claims nothing before the last look, one of {ENOUGH}"
        return Barred(harm=True, reason=f"{reason} does")
    if guard is not None and guard.fell > guard.rose:
        reason = f"{guard.fell} of {pairs} samples collapsed, which the rest has to acquit"
        return Barred(harm=False, reason=reason)
    return None
