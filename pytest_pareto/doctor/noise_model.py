"""How far a machine can be believed: what the runs of unchanged code say of it.

Amounts are fractions where the metric is relative, else in its unit, as in `Change`.

What rules say of unchanged code, split in two: every alarm is a false one.

Ways to measure, and what they see on a machine.

Amounts are fractions where the metric is relative, else in its unit, as in `Change`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

from pytest_pareto.model.change import Change
from pytest_pareto.model.metric import Metric


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


@dataclass(frozen=True, slots=True)
class Scatter:
    """The standard deviation between runs, with its 90 % interval."""

    sd: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class CaseNoise:
    """One noisy metric of one case.

    ``raw`` is the scatter before an adjustment by the host reference, where there was one.
    ``drift`` is the change from the first half of the runs to the second, if one is shown.
    ``enough_runs`` is the smallest number of runs, judged at once against a stored baseline, at
    which the present tolerance holds; None where there is none, and then ``sessions_forbid``
    is whether it is the difference between sessions, ``session_spread``, that forbids.
    """

    case_id: str
    front: str
    metric: Metric
    scatter: Scatter
    raw: Scatter | None
    drift: Change | None
    alarms: FalseAlarms
    sights: tuple[Sight, ...]
    session_spread: float
    enough_runs: int | None
    sessions_forbid: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MetricNoise:
    """One noisy metric at one tolerance, in all its cases."""

    metric: Metric
    cases: tuple[CaseNoise, ...]

    @property
    def overall(self) -> tuple[Sight, ...]:
        """What each plan sees in every case: as much as in its worst one."""
        return tuple(
            Sight(
                sights[0].plan,
                max(sight.sees for sight in sights),
                max(sight.holds for sight in sights),
                all(sight.suffices for sight in sights),
            )
            for sights in zip(*(case.sights for case in self.cases), strict=True)
        )

    @property
    def usual(self) -> Sight:
        """What a session sees that is asked for no more: of one run, confirmed if it may be."""
        return max(
            (s for s in self.overall if s.plan.runs == 1 and not s.plan.interleaved),
            key=lambda sight: sight.plan.confirming,
        )

    @property
    def in_turn(self) -> Sight:
        """What is seen where old code and new are measured in turn."""
        return next(sight for sight in self.overall if sight.plan.interleaved)

    @property
    def support(self) -> Support:
        """Under which conditions the tolerance holds, the simplest that do."""
        if not self.metric.tolerance:
            return Support.UNASKED
        if self.usual.suffices:
            return Support.HOLDS
        if self.enough_runs is not None:
            return Support.WITH_RUNS
        return Support.IN_TURN if self.in_turn.suffices else Support.NOWHERE

    @property
    def drifting(self) -> tuple[CaseNoise, ...]:
        """The cases that were shown to drift."""
        return tuple(case for case in self.cases if case.drift is not None)

    @property
    def alarms(self) -> FalseAlarms:
        """The false alarms of all cases together."""
        first, *others = (case.alarms for case in self.cases)
        return sum(others, start=first)

    @property
    def enough_runs(self) -> int | None:
        """The smallest number of runs at which the tolerance holds in every case, or None."""
        found = [case.enough_runs for case in self.cases]
        return None if None in found else max(n for n in found if n is not None)

    @property
    def sessions_forbid(self) -> bool:
        """Whether the tolerance cannot hold in some case because sessions differ."""
        return any(case.sessions_forbid for case in self.cases)


@dataclass(frozen=True, slots=True)
class Repetition:
    """One metric of one case that should be the same in every run.

    Of ``values`` (runs, or of a score per sample: samples) ``differing`` were not. The widest
    difference is from ``low`` to ``high``, in the metric's unit, at ``sample`` if it is a score's.
    """

    case_id: str
    metric: Metric
    values: int
    differing: int
    low: float
    high: float
    sample: str | None = None

    @property
    def repeated(self) -> bool:
        """Whether nothing differed."""
        return self.differing == 0


@dataclass(frozen=True, slots=True)
class NoiseReport:
    """All that the runs of unchanged code say.

    ``baseline_runs`` is how many runs the plans assume of a stored baseline, and ``family`` how
    many tests share ``alpha``. ``left_out`` says what could not be examined, and why.
    """

    runs: int
    alpha: float
    baseline_runs: int
    family: int
    splits: SplitSizes
    metrics: tuple[MetricNoise, ...]
    repetitions: tuple[Repetition, ...]
    left_out: tuple[str, ...] = ()

    @property
    def case_ids(self) -> tuple[str, ...]:
        """The cases of which anything is said, in order."""
        noisy = (case.case_id for metric in self.metrics for case in metric.cases)
        return tuple(dict.fromkeys(chain(noisy, (r.case_id for r in self.repetitions))))

    def metric(self, name: str) -> Sequence[MetricNoise]:
        """Return what is said of a metric, once for each tolerance that it has."""
        return [noise for noise in self.metrics if noise.metric.name == name]
