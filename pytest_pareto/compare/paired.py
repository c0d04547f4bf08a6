"""One score per sample on both sides: what may be said of the change of their mean."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pytest_pareto.compare.aligned import align
from pytest_pareto.compare.arguments import read_better, require_terms
from pytest_pareto.compare.collapse import MEAN_SHARE, Collapse, collapse_guard, default_drop
from pytest_pareto.compare.hall import MeanShift
from pytest_pareto.compare.tango import Flips, is_binary
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.metric import Better

_WORST = 5


class _Shift(Protocol):
    """The mean harm over the samples, with the tests that its kind of score calls for."""

    @property
    def estimate(self) -> float: ...
    def p_above(self, margin: float) -> float: ...
    def p_below(self, margin: float) -> float: ...
    def limits(self, alpha: float) -> tuple[float, float]: ...
    def resolution(self, tolerance: float, alpha: float) -> float: ...
    def pairs_needed(self, tolerance: float, alpha: float) -> float: ...


def compare_paired(
    baseline: Mapping[str, float],
    candidate: Mapping[str, float],
    *,
    better: str = "higher",
    tolerance: float,
    alpha: float = 0.05,
) -> Change:
    """Compare two sets of scores, matched by sample id.

    ``tolerance`` is absolute, in the unit of the scores. Give one score per prompt: average
    its seeds first, since scores of one prompt are no independent evidence. Scores that are
    all 0 or 1 are judged by Tango's test (see `tango.Flips`), others by the mean difference
    (see `hall.MeanShift`) beside a guard against the collapse of a few samples
    (see `collapse.collapse_guard`). With fewer than about 100 samples a pass says little
    about rare failures: none may have been drawn.

    Raises ParetoError if the two sides hold different ids, if a score is not a finite
    number, or if ``better``, ``tolerance`` or ``alpha`` is out of its range.
    """
    direction = read_better(better)
    require_terms(tolerance=tolerance, alpha=alpha)
    ids, before, after = align(baseline, candidate)
    return compare_scores(ids, before, after, better=direction, tolerance=tolerance, alpha=alpha)


def compare_scores(
    ids: Sequence[str],
    baseline: Sequence[float] | npt.NDArray[np.float64],
    candidate: Sequence[float] | npt.NDArray[np.float64],
    *,
    better: Better,
    tolerance: float,
    alpha: float = 0.05,
    family: float = 1.0,
) -> Change:
    """Compare finite scores that are aligned with ``ids`` on both sides.

    ``family`` is how many metrics are tested together: the resolution is the one at
    alpha / family. The p-values and the interval are of this comparison alone.
    """
    before, after = np.asarray(baseline, float), np.asarray(candidate, float)
    harm = after - before if better is Better.LOWER else before - after
    if harm.size < 2:
        return _too_few(harm, tolerance, alpha)
    shift, guard = _choose(before, after, harm, tolerance)
    share = MEAN_SHARE if guard else 1.0
    resolution = shift.resolution(tolerance, share * alpha / family)
    if not harm.any():
        return _identical(shift, harm.size, tolerance, alpha, resolution)
    p_mean = min(shift.p_above(tolerance) / share, 1.0)
    low, high = shift.limits(alpha)
    change = Change(
        estimate=shift.estimate,
        low=low,
        high=high,
        tolerance=tolerance,
        relative=False,
        alpha=alpha,
        p_worse=min(p_mean, guard.p) if guard else p_mean,
        p_better=shift.p_below(-tolerance),
        resolution=resolution,
        df=None if isinstance(shift, Flips) else harm.size - 1.0,
        pairs=harm.size,
        worst_ids=_worst(ids, harm),
    )
    if guard and guard.p <= alpha and guard.p < p_mean:
        return replace(change, reason=_say_collapse(guard, better))
    if change.outcome is Outcome.INCONCLUSIVE:
        return replace(change, reason=_say_undecided(shift, tolerance, alpha, harm.size))
    return change


def _choose(
    before: npt.NDArray[np.float64],
    after: npt.NDArray[np.float64],
    harm: npt.NDArray[np.float64],
    tolerance: float,
) -> tuple[_Shift, Collapse | None]:
    """Pick the test by the kind of scores. Binary ones have no drop to guard against."""
    if is_binary(before, after):
        return Flips.of(harm), None
    drop = default_drop(before, harm, tolerance)
    return MeanShift.of(harm), collapse_guard(harm, drop) if drop > 0 else None


def _too_few(harm: npt.NDArray[np.float64], tolerance: float, alpha: float) -> Change:
    have = "no sample" if not harm.size else "1 sample"
    return Change(
        estimate=float(harm.sum()),
        low=-math.inf,
        high=math.inf,
        tolerance=tolerance,
        relative=False,
        alpha=alpha,
        p_worse=1.0,
        p_better=1.0,
        resolution=math.inf,
        pairs=harm.size,
        reason=f"{have}; the spread of the change needs at least 2, a firm answer 100 or more",
    )


def _identical(
    shift: _Shift, pairs: int, tolerance: float, alpha: float, resolution: float
) -> Change:
    """Say UNCHANGED of scores that are the same on every sample, at any tolerance.

    That is what unchanged, repeatable code gives. Binary scores are coarse: a real change
    may flip none of them, so the reason tells how often it could flip those of other samples.
    """
    reason = "every score is the same as before"
    _, high = shift.limits(alpha)
    if high > 0:
        reason += f"; among other samples up to {high:.2%} more could be worse"
    return Change(
        estimate=0.0,
        low=0.0,
        high=0.0,
        tolerance=tolerance,
        relative=False,
        alpha=alpha,
        p_worse=1.0,
        p_better=1.0,
        resolution=resolution,
        pairs=pairs,
        reason=reason,
    )


def _say_collapse(guard: Collapse, better: Better) -> str:
    verb = "rose" if better is Better.LOWER else "fell"
    return f"{guard.fell} of {guard.n} samples {verb} by more than {guard.drop:.3g}"


def _say_undecided(shift: _Shift, tolerance: float, alpha: float, pairs: int) -> str | None:
    if tolerance == 0:
        return "scores that differ cannot be shown to be unchanged with a tolerance of 0"
    needed = shift.pairs_needed(tolerance, alpha)
    if needed <= pairs:
        return None
    return (
        f"about {math.ceil(needed)} samples with this spread would bound an unchanged score "
        f"within the tolerance; there are {pairs}"
    )


def _worst(ids: Sequence[str], harm: npt.NDArray[np.float64]) -> tuple[str, ...]:
    """Return the ids of the samples that lost most, ties in the order of their names."""
    least = np.partition(harm, -_WORST)[-_WORST] if harm.size > _WORST else -math.inf
    candidates = np.flatnonzero((harm > 0) & (harm >= least)).tolist()
    worst = sorted(candidates, key=lambda place: (-harm[place], ids[place]))
    return tuple(ids[place] for place in worst[:_WORST])
