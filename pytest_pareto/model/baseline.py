"""What the baseline remembers: sessions of runs, per case and metric.

What a baseline holds, as it stands: its cases on their fronts, and how well they are known.

A metric over the commits of its baseline: what it was when, and where it was accepted anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import Better, Kind, Metric, Scope
from pytest_pareto.model.verdict import Judgement


@dataclass(frozen=True, slots=True)
class Session:
    """One accepted session of one metric: one number per run, in the metric's unit.

    ``env`` names an `Environment` of the baseline. Sessions of one ``epoch`` measured the
    same accepted level; an accepted change starts the next epoch. ``reference`` holds, of a
    latency, what the host reference took beside it (s), one number per run, or nothing.
    ``reason`` is why a person accepted this level, "" where nobody said.
    """

    env: str
    epoch: int
    runs: tuple[float, ...]
    reference: tuple[float, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Samples:
    """The newest session's score of each sample of a paired metric."""

    ids: tuple[str, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class MetricHistory:
    """What is known of one metric of one case; ``sessions`` from oldest to newest.

    ``gates`` is whether it could fail the build when it was recorded.
    """

    unit: str
    better: Better
    kind: Kind
    scope: Scope
    sessions: tuple[Session, ...]
    samples: Samples | None = None
    gates: bool = True

    @property
    def newest(self) -> Session:
        """The session that was accepted last."""
        return self.sessions[-1]

    @property
    def level_sessions(self) -> tuple[Session, ...]:
        """The sessions that measured the level accepted now."""
        return tuple(s for s in self.sessions if s.epoch == self.newest.epoch)

    @property
    def reason(self) -> str:
        """Why the level accepted now was accepted, "" where nobody said."""
        return next((s.reason for s in reversed(self.level_sessions) if s.reason), "")

    def disagreement(self, metric: Metric, there: str = "the baseline") -> str | None:
        """Say how a metric measured now differs in nature from the one remembered, or None.

        ``there`` is what remembers it, as `Baseline.called`.
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
    """One case as the baseline holds it; metrics by name."""

    case_id: str
    front: str
    source: str
    metrics: Mapping[str, MetricHistory]


@dataclass(frozen=True, slots=True)
class Baseline:
    """Everything the snapshot says about this hardware, with what it says of other machines.

    ``elsewhere`` maps the names of other hardware folders to the (case id, metric name)
    pairs that they hold, so that "never measured" and "measured on another machine" differ.
    ``stored`` is False of what was measured in this session, of older code; then ``failed``
    has what failed there, by node id, with why.
    """

    hardware_key: str
    cases: Mapping[str, CaseHistory]
    environments: Mapping[str, Environment]
    elsewhere: Mapping[str, frozenset[tuple[str, str]]] = field(default_factory=dict)
    stored: bool = True
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def called(self) -> str:
        """What messages call it: where nothing is stored, there is only the old code."""
        return "the baseline" if self.stored else "the old code"

    def holder(self, case_id: str, metric: str) -> str | None:
        """Name another hardware folder that holds this metric of this case, or None."""
        wanted = (case_id, metric)
        return next((key for key, held in sorted(self.elsewhere.items()) if wanted in held), None)


@dataclass(frozen=True, slots=True)
class Past:
    """What a session is compared with: the rolling baseline, and the anchor if there is one."""

    baseline: Baseline
    anchor: Baseline | None = None


@dataclass(frozen=True, slots=True)
class RecordedLevel:
    """How well one level is known.

    ``spread`` is the standard deviation between runs, a fraction of a relative metric and else
    in its unit: 0 where every run was the same, None where no session has two. ``runs`` and
    ``sessions`` are those of the level that is accepted now; ``older`` sessions had another one.
    """

    spread: float | None
    runs: int
    sessions: int
    older: int = 0


@dataclass(frozen=True, slots=True)
class RecordedFronts:
    """The fronts of one kind of machine, from its baseline alone.

    Nothing in the ``judgement`` is a change: levels are the candidates', places are those that
    the recorded runs show. ``held`` is by case id and metric name. ``environment`` is that of
    the newest session of most metrics, None where none depends on the machine.
    """

    hardware_key: str
    environment: Environment | None
    judgement: Judgement
    held: Mapping[tuple[str, str], RecordedLevel]


@dataclass(frozen=True, slots=True)
class Revision:
    """One commit: ``date`` is the committer's, ``short`` what git abbreviates its name to."""

    sha: str
    short: str
    date: str
    subject: str


@dataclass(frozen=True, slots=True)
class LevelEntry:
    """One commit that changed what the baseline says of one metric of one case.

    ``at`` is the commit's place among all that were read, oldest first. ``level`` is the one
    accepted then, in the metric's unit, None where the metric is gone or was another quantity.
    Changes are fractions of a relative metric and else differences, None where there is nothing
    to set it beside. ``accepted`` is whether another level was accepted here than held before.
    """

    at: int
    revision: Revision
    level: float | None
    since_before: float | None = None
    since_first: float | None = None
    accepted: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LevelHistory:
    """One metric of one case, oldest moment first; ``metric`` is as it was recorded last."""

    case_id: str
    front: str
    metric: Metric
    moments: tuple[LevelEntry, ...]

    def level_at(self, at: int) -> float | None:
        """Return the level that held after a commit, by its place among all."""
        held = [moment.level for moment in self.moments if moment.at <= at]
        return held[-1] if held else None


@dataclass(frozen=True, slots=True)
class LevelHistories:
    """What was read: ``revisions`` oldest first, and those that could not be, with why."""

    hardware_key: str
    revisions: tuple[Revision, ...]
    unreadable: tuple[tuple[Revision, str], ...]
    courses: tuple[LevelHistory, ...]
