"""A metric over the commits of its baseline: what it was when, and where it was accepted anew."""

from dataclasses import dataclass

from pytest_pareto.model.metric import Metric


@dataclass(frozen=True, slots=True)
class Revision:
    """One commit: ``date`` is the committer's, ``short`` what git abbreviates its name to."""

    sha: str
    short: str
    date: str
    subject: str


@dataclass(frozen=True, slots=True)
class Moment:
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
class Course:
    """One metric of one case, oldest moment first; ``metric`` is as it was recorded last."""

    case_id: str
    front: str
    metric: Metric
    moments: tuple[Moment, ...]

    def level_at(self, at: int) -> float | None:
        """Return the level that held after a commit, by its place among all."""
        held = [moment.level for moment in self.moments if moment.at <= at]
        return held[-1] if held else None


@dataclass(frozen=True, slots=True)
class Courses:
    """What was read: ``revisions`` oldest first, and those that could not be, with why."""

    hardware_key: str
    revisions: tuple[Revision, ...]
    unreadable: tuple[tuple[Revision, str], ...]
    courses: tuple[Course, ...]
