"""Binary scores: the paired difference of two proportions by Tango's score test."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri, stdtr, stdtrit

_POWER = 0.8

_EDGE = 1 - 1e-12
"""As near to a difference of one as root finding may go; the score is infinite beyond."""


def is_binary(*scores: npt.NDArray[np.float64]) -> bool:
    """Whether every score is 0 or 1."""
    return all(bool(((side == 0) | (side == 1)).all()) for side in scores)


def constrained_variance(harmed: float, helped: float, n: float, margin: float) -> float:
    """Return the variance of one pair's difference if its mean were ``margin``.

    With the likeliest proportions under that constraint, which solve a quadratic.
    Source: T. Tango (1998), "Equivalence test and confidence interval for the difference
    in proportions for the paired-sample design", Statistics in Medicine 17, 891-908.
    """
    linear = (2 * n - harmed + helped) * margin - harmed - helped
    constant = -helped * margin * (1 - margin)
    root = math.sqrt(max(linear**2 - 8 * n * constant, 0.0))
    helped_rate = (root - linear) / (4 * n)
    return max(2 * helped_rate + margin * (1 - margin), 0.0)


@dataclass(frozen=True, slots=True)
class Flips:
    """How many of ``n`` binary scores flipped for the worse and for the better.

    A claim needs Tango's score test and the ordinary t test to agree: by enumeration over
    50 to 1,000 pairs and margins of 0 to .05, the score alone claims WORSE at the margin
    up to .073 of the time at a nominal .05, t alone NOT_WORSE .13 (.6 with 50 pairs); both
    together at most .053 and, with 50 pairs, .056.
    """

    harmed: int
    helped: int
    n: int

    @classmethod
    def of(cls, harm: npt.NDArray[np.float64]) -> "Flips":
        """Count flips in differences that are -1, 0 or 1, harm positive."""
        return cls(int((harm > 0).sum()), int((harm < 0).sum()), harm.size)

    @property
    def estimate(self) -> float:
        """The difference of the proportions, harm positive."""
        return (self.harmed - self.helped) / self.n

    @property
    def _noise_rate(self) -> float:
        # How often unchanged code would flip either way: the likeliest rate if both are equal.
        return (self.harmed + self.helped) / (2 * self.n)

    def score(self, margin: float) -> float:
        """Return Tango's standardised distance of the estimate from ``margin``."""
        variance = constrained_variance(self.harmed, self.helped, self.n, margin)
        return _ratio((self.estimate - margin) * math.sqrt(self.n), math.sqrt(variance))

    def p_above(self, margin: float) -> float:
        """Test "the difference is at most ``margin``"; a small p-value says it is above."""
        return max(float(ndtr(-self.score(margin))), self._p_t(-self._t(margin)))

    def p_below(self, margin: float) -> float:
        """Test "the difference is at least ``margin``"; a small p-value says it is below."""
        return max(float(ndtr(self.score(margin))), self._p_t(self._t(margin)))

    def limits(self, alpha: float) -> tuple[float, float]:
        """Return the outer ones of the one-sided limits at ``alpha``: a 1 - 2 alpha interval.

        Without a single flip t knows nothing, and Tango's limit is z² / (n + z²): 1.33 %
        with 200 pairs.
        """
        mirrored = Flips(self.helped, self.harmed, self.n)
        return self._lower(alpha), -mirrored._lower(alpha)

    def resolution(self, tolerance: float, alpha: float, pairs: int | None = None) -> float:
        """Return the shift that flips at this rate let be called WORSE with a probability of .8.

        By as many pairs as there are, or by ``pairs``.

        Normal approximation with the flips of unchanged code as they were seen and only
        harmful ones added. It errs on the safe side, since counts are coarse: by
        enumeration such a shift is caught 80-90 % of the time, 95 % where nothing flipped.
        """
        noise, n = self._noise_rate, self.n if pairs is None else pairs
        z_alpha, z_power = -float(ndtri(alpha)), float(ndtri(_POWER))

        def surplus(shift: float) -> float:
            spread = 2 * noise + shift - shift**2
            under_null = max(
                constrained_variance(n * (noise + shift), n * noise, n, tolerance),
                spread * n / (n - 1),
            )
            needed = z_alpha * math.sqrt(under_null) + z_power * math.sqrt(max(spread, 0.0))
            return (shift - tolerance) * math.sqrt(n) - needed

        # Without noise or tolerance no shift at all is a root as well, and means nothing.
        least, most = tolerance + 1e-9, 1 - 2 * noise
        if least >= most or surplus(most) < 0:
            return math.inf
        return _crossing(surplus, least, most)

    def pairs_needed(self, tolerance: float, alpha: float) -> float:
        """Return how many pairs bound an unchanged rate within the tolerance, with power .8.

        At least as many as Tango's limit needs without a single flip: 268 for .01.
        """
        z_alpha, z_power = -float(ndtri(alpha)), float(ndtri(_POWER))
        without_flips = z_alpha**2 * (1 - tolerance) / tolerance
        return max(without_flips, 2 * self._noise_rate * ((z_alpha + z_power) / tolerance) ** 2)

    @property
    def _standard_error(self) -> float:
        flipped = (self.harmed + self.helped) / self.n
        return math.sqrt(max(flipped - self.estimate**2, 0.0) / (self.n - 1))

    def _t(self, margin: float) -> float:
        return _ratio(self.estimate - margin, self._standard_error)

    def _p_t(self, t: float) -> float:
        return float(stdtr(self.n - 1, t))

    def _lower(self, alpha: float) -> float:
        if self.helped == self.n:
            return -1.0
        z = -float(ndtri(alpha))
        by_score = _crossing(lambda m: self.score(m) - z, -_EDGE, self.estimate)
        by_t = self.estimate + float(stdtrit(self.n - 1, alpha)) * self._standard_error
        return max(min(by_score, by_t), -1.0)


def _ratio(distance: float, spread: float) -> float:
    """Divide; without any spread every distance is certain, and no distance is none."""
    if spread > 0:
        return distance / spread
    return math.copysign(math.inf, distance) if distance else 0.0


def _crossing(f: Callable[[float], float], low: float, high: float) -> float:
    # It takes a quarter of a second to import, and many sessions have no 0/1 scores.
    from scipy.optimize import brentq  # noqa: PLC0415  (see above)

    return float(brentq(f, low, high))
