"""The number of a whole set: the paired difference by block jackknife."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri, stdtr, stdtrit

_POWER = 0.8


@dataclass(frozen=True, slots=True)
class BlockShift:
    """The mean difference of n blocks' pseudo-values, harm positive, and how it scatters.

    Student's t with n - 1 degrees of freedom alone: a block's value stands for many samples, so
    that its skewness, estimated from few blocks, is mostly luck. Drawn from 4,000 images of three
    variants of the example, 400 at a time in 20 blocks, the 90 % interval of the difference of
    FID covers it 91 % of the time; with Hall's key 92 %, and with `hall.MeanShift`'s floor under
    the spread, which a difference of many standard errors needs not, 95 %.

    Source: the jackknife's t of J. W. Tukey (1958); R. G. Miller (1974), "The jackknife: a
    review", Biometrika 61, 1-15.
    """

    n: int
    estimate: float
    sd: float

    @classmethod
    def of(cls, harm: npt.NDArray[np.float64]) -> "BlockShift":
        """Summarise the differences of at least two blocks."""
        return cls(harm.size, float(harm.mean()), float(harm.std(ddof=1)))

    @property
    def standard_error(self) -> float:
        """The standard error of the mean."""
        return self.sd / math.sqrt(self.n)

    def p_above(self, margin: float) -> float:
        """Test "the difference is at most ``margin``"; a small p-value says it is above."""
        return self._p(margin - self.estimate)

    def p_below(self, margin: float) -> float:
        """Test "the difference is at least ``margin``"; a small p-value says it is below."""
        return self._p(self.estimate - margin)

    def limits(self, alpha: float) -> tuple[float, float]:
        """Return the one-sided limits at ``alpha``: a 1 - 2 alpha interval."""
        reach = -float(stdtrit(self.n - 1, alpha)) * self.standard_error
        return self.estimate - reach, self.estimate + reach

    def resolution(self, tolerance: float, alpha: float, pairs: int | None = None) -> float:
        """Return the shift that is called WORSE with a probability of .8, by ``pairs`` blocks."""
        n = self.n if pairs is None else pairs
        reach = float(stdtrit(n - 1, _POWER) - stdtrit(n - 1, alpha))
        return tolerance + reach * self.sd / math.sqrt(n)

    def pairs_needed(self, tolerance: float, alpha: float) -> float:
        """Return how many blocks of this size bound an unchanged number within the tolerance."""
        return (float(ndtri(_POWER) - ndtri(alpha)) * self.sd / tolerance) ** 2

    def _p(self, distance: float) -> float:
        if self.sd == 0:
            return 0.5 if distance == 0 else float(distance > 0)
        return float(stdtr(self.n - 1, distance / self.standard_error))
