"""The test of a mean of scores, with the guard beside it and what has to wait for more samples."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pytest_pareto.compare.reasons import say_undecided
from pytest_pareto.model.metric import Kind
from pytest_pareto.model.run import Looks
from pytest_pareto.stats.paired_change import (
    MEAN_SHARE,
    Barred,
    Collapse,
    Shift,
    barred,
    collapse_guard,
    default_drop,
    shift_of,
)
from pytest_pareto.stats.sequential import nominal_alpha, sequential_p
from pytest_pareto.stats.skew_t import MeanShift

_Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GuardedMean:
    """A shift of the mean beyond the tolerance, tested together with a collapse of a few.

    ``guard`` and what is ``barred`` are None where scores of this kind call for neither.
    """

    shift: Shift
    guard: Collapse | None
    barred: Barred | None
    looks: Looks | None
    tolerance: float
    pairs: int

    @classmethod
    def of(
        cls,
        before: _Array,
        after: _Array,
        harm: _Array,
        kind: Kind,
        looks: Looks | None,
        tolerance: float,
    ) -> "GuardedMean":
        """Choose the test for scores of this ``kind``, and what stands beside it."""
        shift, guard, waits = shift_of(before, after, harm, kind), None, None
        if kind is Kind.PAIRED and isinstance(shift, MeanShift):
            drop = default_drop(before, harm, tolerance)
            guard = collapse_guard(harm, drop, looks) if drop > 0 else None
            waits = barred(guard, harm.size, looks)
        return cls(shift, guard, waits, looks, tolerance, harm.size)

    @property
    def early(self) -> bool:
        """Whether samples are planned that are not drawn yet."""
        return self.looks is not None and not self.looks.complete

    @property
    def sees_all(self) -> bool:
        """Whether scores that are all the same are unchanged, as those not drawn yet might be."""
        return not self.early or isinstance(self.shift, MeanShift)

    @property
    def share(self) -> float:
        """The mean's share of alpha."""
        return MEAN_SHARE if self.guard else 1.0

    @property
    def p_mean(self) -> float:
        """The p-value of the mean's being beyond the tolerance, to be set against all of alpha."""
        if self.barred is not None and self.barred.harm:
            return 1.0
        return min(sequential_p(self.shift.p_above(self.tolerance), self.looks) / self.share, 1.0)

    @property
    def p_worse(self) -> float:
        """The p-value of either: what convicts."""
        return min(self.p_mean, self.guard.p) if self.guard else self.p_mean

    def collapsed(self, alpha: float) -> Collapse | None:
        """Return the collapse that convicts, where it does so more firmly than the mean."""
        guard = self.guard
        return guard if guard and guard.p <= alpha and guard.p < self.p_mean else None

    def resolution(self, alpha: float) -> float:
        """Return what the last look would convict with a probability of .8."""
        level, looks = self.share * alpha, self.looks
        if looks is None:
            return self.shift.resolution(self.tolerance, level)
        last = nominal_alpha(level, replace(looks, at=looks.planned))
        return self.shift.resolution(self.tolerance, last, looks.samples)

    def why_undecided(self, alpha: float) -> str | None:
        """Say what is lacking for a claim, where that can be said."""
        if self.barred is not None:
            return self.barred.reason
        if self.tolerance > 0 and self.looks is not None and self.early:
            return f"undecided after {self.pairs} of {self.looks.samples} samples"
        level = nominal_alpha(alpha, self.looks)
        return say_undecided(self.shift, self.tolerance, level, self.pairs)
