"""Binary scores: the paired difference of two proportions by Tango's score test.

`Flips` counts the discordant pairs and computes p-values, limits, resolution and sample size.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri, stdtr, stdtrit

_POWER = 0.8

_EDGE = 1 - 1e-12
"""The largest difference that root finding tries; the score is infinite at 1."""


def is_binary(*scores: npt.NDArray[np.float64]) -> bool:
    """Return whether every score is 0 or 1."""
    return all(bool(((side == 0) | (side == 1)).all()) for side in scores)


def constrained_variance(harmed: float, helped: float, n: float, margin: float) -> float:
    """Return the variance of one pair's difference if its mean were ``margin``.

    It uses the maximum likelihood proportions under that constraint, which solve a quadratic.
    Source: T. Tango (1998), "Equivalence test and confidence interval for the difference in
    proportions for the paired-sample design", Statistics in Medicine 17, 891-908.
    """
    linear = (2 * n - harmed + helped) * margin - harmed - helped
    constant = -helped * margin * (1 - margin)
    root = math.sqrt(max(linear**2 - 8 * n * constant, 0.0))
    helped_rate = (root - linear) / (4 * n)
    return max(2 * helped_rate + margin * (1 - margin), 0.0)


@dataclass(frozen=True, slots=True)
class Flips:
    """The counts of ``n`` binary scores that flipped for the worse and for the better.

    A claim needs Tango's score test and the ordinary t test to agree. By enumeration over 50 to
    1,000 pairs and margins of 0 to .05, at a nominal .05: the score test alone claims WORSE at the
    margin up to .073 of the time; t alone claims NOT_WORSE .13 of the time (.6 with 50 pairs); both
    together claim at most .053 and, with 50 pairs, .056.
    """

    harmed: int
    helped: int
    n: int

    @classmethod
    def of(cls, harm: npt.NDArray[np.float64]) -> "Flips":
        """Return the counts of flips in differences that are -1, 0 or 1, harm positive."""
        return cls(int((harm > 0).sum()), int((harm < 0).sum()), harm.size)

    @property
    def estimate(self) -> float:
        """The difference of the proportions, harm positive."""
        return (self.harmed - self.helped) / self.n

    @property
    def _noise_rate(self) -> float:
        # The maximum likelihood rate of flips in each direction if both rates are equal.
        return (self.harmed + self.helped) / (2 * self.n)

    def score(self, margin: float) -> float:
        """Return Tango's standardised distance of the estimate from ``margin``."""
        variance = constrained_variance(self.harmed, self.helped, self.n, margin)
        return _ratio((self.estimate - margin) * math.sqrt(self.n), math.sqrt(variance))

    def p_above(self, margin: float) -> float:
        """Return the p-value of "the difference is at most ``margin``"; small means above."""
        return max(float(ndtr(-self.score(margin))), self._p_t(-self._t(margin)))

    def p_below(self, margin: float) -> float:
        """Return the p-value of "the difference is at least ``margin``"; small means below."""
        return max(float(ndtr(self.score(margin))), self._p_t(self._t(margin)))

    def limits(self, alpha: float) -> tuple[float, float]:
        """Return the wider of both tests' one-sided limits at ``alpha``: a 1 - 2 alpha interval.

        Without a single flip the t test has no spread, and Tango's limit is z² / (n + z²): 1.33 %
        with 200 pairs.
        """
        mirrored = Flips(self.helped, self.harmed, self.n)
        return self._lower(alpha), -mirrored._lower(alpha)

    def resolution(self, tolerance: float, alpha: float, pairs: int | None = None) -> float:
        """Return the shift that is called WORSE with a probability of .8 at this rate of flips.

        ``pairs`` is the number of pairs, by default the present one.

        The normal approximation takes the flips of unchanged code as they were observed, and adds
        harmful ones only. It errs on the safe side, since counts are coarse: by enumeration such a
        shift is detected 80-90 % of the time, 95 % where nothing flipped.
        """
        noise, n = self._noise_rate, self.n if pairs is None else pairs
        z_alpha, z_power = -float(ndtri(alpha)), float(ndtri(_POWER))

        def power_margin(shift: float) -> float:
            spread = 2 * noise + shift - shift**2
            under_null = max(
                constrained_variance(n * (noise + shift), n * noise, n, tolerance),
                spread * n / (n - 1),
            )
            needed = z_alpha * math.sqrt(under_null) + z_power * math.sqrt(max(spread, 0.0))
            return (shift - tolerance) * math.sqrt(n) - needed

        # Without noise or tolerance a shift of 0 is a root too, and has no meaning.
        least, most = tolerance + 1e-9, 1 - 2 * noise
        if least >= most or power_margin(most) < 0:
            return math.inf
        return _root_between(power_margin, least, most)

    def pairs_needed(self, tolerance: float, alpha: float) -> float:
        """Return the number of pairs that bound an unchanged rate by the tolerance at power .8.

        It is at least what Tango's limit needs without a single flip: 268 for a tolerance of .01.
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
        by_score = _root_between(lambda m: self.score(m) - z, -_EDGE, self.estimate)
        by_t = self.estimate + float(stdtrit(self.n - 1, alpha)) * self._standard_error
        return max(min(by_score, by_t), -1.0)


def _ratio(distance: float, spread: float) -> float:
    """Return ``distance / spread``; without spread ±∞, or 0 for a distance of 0."""
    if spread > 0:
        return distance / spread
    return math.copysign(math.inf, distance) if distance else 0.0


def _root_between(f: Callable[[float], float], low: float, high: float) -> float:
    # The import takes a quarter of a second, and many sessions have no 0/1 scores.
    from scipy.optimize import brentq  # noqa: PLC0415  (see above)

    return float(brentq(f, low, high))
