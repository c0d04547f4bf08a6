"""Baselines: accepted sessions per case and metric, and what can be derived from them.

`Baseline` is the content of a baseline for one kind of machine: a `CaseHistory` per case, with a
`MetricHistory` per metric. `RecordedFronts` is the fronts of a baseline, for ``pytest-pareto
show``. `LevelHistories` is the accepted levels over the commits of a baseline, for ``pytest-pareto
history``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_pareto.model.attribution import Breakdown
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import Better, Kind, Metric, Rule, Scope
from pytest_pareto.model.policy import Policy
from pytest_pareto.model.verdict import Judgement


@dataclass(frozen=True, slots=True)
class Session:
    """One accepted session of one metric: one number per run, in the metric's unit.

    ``env`` names an `Environment` of the baseline. Sessions of one ``epoch`` measured the same
    accepted level; an accepted change starts the next epoch. ``reference`` is the host reference
    (s) measured with a latency, one number per run, and empty for other metrics.
    ``reason`` is why a person accepted this level, "" where no reason was given. ``lower_bound``
    is what the numbers leave out, "" where they are complete.
    """

    env: str
    epoch: int
    runs: tuple[float, ...]
    reference: tuple[float, ...] = ()
    reason: str = ""
    lower_bound: str = ""


@dataclass(frozen=True, slots=True)
class Samples:
    """The newest session's score of each sample of a paired metric."""

    ids: tuple[str, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class MetricHistory:
    """The accepted sessions of one metric of one case; ``sessions`` from oldest to newest.

    ``gates`` is whether it could fail the build when it was recorded, and ``rule`` what its test
    declared then; None where the file holds none. ``digest`` is the check of the entry that its
    file holds, "" for none, and None for an entry that was not read. ``edited`` is whether it shows
    that the entry was changed by hand. ``breakdown`` is what the level of the newest session
    consists of that knows it.
    """

    unit: str
    better: Better
    kind: Kind
    scope: Scope
    sessions: tuple[Session, ...]
    samples: Samples | None = None
    gates: bool = True
    rule: Rule | None = None
    digest: str | None = field(default=None, compare=False)
    edited: bool = field(default=False, compare=False)
    breakdown: Breakdown | None = None

    @property
    def newest(self) -> Session:
        """The session that was accepted last."""
        return self.sessions[-1]

    @property
    def level_sessions(self) -> tuple[Session, ...]:
        """The sessions that measured the currently accepted level."""
        return tuple(s for s in self.sessions if s.epoch == self.newest.epoch)

    @property
    def reason(self) -> str:
        """Why the current level was accepted, "" where no reason was given."""
        return next((s.reason for s in reversed(self.level_sessions) if s.reason), "")

    def disagreement(self, metric: Metric, there: str = "the baseline") -> str | None:
        """Return how a metric's definition differs from the recorded one, or None.

        ``there`` is what messages call the record, as `Baseline.called`.
        """
        for label, then, now in (
            ("kind", self.kind, metric.kind),
            ("direction", self.better, metric.better),
            ("unit", self.unit, metric.unit),
        ):
            if then != now:
                return f"its {label} was {str(then)!r} in {there} and is {str(now)!r} now"
        return None


@dataclass(frozen=True, slots=True)
class CaseHistory:
    """One case in the baseline; ``metrics`` by name."""

    case_id: str
    front: str
    source: str
    metrics: Mapping[str, MetricHistory]


@dataclass(frozen=True, slots=True)
class Baseline:
    """The content of a baseline for one kind of machine, and what it holds of other machines.

    ``elsewhere`` maps the names of other hardware folders to the (case id, metric name) pairs
    that they hold, which distinguishes "never measured" from "measured on another machine".
    ``stored`` is False where older code was measured in this session instead; then ``failed`` maps
    the node ids of tests that failed there to reasons. ``policy`` is that of the session that
    updated it last, None where no file says, and ``policy_edited`` whether it was changed by hand.
    """

    hardware_key: str
    cases: Mapping[str, CaseHistory]
    environments: Mapping[str, Environment]
    elsewhere: Mapping[str, frozenset[tuple[str, str]]] = field(default_factory=dict)
    stored: bool = True
    failed: Mapping[str, str] = field(default_factory=dict)
    policy: Policy | None = None
    policy_edited: bool = False

    @property
    def called(self) -> str:
        """The name in messages: the baseline, or the old code where none is stored."""
        return "the baseline" if self.stored else "the old code"

    def holder(self, case_id: str, metric: str) -> str | None:
        """Return the first other hardware folder that holds this metric of this case, or None."""
        wanted = (case_id, metric)
        folders = sorted(self.elsewhere.items())
        return next((key for key, recorded in folders if wanted in recorded), None)


@dataclass(frozen=True, slots=True)
class Past:
    """The baselines that a session is compared with: the rolling one, and an optional anchor."""

    baseline: Baseline
    anchor: Baseline | None = None


@dataclass(frozen=True, slots=True)
class RecordedLevel:
    """The evidence for one recorded level.

    ``spread`` is the standard deviation between runs, a fraction for a relative metric and else
    in its unit: 0 where all runs were equal, None where no session has two. ``runs`` and
    ``sessions`` are the counts for the currently accepted level; ``older`` is the number of
    sessions with another level.
    """

    spread: float | None
    runs: int
    sessions: int
    older: int = 0


@dataclass(frozen=True, slots=True)
class RecordedFronts:
    """The fronts of one kind of machine, from its baseline alone.

    The ``judgement`` contains no changes: the recorded levels are in place of candidates, and the
    positions are those that the recorded runs show. ``held`` is by (case id, metric name).
    ``environment`` is that of the newest session of most metrics, None where no metric depends on
    the machine.
    """

    hardware_key: str
    environment: Environment | None
    judgement: Judgement
    held: Mapping[tuple[str, str], RecordedLevel]


@dataclass(frozen=True, slots=True)
class Revision:
    """One commit: ``date`` is the committer date, ``short`` the name as git abbreviates it."""

    sha: str
    short: str
    date: str
    subject: str


@dataclass(frozen=True, slots=True)
class LevelEntry:
    """One commit that changed the baseline's record of one metric of one case.

    ``at`` is the commit's index among all that were read, oldest first. ``level`` is the level
    that the commit accepted, in the metric's unit; None where the metric is gone, was another
    quantity, or has a lower bound only. ``since_before`` and ``since_first`` are changes, fractions
    for a relative metric and else differences; None where there is no earlier level. ``accepted``
    is whether the commit accepted another level than the previous one, and ``reason`` why a person
    did. ``ends`` are the lowest and the highest run behind the level.
    """

    at: int
    revision: Revision
    level: float | None
    since_before: float | None = None
    since_first: float | None = None
    accepted: bool = False
    notes: tuple[str, ...] = ()
    reason: str = ""
    ends: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class LevelHistory:
    """The levels of one metric of one case, oldest first; ``metric`` is as recorded last."""

    case_id: str
    front: str
    metric: Metric
    entries: tuple[LevelEntry, ...]

    def level_at(self, at: int) -> float | None:
        """Return the level after a commit, by the commit's index; None where there was none."""
        levels = [moment.level for moment in self.entries if moment.at <= at]
        return levels[-1] if levels else None


@dataclass(frozen=True, slots=True)
class LevelHistories:
    """The histories of one kind of machine, over ``revisions``, oldest first.

    ``unreadable`` are the commits whose baseline could not be read, with the reasons.
    """

    hardware_key: str
    revisions: tuple[Revision, ...]
    unreadable: tuple[tuple[Revision, str], ...]
    courses: tuple[LevelHistory, ...]


@dataclass(frozen=True, slots=True)
class FailingHistory:
    """The levels of failing cases over the git history of their baseline.

    ``levels`` is None where there is no history, and ``missing`` the reason. ``head`` is the commit
    that is checked out, ``later`` the number of commits since the newest one of the baseline.
    """

    levels: LevelHistories | None = None
    missing: str = ""
    head: str = ""
    later: int = 0
