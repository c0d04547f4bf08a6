"""Rows gathered into cases and cases into fronts, the gravest first."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.verdict import (
    BudgetResult,
    CaseVerdict,
    Judgement,
    MetricResult,
    Place,
    Position,
    Verdict,
)
from pytest_pareto.report.names import Names, front_names
from pytest_pareto.report.rows import Row, build_row
from pytest_pareto.report.text import clean
from pytest_pareto.report.units import levels
from pytest_pareto.report.words import case_label, severity

_WITHOUT_NEWS = {Verdict.UNCHANGED, Verdict.NOT_WORSE}
_FOLDED = {Outcome.NEW, Outcome.NOT_COMPARABLE, Outcome.MISSING}


@dataclass(frozen=True, slots=True)
class CaseBlock:
    """One case as text. ``name`` tells it apart within its front.

    A ``changed`` case is shown by default. ``uncompared`` is why nothing, or not all of
    it, was compared, where that is all there is to say of it: such cases are told together.
    ``common`` says that its news is a movement which it shares with many others. ``anchor`` has
    the rows that were compared with the anchor, and ``crept`` names those that are worse.
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
    place: str
    budgets: tuple[str, ...]
    anchor: tuple[Row, ...]
    crept: frozenset[str]


@dataclass(frozen=True, slots=True)
class FrontBlock:
    """The cases that compete with one another, under the title they share."""

    title: str
    cases: tuple[CaseBlock, ...]


def build_fronts(judgement: Judgement) -> tuple[FrontBlock, ...]:
    """Write every case of a session, fronts and cases with the gravest first."""
    return tuple(_front(front, cases, judgement) for front, cases in by_front(judgement).items())


def by_front(judgement: Judgement) -> dict[str, list[CaseVerdict]]:
    """Gather the cases of each front, in the order of `build_fronts`."""
    fronts: dict[str, list[CaseVerdict]] = {}
    for case in sorted(judgement.cases, key=severity):
        fronts.setdefault(case.comparison.front, []).append(case)
    return fronts


def _front(front: str, cases: Sequence[CaseVerdict], judgement: Judgement) -> FrontBlock:
    names = front_names(front, [case.case_id for case in cases])
    moving = {
        case.case_id: {
            mode.metric for mode in judgement.common_modes if case.case_id in mode.case_ids
        }
        for case in cases
    }
    blocks = (build_case(case, names, moving[case.case_id]) for case in cases)
    return FrontBlock(names.title, tuple(blocks))


def build_case(
    case: CaseVerdict,
    names: Names | None = None,
    moving: Collection[str] = frozenset(),
) -> CaseBlock:
    """Write one case; ``moving`` are its metrics that moved together with other cases."""
    comparison = case.comparison
    names = names or Names()
    traded = case.verdict is Verdict.TRADE_OFF
    common = case.common is not None or _only_moves(case, moving)
    uncompared = "" if common else _uncompared(case)
    return CaseBlock(
        case_id=clean(case.case_id),
        nodeid=comparison.nodeid,
        name=names.of(case.case_id),
        verdict=case.verdict,
        label=case_label(case),
        failing=bool(case.fails),
        changed=bool(case.fails or case.notices or _has_news(case)),
        common=common,
        uncompared=uncompared,
        rows=tuple(build_row(result, traded=traded) for result in comparison.metrics),
        fails=tuple(map(names.within, case.fails)),
        notices=tuple(map(names.within, case.notices)),
        notes=tuple(map(clean, comparison.notes)),
        place=_place(case.place, names),
        budgets=tuple(
            _budget(budget, comparison.metric(budget.metric)) for budget in comparison.budgets
        ),
        anchor=tuple(build_row(r) for r in comparison.anchor if r.change is not None),
        crept=frozenset(map(clean, case.crept)),
    )


def is_merely_undecided(case: CaseVerdict) -> bool:
    """Whether all there is to say of a case is that something could not be decided."""
    return (
        case.verdict is Verdict.INCONCLUSIVE
        and not case.fails
        and not case.notices
        and not _has_news(case)
    )


def _has_news(case: CaseVerdict) -> bool:
    if case.verdict is not Verdict.INCONCLUSIVE:
        return case.verdict not in _WITHOUT_NEWS
    return any(
        change.suspected or (result.metric.gates and change.outcome is Outcome.BETTER)
        for result in case.comparison.metrics
        if (change := result.change) is not None
    )


def _only_moves(case: CaseVerdict, moving: Collection[str]) -> bool:
    if case.fails or case.notices or not moving or case.verdict is Verdict.INCONCLUSIVE:
        return False
    told = {r.metric.name for r in case.comparison.metrics if build_row(r).remarkable}
    return bool(told) and told.issubset(moving)


def _uncompared(case: CaseVerdict) -> str:
    """Join why metrics were not compared, "" where the case has other news to tell."""
    lack = case.comparison.missing or case.comparison.skipped
    if lack is not None:
        return clean(lack)
    gated = [result for result in case.comparison.metrics if result.metric.gates]
    if (
        case.verdict not in _WITHOUT_NEWS | {Verdict.NEW, Verdict.NOT_COMPARABLE, Verdict.MISSING}
        or any(budget.broken is not False for budget in case.comparison.budgets)
        or case.place.position in {Position.LOST, Position.OVERTAKEN}
        or case.crept
        or any(r.outcome not in _FOLDED and build_row(r).remarkable for r in gated)
    ):
        return ""
    reasons: dict[str, list[str]] = {}
    for result in gated:
        if result.outcome in _FOLDED:
            reasons.setdefault(result.reason or str(result.outcome), []).append(result.metric.name)
    if len(reasons) == 1 and all(r.outcome in _FOLDED for r in gated):
        return clean(next(iter(reasons)))
    return clean("; ".join(f"{', '.join(who)}: {why}" for why, who in reasons.items()))


def _place(place: Place, names: Names) -> str:
    return " · ".join(filter(None, [f"position {place.position}", place_text(place, names)]))


def place_text(place: Place, names: Names) -> str:
    """Say where a case stands on its front, and by whom it is held."""
    rivals = ", ".join(names.of(rival) for rival in place.rivals)
    parts = [
        {True: "on the front", False: "off the front", None: ""}[place.on_front],
        f"rivals: {rivals}" if rivals else "",
        clean(place.reason or ""),
    ]
    return " · ".join(part for part in parts if part)


def _budget(budget: BudgetResult, result: MetricResult | None) -> str:
    state = {True: "broken", False: "kept", None: "undecided"}[budget.broken]
    shown = levels((budget.value,), result.metric.unit if result else "")
    value = (
        f" with {shown.texts[0]} {shown.scale.unit}".rstrip() if budget.value is not None else ""
    )
    reason = f" ({budget.reason})" if budget.reason else ""
    return clean(f"budget {budget.metric} {budget.text} {state}{value}{reason}")


def all_cases(fronts: Sequence[FrontBlock]) -> Iterator[CaseBlock]:
    """Go through the cases of all fronts."""
    return (case for front in fronts for case in front.cases)
