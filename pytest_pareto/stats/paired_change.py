"""The change of scores over samples: the test of the mean harm, and the collapse guard.

`shift_of` chooses the test of the mean. `collapse_guard` detects a few samples with a large loss,
which the mean over all samples hides. `withheld_claims` withholds claims about the mean while only
a part of the samples is scored.
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
    """The results that every test of the mean harm has."""

    @property
    def estimate(self) -> float:
        """The mean harm."""

    def p_above(self, margin: float) -> float:
        """Return the p-value of "the mean is at most ``margin``"."""

    def p_below(self, margin: float) -> float:
        """Return the p-value of "the mean is at least ``margin``"."""

    def limits(self, alpha: float) -> tuple[float, float]:
        """Return the one-sided limits at ``alpha``."""

    def resolution(self, tolerance: float, alpha: float, pairs: int | None = None) -> float:
        """Return the shift that is called WORSE with a probability of .8, with ``pairs`` pairs."""

    def pairs_needed(self, tolerance: float, alpha: float) -> float:
        """Return the number of pairs that bound an unchanged mean within the tolerance."""


def shift_of(before: _Array, after: _Array, harm: _Array, kind: Kind) -> Shift:
    """Return the test of the mean harm that fits the kind of the scores.

    - Scores of samples use t and Hall's t. Scores that are all 0 or 1 use Tango's test.
    - Grades have an order only: a sample got worse or better, by whatever amount. The shares of the
      two are compared as the flips of binary scores are.
    - The differences of a number of a whole set are those of the jackknife's pseudo-values, one per
      block, and use t alone.
    """
    match kind:
        case Kind.ORDINAL:
            return Flips.of(harm)
        case Kind.SET:
            return BlockShift.of(harm)
    return Flips.of(harm) if is_binary(before, after) else MeanShift.of(harm)


COLLAPSE_RATE = 0.005
"""The share of samples that may fall by more than the drop: 1 in 200."""

MEAN_SHARE = 0.8
GUARD_SHARE = 0.2
"""The split of alpha between the claim about the mean and the guard.

The split is Bonferroni's, so that WORSE at the margin stays within alpha. A fifth is enough for
the guard: 5 of 200 samples are significant. Where the guard does not apply, the mean has all of
alpha.
"""

DROP_PER_TOLERANCE = 10.0
"""The smallest fall of a sample that matters, in tolerances."""

DROP_PER_SD = 3.0
"""The smallest fall that is unusual for the metric, in sd of the baseline's scores."""

DROP_PER_DIFFERENCE = 5.0
"""The smallest fall that is unusual for this change, in robust sd of the differences.

Scores of images without a fixed seed are independent on both sides: 1.7 % of them fall by
three sd though nothing changed, and the guard would flag 1,000 of them 4 % of the time.
"""

_MAD_TO_SD = 1.4826  # for normal values


@dataclass(frozen=True, slots=True)
class Collapse:
    """The result of the guard: ``fell`` of ``n`` samples got worse by more than ``drop``.

    ``rose`` samples got better by as much. ``p`` is already divided by the guard's share, so that
    it is compared with alpha itself.
    """

    n: int
    drop: float
    fell: int
    rose: int
    p: float


def default_drop(
    baseline: npt.NDArray[np.float64], harm: npt.NDArray[np.float64], tolerance: float
) -> float:
    """Return how far a sample must fall to count as collapsed; 0 where the data give no scale."""
    spread = _MAD_TO_SD * float(median(np.abs(harm - median(harm.tolist())).tolist()))
    return max(
        DROP_PER_TOLERANCE * tolerance,
        DROP_PER_SD * float(baseline.std(ddof=1)),
        DROP_PER_DIFFERENCE * spread,
    )


def collapse_guard(
    harm: npt.NDArray[np.float64], drop: float, looks: Looks | None = None
) -> Collapse:
    """Test whether more samples collapsed than chance explains.

    ``harm`` holds differences, harm positive. The guard can only show harm, never its absence. Two
    exact binomial tests must agree. First, more than `COLLAPSE_RATE` of the samples fell by more
    than ``drop``: at a level of .01, that takes 5 of 200. Second, the samples that fell outnumber
    those that rose as far, which noise with long tails alone would not cause. The second test may
    use all of alpha: where noise does not move the mean, the claim about the mean does not err as
    well.

    Before the last look the samples that fell are counted against all planned samples. The count
    never decreases, so an early look is significant only if the last one is: all looks together
    cost no more than the last alone. The second test is corrected for the looks.
    """
    n = harm.size
    whole = n if looks is None else looks.samples
    fell, rose = int((harm > drop).sum()), int((harm < -drop).sum())
    too_many = float(bdtrc(fell - 1, whole, COLLAPSE_RATE)) / GUARD_SHARE
    one_sided = sequential_p(float(bdtrc(fell - 1, fell + rose, 0.5)), looks)
    return Collapse(n, drop, fell, rose, min(max(too_many, one_sided), 1.0))


ENOUGH = 59
"""The number of samples without a collapse that shows that fewer than 1 in 20 do: 0.95⁵⁹ < 0.05.

A mean has no information on rare samples that were not drawn. Where most scores hardly change,
it would be certain at the first look: a collapse of 5 % misses all of 40 samples with a
probability of .13, and a claim of harm would miss as many rare successes.
"""


@dataclass(frozen=True, slots=True)
class WithheldClaims:
    """Claims about the mean that wait for more samples, with the reason.

    The claim that nothing got worse always waits. ``harm`` is whether a claim of harm waits too.
    """

    harm: bool
    reason: str

    def of(self, change: Change) -> Change:
        """Return the change without these claims."""
        low = -math.inf if self.harm else change.low
        return replace(change, low=low, high=math.inf, p_better=1.0)


def withheld_claims(
    guard: Collapse | None, pairs: int, looks: Looks | None
) -> WithheldClaims | None:
    """Return the claims that wait for more samples, or None where none does.

    With fewer than `ENOUGH` samples all claims about the mean wait; those of the guard do not.
    While more samples collapsed than rose as far, the claim that nothing got worse waits for the
    last look: too few of a part to be significant may be too many of the whole.
    """
    if looks is None or looks.complete:
        return None
    if pairs < ENOUGH:
        reason = f"a mean of {pairs} samples claims nothing before the last look, one of {ENOUGH}"
        return WithheldClaims(harm=True, reason=f"{reason} does")
    if guard is not None and guard.fell > guard.rose:
        reason = f"{guard.fell} of {pairs} samples collapsed, which the rest has to acquit"
        return WithheldClaims(harm=False, reason=reason)
    return None
