"""Rows gathered into cases and cases into fronts, the gravest first."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from pytest_pareto.model.verdict import (
    CaseVerdict,
    Judgement,
    Place,
    Verdict,
)
from pytest_pareto.report.budgets import broken_budgets, untold_budgets, with_figures
from pytest_pareto.report.names import Names, front_names
from pytest_pareto.report.news import has_news, only_moves, uncompared_text
from pytest_pareto.report.rows import Row, build_row
from pytest_pareto.report.text import clean
from pytest_pareto.report.words import case_label, gravest_first, severity


@dataclass(frozen=True, slots=True)
class CaseBlock:
    """One case as text. ``name`` tells it apart within its front.

    A ``changed`` case is shown by default. ``uncompared`` is why nothing, or not all of
    it, was compared, where that is all there is to say of it: such cases are told together.
    ``broke`` are the figures of its broken budgets, ``budgets`` what no failure or notice tells.
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
    broke: tuple[str, ...]
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
    common = case.common is not None or only_moves(case, moving)
    uncompared = "" if common else uncompared_text(case)
    return CaseBlock(
        case_id=clean(case.case_id),
        nodeid=comparison.nodeid,
        name=names.of(case.case_id),
        verdict=case.verdict,
        label=case_label(case),
        failing=bool(case.fails),
        changed=bool(case.fails or case.notices or has_news(case)),
        common=common,
        uncompared=uncompared,
        rows=tuple(build_row(r, traded=traded) for r in gravest_first(comparison.metrics)),
        fails=tuple(map(names.within, with_figures(case.fails, comparison))),
        notices=tuple(map(names.within, with_figures(case.notices, comparison))),
        notes=tuple(map(clean, comparison.notes)),
        place=_place(case.place, names),
        budgets=untold_budgets((*case.fails, *case.notices), comparison),
        broke=broken_budgets(comparison),
        anchor=tuple(
            build_row(r) for r in gravest_first(comparison.anchor) if r.change is not None
        ),
        crept=frozenset(map(clean, case.crept)),
    )


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


def all_cases(fronts: Sequence[FrontBlock]) -> Iterator[CaseBlock]:
    """Go through the cases of all fronts."""
    return (case for front in fronts for case in front.cases)
