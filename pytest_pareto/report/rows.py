"""Rows of a report: one metric of one case as formatted text, with its budgets and its bill.

`build_row` formats a `MetricResult` once for all reports. `budget_text` and `budget_figures`
format a budget beside what was measured, in the unit of the metric's row. `build_bill` computes
what a thousand items cost in time and energy, and what a change adds to that.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import ENERGY, LATENCY, Better, Budget, Metric, parse_budget
from pytest_pareto.model.run import Looks
from pytest_pareto.model.verdict import BudgetResult, CaseComparison, CaseVerdict, MetricResult
from pytest_pareto.report.numbers import (
    Figure,
    Levels,
    Scale,
    absolute_change,
    change_figure,
    decimals_for,
    detectable_text,
    fixed,
    levels,
    on_scale_of,
    relative_change,
    resolution_text,
    result_levels,
    trimmed,
)
from pytest_pareto.report.text import Tone, clean
from pytest_pareto.report.wording import Why, build_why, outcome_word

NOT_GATED = "none"
"""What stands in place of the limit of a diagnostic."""
_ROUTINE_OUTCOMES = {Outcome.UNCHANGED, Outcome.NOT_WORSE, Outcome.ABSENT}
_BUDGET_STATES = {True: "broken", False: "kept", None: "undecided"}
_J_PER_WH = 3600.0
_THOUSAND = 1000
_BILLED_METRICS = {"time": LATENCY, "energy": ENERGY}
_TONES = {Outcome.WORSE: Tone.RED, Outcome.BETTER: Tone.GREEN}


@dataclass(frozen=True, slots=True)
class Row:
    """One metric of one case, as text; a part that does not apply is "".

    ``change`` and ``interval`` are in the metric's own direction: a score that fell has a minus.
    ``limit`` and ``resolution`` are in the harmful direction, as tolerances are written.
    ``coverage`` is that of the interval, such as "90 %". ``facts`` explain the outcome. ``details``
    are shown with -v, ``statistics`` with -vv. A ``remarkable`` row is shown wherever its case is.
    ``excess`` is how far an undecided metric is worse than its limit as measured, 0 if it is not.
    ``why`` is which of its parts moved.
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
    coverage: str = ""
    limit: str = ""
    resolution: str = ""
    facts: tuple[str, ...] = ()
    worst: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    statistics: str = ""
    excess: float = 0.0
    why: Why | None = None


def build_row(result: MetricResult, *, traded: bool = False) -> Row:
    """Format one metric of a case.

    ``traded`` adds by how much the metric may get worse in a trade.
    """
    metric, change, outcome = result.metric, result.change, result.outcome
    shown = result_levels(result)
    scale = shown.scale
    figure = change_figure(change, metric, shown) if change else _measured_figure(result, shown)
    has_change = change is not None or figure.text
    notable = outcome in {Outcome.WORSE, Outcome.BETTER} if not metric.gates else True
    return Row(
        metric=clean(metric.name),
        outcome=outcome,
        word=outcome_word(outcome, metric),
        gates=metric.gates,
        remarkable=outcome not in _ROUTINE_OUTCOMES and notable,
        baseline=shown.texts[0],
        candidate=shown.texts[1],
        unit=clean(shown.scale.unit),
        change=clean(figure.text),
        interval=figure.interval,
        coverage=f"{100 * (1 - 2 * change.alpha):g} %" if change and figure.interval else "",
        limit=_limit(metric, scale) if has_change else "",
        resolution=resolution_text(metric, change.resolution, scale) if change else "",
        facts=tuple(map(clean, _facts(result, scale, traded=traded and outcome is Outcome.WORSE))),
        worst=tuple(map(clean, change.worst_ids)) if change else (),
        details=tuple(map(clean, _details(result, scale))),
        statistics=_statistics(change) if change else "",
        excess=undecided_excess(result),
        why=build_why(result),
    )


def _measured_figure(result: MetricResult, shown: Levels) -> Figure:
    """Format how far the levels differ of a metric that could not be compared for now."""
    then, now = result.baseline, result.candidate
    if not result.for_now or then is None or now is None:
        return Figure("")
    if result.metric.relative:
        return relative_change(now / then - 1) if then else Figure("")
    return absolute_change(now - then, None, shown.scale)


def undecided_excess(result: MetricResult) -> float:
    """Return how far an undecided metric that gates is worse than its limit, as measured.

    That is a fraction or in the metric's unit, as its tolerance is; 0 where it is within the limit,
    or decided. A metric that could not be compared for now is undecided too.
    """
    metric, change = result.metric, result.change
    then, now = result.baseline, result.candidate
    if not metric.gates:
        return 0.0
    if change is not None:
        undecided = result.outcome is Outcome.INCONCLUSIVE
        return max(0.0, change.estimate - change.tolerance) if undecided else 0.0
    if not result.for_now or then is None or now is None:
        return 0.0
    before, after = (then, now) if metric.better is Better.LOWER else (now, then)
    if not metric.relative:
        return max(0.0, after - before - metric.tolerance)
    return max(0.0, after / before - 1 - metric.tolerance) if before > 0 else 0.0


def _limit(metric: Metric, scale: Scale) -> str:
    return on_scale_of(metric, metric.tolerance, scale=scale) if metric.gates else NOT_GATED


def _facts(result: MetricResult, scale: Scale, *, traded: bool) -> Iterator[str]:
    change, metric = result.change, result.metric
    if result.lower_bound is not None:
        yield f"a lower bound, {result.lower_bound}"
    if change is not None and change.pairs is not None:
        yield f"{change.pairs} pairs"
    if result.outcome is Outcome.INCONCLUSIVE and change is not None:
        if change.suspected:
            yield "likely regression, not significant after correcting for all tests of the session"
        yield detectable_text(resolution_text(metric, change.resolution, scale))
    if traded and metric.gates:
        yield f"a trade may give up {on_scale_of(metric, metric.trade_bound, scale=scale)}"
    if change is not None and change.reason:
        yield change.reason
    if result.reason and _row_states_reason(result):
        yield result.reason


def _row_states_reason(result: MetricResult) -> bool:
    """Whether the row states the reason of the result.

    It does where no failure or notice of the case contains that reason.
    """
    return result.change is not None or result.outcome is Outcome.ABSENT


def _details(result: MetricResult, scale: Scale) -> Iterator[str]:
    if result.change is not None and result.outcome is not Outcome.INCONCLUSIVE:
        yield detectable_text(resolution_text(result.metric, result.change.resolution, scale))
    if result.reason and not result.metric.gates and not _row_states_reason(result):
        yield result.reason
    if result.candidate is not None:
        yield from _per_item_texts(result.candidate, result.metric, result.items)
    if result.first is not None:
        first = levels((result.first,), result.metric.unit)
        yield f"first call {first.texts[0]} {first.scale.unit}".rstrip()
    if result.looks is not None and result.looks.planned > 1:
        yield _stopping_text(result.looks)
    yield from result.notes


def _stopping_text(looks: Looks) -> str:
    if looks.complete:
        return f"undecided until the last of {looks.planned} looks: all {looks.samples} samples"
    return (
        f"decided with {looks.used} of {looks.samples} samples, at look {looks.at} of "
        f"{looks.planned} ({looks.saved} saved; order of seed {looks.seed})"
    )


def _per_item_texts(value: float, metric: Metric, items: int | None) -> Iterator[str]:
    """Format the cost per item, and for an energy the cost of a thousand in Wh or kWh."""
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


def budget_text(budget: BudgetResult, result: MetricResult | None) -> str:
    """Return a budget and its state: "budget broken: latency 431.2 ms, limit <= 400.0 ms"."""
    reason = f" ({clean(budget.reason)})" if budget.reason else ""
    return f"budget {_BUDGET_STATES[budget.broken]}: {budget_figures(budget, result)}{reason}"


def budget_figures(budget: BudgetResult, result: MetricResult | None) -> str:
    """Format what was measured and the limit of a budget, in the unit of the metric's row.

    A limit in another unit than the metric's stands as its author wrote it.
    """
    unit = "" if result is None else result.metric.unit
    parsed = _parsed_budget(budget)
    if budget.value is None:
        return clean(f"{budget.metric}, limit {budget.text}")
    if parsed is None or parsed.unit not in {"", unit or "%"}:
        shown = levels((budget.value,), unit)
        value = f"{shown.texts[0]} {shown.scale.unit}".rstrip()
        return clean(f"{budget.metric} {value}, limit {budget.text}")
    limits = [bound.limit for bound in parsed.bounds]
    scale = None if result is None else _row_scale(result)
    shown = levels((budget.value, *limits), unit, exact=True, scale=scale)
    value, *bounds = (f"{text} {shown.scale.unit}".rstrip() for text in shown.texts)
    limit_texts = (
        f"{'<=' if bound.ceiling else '>='} {text}"
        for bound, text in zip(parsed.bounds, bounds, strict=True)
    )
    return clean(f"{budget.metric} {value}, limit {', '.join(limit_texts)}")


def broken_budgets(case: CaseComparison) -> tuple[str, ...]:
    """Return measured value and limit of each broken budget of a case."""
    return tuple(budget_figures(b, case.metric(b.metric)) for b in case.budgets if b.broken)


def add_budget_figures(texts: Iterable[str], case: CaseComparison) -> tuple[str, ...]:
    """Add figures to those failures and notices of the gate that state a budget.

    Other texts are returned unchanged.
    """
    return tuple(_add_figures(text, case) for text in texts)


def _add_figures(text: str, case: CaseComparison) -> str:
    for budget in case.budgets:
        if text.endswith(budget.message):
            return text.removesuffix(budget.message) + budget_text(
                budget, case.metric(budget.metric)
            )
    return text


def unreported_budgets(texts: Sequence[str], case: CaseComparison) -> tuple[str, ...]:
    """Return the state of the budgets that none of the gate's ``texts`` states."""
    return tuple(
        budget_text(budget, case.metric(budget.metric))
        for budget in case.budgets
        if not any(text.endswith(budget.message) for text in texts)
    )


def _parsed_budget(budget: BudgetResult) -> Budget | None:
    try:
        return parse_budget(budget.metric, budget.text)
    except ParetoError:
        return None  # read from a file that another program wrote


def _row_scale(result: MetricResult) -> Scale | None:
    shown = result_levels(result)
    return shown.scale if any(shown.texts) else None


@dataclass(frozen=True, slots=True)
class Charge:
    """Time or energy of a thousand items, as text in the unit of the bill.

    ``extra`` is what the change adds, "" where the metric is not shown to have changed.
    """

    before: str
    now: str
    extra: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class Item:
    """One case on the bill: its charges by kind, "time" or "energy".

    ``per`` is what is counted in thousands: "items" or "calls".
    """

    per: str
    charges: Mapping[str, Charge]


@dataclass(frozen=True, slots=True)
class Bill:
    """The bill of a session: ``items`` by case id, and the unit of each kind that has a charge."""

    units: Mapping[str, str]
    items: Mapping[str, Item]


def build_bill(cases: Sequence[CaseVerdict]) -> Bill:
    """Return the bill of every case that has a latency or an energy, each of these in one unit."""
    scales = {}
    for kind, metric in _BILLED_METRICS.items():
        largest = max((_largest_level(case, metric.name) for case in cases), default=0.0)
        if largest:
            scales[kind] = _bill_scale(largest, metric.unit)
    items = {case.case_id: item for case in cases if (item := _item(case, scales)) is not None}
    return Bill({kind: scale.unit for kind, scale in scales.items()}, items)


def counted_unit(items: int | None) -> str:
    """Return what a bill counts: "items" where the test gave their number, else "calls"."""
    return "calls" if items is None else "items"


def per_thousand(value: float, items: int | None) -> float:
    """Return the cost of a thousand items, given the cost of a call with ``items`` items."""
    return _THOUSAND * value / (items or 1)


def energy_text(energy_j: float, items: int | None) -> str:
    """Format the energy of a thousand, given in J: "0.52 Wh per 1,000 items"."""
    scale = _bill_scale(energy_j, ENERGY.unit)
    return f"{trimmed(energy_j / scale.factor, 3)} {scale.unit} per 1,000 {counted_unit(items)}"


def _bill_scale(value: float, unit: str) -> Scale:
    """Return the unit of the bill: Wh or kWh for energies, else a readable unit."""
    if unit != ENERGY.unit:
        return levels((value,), unit).scale
    large = abs(value) >= _THOUSAND * _J_PER_WH
    return Scale(_THOUSAND * _J_PER_WH, "kWh") if large else Scale(_J_PER_WH, "Wh")


def _per_thousand_levels(result: MetricResult) -> list[float | None]:
    return [
        None if value is None else per_thousand(value, result.items)
        for value in (result.baseline, result.candidate)
    ]


def _largest_level(case: CaseVerdict, name: str) -> float:
    result = case.comparison.metric(name)
    known = (
        [] if result is None else [abs(v) for v in _per_thousand_levels(result) if v is not None]
    )
    return max(known, default=0.0)


def _item(case: CaseVerdict, scales: Mapping[str, Scale]) -> Item | None:
    charges, items = {}, None
    for kind, scale in scales.items():
        result = case.comparison.metric(_BILLED_METRICS[kind].name)
        if result is not None and _largest_level(case, result.metric.name):
            charges[kind] = _charge(result, scale)
            items = items or result.items
    return Item(counted_unit(items), charges) if charges else None


def _charge(result: MetricResult, scale: Scale) -> Charge:
    before, now = _per_thousand_levels(result)
    change, extra, tone = result.change, None, Tone.PLAIN
    if change is not None and result.outcome in _TONES and before is not None:
        # From the estimate, not from the difference of the levels, which are not adjusted.
        share = change.estimate
        extra = share * before if change.relative else per_thousand(share, result.items)
        tone = _TONES[result.outcome]
    known = [abs(value) / scale.factor for value in (before, now) if value is not None]
    decimals = decimals_for(max(known), 4)
    old, new = ("" if v is None else fixed(v / scale.factor, decimals) for v in (before, now))
    extra_text = "" if extra is None else trimmed(extra / scale.factor, 3, sign=True)
    return Charge(old, new, extra_text, tone)
