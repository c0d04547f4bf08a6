"""Verdicts: the result of each metric, case and position, and the judgement of a session.

`ComparedRuns` are the levels behind a result; `MetricResult` and `CaseComparison` hold comparisons,
`CaseVerdict`, `Place` and `Judgement` the decisions. `RuleChange` is a rule that is not the
baseline's. `FrontClaims` holds p-values of dominance between pairs of cases on a front.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

from pytest_pareto.model.attribution import Attribution
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.metric import Metric
from pytest_pareto.model.policy import ALL_ON_CHANGES, AlphaShares
from pytest_pareto.model.run import Looks


class Verdict(StrEnum):
    """What was decided of one case."""

    DOMINATED = "DOMINATED"
    WORSE = "WORSE"
    TRADE_OFF = "TRADE_OFF"
    IMPROVED = "IMPROVED"
    UNCHANGED = "UNCHANGED"
    NOT_WORSE = "NOT_WORSE"
    INCONCLUSIVE = "INCONCLUSIVE"
    NEW = "NEW"
    MISSING = "MISSING"
    SKIPPED = "SKIPPED"
    NOT_COMPARABLE = "NOT_COMPARABLE"
    BROKEN = "BROKEN"


class Position(StrEnum):
    """Where a case stands among its rivals, compared with where it stood."""

    KEPT = "KEPT"
    GAINED = "GAINED"
    LOST = "LOST"
    OVERTAKEN = "OVERTAKEN"
    OFF = "OFF"  # off the front, as before
    AMBIGUOUS = "AMBIGUOUS"


@dataclass(frozen=True, slots=True)
class ComparedRuns:
    """The levels of the runs that were compared, in the metric's unit.

    ``sessions`` has a tuple for each session of the accepted level, oldest first; where old and new
    code took turns, for each block of runs of the old code. ``candidate`` is one number per run.
    ``screen`` are the runs that flagged the metric, where other runs of the session decide. Of a
    latency that is adjusted by the host reference they are the adjusted levels.
    """

    sessions: tuple[tuple[float, ...], ...]
    candidate: tuple[float, ...]
    screen: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class MetricResult:
    """The result of one metric of one case: its levels, and its change or why there is none.

    ``baseline`` and ``candidate`` are levels in the metric's unit. ``change`` is set where both
    sides could be compared; otherwise ``state`` is the outcome and ``reason`` explains it.
    ``items`` is the number of items that one reading of a time or an energy covers.
    ``unmeasured`` is whether the test requested the metric and no meter could measure it.
    ``for_now`` is whether this session, and not the machine, prevented the comparison.
    ``looks`` is the progress of an evaluation that may stop early. ``lower_bound`` is what
    ``candidate`` leaves out, if anything: nothing is decided on such a number. ``without_waiting``
    are the levels of runs on a busy host without the most that its waiting can explain.
    ``attribution`` is which parts of the level moved, where it changed and both sides have parts.
    ``runs`` are the levels of the runs that were compared, of a metric that looks worse.
    """

    metric: Metric
    baseline: float | None = None
    candidate: float | None = None
    first: float | None = None
    change: Change | None = None
    state: Outcome | None = None
    reason: str | None = None
    notes: tuple[str, ...] = ()
    unmeasured: bool = False
    items: int | None = None
    for_now: bool = False
    looks: Looks | None = None
    lower_bound: str | None = None
    without_waiting: tuple[float, ...] = ()
    attribution: Attribution | None = None
    runs: ComparedRuns | None = None

    @property
    def outcome(self) -> Outcome:
        """The outcome, from the change or else from ``state``."""
        if self.change is not None:
            return self.change.outcome
        assert self.state is not None
        return self.state


@dataclass(frozen=True, slots=True)
class Place:
    """A position on the front, with the rivals that explain it.

    ``on_front`` is True where the case is shown to be on the front now, False where it is shown to
    be off it, and None where neither can be shown.
    """

    position: Position
    on_front: bool | None = None
    rivals: tuple[str, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class BudgetResult:
    """The result of a budget. ``broken`` is None where the numbers do not decide.

    ``value`` is the level in the metric's unit.
    """

    metric: str
    text: str
    value: float | None
    broken: bool | None
    reason: str | None = None

    @property
    def message(self) -> str:
        """The gate's message about a budget that is not kept.

        Reports find the budget of a message by this text.
        """
        state = "broken" if self.broken else "undecided"
        reason = f" ({self.reason})" if self.reason else ""
        return f"budget {state}: {self.metric} {self.text}{reason}"


@dataclass(frozen=True, slots=True)
class CaseComparison:
    """One case with every metric compared as far as possible, not yet judged.

    ``broken``, ``missing`` and ``skipped`` are reasons why there is nothing to judge. ``confirmed``
    are the flagged metrics that were measured again. ``anchor`` has the same metrics compared with
    the anchor, where the session has one.
    """

    case_id: str
    nodeid: str
    front: str
    metrics: tuple[MetricResult, ...]
    gate: bool = True
    budgets: tuple[BudgetResult, ...] = ()
    notes: tuple[str, ...] = ()
    broken: str | None = None
    missing: str | None = None
    skipped: str | None = None
    confirmed: frozenset[str] = frozenset()
    anchor: tuple[MetricResult, ...] = ()

    def metric(self, name: str) -> MetricResult | None:
        """Return the result of a metric, or None where the case does not have it."""
        return next((m for m in self.metrics if m.metric.name == name), None)

    @property
    def gated(self) -> tuple[MetricResult, ...]:
        """The metrics that can decide on the case.

        Excluded are diagnostics, and metrics that neither side has measured.
        """
        return tuple(
            result
            for result in self.metrics
            if result.metric.gates and result.outcome is not Outcome.ABSENT
        )

    def results(self, outcome: Outcome) -> tuple[MetricResult, ...]:
        """Return the metrics with this outcome, among those that can decide on the case."""
        return tuple(result for result in self.gated if result.outcome is outcome)

    def against_anchor(self) -> "CaseComparison":
        """Return the case with its metrics compared with the anchor, those that are comparable."""
        return replace(self, metrics=tuple(r for r in self.anchor if r.change is not None))


@dataclass(frozen=True, slots=True)
class CaseVerdict:
    """The verdict of one case. ``fails`` are the reasons for which it fails the build.

    ``notices`` are reported but do not fail: a trade within its bound, an undecided metric.
    ``common`` is the metric of the common-mode movement that this case is part of, if any.
    ``crept`` names the metrics with drift: worse than the anchor, not let through, and not already
    reported as worse than the baseline.
    """

    comparison: CaseComparison
    verdict: Verdict
    place: Place
    fails: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    common: str | None = None
    crept: tuple[str, ...] = ()

    @property
    def case_id(self) -> str:
        """The id of the case."""
        return self.comparison.case_id


@dataclass(frozen=True, slots=True)
class CommonMode:
    """One movement shared by many cases: one headline, not one per case.

    ``of_the_code`` is whether it is known not to be the machine's.
    """

    metric: str
    case_ids: tuple[str, ...]
    total: int
    estimate: float
    harmful: bool
    of_the_code: bool = False


class RuleKind(StrEnum):
    """What kind of rule changed."""

    POLICY = "policy"
    TOLERANCE = "tolerance"
    GIVE_UP = "give_up"
    BUDGET = "budget"
    GATE = "gate"
    DESELECTED = "deselected"
    EDITED = "edited"


@dataclass(frozen=True, slots=True)
class RuleChange:
    """A rule of this session that is not the one by which the baseline was recorded.

    ``name`` is the option or ini key, the metric, or else what deselects or was edited. ``case`` is
    the id of its case, null for the whole session. ``recorded`` and ``now`` are as an author writes
    them, "" where there is nothing to name. ``loosens`` is whether less can fail now, null where
    neither more nor less can, or that is not known.
    """

    kind: RuleKind
    name: str
    case: str | None = None
    recorded: str = ""
    now: str = ""
    loosens: bool | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """A reason of its own for which a session fails; ``nodeid`` names the test, if any."""

    text: str
    nodeid: str | None = None

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Rename:
    """What is gone and seems to be named otherwise now, and why it seems so.

    ``old`` and ``new`` are ids of tests or of cases, or with ``of`` the names of a metric of that
    test or case.
    """

    old: str
    new: str
    evidence: str
    of: str | None = None

    def __str__(self) -> str:
        where = "" if self.of is None else f"{self.of}: "
        return f"{where}{self.old} seems renamed to {self.new} ({self.evidence})"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The judgement of a session. ``failures`` are its own, apart from those of its cases.

    ``renames`` are offered and not done; ``notices`` name them too.
    ``shares`` is the split of its alpha. ``pooled`` is whether the runs that screen and those that
    confirm decide together. ``rules`` are the rules that changed since the baseline was recorded.
    """

    cases: tuple[CaseVerdict, ...]
    failures: tuple[Failure, ...] = ()
    notices: tuple[str, ...] = ()
    common_modes: tuple[CommonMode, ...] = ()
    shares: AlphaShares = ALL_ON_CHANGES
    pooled: bool = False
    renames: tuple[Rename, ...] = ()
    rules: tuple[RuleChange, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether the gate fails the build."""
        return bool(self.failures) or any(case.fails for case in self.cases)

    @property
    def counts(self) -> Mapping[Verdict, int]:
        """The number of cases with each verdict that occurs, in the order of `Verdict`."""
        tally = {verdict: sum(c.verdict is verdict for c in self.cases) for verdict in Verdict}
        return {verdict: count for verdict, count in tally.items() if count}


class PairClaims(Protocol):
    """Claims about ordered pairs of points, each with a p-value.

    A p-value is None where an axis of the pair cannot be compared: no axis is ever left out.
    """

    def dominated(self, point: str, rival: str) -> float | None:
        """Return the p-value of the null hypothesis that ``rival`` does not dominate ``point``."""
        ...

    def ahead(self, point: str, rival: str) -> float | None:
        """Return the p-value of the null hypothesis that ``point`` is not ahead of ``rival``.

        A point is ahead where it beats its rival on some axis by that metric's tolerance.
        """
        ...


class NoClaims:
    """The claims about a front on which nothing can be compared."""

    def dominated(self, point: str, rival: str) -> float | None:  # noqa: ARG002
        """Return None: nothing is known."""
        return None

    def ahead(self, point: str, rival: str) -> float | None:  # noqa: ARG002
        """Return None: nothing is known."""
        return None


@dataclass(frozen=True, slots=True)
class FrontClaims:
    """The claims about one front.

    ``old`` and ``new`` are the case ids of the points. ``then`` are the claims among old points,
    ``across`` those of new points against old ones, and ``now`` those among new points. A rival
    that was not measured in this session keeps its old levels.
    """

    old: frozenset[str] = frozenset()
    new: frozenset[str] = frozenset()
    then: PairClaims = field(default_factory=NoClaims)
    across: PairClaims = field(default_factory=NoClaims)
    now: PairClaims = field(default_factory=NoClaims)
