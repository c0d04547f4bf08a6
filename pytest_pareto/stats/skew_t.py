"""The mean of paired differences, tested by Student's t and Hall's skew-corrected t together.

`MeanShift` makes a claim only where both tests agree.
"""

import math
import sys
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri, stdtr, stdtrit

from pytest_pareto.stats.scale import power_of_two

_POWER = 0.8
_LARGEST_T = 1e50  # its cube still fits a float

_Number = TypeVar("_Number", float, npt.NDArray[np.float64])


def transform(t: _Number, skewness: _Number, n: int) -> _Number:
    """Return Hall's g(t), which is closer to normal than t where differences are skewed.

    Source: P. Hall (1992), "On the removal of skewness by transformation", JRSS B 54, 221-228: g(t)
    = t + a t²/3 + a² t³/27 + a/6 with a = skewness / √n. Its slope is (1 + a t/3)², so it never
    decreases and has one inverse.
    """
    a = skewness / math.sqrt(n)
    at = a * t
    return t + at * t / 3 + at * at * t / 27 + a / 6


def hall_inverse(g: float, skewness: float, n: int) -> float:
    """Return the t at which `transform` equals ``g``."""
    a = skewness / math.sqrt(n)
    if abs(a) < 1e-8:  # the cube root would lose all digits, and the correction is negligible
        return g
    return 3 / a * (math.cbrt(1 + a * (g - a / 6)) - 1)


@dataclass(frozen=True, slots=True)
class MeanShift:
    """The mean of n differences, harm positive, with the moments to test it.

    A claim needs two tests to agree, t and Hall's. t alone claims WORSE too often where the
    differences have a long tail on the side of improvement, Hall's alone where they have one on the
    side of harm. Simulated at the margin with 100 differences and a level of .05, WORSE is claimed
    .05 of the time for normal differences and for t with 3 degrees of freedom, .054 for an
    exponential tail towards improvement (t alone: .075), .03 for one towards harm, .02 for a 5 %
    collapse. Heavier tails cost more: .07 for a log-normal one. With 30 differences a 5 % collapse
    is missed and called NOT_WORSE one time in five.
    """

    n: int
    estimate: float
    sd: float
    skewness: float

    @classmethod
    def of(cls, harm: npt.NDArray[np.float64]) -> "MeanShift":
        """Return the summary of at least two differences."""
        n = harm.size
        mean = float(harm.mean())
        centred = harm - mean
        unit = power_of_two(float(np.abs(centred).max()))
        scaled = centred / unit  # squares of likelihoods such as exp(-400) would be 0
        sd = math.sqrt(float(scaled @ scaled) / (n - 1)) * unit
        bounded = max(sd, _least_sd(mean, n)) * math.sqrt((n - 1) / n)
        skewness = float(((centred / bounded) ** 3).mean()) if bounded else 0.0
        return cls(n, mean, sd, skewness)

    @property
    def standard_error(self) -> float:
        """The standard error of the mean, with a lower bound.

        Differences that are all alike show no spread. The bound is the spread that they would have
        with one more pair that had not changed: two equal differences then prove little, a hundred
        prove the shift to about a hundredth of itself.
        """
        return max(self.sd, _least_sd(self.estimate, self.n)) / math.sqrt(self.n)

    def p_above(self, margin: float) -> float:
        """Return the p-value of "the mean is at most ``margin``"; small means above."""
        t = self._t(margin)
        return self._p(-t, -transform(t, self.skewness, self.n))

    def p_below(self, margin: float) -> float:
        """Return the p-value of "the mean is at least ``margin``"; small means below."""
        t = self._t(margin)
        return self._p(t, transform(t, self.skewness, self.n))

    def limits(self, alpha: float) -> tuple[float, float]:
        """Return the wider of both tests' one-sided limits at ``alpha``: a 1 - 2 alpha interval."""
        return (
            self.estimate - self._critical(alpha, self.skewness) * self.standard_error,
            self.estimate + self._critical(alpha, -self.skewness) * self.standard_error,
        )

    def resolution(self, tolerance: float, alpha: float, pairs: int | None = None) -> float:
        """Return the shift that is called WORSE with a probability of .8 at this spread.

        ``pairs`` is the number of pairs, by default the present one.

        The shift is tolerance + (c + t_.8) s/√n with n - 1 degrees of freedom. c is the larger of
        the two tests' critical values: t's, or Hall's at the observed skewness, so a tail towards
        improvement makes the resolution coarser. Shifting every score by the same amount changes
        neither s nor the skewness; only the lower bound of the standard error grows with the shift.
        """
        if pairs is not None:
            return replace(self, n=pairs).resolution(tolerance, alpha)
        quantiles = self._critical(alpha, self.skewness) + float(stdtrit(self.n - 1, _POWER))
        ratio = math.sqrt(self.n * (self.n + 1))  # a shift over the bound of its standard error
        at_bound = tolerance / (1 - quantiles / ratio) if quantiles < ratio else math.inf
        return max(tolerance + quantiles * self.sd / math.sqrt(self.n), at_bound)

    def pairs_needed(self, tolerance: float, alpha: float) -> float:
        """Return the number of pairs that bound an unchanged mean by the tolerance at power .8."""
        quantiles = float(ndtri(1 - alpha) + ndtri(_POWER))
        return (quantiles * self.standard_error * math.sqrt(self.n) / tolerance) ** 2

    def _t(self, margin: float) -> float:
        t = (self.estimate - margin) / max(self.standard_error, sys.float_info.min)
        return min(max(t, -_LARGEST_T), _LARGEST_T)

    def _p(self, *signed: float) -> float:
        return max(float(stdtr(self.n - 1, t)) for t in signed)

    def _critical(self, alpha: float, skewness: float) -> float:
        t = -float(stdtrit(self.n - 1, alpha))
        return max(t, hall_inverse(t, skewness, self.n))


def _least_sd(mean: float, n: int) -> float:
    """Return the lower bound of the standard deviation (see `MeanShift.standard_error`)."""
    return abs(mean) / math.sqrt(n + 1)
