"""Group sequential testing: p-values and levels for interim looks, after O'Brien and Fleming.

`sequential_p` corrects a p-value for all planned looks, `nominal_alpha` returns the level of one
look, and `final_outcome` returns whether an evaluation may stop. Z is the score at a look at which
the share t of the samples is known. Z √t moves like a Brownian motion B over t from 0 to 1, and the
boundary is one constant c on that scale: Z ≥ c / √t. So one function of b, the probability that B
reaches b at a planned look, converts the p-value of a fixed number of samples into one that holds
at whichever look the evaluation stopped, and for whatever reason.

Source: P. C. O'Brien and T. R. Fleming (1979), "A multiple testing procedure for clinical trials",
Biometrics 35, 549-556; the probability by the recursive integration of P. Armitage, C. K. McPherson
and B. C. Rowe (1969), "Repeated significance tests on accumulating data", JRSS A 132, 235-244;
limits after C. Jennison and B. W. Turnbull (1989), "Interim analyses: the repeated confidence
interval approach", JRSS B 51, 305-361.
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

_LOWEST, _HIGHEST = -4.0, 12.0  # reached with a probability of all but 3e-5, and of 2e-33
_RANGE_BELOW = 8.0  # a path so far below zero practically never returns
_DEGREE = 80
_TABLE_POINTS = 4_001  # points of the table: linear interpolation between so many errs by 1e-6


def sequential_p(p: float, looks: Looks | None) -> float:
    """Return the p-value that holds for all planned looks, from the one of this look alone.

    It is valid whichever look is taken, for whatever reason. Without looks it is ``p`` itself.
    """
    if looks is None or looks.planned == 1:
        return p
    return float(sequential_ps(np.array([p]), looks)[0])


def sequential_ps(p: _Array, looks: Looks) -> _Array:
    """Return `sequential_p` of many p-values at one look; NaN stays NaN."""
    height = -ndtri(p) * math.sqrt(information_fraction(looks))
    table = _inflation_table(looks.samples, looks.planned)
    log_inflation = np.interp(height, table.heights, table.log_inflation)
    return np.asarray(np.minimum(np.exp(log_ndtr(-height) + log_inflation), 1.0))


def nominal_alpha(alpha: float, looks: Looks | None) -> float:
    """Return the level of this look alone, where all looks together have ``alpha``.

    One-sided limits at this level hold at all looks simultaneously with probability 1 - ``alpha``.
    With 5 looks at .05 the levels are .00005, .003, .012, .025 and .040.
    """
    if looks is None or looks.planned == 1:
        return alpha
    table = _inflation_table(looks.samples, looks.planned)
    log_probability = log_ndtr(-table.heights) + table.log_inflation
    boundary = float(np.interp(-math.log(alpha), -log_probability, table.heights))
    return float(ndtr(-boundary / math.sqrt(information_fraction(looks))))


def information_fraction(looks: Looks) -> float:
    """Return the share of the samples that is scored at this look."""
    return looks.used / looks.samples


@dataclass(frozen=True, slots=True, eq=False)
class _InflationTable:
    """The factor by which earlier looks raise the probability of exceeding a height, as a table.

    ``log_inflation`` is log(P(B reaches the height at any look) / P(B(1) is above it)). It is
    smooth and falls to 0 at large heights, so using the last value beyond the table is
    conservative.
    """

    heights: _Array
    log_inflation: _Array


@lru_cache(maxsize=64)
def _inflation_table(samples: int, planned: int) -> _InflationTable:
    used = [Looks(samples, planned, at, 0).used for at in range(1, planned + 1)]
    nodes = np.polynomial.chebyshev.chebpts1(_DEGREE + 1)
    middle, half = (_HIGHEST + _LOWEST) / 2, (_HIGHEST - _LOWEST) / 2
    heights = middle + half * nodes
    crossing = crossing_probability(heights, np.array(used) / samples)
    at_nodes = np.log(crossing) - log_ndtr(-heights)
    smooth = np.polynomial.chebyshev.chebfit(nodes, at_nodes, _DEGREE)
    fine = np.linspace(-1.0, 1.0, _TABLE_POINTS)
    log_inflation = np.asarray(np.polynomial.chebyshev.chebval(fine, smooth), dtype=np.float64)
    return _InflationTable(middle + half * fine, log_inflation)


def crossing_probability(heights: _Array, times: _Array) -> _Array:
    """Return P(B(t) >= height at any of the times), one number per height.

    Paths that have not crossed yet are carried from one time to the next as a density over the
    distance below the height, by Gauss-Legendre quadrature. The crossing probabilities of each step
    are summed, so that small probabilities keep their digits.
    """
    steps = np.sqrt(np.diff(times, prepend=0.0))
    reach = float(heights.max()) + _RANGE_BELOW
    count = math.ceil(3 * reach / float(steps.min())) + 20
    nodes, weights = np.polynomial.legendre.leggauss(count)
    below, weights = (nodes + 1) * reach / 2, weights * reach / 2
    probability = ndtr(-heights / steps[0])
    density = _normal(heights - below[:, None], float(steps[0]))
    for step in steps[1:]:
        weighted = weights[:, None] * density
        probability += ndtr(-below / step) @ weighted
        density = _normal(below[:, None] - below, float(step)) @ weighted
    return np.asarray(probability)


def _normal(distance: _Array, sd: float) -> _Array:
    return np.exp(-((distance / sd) ** 2) / 2) / (sd * math.sqrt(2 * math.pi))


def final_outcome(change: Change, family: float = 1.0) -> Outcome | None:
    """Return the outcome that is final, or None where more samples may change it.

    ``family`` is the number of metrics that share alpha, divided by this metric's share of it.
    WORSE is final by Bonferroni's correction, which implies Holm's whatever the other metrics turn
    out to be. An outcome that is not worse needs no correction. A change that is WORSE only without
    the correction is flagged, and never final.
    """
    if change.p_worse <= change.alpha / family:
        return Outcome.WORSE
    if change.p_worse <= change.alpha:
        return None
    outcome = change.outcome
    return None if outcome is Outcome.INCONCLUSIVE else outcome
