"""Paired comparison of scores: one score per sample on both sides, matched by sample id.

`compare_paired` is the public API for mappings of scores, `compare_scores` the test of a session.
`GuardedMean` combines the test of the mean with a guard against the collapse of a few samples. The
tests themselves are in `pytest_pareto.stats`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import SupportsFloat

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.formatting import percent, plural
from pytest_pareto.model.metric import Better, Kind
from pytest_pareto.model.run import Looks
from pytest_pareto.stats.paired_change import (
    MEAN_SHARE,
    Collapse,
    Shift,
    WithheldClaims,
    collapse_guard,
    default_drop,
    shift_of,
    withheld_claims,
)
from pytest_pareto.stats.paired_proportion import Flips
from pytest_pareto.stats.scale import (
    LARGEST,
    parse_better,
    parse_kind,
    require_valid_options,
)
from pytest_pareto.stats.sequential import nominal_alpha, sequential_p
from pytest_pareto.stats.skew_t import MeanShift


def align(
    baseline: Mapping[str, float], candidate: Mapping[str, float]
) -> tuple[list[str], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the ids, sorted, with the baseline's and the candidate's scores in that order.

    The ids are sorted so that the order of the mappings does not change the last digit of a result.

    Raises ParetoError if the sides hold different ids, or a score is not a finite number.
    """
    for side, scores in (("baseline", baseline), ("candidate", candidate)):
        if not isinstance(scores, Mapping):
            raise ParetoError(
                f"the {side} is a {type(scores).__name__}; scores are a mapping from sample ids, "
                'such as {"cat": 0.9, "dog": 0.7}'
            )
    _check_same_ids(baseline, candidate)
    ids = sorted(baseline)
    return ids, _scores(baseline, ids, "baseline"), _scores(candidate, ids, "candidate")


def _check_same_ids(baseline: Mapping[str, float], candidate: Mapping[str, float]) -> None:
    differences = [
        f"{len(names)} only in the {side} ({_first_three(names)})"
        for side, names in (
            ("baseline", baseline.keys() - candidate.keys()),
            ("candidate", candidate.keys() - baseline.keys()),
        )
        if names
    ]
    if differences:
        raise ParetoError(
            f"the two sides hold different samples: {' and '.join(differences)}; "
            "pass scores of the same ids on both sides"
        )


def _first_three(names: Iterable[str]) -> str:
    first, *more = map(repr, sorted(names))
    return ", ".join([first, *more[:2], *(["..."] if more[2:] else [])])


def _scores(scores: Mapping[str, float], ids: Sequence[str], side: str) -> npt.NDArray[np.float64]:
    try:
        values = np.array([scores[name] for name in ids], dtype=np.float64)
    except (TypeError, ValueError):
        raise _unusable(scores, ids, side) from None
    if not (np.abs(values) <= LARGEST).all():
        raise _unusable(scores, ids, side)
    return values


def _unusable(scores: Mapping[str, float], ids: Sequence[str], side: str) -> ParetoError:
    name = next(name for name in ids if not _is_usable(scores[name]))
    score: object = scores[name]
    finite = isinstance(score, SupportsFloat) and math.isfinite(score)
    remedy = f"numbers beyond {LARGEST:g} cannot be compared" if finite else _FINITE
    return ParetoError(f"the {side}'s score of sample {name!r} is {score!r}; {remedy}")


_FINITE = "a finite number is needed"


def _is_usable(score: object) -> bool:
    return isinstance(score, SupportsFloat) and abs(float(score)) <= LARGEST


_Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GuardedMean:
    """The test of a shift of the mean beyond the tolerance, with a guard against a collapse.

    ``guard`` tests for a collapse of a few samples. ``withheld_claims`` are the claims about the
    mean that wait for more samples. Both are None where this kind of scores needs neither.
    """

    shift: Shift
    guard: Collapse | None
    withheld_claims: WithheldClaims | None
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
        """Choose the test for scores of this ``kind``, with its guard and withheld claims."""
        shift, guard, withheld = shift_of(before, after, harm, kind), None, None
        if kind is Kind.PAIRED and isinstance(shift, MeanShift):
            drop = default_drop(before, harm, tolerance)
            guard = collapse_guard(harm, drop, looks) if drop > 0 else None
            withheld = withheld_claims(guard, harm.size, looks)
        return cls(shift, guard, withheld, looks, tolerance, harm.size)

    @property
    def early(self) -> bool:
        """Whether planned samples are not scored yet."""
        return self.looks is not None and not self.looks.complete

    @property
    def identical_is_unchanged(self) -> bool:
        """Whether identical scores are UNCHANGED already, although samples may be left to score."""
        return not self.early or isinstance(self.shift, MeanShift)

    @property
    def share(self) -> float:
        """The mean's share of alpha."""
        return MEAN_SHARE if self.guard else 1.0

    @property
    def p_mean(self) -> float:
        """The p-value of a mean beyond the tolerance, to be compared with the whole alpha."""
        if self.withheld_claims is not None and self.withheld_claims.harm:
            return 1.0
        return min(sequential_p(self.shift.p_above(self.tolerance), self.looks) / self.share, 1.0)

    @property
    def p_worse(self) -> float:
        """The p-value of WORSE: the smaller of those of the mean and of the guard."""
        return min(self.p_mean, self.guard.p) if self.guard else self.p_mean

    def collapsed(self, alpha: float) -> Collapse | None:
        """Return the collapse, where it is significant at ``alpha`` and more so than the mean."""
        guard = self.guard
        return guard if guard and guard.p <= alpha and guard.p < self.p_mean else None

    def resolution(self, alpha: float) -> float:
        """Return the shift that is called WORSE at the last look with a probability of .8."""
        level, looks = self.share * alpha, self.looks
        if looks is None:
            return self.shift.resolution(self.tolerance, level)
        last = nominal_alpha(level, replace(looks, at=looks.planned))
        return self.shift.resolution(self.tolerance, last, looks.samples)

    def undecided_reason(self, alpha: float) -> str | None:
        """Return the reason for which a change is undecided, or None where there is no advice."""
        if self.withheld_claims is not None:
            return self.withheld_claims.reason
        if self.tolerance > 0 and self.looks is not None and self.early:
            return f"undecided after {self.pairs} of {self.looks.samples} samples"
        level = nominal_alpha(alpha, self.looks)
        return _more_samples_reason(self.shift, self.tolerance, level, self.pairs)

    def proving_reason(self, alpha: float, noun: str) -> str:
        """Return how many samples would prove a change that is suspected, at level ``alpha``.

        The change and its spread are taken as they are: the normal quantile of the p-value grows
        with the root of the number of samples. ``noun`` is what is counted.
        """
        if self.looks is not None and self.early:
            return f"undecided after {self.pairs} of {self.looks.samples} samples"
        level = self.share * nominal_alpha(alpha, self.looks)
        tests = [(self.shift.p_above(self.tolerance), level)]
        tests += [(self.guard.p, alpha)] if self.guard else []
        needed = self.pairs * min(float(ndtri(a) / ndtri(p)) ** 2 for p, a in tests if p < 0.5)
        return (
            f"about {math.ceil(needed)} {noun} with this change and spread would settle it; there "
            f"are {self.pairs}"
        )


_WORST = 5


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

    ``tolerance`` is absolute, in the unit of the scores. Give one score per prompt: average the
    scores of its seeds first, since they are not independent of each other. Scores that are all 0
    or 1 use Tango's test (`pytest_pareto.stats.paired_proportion.Flips`). Others use the mean
    difference (`pytest_pareto.stats.skew_t.MeanShift`), with a guard against the collapse of a few
    samples (`pytest_pareto.stats.paired_change.collapse_guard`). With fewer than about 100 samples
    a pass is weak evidence about rare failures: the samples may contain none.

    For grades (``kind="ordinal"``) only the order counts. The change that is compared, and
    tolerated, is the share of samples that got worse less the share that got better.

    Raises ParetoError if the two sides hold different ids, if a score is not a finite
    number, or if ``better``, ``kind``, ``tolerance`` or ``alpha`` is out of its range.
    """
    direction, nature = parse_better(better), parse_kind(kind)
    require_valid_options(tolerance=tolerance, alpha=alpha)
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

    The values of a ``SET`` are the pseudo-values of the same blocks of samples on both sides; it
    has no looks. ``family`` is the number of metrics that are tested together: the resolution is
    the one at alpha / family. The p-values and the interval are of this comparison alone. They are
    corrected for all planned ``looks`` of an evaluation that may stop early; the resolution is then
    that of the last look, with the spread seen so far.
    """
    before, after = np.asarray(baseline, float), np.asarray(candidate, float)
    harm = after - before if better is Better.LOWER else before - after
    if harm.size < 2:
        have = "no sample" if not harm.size else "1 sample"
        reason = f"{have}; the spread of the change needs at least 2, a firm answer 100 or more"
        return _undecidable(harm, tolerance, alpha, reason)
    test = GuardedMean.of(before, after, harm, kind, looks, tolerance)
    resolution = test.resolution(alpha / family)
    if not harm.any() and test.withheld_claims is not None:
        return _undecidable(harm, tolerance, alpha, test.withheld_claims.reason, resolution)
    if not harm.any() and test.identical_is_unchanged:
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
    if test.withheld_claims is not None:
        change = test.withheld_claims.of(change)
    return _explained(change, test, alpha / family, kind, better)


def _explained(
    change: Change, test: GuardedMean, corrected_alpha: float, kind: Kind, better: Better
) -> Change:
    """Return a change with the reason for which it is undecided, or that samples collapsed."""
    if change.outcome is Outcome.WORSE or change.suspected:
        noun = "blocks" if kind is Kind.SET else "samples"
        proof = test.proving_reason(corrected_alpha, noun)
        if change.suspected:
            return replace(change, reason=proof)
        collapse = test.collapsed(change.alpha)
        known = None if collapse is None else _collapse_reason(collapse, better)
        return replace(change, reason=known, if_suspected=proof)
    if change.outcome is Outcome.INCONCLUSIVE:
        return replace(change, reason=test.undecided_reason(change.alpha))
    return change


def _undecidable(
    harm: _Array, tolerance: float, alpha: float, reason: str, resolution: float = math.inf
) -> Change:
    """Return a change without an interval, with the reason."""
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
    """Return UNCHANGED for scores that are identical on every sample, at any tolerance.

    Unchanged, repeatable code gives identical scores. Binary scores and grades are coarse: a real
    change may flip none of them, which the resolution allows for. Before the last look the reason
    gives the share of the samples to come that could differ.
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
        reason=_identical_reason(kind, alpha, test.pairs, early=test.early),
    )


def _worst(ids: Sequence[str], harm: _Array) -> tuple[str, ...]:
    """Return the ids of the 5 samples that lost most, ties in the order of their ids."""
    least = np.partition(harm, -_WORST)[-_WORST] if harm.size > _WORST else -math.inf
    candidates = np.flatnonzero((harm > 0) & (harm >= least)).tolist()
    worst = sorted(candidates, key=lambda place: (-harm[place], ids[place]))
    return tuple(ids[place] for place in worst[:_WORST])


def _collapse_reason(guard: Collapse, better: Better) -> str:
    """Return how many samples collapsed, and by how much."""
    verb = "rose" if better is Better.LOWER else "fell"
    return f"{guard.fell} of {guard.n} samples {verb} by more than {guard.drop:.3g}"


def _identical_reason(kind: Kind, alpha: float, pairs: int, *, early: bool) -> str:
    """Return that no score changed, before the last look with a limit for the samples to come."""
    what = "block" if kind is Kind.SET else "sample"
    reason = f"identical on {plural(pairs, what)}"
    if not early or kind is Kind.SET:
        return reason
    unseen = percent(1 - alpha ** (1 / pairs), 1)
    return f"{reason} so far; up to {unseen} of the others could differ"


def _more_samples_reason(shift: Shift, tolerance: float, alpha: float, pairs: int) -> str | None:
    """Return how many samples would decide an undecided change; None where no more are needed."""
    if tolerance == 0:
        return "scores that differ cannot be shown to be unchanged with a tolerance of 0"
    needed = shift.pairs_needed(tolerance, alpha)
    if needed <= pairs:
        return None
    return (
        f"about {math.ceil(needed)} samples with this spread would bound an unchanged score "
        f"within the tolerance; there are {pairs}"
    )
