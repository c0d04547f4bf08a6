"""What was decided: of a metric, of a case, of its place on the front, of the session.

What is known of every pair on a front, as the judge may ask for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

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
class MetricResult:
    """One metric of one case: what it was, what it is, and what may be said of that.

    ``baseline`` and ``candidate`` are levels in the metric's unit. ``change`` is there
    when both sides could be compared; otherwise ``state`` and ``reason`` say why not.
    ``items`` is how many items one reading of a time or an energy works through.
    ``unmeasured`` is whether the test asked for the metric and no meter could measure it.
    ``for_now`` is whether only this session, and not the machine, kept it from being compared.
    ``looks`` is how far an evaluation came that may stop early.
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

    @property
    def outcome(self) -> Outcome:
        """The outcome, whether it comes from numbers or from the lack of them."""
        if self.change is not None:
            return self.change.outcome
        assert self.state is not None
        return self.state


@dataclass(frozen=True, slots=True)
class Place:
    """A position with the rivals that explain it.

    ``on_front`` is whether the case is shown to be on the front now, shown to be off it,
    or, where neither can be shown, None.
    """

    position: Position
    on_front: bool | None = None
    rivals: tuple[str, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class BudgetResult:
    """A floor or ceiling: broken, kept, or undecided with the numbers at hand."""

    metric: str
    text: str
    value: float | None
    broken: bool | None
    reason: str | None = None

    @property
    def said(self) -> str:
        """What the gate says of one that is not kept, by which reports find its figures."""
        state = "broken" if self.broken else "undecided"
        why = f" ({self.reason})" if self.reason else ""
        return f"budget {state}: {self.metric} {self.text}{why}"


@dataclass(frozen=True, slots=True)
class CaseComparison:
    """One case with every metric compared as far as it could be, not yet judged.

    ``confirmed`` are the metrics that were measured again after they had looked worse.
    ``anchor`` has the same metrics compared with the anchor, where the session has one.
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
        """Return a metric's result, or ``None`` where the case does not have it."""
        return next((m for m in self.metrics if m.metric.name == name), None)

    @property
    def gated(self) -> tuple[MetricResult, ...]:
        """The metrics that can decide about the case.

        Not the diagnostics, and not what has never been measured here on either side.
        """
        return tuple(
            result
            for result in self.metrics
            if result.metric.gates and result.outcome is not Outcome.ABSENT
        )

    def results(self, outcome: Outcome) -> tuple[MetricResult, ...]:
        """Return the metrics with this outcome, among those that can decide."""
        return tuple(result for result in self.gated if result.outcome is outcome)


@dataclass(frozen=True, slots=True)
class CaseVerdict:
    """One case, judged. ``fails`` holds the reasons for which it fails the build.

    ``notices`` are said but do not fail: a trade within its bound, an undecided metric.
    ``common`` names the common-mode movement that this case is part of, if any. ``crept`` names
    the metrics that are worse than the anchor, and neither let through nor told as worse already.
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
        """The judged case."""
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


@dataclass(frozen=True, slots=True)
class Failure:
    """A reason why the session fails, beside its cases; ``nodeid`` names its test, if any."""

    text: str
    nodeid: str | None = None

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Judgement:
    """The session, judged once. ``failures`` are the session's own, beside those of its cases.

    ``shares`` is how the session splits its alpha.
    """

    cases: tuple[CaseVerdict, ...]
    failures: tuple[Failure, ...] = ()
    notices: tuple[str, ...] = ()
    common_modes: tuple[CommonMode, ...] = ()
    shares: AlphaShares = ALL_ON_CHANGES

    @property
    def failed(self) -> bool:
        """Whether the gate fails the build."""
        return bool(self.failures) or any(case.fails for case in self.cases)

    @property
    def counts(self) -> Mapping[Verdict, int]:
        """How many cases have which verdict, in the order of `Verdict`."""
        tally = {verdict: sum(c.verdict is verdict for c in self.cases) for verdict in Verdict}
        return {verdict: count for verdict, count in tally.items() if count}


class PairClaims(Protocol):
    """Claims about ordered pairs of points; each answer is a p-value, or None if undecidable.

    None means that some axis of the pair cannot be compared: it is never left out.
    """

    def dominated(self, point: str, rival: str) -> float | None:
        """How compatible the data are with ``rival`` *not* dominating ``point``."""
        ...

    def ahead(self, point: str, rival: str) -> float | None:
        """How compatible they are with ``point`` nowhere beating ``rival`` by its tolerance."""
        ...


class NoClaims:
    """The duels of a front on which nothing can be compared."""

    def dominated(self, point: str, rival: str) -> float | None:  # noqa: ARG002
        """Nothing is known."""
        return None

    def ahead(self, point: str, rival: str) -> float | None:  # noqa: ARG002
        """Nothing is known."""
        return None


@dataclass(frozen=True, slots=True)
class FrontClaims:
    """One front's claims: among the old points, new points against old, among the new.

    ``old`` and ``new`` list the case ids of the points; a rival that was not measured in
    this session stands at its old place.
    """

    old: frozenset[str] = frozenset()
    new: frozenset[str] = frozenset()
    then: PairClaims = field(default_factory=NoClaims)
    across: PairClaims = field(default_factory=NoClaims)
    now: PairClaims = field(default_factory=NoClaims)
