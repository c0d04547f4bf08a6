"""Fronts and cases as text blocks, the most severe first.

`build_fronts` formats a judgement: one `FrontBlock` per front, one `CaseBlock` per case with its
rows, failures and notices. `front_names` shortens case ids within a front. The other functions
classify a case for listing (`may_have_changed`, `is_merely_undecided`, `uncompared_text`) and
render its drift since the anchor (`drift_lines`).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.metric import HOST_COUNTS
from pytest_pareto.model.verdict import (
    CaseVerdict,
    Judgement,
    MetricResult,
    Place,
    Position,
    Verdict,
)
from pytest_pareto.report.rows import (
    Row,
    add_budget_figures,
    broken_budgets,
    build_row,
    undecided_excess,
    unreported_budgets,
)
from pytest_pareto.report.text import clean, wrap
from pytest_pareto.report.wording import (
    build_why_instead,
    case_label,
    severity,
    sort_by_severity,
)


@dataclass(frozen=True, slots=True)
class Names:
    """Short names of the cases of one front, below its title.

    ``stem`` is the common prefix of all their ids, "" where they have none.
    """

    title: str = ""
    stem: str = ""
    short: Mapping[str, str] = field(default_factory=dict)

    def of(self, case_id: str) -> str:
        """Return the name of a case, also of one that only the baseline has."""
        return self.short.get(case_id) or self.within(case_id)

    def within(self, text: str) -> str:
        """Shorten the case ids that a text contains."""
        for opening in "[#":
            if self.stem:
                text = text.replace(self.stem + opening, opening)
        return clean(text)


def front_names(front: str, case_ids: Sequence[str]) -> Names:
    """Return the title of a front and the short names of its cases.

    Names are the parameters of a test, such as "[a]", where all ids share the test.
    """
    stems = {_stem(case_id) for case_id in case_ids}
    if len(stems) > 1:
        return Names(clean(front))
    stem = stems.pop()
    title = stem if stem == front else f"{front}: {stem}"
    short = {i: clean(i[len(stem) :]) or clean(i.rpartition("::")[2]) for i in case_ids}
    return Names(clean(title), stem, short)


def _stem(case_id: str) -> str:
    path, colons, rest = case_id.partition("::")
    ends = [at for at in (rest.find("["), rest.find("#")) if at > 0]
    return path + colons + rest[: min(ends, default=len(rest))]


@dataclass(frozen=True, slots=True)
class CaseBlock:
    """One case as text. ``name`` is unique within its front.

    A ``changed`` case is shown by default. ``uncompared`` is why some or all metrics were not
    compared, if the case has nothing else to report: such cases are listed together. ``broke`` are
    the figures of its broken budgets, ``budgets`` the budgets that no failure or notice states.
    ``common`` is whether its only changes are shared with many other cases. ``anchor`` has the rows
    that were compared with the anchor, and ``drifted`` names those that are worse.
    """

    case_id: str
    nodeid: str
    name: str
    verdict: Verdict
    label: str
    failing: bool
    changed: bool
    common: bool
    uncompared: str
    rows: tuple[Row, ...]
    fails: tuple[str, ...]
    notices: tuple[str, ...]
    notes: tuple[str, ...]
    position: str
    budgets: tuple[str, ...]
    broke: tuple[str, ...]
    anchor: tuple[Row, ...]
    drifted: frozenset[str]


@dataclass(frozen=True, slots=True)
class FrontBlock:
    """The cases that compete with one another, under the title of their front."""

    title: str
    cases: tuple[CaseBlock, ...]


def build_fronts(judgement: Judgement) -> tuple[FrontBlock, ...]:
    """Return every case of a session as text, both fronts and their cases the most severe first."""
    common: dict[str, set[str]] = {}
    for mode in judgement.common_modes:
        for case_id in mode.case_ids:
            common.setdefault(case_id, set()).add(mode.metric)
    return tuple(_front(front, cases, common) for front, cases in by_front(judgement).items())


def by_front(judgement: Judgement) -> dict[str, list[CaseVerdict]]:
    """Group the cases of a session by front, in the order of `build_fronts`."""
    fronts: dict[str, list[CaseVerdict]] = {}
    for case in sorted(judgement.cases, key=severity):
        fronts.setdefault(case.comparison.front, []).append(case)
    return fronts


def _front(
    front: str, cases: Sequence[CaseVerdict], common: Mapping[str, Collection[str]]
) -> FrontBlock:
    names = front_names(front, [case.case_id for case in cases])
    blocks = (build_case(case, names, common.get(case.case_id, ())) for case in cases)
    return FrontBlock(names.title, tuple(blocks))


def build_case(
    case: CaseVerdict,
    names: Names | None = None,
    common_metrics: Collection[str] = frozenset(),
) -> CaseBlock:
    """Return one case as text.

    ``names`` are the short names of its front, full ids without them. ``common_metrics`` are the
    metrics of the case that changed together with other cases.
    """
    comparison = case.comparison
    names = names or Names()
    common = case.common is not None or has_only_common_changes(case, common_metrics)
    uncompared = "" if common else uncompared_text(case)
    return CaseBlock(
        case_id=clean(case.case_id),
        nodeid=comparison.nodeid,
        name=names.of(case.case_id),
        verdict=case.verdict,
        label=case_label(case),
        failing=bool(case.fails),
        changed=bool(case.fails or case.notices or may_have_changed(case)),
        common=common,
        uncompared=uncompared,
        rows=tuple(_rows(case)),
        fails=tuple(map(names.within, add_budget_figures(case.fails, comparison))),
        notices=tuple(map(names.within, add_budget_figures(case.notices, comparison))),
        notes=tuple(map(clean, comparison.notes)),
        position=_position_text(case.place, names),
        budgets=unreported_budgets((*case.fails, *case.notices), comparison),
        broke=broken_budgets(comparison),
        anchor=tuple(
            build_row(r) for r in sort_by_severity(comparison.anchor) if r.change is not None
        ),
        drifted=frozenset(map(clean, case.crept)),
    )


def _rows(case: CaseVerdict) -> Iterator[Row]:
    """Yield the rows of a case.

    In a failing case, the first time of the host that is worse is explained by a host count, where
    its own parts are not known.
    """
    traded = case.verdict is Verdict.TRADE_OFF
    count = _count_that_explains(case.comparison.metrics) if case.fails else None
    for result in sort_by_severity(case.comparison.metrics):
        row = build_row(result, traded=traded)
        unexplained = _is_worse(result) and result.attribution is None
        if count is not None and unexplained and result.metric.is_host_time:
            row, count = replace(row, why=build_why_instead(count)), None
        yield row


def _count_that_explains(results: Sequence[MetricResult]) -> MetricResult | None:
    """Return the host count that grew by the largest share, or else fell, and whose parts moved.

    A count that is worse by itself is none: its parts are below its own row.
    """
    names = {metric.name for metric in HOST_COUNTS}
    counts = [r for r in results if r.metric.name in names and r.attribution and not _is_worse(r)]
    return max(counts, key=_growth, default=None)


def _growth(count: MetricResult) -> tuple[bool, float]:
    then, now = count.baseline or 0.0, count.candidate or 0.0
    return now > then, abs(now - then) / then if then else inf


def _is_worse(result: MetricResult) -> bool:
    return result.metric.gates and result.outcome is Outcome.WORSE


def _position_text(place: Place, names: Names) -> str:
    """Return the position among rivals, which is another question than the verdict."""
    status = front_status_text(place, names)
    undetermined = place.position is Position.AMBIGUOUS and place.on_front is None
    if undetermined or place.position is Position.OFF:
        return f"Pareto position {status}"
    return f"Pareto position {place.position.lower()} · {status}"


def front_status_text(place: Place, names: Names | None) -> str:
    """Return whether a case is on its front, what dominates it, and the reason, as one text.

    Without ``names``, rivals are counted.
    """
    if names is None:
        rivals = plural(len(place.rivals), "case") if place.rivals else ""
    else:
        rivals = ", ".join(names.of(rival) for rival in place.rivals)
    parts = [
        {True: "on the front", False: "off the front", None: "undetermined"}[place.on_front],
        f"dominated by {rivals}" if rivals else "",
        clean(place.reason or ""),
    ]
    return " · ".join(part for part in parts if part)


def severity_ranks(judgement: Judgement) -> dict[str, int]:
    """Return the rank of every case, 0 for the most severe, by its id as reports show it."""
    ordered = sorted(judgement.cases, key=severity)
    return {clean(case.case_id): rank for rank, case in enumerate(ordered)}


def all_cases(fronts: Sequence[FrontBlock]) -> Iterator[CaseBlock]:
    """Iterate over the cases of all fronts."""
    return (case for front in fronts for case in front.cases)


_NO_CHANGE = {Verdict.UNCHANGED, Verdict.NOT_WORSE}
_UNCOMPARED = {Outcome.NEW, Outcome.NOT_COMPARABLE, Outcome.MISSING}


def is_merely_undecided(case: CaseVerdict) -> bool:
    """Whether a case has nothing to report but an undecided metric."""
    return (
        case.verdict is Verdict.INCONCLUSIVE
        and not case.fails
        and not case.notices
        and not may_have_changed(case)
    )


def may_have_changed(case: CaseVerdict) -> bool:
    """Whether something changed in a case, or may have, apart from its failures and notices.

    An inconclusive case may have if a gated metric was measured again, got better, or is beyond its
    limit as measured.
    """
    if case.verdict is not Verdict.INCONCLUSIVE:
        return case.verdict not in _NO_CHANGE
    return any(
        result.outcome is Outcome.BETTER
        or result.metric.name in case.comparison.confirmed
        or undecided_excess(result)
        for result in case.comparison.gated
    )


def has_only_common_changes(case: CaseVerdict, common_metrics: Collection[str]) -> bool:
    """Whether all changes of a case are in ``common_metrics``, which changed with other cases."""
    if case.fails or case.notices or not common_metrics or case.verdict is Verdict.INCONCLUSIVE:
        return False
    notable = {r.metric.name for r in case.comparison.metrics if build_row(r).remarkable}
    return bool(notable) and notable.issubset(common_metrics)


def uncompared_text(case: CaseVerdict) -> str:
    """Return why metrics were not compared, "" where the case has other changes to report."""
    absence = case.comparison.missing or case.comparison.skipped
    if absence is not None:
        return clean(absence)
    gated = [result for result in case.comparison.metrics if result.metric.gates]
    if (
        case.verdict not in _NO_CHANGE | {Verdict.NEW, Verdict.NOT_COMPARABLE, Verdict.MISSING}
        or any(budget.broken is not False for budget in case.comparison.budgets)
        or case.place.position in {Position.LOST, Position.OVERTAKEN}
        or case.crept
        or any(r.outcome not in _UNCOMPARED and build_row(r).remarkable for r in gated)
    ):
        return ""
    reasons: dict[str, list[str]] = {}
    for result in gated:
        if result.outcome in _UNCOMPARED:
            reasons.setdefault(result.reason or str(result.outcome), []).append(result.metric.name)
    if len(reasons) == 1 and all(r.outcome in _UNCOMPARED for r in gated):
        return clean(next(iter(reasons)))
    return clean(
        "; ".join(f"{', '.join(metrics)}: {reason}" for reason, metrics in reasons.items())
    )


def drift_text(row: Row) -> str:
    """Return a metric that is worse than the anchor, with both levels and the limit."""
    levels = f"{row.baseline} → {row.candidate} {row.unit}".rstrip()
    return f"{row.metric} drifted: {levels} ({row.change}) since the anchor (limit {row.limit})"


def drifted_rows(case: CaseBlock) -> list[Row]:
    """Return the anchor rows of the metrics that drifted."""
    return [row for row in case.anchor if row.metric in case.drifted]


def drift_lines(case: CaseBlock, width: int, indent: str, verbosity: int) -> Iterator[str]:
    """Render the drift of a case since the anchor in lines of at most ``width`` cells.

    With -v (``verbosity`` > 0), the other gated metrics are compared with the anchor as well.
    """
    hanging = indent + "  "
    for row in drifted_rows(case):
        yield from wrap(drift_text(row), width, indent=indent, hanging=hanging)
    rest = [
        f"{row.metric} {row.word} ({row.change}, minimum detectable {row.resolution})"
        for row in case.anchor
        if verbosity > 0 and row.gates and row.metric not in case.drifted
    ]
    if rest:
        text = f"since the anchor: {', '.join(rest)}"
        yield from wrap(text, width, indent=indent, hanging=hanging)
