"""The change of one metric from baseline to candidate, and what may be said of it."""

from dataclasses import dataclass, replace
from enum import StrEnum


class Outcome(StrEnum):
    """What may be said of one metric. The first five come from numbers on both sides."""

    WORSE = "WORSE"
    BETTER = "BETTER"
    UNCHANGED = "UNCHANGED"
    NOT_WORSE = "NOT_WORSE"
    INCONCLUSIVE = "INCONCLUSIVE"

    NEW = "NEW"
    MISSING = "MISSING"
    NOT_COMPARABLE = "NOT_COMPARABLE"
    BROKEN = "BROKEN"
    ABSENT = "ABSENT"


@dataclass(frozen=True, slots=True)
class Change:
    """Baseline to candidate of one metric, in the harmful direction: +0.08 is 8 % worse.

    ``estimate``, ``low``, ``high``, ``tolerance`` and ``resolution`` are fractions where
    ``relative``, else in the metric's unit. ``low`` and ``high`` bound the 1 - 2 alpha
    interval. ``p_worse`` tests "worse by no more than the tolerance", ``p_better`` tests
    "better by no more than the tolerance"; both are of this comparison alone.
    ``p_convicting`` is ``p_worse`` after correction for everything else that was tested;
    it alone convicts. ``resolution`` is the smallest regression that this comparison,
    with its spread and correction, would have called WORSE with 80 % probability: `inf`
    where nothing could be. ``reason`` says why nothing could be decided, or what decided it.
    ``runs_to_settle`` is how many runs, by the spread alone, would tell that there is no change
    if there is none; None where there are enough, or no number is.
    An ``exact`` change was compared as it stands: no luck is involved, and none corrected.
    """

    estimate: float
    low: float
    high: float
    tolerance: float
    relative: bool
    alpha: float
    p_worse: float
    p_better: float
    resolution: float
    p_convicting: float | None = None
    df: float | None = None
    pairs: int | None = None
    reason: str | None = None
    runs_to_settle: int | None = None
    worst_ids: tuple[str, ...] = ()
    exact: bool = False

    @property
    def improvement_edge(self) -> float:
        """How far down a change may go and still be within the tolerance.

        The mirror image of the tolerance: on the log scale where relative, since twice as
        slow and half as slow are the same distance apart.
        """
        return -self.tolerance / (1 + self.tolerance) if self.relative else -self.tolerance

    @property
    def outcome(self) -> Outcome:
        """The one decision about one metric; every report repeats it, none makes its own."""
        p = self.p_worse if self.p_convicting is None else self.p_convicting
        if p <= self.alpha:
            return Outcome.WORSE
        if self.improvement_edge <= self.low and self.high <= self.tolerance:
            return Outcome.UNCHANGED
        if self.high < self.improvement_edge:
            return Outcome.BETTER
        if self.high < self.tolerance:
            return Outcome.NOT_WORSE
        return Outcome.INCONCLUSIVE

    @property
    def suspected(self) -> bool:
        """Whether an undecided change would have been WORSE if tested alone."""
        return self.outcome is Outcome.INCONCLUSIVE and self.low > self.tolerance

    def corrected(self, p_convicting: float) -> "Change":
        """Return this change judged by a p-value corrected for the rest of the family."""
        return replace(self, p_convicting=p_convicting)
