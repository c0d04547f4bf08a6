"""One score per sample on both sides: what may be said of the change of their mean."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pytest_pareto.compare.aligned import align
from pytest_pareto.compare.guarded import GuardedMean
from pytest_pareto.compare.reasons import say_collapse, say_identical
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.metric import Better, Kind
from pytest_pareto.model.run import Looks
from pytest_pareto.stats.paired_proportion import Flips
from pytest_pareto.stats.scale import read_better, read_kind, require_terms
from pytest_pareto.stats.sequential import nominal_alpha, sequential_p

_WORST = 5

_Array = npt.NDArray[np.float64]


def compare_paired(
    baseline: Mapping[str, float],
    candidate: Mapping[str, float],
    *,
    better: str = "higher",
    tolerance: float,
    alpha: float = 0.05,
    kind: str = "paired",
) -> Change:
    """Compare two sets of scores, matched by sample id.

    ``tolerance`` is absolute, in the unit of the scores. Give one score per prompt: average
    its seeds first, since scores of one prompt are no independent evidence. Scores that are
    all 0 or 1 are judged by Tango's test (see `tango.Flips`), others by the mean difference
    (see `hall.MeanShift`) beside a guard against the collapse of a few samples
    (see `collapse.collapse_guard`). With fewer than about 100 samples a pass says little
    about rare failures: none may have been drawn.

    Of grades (``kind="ordinal"``) only the order counts: what is compared, and tolerated, is the
    share of samples that got worse less the share that got better.

    Raises ParetoError if the two sides hold different ids, if a score is not a finite
    number, or if ``better``, ``kind``, ``tolerance`` or ``alpha`` is out of its range.
    """
    direction, nature = read_better(better), read_kind(kind)
    require_terms(tolerance=tolerance, alpha=alpha)
    ids, before, after = align(baseline, candidate)
    return compare_scores(
        ids, before, after, better=direction, tolerance=tolerance, alpha=alpha, kind=nature
    )


def compare_scores(  # noqa: PLR0913 - the terms of one test, by keyword
    ids: Sequence[str],
    baseline: Sequence[float] | _Array,
    candidate: Sequence[float] | _Array,
    *,
    better: Better,
    tolerance: float,
    alpha: float = 0.05,
    family: float = 1.0,
    kind: Kind = Kind.PAIRED,
    looks: Looks | None = None,
) -> Change:
    """Compare finite scores that are aligned with ``ids`` on both sides.

    Of a ``SET`` they are the pseudo-values of the same blocks of samples on both sides; it has
    no looks.
    ``family`` is how many metrics are tested together: the resolution is the one at
    alpha / family. The p-values and the interval are of this comparison alone, and pay for all
    the planned ``looks`` of an evaluation that may stop early. Then the resolution is that of
    the plan: what the last look convicts with the spread seen so far.
    """
    before, after = np.asarray(baseline, float), np.asarray(candidate, float)
    harm = after - before if better is Better.LOWER else before - after
    if harm.size < 2:
        have = "no sample" if not harm.size else "1 sample"
        reason = f"{have}; the spread of the change needs at least 2, a firm answer 100 or more"
        return _undecidable(harm, tolerance, alpha, reason)
    test = GuardedMean.of(before, after, harm, kind, looks, tolerance)
    resolution = test.resolution(alpha / family)
    if not harm.any() and test.barred is not None:
        return _undecidable(harm, tolerance, alpha, test.barred.reason, resolution)
    if not harm.any() and test.sees_all:
        return _identical(test, kind, alpha, resolution)
    low, high = test.shift.limits(nominal_alpha(alpha, looks))
    change = Change(
        estimate=test.shift.estimate,
        low=low,
        high=high,
        tolerance=tolerance,
        relative=False,
        alpha=alpha,
        p_worse=test.p_worse,
        p_better=sequential_p(test.shift.p_below(-tolerance), looks),
        resolution=resolution,
        df=None if isinstance(test.shift, Flips) else harm.size - 1.0,
        pairs=harm.size,
        worst_ids=() if kind is Kind.SET else _worst(ids, harm),
    )
    if test.barred is not None:
        change = test.barred.of(change)
    if (collapse := test.collapsed(alpha)) is not None:
        return replace(change, reason=say_collapse(collapse, better))
    if change.outcome is Outcome.INCONCLUSIVE:
        return replace(change, reason=test.why_undecided(alpha))
    return change


def _undecidable(
    harm: _Array, tolerance: float, alpha: float, reason: str, resolution: float = math.inf
) -> Change:
    return Change(
        estimate=float(harm.mean()) if harm.size else 0.0,
        low=-math.inf,
        high=math.inf,
        tolerance=tolerance,
        relative=False,
        alpha=alpha,
        p_worse=1.0,
        p_better=1.0,
        resolution=resolution,
        pairs=harm.size,
        reason=reason,
    )


def _identical(test: GuardedMean, kind: Kind, alpha: float, resolution: float) -> Change:
    """Say UNCHANGED of scores that are the same on every sample, at any tolerance.

    That is what unchanged, repeatable code gives. Binary scores and grades are coarse: a real
    change may flip none of them, so the reason tells how often it could flip those of other
    samples. Before the last look it tells how many of the rest could differ.
    """
    return Change(
        estimate=0.0,
        low=0.0,
        high=0.0,
        tolerance=test.tolerance,
        relative=False,
        alpha=alpha,
        p_worse=1.0,
        p_better=1.0,
        resolution=resolution,
        pairs=test.pairs,
        reason=say_identical(test.shift, kind, alpha, test.pairs, early=test.early),
    )


def _worst(ids: Sequence[str], harm: _Array) -> tuple[str, ...]:
    """Return the ids of the samples that lost most, ties in the order of their names."""
    least = np.partition(harm, -_WORST)[-_WORST] if harm.size > _WORST else -math.inf
    candidates = np.flatnonzero((harm > 0) & (harm >= least)).tolist()
    worst = sorted(candidates, key=lambda place: (-harm[place], ids[place]))
    return tuple(ids[place] for place in worst[:_WORST])
