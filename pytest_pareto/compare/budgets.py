"""Floors and ceilings, tested with the uncertainty of what is held against them."""

import math
from collections.abc import Sequence

from scipy.special import stdtr

from pytest_pareto.compare.measured import Measured, level_for_people
from pytest_pareto.compare.scale import to_working
from pytest_pareto.compare.spread import Spread
from pytest_pareto.model.budget import Budget
from pytest_pareto.model.metric import Kind
from pytest_pareto.model.verdict import BudgetResult


def check_budget(
    budget: Budget, measured: Measured | None, spread: Spread | None, alpha: float
) -> BudgetResult:
    """Hold a metric against its bound: broken, kept, or undecided.

    Broken where the level is beyond the bound at one-sided level ``alpha`` (Student's t
    over the runs, or over the samples of a paired metric; exact metrics as they stand).
    Kept where the level is within the bound. A level beyond the bound by no more than its
    noise is undecided.
    """
    if measured is None:
        return BudgetResult(budget.metric, budget.text, None, None, "it was not measured")
    metric = measured.metric
    value = level_for_people(measured.runs, metric)
    if budget.unit not in ("", metric.unit or "%"):
        reason = f"it is in {budget.unit}, and the metric in {metric.unit or 'no unit'}"
        return BudgetResult(budget.metric, budget.text, value, broken=True, reason=reason)
    if (value <= budget.limit) if budget.ceiling else (value >= budget.limit):
        return BudgetResult(budget.metric, budget.text, value, broken=False)
    p = 0.0 if metric.kind is Kind.EXACT else _p_beyond(budget, measured, spread)
    if p <= alpha:
        return BudgetResult(budget.metric, budget.text, value, broken=True)
    reason = "beyond the bound by no more than its noise; more runs or samples would tell"
    return BudgetResult(budget.metric, budget.text, value, broken=None, reason=reason)


def _p_beyond(budget: Budget, measured: Measured, spread: Spread | None) -> float:
    metric = measured.metric
    if measured.samples is not None:
        values, limit = measured.samples.values, budget.limit
        spread = _scatter(values)
    elif metric.relative and budget.limit <= 0:
        return 0.0  # a ceiling, then, and every level of a relative metric is positive
    else:
        values = to_working(measured.runs, relative=metric.relative)
        limit = math.log(budget.limit) if metric.relative else budget.limit
    if spread is None or spread.df == 0:
        return 1.0
    beyond = math.fsum(values) / len(values) - limit
    if not budget.ceiling:
        beyond = -beyond
    error = math.sqrt(spread.variance / len(values))
    return float(stdtr(spread.df, -beyond / error)) if error > 0 else 0.0


def _scatter(values: Sequence[float]) -> Spread:
    mean = math.fsum(values) / len(values)
    df = len(values) - 1
    return Spread(math.fsum((x - mean) ** 2 for x in values) / max(df, 1), float(df))
