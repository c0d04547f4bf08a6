"""The change of one metric from baseline to candidate, and its outcome."""

from dataclasses import dataclass, replace
from enum import StrEnum


class Outcome(StrEnum):
    """The result of one metric. The first five come from numbers on both sides."""

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
    """The change of one metric, in the harmful direction: +0.08 is 8 % worse.

    ``estimate``, ``low``, ``high``, ``tolerance`` and ``resolution`` are fractions where
    ``relative``, else in the metric's unit. ``low`` and ``high`` bound the 1 - 2 alpha
    confidence interval. ``p_worse`` is the p-value of the null hypothesis "worse by no more than
    the tolerance", ``p_better`` that of "better by no more than the tolerance"; both are of this
    comparison alone. ``p_convicting`` is ``p_worse`` after correction for everything else that
    was tested; it alone decides on WORSE. ``resolution`` is the smallest regression that this
    comparison, with its spread and correction, would have called WORSE with 80 % probability:
    `inf` where there is none. ``reason`` is why nothing could be decided, or what decided it.
    ``runs_to_settle`` is the number of runs that, by the spread alone, would show that there is
    no change if there is none; None where there are enough runs, or no number is enough.
    ``p_confirming`` is the probability that fresh runs of this session, tested alone, call it
    WORSE; None where none are planned. ``confirming_runs`` is the number of fresh runs that are
    needed for that, of a change that looks worse. ``if_suspected`` is what would settle the change
    if its correction leaves it undecided.
    An ``exact`` change compares two values without noise, and so needs no correction.
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
    p_confirming: float | None = None
    confirming_runs: int | None = None
    if_suspected: str | None = None

    @property
    def improvement_edge(self) -> float:
        """The lower limit of the tolerance: a change below it is an improvement.

        The mirror image of the tolerance, on the log scale where relative: twice as slow and half
        as slow are equally far from no change.
        """
        return -self.tolerance / (1 + self.tolerance) if self.relative else -self.tolerance

    @property
    def outcome(self) -> Outcome:
        """The outcome; every report shows this one, and none derives its own."""
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
        """Return this change with a p-value corrected for the rest of the family of tests.

        Where that leaves it suspected, its reason says what would settle it.
        """
        found = replace(self, p_convicting=p_convicting)
        if not found.suspected or found.if_suspected is None:
            return found
        known = f"{found.reason}; " if found.reason else ""
        return replace(found, reason=f"{known}{found.if_suspected}", if_suspected=None)
