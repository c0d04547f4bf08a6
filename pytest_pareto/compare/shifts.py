"""The mean harm over samples, by the test that the kind of scores calls for."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from pytest_pareto.compare.blocks import BlockShift
from pytest_pareto.compare.hall import MeanShift
from pytest_pareto.compare.tango import Flips, is_binary
from pytest_pareto.model.metric import Kind

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
