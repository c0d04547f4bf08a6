"""What the baseline remembers: sessions of runs, per case and metric."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import Better, Kind, Metric, Scope


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
