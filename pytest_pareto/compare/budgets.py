"""Floors and ceilings, tested with the uncertainty of what is held against them."""

import math
from collections.abc import Sequence

from scipy.special import stdtr

from pytest_pareto.compare.exact import worst_run
from pytest_pareto.compare.measured import Measured, level_for_people
from pytest_pareto.compare.scale import to_working
from pytest_pareto.compare.spread import NO_SPREAD, PRIOR_DF, Spread, combined
from pytest_pareto.model.budget import Budget
from pytest_pareto.model.metric import Kind
from pytest_pareto.model.verdict import BudgetResult


def check_budget(
    budget: Budget,
    measured: Measured | None,
    spread: Spread | None,
    alpha: float,
    *,
    session_spread: float = 0.0,
) -> BudgetResult:
    """Hold a metric against its bound: broken, kept, or undecided.

    Broken where the level is beyond the bound at one-sided level ``alpha`` (Student's t
    over the runs, or over the samples of a paired metric). Kept where the level is within
    the bound. A level beyond the bound by no more than its noise is undecided. A relative
    metric's noise holds ``session_spread``, a fraction, too: a bound holds on any day.
    What is exact, or is one number without any spread, is taken as it stands.
    """
    if measured is None:
        return BudgetResult(budget.metric, budget.text, None, None, "it was not measured")
    metric = measured.metric
    value = _level(measured)
    if budget.unit not in ("", metric.unit or "%"):
        reason = f"it is in {budget.unit}, and the metric in {metric.unit or 'no unit'}"
        return BudgetResult(budget.metric, budget.text, value, broken=True, reason=reason)
    if (value <= budget.limit) if budget.ceiling else (value >= budget.limit):
        return BudgetResult(budget.metric, budget.text, value, broken=False)
    p = _p_beyond(budget, measured, spread, session_spread)
    if p <= alpha:
        return BudgetResult(budget.metric, budget.text, value, broken=True)
    reason = "beyond the bound by no more than its noise; more runs or samples would tell"
    return BudgetResult(budget.metric, budget.text, value, broken=None, reason=reason)


def _level(measured: Measured) -> float:
    metric = measured.metric
    if metric.kind is Kind.EXACT:
        return worst_run(measured.runs, better=metric.better, relative=metric.relative)
    return level_for_people(measured.runs, metric)


def _p_beyond(
    budget: Budget, measured: Measured, spread: Spread | None, session_spread: float
) -> float:
    metric = measured.metric
    if metric.kind is Kind.EXACT or (metric.relative and budget.limit <= 0):
        return 0.0  # no level of a relative metric is down there, so the bound is a ceiling
    if measured.samples is not None:
        values, limit = measured.samples.values, budget.limit
        spread = _scatter(values)
    else:
        values = to_working(measured.runs, relative=metric.relative)
        limit = math.log(budget.limit) if metric.relative else budget.limit
    parts = [(spread, 1 / len(values))] if spread is not None and spread.df > 0 else []
    if metric.relative and session_spread > 0:
        parts.append((Spread(math.log1p(session_spread) ** 2, PRIOR_DF), 1.0))
    error = combined(*parts) if any(part.variance for part, _ in parts) else NO_SPREAD
    if error.variance == 0:
        return 0.0
    beyond = math.fsum(values) / len(values) - limit
    harm = beyond if budget.ceiling else -beyond
    return float(stdtr(error.df, -harm / math.sqrt(error.variance)))


def _scatter(values: Sequence[float]) -> Spread:
    mean = math.fsum(values) / len(values)
    df = len(values) - 1
    return Spread(math.fsum((x - mean) ** 2 for x in values) / max(df, 1), float(df))
