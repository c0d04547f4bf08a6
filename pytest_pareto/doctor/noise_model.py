"""Data model of an A/A test: noise, false alarms and planned resolution on one machine.

An A/A test compares runs of unchanged code with each other. `NoiseReport` is the result of
`examine_noise` in `noise_study`. Amounts are fractions where the metric is relative, else in its
unit, as in `Change`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

from pytest_pareto.model.change import Change
from pytest_pareto.model.metric import Metric


@dataclass(frozen=True, slots=True)
class Alarms:
    """The number of regressions reported in comparisons of unchanged code with itself."""

    alarms: int
    comparisons: int

    def __add__(self, other: "Alarms") -> "Alarms":
        return Alarms(self.alarms + other.alarms, self.comparisons + other.comparisons)


@dataclass(frozen=True, slots=True)
class FalseAlarms:
    """The false alarms of several rules over splits of the same runs.

    ``shuffled`` splits take any runs as the candidate's; ``contiguous`` splits take neighbouring
    runs, as in a real session. Both are counted at the metric's tolerance and at tolerance 0.
    ``naive`` compares each run with each other run, and reports a regression beyond 5 %.
    """

    shuffled: Alarms
    contiguous: Alarms
    shuffled_at_zero: Alarms
    contiguous_at_zero: Alarms
    naive: Alarms

    def __add__(self, other: "FalseAlarms") -> "FalseAlarms":
        return FalseAlarms(
            self.shuffled + other.shuffled,
            self.contiguous + other.contiguous,
            self.shuffled_at_zero + other.shuffled_at_zero,
            self.contiguous_at_zero + other.contiguous_at_zero,
            self.naive + other.naive,
        )


@dataclass(frozen=True, slots=True)
class SplitSizes:
    """The number of runs on each side of a split."""

    baseline: int
    candidate: int


class Support(StrEnum):
    """The conditions under which a tolerance holds on a machine."""

    HOLDS = "holds"
    MORE_RUNS = "with more runs"
    INTERLEAVED = "interleaved with the old code only"
    NOWHERE = "nowhere"
    NO_TOLERANCE = "no tolerance"  # a tolerance of 0 promises nothing


@dataclass(frozen=True, slots=True)
class Plan:
    """A way to measure a change.

    ``runs`` decide or, where there are ``confirming`` runs, flag a change; ``confirming`` fresh
    runs measure a flagged change again. Where ``interleaved``, the old code has as many runs of
    its own, measured alternately with the new code; otherwise there is a stored baseline.
    """

    runs: int
    confirming: int = 0
    interleaved: bool = False


@dataclass(frozen=True, slots=True)
class PlanResolution:
    """What a plan can detect on this machine.

    ``resolution`` is the smallest regression that the plan reports as WORSE with a probability of
    80 % at the present tolerance. ``tolerance`` is the smallest tolerance that holds: at which the
    plan so detects a change of twice the tolerance, rounded up. Both are `inf` where there is
    none. ``suffices`` is whether the present tolerance holds.
    """

    plan: Plan
    resolution: float
    tolerance: float
    suffices: bool


@dataclass(frozen=True, slots=True)
class Scatter:
    """The standard deviation between runs, with its 90 % interval."""

    sd: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class CaseNoise:
    """The noise of one metric of one case.

    ``raw`` is the scatter before adjustment by the host reference, None without adjustment.
    ``drift`` is the change from the first half of the runs to the second, None unless it is
    significant. ``enough_runs`` is the smallest number of runs, judged at once against a stored
    baseline, at which the present tolerance holds; None where there is none, and then
    ``sessions_forbid`` is whether the difference between sessions, ``session_spread``, is the
    reason.
    """

    case_id: str
    front: str
    metric: Metric
    scatter: Scatter
    raw: Scatter | None
    drift: Change | None
    alarms: FalseAlarms
    resolutions: tuple[PlanResolution, ...]
    session_spread: float
    enough_runs: int | None
    sessions_forbid: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MetricNoise:
    """The noise of one metric at one tolerance, in all its cases."""

    metric: Metric
    cases: tuple[CaseNoise, ...]

    @property
    def overall(self) -> tuple[PlanResolution, ...]:
        """The resolution of each plan in the worst case."""
        return tuple(
            PlanResolution(
                of_plan[0].plan,
                max(each.resolution for each in of_plan),
                max(each.tolerance for each in of_plan),
                all(each.suffices for each in of_plan),
            )
            for of_plan in zip(*(case.resolutions for case in self.cases), strict=True)
        )

    @property
    def default(self) -> PlanResolution:
        """The resolution of a default session: one run, confirmed where there are such runs."""
        return max(
            (each for each in self.overall if each.plan.runs == 1 and not each.plan.interleaved),
            key=lambda each: each.plan.confirming,
        )

    @property
    def interleaved(self) -> PlanResolution:
        """The resolution where old and new code are measured alternately."""
        return next(each for each in self.overall if each.plan.interleaved)

    @property
    def support(self) -> Support:
        """The simplest conditions under which the tolerance holds."""
        if not self.metric.tolerance:
            return Support.NO_TOLERANCE
        if self.default.suffices:
            return Support.HOLDS
        if self.enough_runs is not None:
            return Support.MORE_RUNS
        return Support.INTERLEAVED if self.interleaved.suffices else Support.NOWHERE

    @property
    def drifting(self) -> tuple[CaseNoise, ...]:
        """The cases with a significant drift."""
        return tuple(case for case in self.cases if case.drift is not None)

    @property
    def alarms(self) -> FalseAlarms:
        """The false alarms of all cases together."""
        first, *others = (case.alarms for case in self.cases)
        return sum(others, start=first)

    @property
    def enough_runs(self) -> int | None:
        """The smallest number of runs at which the tolerance holds in every case, or None."""
        counts = [case.enough_runs for case in self.cases]
        return None if None in counts else max(n for n in counts if n is not None)

    @property
    def sessions_forbid(self) -> bool:
        """Whether the tolerance cannot hold in some case because sessions differ."""
        return any(case.sessions_forbid for case in self.cases)


@dataclass(frozen=True, slots=True)
class Repeatability:
    """Whether one metric of one case that should be the same in every run was the same.

    ``values`` is the number of runs or, for scores per sample, of samples; ``differing`` of them
    differed. The widest difference is from ``low`` to ``high``, in the metric's unit, at
    ``sample`` for a score.
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
        """Whether no value differed."""
        return self.differing == 0


@dataclass(frozen=True, slots=True)
class NoiseReport:
    """The results of an A/A test.

    ``baseline_runs`` is the number of runs of a stored baseline that the plans assume, and
    ``family`` the number of tests that share ``alpha``. ``left_out`` lists what could not be
    examined, with the reason.
    """

    runs: int
    alpha: float
    baseline_runs: int
    family: int
    splits: SplitSizes
    metrics: tuple[MetricNoise, ...]
    repeatability: tuple[Repeatability, ...]
    left_out: tuple[str, ...] = ()

    @property
    def case_ids(self) -> tuple[str, ...]:
        """The cases with results, in order."""
        noisy = (case.case_id for metric in self.metrics for case in metric.cases)
        return tuple(dict.fromkeys(chain(noisy, (each.case_id for each in self.repeatability))))

    def metric(self, name: str) -> Sequence[MetricNoise]:
        """Return the noise of a metric, once for each tolerance that it has."""
        return [noise for noise in self.metrics if noise.metric.name == name]
