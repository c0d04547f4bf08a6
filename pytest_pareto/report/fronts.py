"""Rows gathered into cases and cases into fronts, the gravest first.

Short names: what tells a case apart from the others of its front.

What is news of a case: whether it deserves a word of its own, or is told with others.

What is said of a case beside the anchor: how far it crept, in a line.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.verdict import (
    CaseVerdict,
    Judgement,
    Place,
    Position,
    Verdict,
)
from pytest_pareto.report.rows import Row, broken_budgets, build_row, untold_budgets, with_figures
from pytest_pareto.report.text import clean, wrap
from pytest_pareto.report.wording import case_label, gravest_first, severity


@dataclass(frozen=True, slots=True)
class Names:
    """How the cases of one front are called below its title.

    ``stem`` is what all their ids begin with, "" where they have nothing in common.
    """

    title: str = ""
    stem: str = ""
    short: Mapping[str, str] = field(default_factory=dict)

    def of(self, case_id: str) -> str:
        """The name of a case, be it one of this session or of the baseline alone."""
        return self.short.get(case_id) or self.within(case_id)

    def within(self, text: str) -> str:
        """Shorten the ids that a text spells out."""
        for opening in "[#":
            if self.stem:
                text = text.replace(self.stem + opening, opening)
        return clean(text)


def front_names(front: str, case_ids: Sequence[str]) -> Names:
    """Find the title of a front and the short names of its cases."""
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


_WITHOUT_NEWS = {Verdict.UNCHANGED, Verdict.NOT_WORSE}
_FOLDED = {Outcome.NEW, Outcome.NOT_COMPARABLE, Outcome.MISSING}


def is_merely_undecided(case: CaseVerdict) -> bool:
    """Whether all there is to say of a case is that something could not be decided."""
    return (
        case.verdict is Verdict.INCONCLUSIVE
        and not case.fails
        and not case.notices
        and not has_news(case)
    )


def has_news(case: CaseVerdict) -> bool:
    """Whether something changed in a case, or may have, beside what fails or is noticed."""
    if case.verdict is not Verdict.INCONCLUSIVE:
        return case.verdict not in _WITHOUT_NEWS
    return any(
        change.suspected or (result.metric.gates and change.outcome is Outcome.BETTER)
        for result in case.comparison.metrics
        if (change := result.change) is not None
    )


def only_moves(case: CaseVerdict, moving: Collection[str]) -> bool:
    """Whether all the news of a case is of its metrics that are ``moving`` with other cases."""
    if case.fails or case.notices or not moving or case.verdict is Verdict.INCONCLUSIVE:
        return False
    told = {r.metric.name for r in case.comparison.metrics if build_row(r).remarkable}
    return bool(told) and told.issubset(moving)


def uncompared_text(case: CaseVerdict) -> str:
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


def creep_text(row: Row) -> str:
    """Write a metric that is worse than the anchor, with both levels and the limit."""
    levels = f"{row.baseline} → {row.candidate} {row.unit}".rstrip()
    return f"{row.metric} crept: {levels} ({row.change}) since the anchor (limit {row.limit})"


def crept_rows(case: CaseBlock) -> list[Row]:
    """Return the rows of the metrics that crept."""
    return [row for row in case.anchor if row.metric in case.crept]


def creep_lines(case: CaseBlock, width: int, indent: str, verbosity: int) -> Iterator[str]:
    """Tell what crept; with -v also how the other metrics that gate compare with the anchor."""
    hanging = indent + "  "
    for row in crept_rows(case):
        yield from wrap(creep_text(row), width, indent=indent, hanging=hanging)
    rest = [
        f"{row.metric} {row.word} ({row.change}, would have caught {row.resolution})"
        for row in case.anchor
        if verbosity > 0 and row.gates and row.metric not in case.crept
    ]
    if rest:
        text = f"since the anchor: {', '.join(rest)}"
        yield from wrap(text, width, indent=indent, hanging=hanging)
