"""Sample size of a score: what its samples resolve, before there is a change to test.

`coarse_scores` warns of scores that are recorded with too few samples for their own tolerance.
`sample_size` computes resolution and need from one side alone.
"""

import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pytest_pareto.model.formatting import plural, significant
from pytest_pareto.model.metric import Kind, Metric
from pytest_pareto.model.session_record import Judged
from pytest_pareto.stats.paired_change import MEAN_SHARE, Shift
from pytest_pareto.stats.paired_proportion import Flips, is_binary
from pytest_pareto.stats.skew_t import MeanShift

ASSUMED_CORRELATION = 0.5
"""The correlation of a sample's old and new score that is assumed before both are known."""


def assumed_shift(scores: npt.NDArray[np.float64], kind: Kind) -> Shift:
    """Return the shift that unchanged code would show, estimated from the scores of one side.

    How old and new scores differ is not known yet. Were they drawn independently, differences would
    have the variance 2 σ², and of scores that are 0, 1 or grades, 1 - Σ pₖ² would differ, where pₖ
    is the share of each value. With a correlation of `ASSUMED_CORRELATION` it is half of that: σ²
    and, of 0 and 1, p (1 - p) flips, as many for the better as for the worse. With fixed seeds
    scores often correlate more, and without seeds less. The scores of a set are not meant.
    """
    n, apart = scores.size, 1 - ASSUMED_CORRELATION
    if kind is Kind.ORDINAL or is_binary(scores):
        shares = np.unique(scores, return_counts=True)[1] / n
        flips = math.ceil(n * apart * (1 - float(shares @ shares)) / 2)
        return Flips(flips, flips, n)
    sd = float(scores.std(ddof=1)) if n > 1 else 0.0
    return MeanShift(n, 0.0, math.sqrt(2 * apart) * sd, 0.0)


@dataclass(frozen=True, slots=True)
class SampleSize:
    """What the samples of a score can show of its tolerance, before there is a change to test.

    ``resolution`` is the loss that is called WORSE with a probability of .8, and ``needed`` the
    number of samples with which an unchanged score is shown to be within the tolerance as often.
    """

    samples: int
    resolution: float
    needed: float

    @property
    def share(self) -> float:
        """The number of samples as a share of those needed."""
        return self.samples / self.needed if self.needed else math.inf


def sample_size(scores: Iterable[float], metric: Metric, alpha: float) -> SampleSize:
    """Return what scores of one side will show of a tolerance > 0, tested alone at ``alpha``.

    It rests on the assumption of `assumed_shift`.
    """
    values = np.array([*scores], float)
    shift = assumed_shift(values, metric.kind)
    level = alpha if isinstance(shift, Flips) else MEAN_SHARE * alpha
    resolution = shift.resolution(metric.tolerance, level) if values.size > 1 else math.inf
    return SampleSize(values.size, resolution, shift.pairs_needed(metric.tolerance, alpha))


_MAX_NAMED = 5


def coarse_scores(
    judged: Judged, added: Collection[tuple[str, str]], alpha: float
) -> Iterator[str]:
    """Yield a message for each of the ``added`` scores with too few samples for its tolerance.

    ``added`` are recorded for the first time, as (case id, metric name). Those with the least of
    what they need come first. A tolerance of 0 needs no number of samples, and the number of a set
    is not estimated.
    """
    found = [
        (f"{case.case_id} {metric.name}", metric, sample_size(values, metric, alpha))
        for case in judged.judgement.cases
        for metric in (result.metric for result in case.comparison.gated)
        if (key := (case.case_id, metric.name)) in added
        and key in judged.samples
        and metric.kind is not Kind.SET
        and metric.tolerance > 0
        for values in [judged.samples[key].values]
    ]
    coarse = sorted((one for one in found if one[2].share < 1), key=lambda one: one[2].share)
    for name, metric, seen in coarse[:_MAX_NAMED]:
        unit = f" {metric.unit}" if metric.unit else ""
        caught = f"{seen.resolution:.2g}{unit}" if math.isfinite(seen.resolution) else "nothing"
        yield (
            f"{name}: {plural(seen.samples, 'sample')} resolve {caught}; its tolerance "
            f"{metric.tolerance:g}{unit} needs about {significant(seen.needed, 2):,.0f}"
        )
    if len(coarse) > _MAX_NAMED:
        yield f"{len(coarse) - _MAX_NAMED} more scores have too few samples for their tolerance"
    if coarse:
        yield (
            "numbers of samples are estimates before there are two sides: old and new scores are "
            f"taken to correlate by {ASSUMED_CORRELATION:g}"
        )
