"""What rules say of unchanged code, split in two: every alarm is a false one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Alarms:
    """How many comparisons of unchanged code with itself were called a regression."""

    alarms: int
    comparisons: int

    def __add__(self, other: "Alarms") -> "Alarms":
        return Alarms(self.alarms + other.alarms, self.comparisons + other.comparisons)


@dataclass(frozen=True, slots=True)
class FalseAlarms:
    """What rules would have said of the runs, split in two.

    ``shuffled`` splits take any runs for the candidate's, those ``in_order`` neighbours, as they
    are in truth; at the metric's tolerance, and at tolerance 0. ``naive`` compares each run with
    each other one, and calls what is 5 % worse a regression.
    """

    shuffled: Alarms
    in_order: Alarms
    shuffled_at_zero: Alarms
    in_order_at_zero: Alarms
    naive: Alarms

    def __add__(self, other: "FalseAlarms") -> "FalseAlarms":
        return FalseAlarms(
            self.shuffled + other.shuffled,
            self.in_order + other.in_order,
            self.shuffled_at_zero + other.shuffled_at_zero,
            self.in_order_at_zero + other.in_order_at_zero,
            self.naive + other.naive,
        )


@dataclass(frozen=True, slots=True)
class SplitSizes:
    """How many runs each side of a split had."""

    baseline: int
    candidate: int
