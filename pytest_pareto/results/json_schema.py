"""The JSON form of a session, and its published schema: the docstrings here are its descriptions.

`ResultsFile` is the whole file: the gate, a record per case, one per case and metric, and the
`Evidence`, which is enough to judge the session again against any baseline. Long lists that repeat
are held once and named by their position: lists of texts, metrics and environments. What is "of
each run" has a place for each run of its case, in their order.
"""

import json
from inspect import cleandoc
from pathlib import Path
from typing import Any, Literal

import msgspec

from pytest_pareto.model import policy
from pytest_pareto.model.attribution import Attribution
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import Better, Kind, Metric, Scope
from pytest_pareto.model.policy import AlphaShares, Missing, SessionSpreads, TradeOffs
from pytest_pareto.model.run import Looks
from pytest_pareto.model.session_record import Asked, SessionFacts
from pytest_pareto.model.verdict import CommonMode, Position, RuleChange, Verdict

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


class Bounded(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the value of a metric leaves out in some runs, so that it is a lower bound."""

    runs: Places
    without: str


class Scored(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A score per sample, or a value per block of a set, alike in ``runs``.

    ``ids`` names the list of ids.
    """

    runs: Places
    ids: int
    values: tuple[float, ...]
    looks: Looks | None = None


class ComposedPart(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A part of a level: its name's place in a list, and its value, of one call.

    ``where`` is the place of the name of where it is, or -1. ``count`` is how often the part
    occurs, null where its value is a count itself.
    """

    what: int
    where: int
    value: float
    count: float | None = None


class Composed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the level of a metric consists of, alike in ``runs``.

    ``names`` names the list of the parts' names. Parts that are called "other parts" are sums of
    those in one place which have no name of their own, and ``rest`` is the sum of the others:
    ``folded`` is how many there are of both. ``marks`` names a list of one text: two letters of a
    digest of each name and place of the case, so that new ones are known.
    """

    runs: Places
    names: int
    parts: tuple[ComposedPart, ...] = ()
    rest: float = 0.0
    folded: int = 0
    marks: int | None = None


class MetricEvidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One metric of one case.

    ``levels``, ``first`` and ``waited`` are of each run, null where it has none: the level of a
    noisy metric, the value of an exact one, the number of a whole set; the first call; and the
    share of the time that may have been lost by waiting for a core of the host.
    """

    metric: int
    levels: tuple[float | None, ...] = ()
    first: tuple[float | None, ...] = ()
    waited: tuple[float | None, ...] = ()
    scores: tuple[Scored, ...] = ()
    lacking: tuple[Lacking, ...] = ()
    notes: tuple[Noted, ...] = ()
    lower_bounds: tuple[Bounded, ...] = ()
    breakdowns: tuple[Composed, ...] = ()


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
    """One process: where it ran, why tests failed, and the lists of those that ended or skipped.

    ``block`` numbers the runs of old and new code that were measured close in time.
    """

    environment: int
    finished: int
    skipped: int
    failed: dict[str, str] = {}
    block: int = 0


class RunsEvidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Runs, and what they measured, case by case."""

    runs: tuple[RunEvidence, ...]
    cases: tuple[CaseEvidence, ...]


class Policy(msgspec.Struct, frozen=True):
    """The gate's settings. ``alpha`` is the chance of failing an unharmed build.

    ``accepts_new``, ``accepts_changes`` and ``accepts_all`` say that this session's update
    writes what is new, what changed, or what became another thing altogether (other
    samples, another direction, gone) into the baseline: what is accepted does not fail.
    """

    alpha: float = 0.05
    missing: Missing = Missing.AUTO
    fail_inconclusive: bool = False
    trade_offs: TradeOffs = TradeOffs.BOUNDED
    ci: bool = False
    accepts_new: bool = False
    accepts_changes: bool = False
    accepts_all: bool = False
    fail_rules: bool = False

    @classmethod
    def of(cls, policy: policy.Policy) -> "Policy":
        """Return a policy in the form of the file, which keeps spreads and counts beside it."""
        return cls(*(getattr(policy, name) for name in cls.__struct_fields__))

    def noun(self, spreads: policy.SessionSpreads, confirming: int) -> policy.Policy:
        """Return the policy as the model has it."""
        return policy.Policy(**msgspec.structs.asdict(self), spreads=spreads, confirming=confirming)


class Evidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a session's verdict rests on, beside what it was compared with.

    ``flagged`` is what was flagged, by case and metric, and ``again`` the runs that measured it
    again, of ``confirming`` ones. ``old`` and ``old_again`` are runs of old code, interleaved with
    those of the new. ``gone`` are tests that only the old code has.
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


class Gate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The session as a whole.

    ``failed`` is whether it fails the build: for ``failures`` of its own, or for a case that
    fails. ``counts`` has the cases by verdict, ``shares`` how alpha was spent. ``rules`` are the
    rules that are not those of the baseline, the loosened ones first.
    """

    failed: bool
    failures: tuple[str, ...]
    notices: tuple[str, ...]
    counts: dict[Verdict, int]
    common_modes: tuple[CommonMode, ...]
    shares: AlphaShares
    rules: tuple[RuleChange, ...] = ()


class BudgetRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A floor or ceiling: broken, kept, or (null) undecided. ``value`` is in the metric's unit."""

    metric: str
    text: str
    value: float | None
    broken: bool | None
    reason: str | None


class CaseRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One case, judged.

    ``fails`` are the reasons for which it fails the build, ``notices`` are reported and do not
    fail it. ``on_front`` is whether it is shown to be on its front, shown to be off it, or neither
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
    """One metric of one case: flat but for ``attribution``, so that a list of these is a table.

    ``baseline``, ``candidate`` and ``first`` (the first call) are levels in ``unit``, which is
    SI. ``estimate``, ``low``, ``high``, ``tolerance``, ``give_up`` and ``resolution`` are
    fractions where ``relative``, else in ``unit``; positive is worse. ``low`` to ``high`` is the
    1 - 2 ``alpha`` interval. ``p_convicting`` is ``p_worse`` after correction, null where nothing
    was corrected. ``resolution`` is the smallest regression that would have been called WORSE
    with 80 % probability. A number that is infinite is null: a ``resolution`` of null says that
    nothing was detectable. From ``estimate`` to ``exact`` all is null where the two sides
    could not be compared, for ``reason``. ``pairs`` is the number of samples, ``worst_ids`` those
    that fell furthest. ``look`` of ``looks`` is where an evaluation of ``samples`` samples stopped.
    ``lower_bound`` is what ``candidate`` leaves out, null where it is complete. ``p_confirming`` is
    the probability that confirming runs call the metric WORSE, null where none were planned.
    ``attribution`` is which parts moved, null where that is not known or nothing did.
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
    lower_bound: str | None = None
    p_confirming: float | None = None
    attribution: Attribution | None = None


class PictureRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that shows one of the worst samples of a metric, before and now."""

    case: str
    metric: str
    sample: str
    file: str


FORMAT = "pytest-pareto results"
VERSION = 1
SCHEMA_FILE = Path(__file__).with_name("results.schema.json")


class ResultsFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A session of pytest-pareto: what it found, and what it measured.

    ``metrics`` is the table: one flat record per case and metric. ``anchor`` has the same
    records for the comparison with the anchor. ``environment`` is the machine of the newest run.
    ``evidence`` is for `pytest-pareto compare`, and null where nothing was compared.
    """

    format: Literal["pytest-pareto results"]
    version: Literal[1]
    gate: Gate
    session: SessionFacts
    environment: Environment | None
    cases: tuple[CaseRecord, ...]
    metrics: tuple[MetricRecord, ...]
    anchor: tuple[MetricRecord, ...]
    pictures: tuple[PictureRecord, ...]
    evidence: Evidence | None


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the file, as `SCHEMA_FILE` holds it."""
    generated = _described(msgspec.json.schema(ResultsFile))
    assert isinstance(generated, dict)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{FORMAT}, version {VERSION}",
        **generated,
    }


def _described(content: object) -> object:
    """Return a schema whose descriptions are docstrings without the indentation of code."""
    if isinstance(content, dict):
        return {
            name: cleandoc(part)
            if name == "description" and isinstance(part, str)
            else _described(part)
            for name, part in content.items()
        }
    return [_described(part) for part in content] if isinstance(content, list) else content


def schema_text() -> str:
    """Return the text of `SCHEMA_FILE`."""
    return json.dumps(schema(), indent=2, sort_keys=True) + "\n"
