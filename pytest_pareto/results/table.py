"""The form of what a session found: the gate, a record per case, and one per case and metric.

What a docstring says here is what the published schema says.
"""

import msgspec

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import Better, Kind, Scope
from pytest_pareto.model.policy import AlphaShares
from pytest_pareto.model.verdict import CommonMode, Position, Verdict


class Gate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The session as a whole.

    ``failed`` is whether it fails the build: for ``failures`` of its own, or for a case that
    fails. ``counts`` has the cases by verdict, ``shares`` how alpha was spent.
    """

    failed: bool
    failures: tuple[str, ...]
    notices: tuple[str, ...]
    counts: dict[Verdict, int]
    common_modes: tuple[CommonMode, ...]
    shares: AlphaShares


class BudgetRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A floor or ceiling: broken, kept, or (null) undecided. ``value`` is in the metric's unit."""

    metric: str
    text: str
    value: float | None
    broken: bool | None
    reason: str | None


class CaseRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One case, judged.

    ``fails`` are the reasons for which it fails the build, ``notices`` what is said and does not
    fail. ``on_front`` is whether it is shown to be on its front, shown to be off it, or neither
    (null). ``rivals`` explain the position. ``broken``, ``missing`` and ``skipped`` say why there
    is nothing to judge. ``confirmed`` are the metrics that were measured again, ``crept`` those
    that are worse than the anchor.
    """

    case: str
    nodeid: str
    front: str
    verdict: Verdict
    fails: tuple[str, ...]
    notices: tuple[str, ...]
    notes: tuple[str, ...]
    gate: bool
    position: Position
    on_front: bool | None
    rivals: tuple[str, ...]
    position_reason: str | None
    budgets: tuple[BudgetRecord, ...]
    broken: str | None
    missing: str | None
    skipped: str | None
    confirmed: tuple[str, ...]
    common: str | None
    crept: tuple[str, ...]


class MetricRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One metric of one case: flat, so that a list of these is a table.

    ``baseline``, ``candidate`` and ``first`` (the first call) are levels in ``unit``, which is
    SI. ``estimate``, ``low``, ``high``, ``tolerance``, ``give_up`` and ``resolution`` are
    fractions where ``relative``, else in ``unit``; positive is worse. ``low`` to ``high`` is the
    1 - 2 ``alpha`` interval. ``p_convicting`` is ``p_worse`` after correction, null where nothing
    was corrected. ``resolution`` is the smallest regression that would have been called WORSE
    with 80 % probability. A number that is infinite is null: a ``resolution`` of null says that
    nothing could have been caught. From ``estimate`` to ``exact`` all is null where the two sides
    could not be compared, for ``reason``. ``pairs`` is the number of samples, ``worst_ids`` those
    that fell furthest. ``look`` of ``looks`` is where an evaluation of ``samples`` samples stopped.
    """

    case: str
    front: str
    verdict: Verdict
    metric: str
    outcome: Outcome
    unit: str
    better: Better
    kind: Kind
    scope: Scope
    gates: bool
    relative: bool
    tolerance: float
    give_up: float
    baseline: float | None
    candidate: float | None
    first: float | None
    items: int | None
    estimate: float | None
    low: float | None
    high: float | None
    resolution: float | None
    alpha: float | None
    p_worse: float | None
    p_better: float | None
    p_convicting: float | None
    df: float | None
    pairs: int | None
    runs_to_settle: int | None
    suspected: bool | None
    exact: bool | None
    reason: str | None
    unmeasured: bool
    for_now: bool
    confirmed: bool
    look: int | None
    looks: int | None
    samples: int | None
    notes: tuple[str, ...]
    worst_ids: tuple[str, ...]


class PictureRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that shows one of the worst samples of a metric, before and now."""

    case: str
    metric: str
    sample: str
    file: str
