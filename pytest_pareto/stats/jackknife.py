"""Block jackknife: the paired difference of a number of a whole set, such as FID."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri, stdtr, stdtrit

_POWER = 0.8


@dataclass(frozen=True, slots=True)
class BlockShift:
    """The mean difference of n blocks' pseudo-values, harm positive, and its standard deviation.

    The test is Student's t alone, with n - 1 degrees of freedom. A block's value stands for many
    samples, so a skewness estimated from few blocks is mostly chance. Drawn from 4,000 images of
    three variants of the example, 400 at a time in 20 blocks, the 90 % interval of the difference
    of FID covers it 91 % of the time; with Hall's test as well, 92 %; with the lower bound of
    `skew_t.MeanShift` on the spread, which a difference of many standard errors does not need,
    95 %.

    Source: the jackknife's t of J. W. Tukey (1958); R. G. Miller (1974), "The jackknife: a review",
    Biometrika 61, 1-15.
    """

    n: int
    estimate: float
    sd: float

    @classmethod
    def of(cls, harm: npt.NDArray[np.float64]) -> "BlockShift":
        """Return the summary of the differences of at least two blocks."""
        return cls(harm.size, float(harm.mean()), float(harm.std(ddof=1)))

    @property
    def standard_error(self) -> float:
        """The standard error of the mean."""
        return self.sd / math.sqrt(self.n)

    def p_above(self, margin: float) -> float:
        """Return the p-value of "the difference is at most ``margin``"; small means above."""
        return self._p(margin - self.estimate)

    def p_below(self, margin: float) -> float:
        """Return the p-value of "the difference is at least ``margin``"; small means below."""
        return self._p(self.estimate - margin)

    def limits(self, alpha: float) -> tuple[float, float]:
        """Return the one-sided limits at ``alpha``: a 1 - 2 alpha interval."""
        half_width = -float(stdtrit(self.n - 1, alpha)) * self.standard_error
        return self.estimate - half_width, self.estimate + half_width

    def resolution(self, tolerance: float, alpha: float, pairs: int | None = None) -> float:
        """Return the shift that is called WORSE with a probability of .8, with ``pairs`` blocks."""
        n = self.n if pairs is None else pairs
        quantiles = float(stdtrit(n - 1, _POWER) - stdtrit(n - 1, alpha))
        return tolerance + quantiles * self.sd / math.sqrt(n)

    def pairs_needed(self, tolerance: float, alpha: float) -> float:
        """Return the number of blocks of this size that bound an unchanged number at power .8."""
        return (float(ndtri(_POWER) - ndtri(alpha)) * self.sd / tolerance) ** 2

    def _p(self, distance: float) -> float:
        if self.sd == 0:
            return 0.5 if distance == 0 else float(distance > 0)
        return float(stdtr(self.n - 1, distance / self.standard_error))
