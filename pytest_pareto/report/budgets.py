"""A budget as text: what was measured beside its bounds, in the unit of the metric's row."""

from collections.abc import Iterable, Sequence

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Budget, parse_budget
from pytest_pareto.model.verdict import BudgetResult, CaseComparison, MetricResult
from pytest_pareto.report.figures import sides_of
from pytest_pareto.report.text import clean
from pytest_pareto.report.units import Scale, levels

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
