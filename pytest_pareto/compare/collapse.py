"""The collapse guard: a few samples that fell far, which a mean over all samples hides."""

from dataclasses import dataclass
from statistics import median

import numpy as np
import numpy.typing as npt
from scipy.special import bdtrc

from pytest_pareto.compare.looks import sequential_p
from pytest_pareto.model.run import Looks

RATE = 0.005
"""The share of samples that may fall by more than the drop: 1 in 200."""

MEAN_SHARE = 0.8
GUARD_SHARE = 0.2
"""How alpha is split between the claim about the mean and the guard.

By Bonferroni, so that WORSE at the margin stays within alpha. A fifth is enough for the
guard: 5 of 200 samples convict. Where the guard does not apply, the mean has all of it.
"""

DROP_PER_TOLERANCE = 10.0
"""A fall that matters: this many tolerances at once."""

DROP_PER_SD = 3.0
"""A fall that is out of the ordinary for the metric, in sd of the baseline's scores."""

DROP_PER_DIFFERENCE = 5.0
"""A fall that is out of the ordinary for this change, in robust sd of the differences.

Scores of images without a fixed seed are independent on both sides: 1.7 % of them fall by
three sd though nothing changed, and the guard would trip on 1,000 of them 4 % of the time.
"""

_MAD_TO_SD = 1.4826  # of normal values


@dataclass(frozen=True, slots=True)
class Collapse:
    """What the guard saw: ``fell`` of ``n`` samples got worse by more than ``drop``.

    ``p`` is weighted, to be set against alpha itself.
    """

    n: int
    drop: float
    fell: int
    rose: int
    p: float


def default_drop(
    baseline: npt.NDArray[np.float64], harm: npt.NDArray[np.float64], tolerance: float
) -> float:
    """Return how far a sample must fall to have collapsed; 0 where nothing can say."""
    spread = _MAD_TO_SD * float(median(np.abs(harm - median(harm.tolist())).tolist()))
    return max(
        DROP_PER_TOLERANCE * tolerance,
        DROP_PER_SD * float(baseline.std(ddof=1)),
        DROP_PER_DIFFERENCE * spread,
    )


def collapse_guard(
    harm: npt.NDArray[np.float64], drop: float, looks: Looks | None = None
) -> Collapse:
    """Test whether more samples collapsed than chance explains. It cannot acquit.

    ``harm`` holds differences, harm positive. Two exact binomial tests must agree. More
    than `RATE` of the samples fell by more than ``drop``: at a level of .01, 5 of 200. And
    those that fell outnumber those that rose as far, as they would not if all of it were
    noise with long tails. The second test may spend all of alpha: where noise leaves the
    mean alone, the claim about the mean does not err as well.

    Before the last look what fell is counted against all samples that are planned. A count
    never falls again, so that it convicts at no look unless it does at the last: all looks
    together cost no more than the last alone. The second test pays for them.
    """
    n = harm.size
    whole = n if looks is None else looks.samples
    fell, rose = int((harm > drop).sum()), int((harm < -drop).sum())
    too_many = float(bdtrc(fell - 1, whole, RATE)) / GUARD_SHARE
    one_sided = sequential_p(float(bdtrc(fell - 1, fell + rose, 0.5)), looks)
    return Collapse(n, drop, fell, rose, min(max(too_many, one_sided), 1.0))
