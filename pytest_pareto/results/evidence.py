"""The form of what a session measured: enough to judge it again, against anything.

Long lists that repeat are held once, and named by their position: lists of texts, metrics and
environments. What is "of each run" has a place for each run of its case, in their order.
"""

import msgspec

from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import Metric
from pytest_pareto.model.policy import Policy, SessionSpreads
from pytest_pareto.model.run import Looks
from pytest_pareto.model.session_record import Asked

Places = tuple[int, ...]


class Lacking(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Why runs have no reading of a metric; ``broken`` where that is a failure."""

    runs: Places
    why: str
    broken: bool = False


class Noted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was noted of a metric in some runs."""

    runs: Places
    notes: tuple[str, ...]


class Scored(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A score per sample, or a value per block of a set, alike in ``runs``.

    ``ids`` names the list of ids.
    """

    runs: Places
    ids: int
    values: tuple[float, ...]
    looks: Looks | None = None


class MetricEvidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One metric of one case.

    ``levels`` and ``first`` are of each run, null where it has none: the level of a noisy
    metric, the value of an exact one, the number of a whole set.
    """

    metric: int
    levels: tuple[float | None, ...] = ()
    first: tuple[float | None, ...] = ()
    scores: tuple[Scored, ...] = ()
    lacking: tuple[Lacking, ...] = ()
    notes: tuple[Noted, ...] = ()


class BudgetText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A budget as its author wrote it."""

    metric: str
    text: str


class CaseEvidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One case in the ``runs`` that measured it; ``source`` is a short hash of the test's code."""

    case: str
    nodeid: str
    front: str
    source: str
    runs: Places
    metrics: tuple[MetricEvidence, ...]
    gate: bool = True
    budgets: tuple[BudgetText, ...] = ()
    items: int | None = None


class RunEvidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One process: where it ran, why tests failed, and the lists of those that ended or skipped."""

    environment: int
    finished: int
    skipped: int
    failed: dict[str, str] = {}


class RunsEvidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Runs, and what they measured, case by case."""

    runs: tuple[RunEvidence, ...]
    cases: tuple[CaseEvidence, ...]


class Evidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a session's verdict rests on, beside what it was compared with.

    ``flagged`` is what looked worse, by case and metric, and ``again`` the runs that measured it
    again, of ``confirming`` ones. ``old`` and ``old_again`` are runs of old code that took turns
    with the new. ``gone`` are tests that only the old code has.
    """

    policy: Policy
    spreads: SessionSpreads
    confirming: int
    anchored: bool
    asked: Asked
    failures: tuple[str, ...]
    notices: tuple[str, ...]
    gone: tuple[str, ...]
    flagged: tuple[tuple[str, str], ...]
    environments: tuple[Environment, ...]
    metrics: tuple[Metric, ...]
    lists: tuple[tuple[str, ...], ...]
    runs: RunsEvidence
    again: RunsEvidence
    old: RunsEvidence
    old_again: RunsEvidence
