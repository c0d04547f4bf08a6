"""The content of every report, built once: rows of metrics, as formatted text.

A budget as text: what was measured beside its bounds, in the unit of the metric's row.

The bill: what a thousand items cost in time and in energy, and what a change adds to it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import ENERGY, LATENCY, Budget, Metric, parse_budget
from pytest_pareto.model.run import Looks
from pytest_pareto.model.verdict import BudgetResult, CaseComparison, CaseVerdict, MetricResult
from pytest_pareto.report.numbers import (
    Figure,
    Scale,
    caught_text,
    change_figure,
    decimals_for,
    fixed,
    levels,
    on_scale_of,
    resolution_text,
    sides_of,
    trimmed,
)
from pytest_pareto.report.text import Tone, clean
from pytest_pareto.report.wording import outcome_word

DIAGNOSTIC = "a diagnostic: it decides nothing"
_SAID_IN_BRIEF = {Outcome.UNCHANGED, Outcome.NOT_WORSE, Outcome.ABSENT}


@dataclass(frozen=True, slots=True)
class Row:
    """One metric of one case, as text; a part that does not apply is "".

    ``change`` and ``interval`` follow the metric itself: a score that fell has a minus.
    ``limit`` and ``resolution`` are in the harmful direction, as tolerances are written.
    ``facts`` explain the outcome, ``details`` and ``statistics`` are for who asks for more.
    A ``remarkable`` row is shown wherever its case is.
    """

    metric: str
    outcome: Outcome
    word: str
    gates: bool
    remarkable: bool
    baseline: str
    candidate: str
    unit: str
    change: str = ""
    interval: str = ""
    level: str = ""
    limit: str = ""
    resolution: str = ""
    facts: tuple[str, ...] = ()
    worst: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    statistics: str = ""


def build_row(result: MetricResult, *, traded: bool = False) -> Row:
    """Write one metric of a case; ``traded`` adds what a trade may give up of it."""
    metric, change, outcome = result.metric, result.change, result.outcome
    sides = sides_of(result)
    scale = sides.scale
    figure = change_figure(change, metric, sides) if change else Figure("")
    busy = outcome in {Outcome.WORSE, Outcome.BETTER} if not metric.gates else True
    return Row(
        metric=clean(metric.name),
        outcome=outcome,
        word=outcome_word(outcome, metric),
        gates=metric.gates,
        remarkable=outcome not in _SAID_IN_BRIEF and busy,
        baseline=sides.texts[0],
        candidate=sides.texts[1],
        unit=clean(sides.scale.unit),
        change=clean(figure.text),
        interval=figure.interval,
        level=f"{100 * (1 - 2 * change.alpha):g} %" if change and figure.interval else "",
        limit=on_scale_of(metric, change.tolerance, scale=scale) if change and metric.gates else "",
        resolution=resolution_text(metric, change.resolution, scale) if change else "",
        facts=tuple(map(clean, _facts(result, scale, traded=traded and outcome is Outcome.WORSE))),
        worst=tuple(map(clean, change.worst_ids)) if change else (),
        details=tuple(map(clean, _details(result, scale))),
        statistics=_statistics(change) if change else "",
    )


def _facts(result: MetricResult, scale: Scale, *, traded: bool) -> Iterator[str]:
    change, metric = result.change, result.metric
    if not metric.gates and result.outcome is not Outcome.ABSENT:
        yield DIAGNOSTIC
    if change is not None and change.pairs is not None:
        yield f"{change.pairs} pairs"
    if result.outcome is Outcome.INCONCLUSIVE and change is not None:
        if change.suspected:
            yield "suspected: alone it would be WORSE, among all that was tested it is not proven"
        yield caught_text(resolution_text(metric, change.resolution, scale))
    if traded:
        yield f"a trade may give up {on_scale_of(metric, metric.trade_bound, scale=scale)}"
    if change is not None and change.reason:
        yield change.reason
    if result.reason and _reason_is_its_own(result):
        yield result.reason


def _reason_is_its_own(result: MetricResult) -> bool:
    """Whether no failure or notice of the case spells out the reason: then the row does."""
    return result.change is not None or result.outcome is Outcome.ABSENT


def _details(result: MetricResult, scale: Scale) -> Iterator[str]:
    if result.change is not None and result.outcome is not Outcome.INCONCLUSIVE:
        yield caught_text(resolution_text(result.metric, result.change.resolution, scale))
    if result.reason and not _reason_is_its_own(result):
        yield result.reason
    if result.candidate is not None:
        yield from _each(result.candidate, result.metric, result.items)
    if result.first is not None:
        first = levels((result.first,), result.metric.unit)
        yield f"first call {first.texts[0]} {first.scale.unit}".rstrip()
    if result.looks is not None and result.looks.planned > 1:
        yield _where_it_stopped(result.looks)
    yield from result.notes


def _where_it_stopped(looks: Looks) -> str:
    if looks.complete:
        return f"undecided until the last of {looks.planned} looks: all {looks.samples} samples"
    return (
        f"decided with {looks.used} of {looks.samples} samples, at look {looks.at} of "
        f"{looks.planned} ({looks.saved} saved; order of seed {looks.seed})"
    )


def _each(value: float, metric: Metric, items: int | None) -> Iterator[str]:
    """Tell what one item takes of what a call takes, and of energy what the meter charges."""
    if items is not None and items > 1:
        each = levels((value / items,), metric.unit)
        yield f"{each.texts[0]} {each.scale.unit} per item ({items} items)"
    if metric.unit == "J":
        yield energy_text(per_thousand(value, items), items)


def _statistics(change: Change) -> str:
    parts = [f"p(worse) {_p_value(change.p_worse)}"]
    if change.p_convicting is not None:
        parts.append(f"corrected {_p_value(change.p_convicting)}")
    parts.append(f"p(better) {_p_value(change.p_better)}")
    if change.df is not None:
        parts.append(f"{change.df:.3g} degrees of freedom")
    return ", ".join([*parts, f"alpha {change.alpha:g}"])


def _p_value(p: float) -> str:
    if 0 < p < 1e-4:
        return "< 0.0001"
    return "> 0.999" if 0.999 < p < 1 else f"{p:.2g}"


_STATES = {True: "broken", False: "kept", None: "undecided"}


def budget_text(budget: BudgetResult, result: MetricResult | None) -> str:
    """Say how a budget came out: "budget broken: latency 431.2 ms, limit <= 400.0 ms"."""
    reason = f" ({clean(budget.reason)})" if budget.reason else ""
    return f"budget {_STATES[budget.broken]}: {budget_figures(budget, result)}{reason}"


def budget_figures(budget: BudgetResult, result: MetricResult | None) -> str:
    """Write what was measured and the limit, on the scale of the row of their metric.

    A limit that is of another unit than the metric stands as its author wrote it.
    """
    unit = "" if result is None else result.metric.unit
    asked = _asked(budget)
    if budget.value is None:
        return clean(f"{budget.metric}, limit {budget.text}")
    if asked is None or asked.unit not in {"", unit or "%"}:
        shown = levels((budget.value,), unit)
        value = f"{shown.texts[0]} {shown.scale.unit}".rstrip()
        return clean(f"{budget.metric} {value}, limit {budget.text}")
    limits = [bound.limit for bound in asked.bounds]
    scale = None if result is None else _scale_of_row(result)
    shown = levels((budget.value, *limits), unit, exact=True, scale=scale)
    value, *bounds = (f"{text} {shown.scale.unit}".rstrip() for text in shown.texts)
    told = (
        f"{'<=' if bound.ceiling else '>='} {text}"
        for bound, text in zip(asked.bounds, bounds, strict=True)
    )
    return clean(f"{budget.metric} {value}, limit {', '.join(told)}")


def broken_budgets(case: CaseComparison) -> tuple[str, ...]:
    """Write what each broken budget of a case measured, and its limit."""
    return tuple(budget_figures(b, case.metric(b.metric)) for b in case.budgets if b.broken)


def with_figures(texts: Iterable[str], case: CaseComparison) -> tuple[str, ...]:
    """Put figures into what the gate says of a case's budgets; other texts stay as they are."""
    return tuple(_with_figures(text, case) for text in texts)


def untold_budgets(texts: Sequence[str], case: CaseComparison) -> tuple[str, ...]:
    """Say how those budgets came out of which none of the gate's ``texts`` tells."""
    return tuple(
        budget_text(budget, case.metric(budget.metric))
        for budget in case.budgets
        if not any(text.endswith(budget.said) for text in texts)
    )


def _with_figures(text: str, case: CaseComparison) -> str:
    for budget in case.budgets:
        if text.endswith(budget.said):
            return text.removesuffix(budget.said) + budget_text(budget, case.metric(budget.metric))
    return text


def _asked(budget: BudgetResult) -> Budget | None:
    try:
        return parse_budget(budget.metric, budget.text)
    except ParetoError:
        return None  # of a file that something else wrote


def _scale_of_row(result: MetricResult) -> Scale | None:
    sides = sides_of(result)
    return sides.scale if any(sides.texts) else None


_J_PER_WH = 3600.0
_THOUSAND = 1000
_KINDS = {"time": LATENCY, "energy": ENERGY}
_TONES = {Outcome.WORSE: Tone.RED, Outcome.BETTER: Tone.GREEN}


@dataclass(frozen=True, slots=True)
class Charge:
    """Time or energy of a thousand items, as text in the unit of the bill.

    ``extra`` is what the change adds, where it is shown to have moved the metric at all.
    """

    before: str
    now: str
    extra: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class Item:
    """One case on the bill: its charges by kind; ``per`` is what a thousand of are charged."""

    per: str
    charges: Mapping[str, Charge]


@dataclass(frozen=True, slots=True)
class Bill:
    """What is charged, by case id; ``units`` are those of each kind that is charged at all."""

    units: Mapping[str, str]
    items: Mapping[str, Item]


def build_bill(cases: Sequence[CaseVerdict]) -> Bill:
    """Charge every case that has a latency or an energy, all in one unit for each of the two."""
    scales = {}
    for kind, metric in _KINDS.items():
        largest = max((_largest(case, metric.name) for case in cases), default=0.0)
        if largest:
            scales[kind] = _scale(largest, metric.unit)
    items = {case.case_id: item for case in cases if (item := _item(case, scales)) is not None}
    return Bill({kind: scale.unit for kind, scale in scales.items()}, items)


def counted(items: int | None) -> str:
    """Name what is counted: items where the test said how many there are, else calls."""
    return "calls" if items is None else "items"


def per_thousand(value: float, items: int | None) -> float:
    """Return what a thousand items take, of what a call takes that works through ``items``."""
    return _THOUSAND * value / (items or 1)


def energy_text(energy_j: float, items: int | None) -> str:
    """Write the energy of a thousand: "0.52 Wh per 1,000 items"."""
    scale = _scale(energy_j, ENERGY.unit)
    return f"{trimmed(energy_j / scale.factor, 3)} {scale.unit} per 1,000 {counted(items)}"


def _scale(value: float, unit: str) -> Scale:
    """Choose what a bill is written in: energies as the meter charges them."""
    if unit != ENERGY.unit:
        return levels((value,), unit).scale
    large = abs(value) >= _THOUSAND * _J_PER_WH
    return Scale(_THOUSAND * _J_PER_WH, "kWh") if large else Scale(_J_PER_WH, "Wh")


def _sides(result: MetricResult) -> list[float | None]:
    return [
        None if value is None else per_thousand(value, result.items)
        for value in (result.baseline, result.candidate)
    ]


def _largest(case: CaseVerdict, name: str) -> float:
    result = case.comparison.metric(name)
    known = [] if result is None else [abs(v) for v in _sides(result) if v is not None]
    return max(known, default=0.0)


def _item(case: CaseVerdict, scales: Mapping[str, Scale]) -> Item | None:
    charges, items = {}, None
    for kind, scale in scales.items():
        result = case.comparison.metric(_KINDS[kind].name)
        if result is not None and _largest(case, result.metric.name):
            charges[kind] = _charge(result, scale)
            items = items or result.items
    return Item(counted(items), charges) if charges else None


def _charge(result: MetricResult, scale: Scale) -> Charge:
    before, now = _sides(result)
    change, extra, tone = result.change, None, Tone.PLAIN
    if change is not None and result.outcome in _TONES and before is not None:
        # The estimate, and not the difference of the levels: these are not adjusted.
        share = change.estimate
        extra = share * before if change.relative else per_thousand(share, result.items)
        tone = _TONES[result.outcome]
    known = [abs(value) / scale.factor for value in (before, now) if value is not None]
    decimals = decimals_for(max(known), 4)
    was, is_now = ("" if v is None else fixed(v / scale.factor, decimals) for v in (before, now))
    more = "" if extra is None else trimmed(extra / scale.factor, 3, sign=True)
    return Charge(was, is_now, more, tone)
