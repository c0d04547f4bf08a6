"""Ways to measure, and what they see on a machine.

Amounts are fractions where the metric is relative, else in its unit, as in `Change`.
"""

from dataclasses import dataclass
from enum import StrEnum


class Support(StrEnum):
    """Under which conditions a tolerance holds on a machine."""

    HOLDS = "holds"
    WITH_RUNS = "with more runs"
    IN_TURN = "in turn with the old code only"
    NOWHERE = "nowhere"
    UNASKED = "unasked"  # a tolerance of 0 promises nothing


@dataclass(frozen=True, slots=True)
class Plan:
    """A way to measure a change: how many runs convict or, where some confirm, suspect it.

    ``confirming`` fresh runs measure a suspect again. Where ``interleaved`` the old code has as
    many runs of its own, in turn with the new; else it has a stored baseline.
    """

    runs: int
    confirming: int = 0
    interleaved: bool = False


@dataclass(frozen=True, slots=True)
class Sight:
    """What a plan sees on this machine.

    ``sees`` is the smallest regression that it calls WORSE with 80 % probability at the present
    tolerance, and ``holds`` the smallest tolerance at which it so catches a change of twice the
    tolerance, rounded up; both `inf` where there is none. ``suffices`` is whether it does so
    at the present tolerance.
    """

    plan: Plan
    sees: float
    holds: float
    suffices: bool
