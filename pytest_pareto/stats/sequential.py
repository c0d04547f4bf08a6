"""Looks that are paid for: O'Brien and Fleming's boundary as a change of p-values and levels.

With Z the score at a look at which the share t of the samples is known, Z √t moves like a Brownian
motion B over t from 0 to 1, and the boundary is one constant c on that scale: Z ≥ c / √t. So one
function of b, the chance that B ever reaches b at a planned look, turns the p-value of a fixed
number of samples into one that holds whichever of the looks the evaluation stopped at, and why.

Source: P. C. O'Brien and T. R. Fleming (1979), "A multiple testing procedure for clinical trials",
Biometrics 35, 549-556; the chance by the recursive integration of P. Armitage, C. K. McPherson and
B. C. Rowe (1969), "Repeated significance tests on accumulating data", JRSS A 132, 235-244; limits
after C. Jennison and B. W. Turnbull (1989), "Interim analyses: the repeated confidence interval
approach", JRSS B 51, 305-361.

Whether an evaluation may stop: nothing that the rest of the session finds can undo it.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr, ndtr, ndtri

from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.run import Looks

_Array = npt.NDArray[np.float64]

_LOWEST, _HIGHEST = -4.0, 12.0  # reached with a chance of all but 3e-5, and of 2e-33
_BELOW = 8.0  # who is so far below zero does not come up again
_DEGREE = 80
_FINE = 4_001  # points of the table: with so many, straight lines between them err by 1e-6


def sequential_p(p: float, looks: Looks | None) -> float:
    """Return the p-value that pays for all planned looks, given one that pays for this alone.

    Valid whichever look is taken, for whatever reason. Without looks it is ``p`` itself.
    """
    if looks is None or looks.planned == 1:
        return p
    return float(sequential_ps(np.array([p]), looks)[0])


def sequential_ps(p: _Array, looks: Looks) -> _Array:
    """Return `sequential_p` of many p-values at one look; NaN stays NaN."""
    reached = -ndtri(p) * math.sqrt(share_known(looks))
    curve = _curve(looks.samples, looks.planned)
    extra = np.interp(reached, curve.heights, curve.log_extra)
    return np.asarray(np.minimum(np.exp(log_ndtr(-reached) + extra), 1.0))


def nominal_alpha(alpha: float, looks: Looks | None) -> float:
    """Return the level of this look alone, where all looks together have ``alpha``.

    One-sided limits at this level hold at all looks at once with 1 - ``alpha``. With 5 looks at
    .05 the levels are .00005, .003, .012, .025 and .040.
    """
    if looks is None or looks.planned == 1:
        return alpha
    curve = _curve(looks.samples, looks.planned)
    log_chance = log_ndtr(-curve.heights) + curve.log_extra
    boundary = float(np.interp(-math.log(alpha), -log_chance, curve.heights))
    return float(ndtr(-boundary / math.sqrt(share_known(looks))))


def share_known(looks: Looks) -> float:
    """Return the share of the samples that is scored at this look."""
    return looks.used / looks.samples


@dataclass(frozen=True, slots=True, eq=False)
class _Curve:
    """By what the looks before the last multiply the chance to be above a height.

    ``log_extra`` is the logarithm of P(B reaches the height at any look) / P(B(1) is above it):
    smooth, and falling to 0 far up, so that the last value beyond the table is safe.
    """

    heights: _Array
    log_extra: _Array


@lru_cache(maxsize=64)
def _curve(samples: int, planned: int) -> _Curve:
    used = [Looks(samples, planned, at, 0).used for at in range(1, planned + 1)]
    nodes = np.polynomial.chebyshev.chebpts1(_DEGREE + 1)
    middle, half = (_HIGHEST + _LOWEST) / 2, (_HIGHEST - _LOWEST) / 2
    heights = middle + half * nodes
    log_extra = np.log(chance_to_reach(heights, np.array(used) / samples)) - log_ndtr(-heights)
    smooth = np.polynomial.chebyshev.chebfit(nodes, log_extra, _DEGREE)
    fine = np.linspace(-1.0, 1.0, _FINE)
    extra = np.asarray(np.polynomial.chebyshev.chebval(fine, smooth), dtype=np.float64)
    return _Curve(middle + half * fine, extra)


def chance_to_reach(heights: _Array, times: _Array) -> _Array:
    """Return P(B(t) >= height at any of the times), one number per height.

    What has not been reached yet is carried from one time to the next as a density over the
    distance below the height, by Gauss and Legendre's rule; all that reaches it is added up, so
    that small chances keep their digits.
    """
    steps = np.sqrt(np.diff(times, prepend=0.0))
    reach = float(heights.max()) + _BELOW
    count = math.ceil(3 * reach / float(steps.min())) + 20
    nodes, weights = np.polynomial.legendre.leggauss(count)
    below, weights = (nodes + 1) * reach / 2, weights * reach / 2
    chance = ndtr(-heights / steps[0])
    density = _normal(heights - below[:, None], float(steps[0]))
    for step in steps[1:]:
        weighted = weights[:, None] * density
        chance += ndtr(-below / step) @ weighted
        density = _normal(below[:, None] - below, float(step)) @ weighted
    return np.asarray(chance)


def _normal(distance: _Array, sd: float) -> _Array:
    return np.exp(-((distance / sd) ** 2) / 2) / (sd * math.sqrt(2 * math.pi))


def decided(change: Change, family: float = 1.0) -> Outcome | None:
    """Return the outcome that is settled for good, or None where more samples may settle it.

    ``family`` is how many metrics share alpha, divided by the share of it that they have. WORSE
    is settled by Bonferroni's correction, which is sufficient for Holm's whatever the others
    turn out to be. Not being worse needs no correction. What is WORSE alone and not corrected
    is suspected, and never settled.
    """
    if change.p_worse <= change.alpha / family:
        return Outcome.WORSE
    if change.p_worse <= change.alpha:
        return None
    outcome = change.outcome
    return None if outcome is Outcome.INCONCLUSIVE else outcome
