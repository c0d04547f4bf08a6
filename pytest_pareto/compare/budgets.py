"""Floors and ceilings, tested with the uncertainty of what is held against them.

The level of scores per sample beside a fixed number, with the chance that it lies beyond.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr, bdtrc, stdtr

from pytest_pareto.compare.exact import worst_run
from pytest_pareto.compare.levels import Measured, level_for_people
from pytest_pareto.model.metric import Bound, Budget, Kind
from pytest_pareto.model.policy import Option
from pytest_pareto.model.verdict import BudgetResult
from pytest_pareto.stats.paired_proportion import is_binary
from pytest_pareto.stats.scale import to_working
from pytest_pareto.stats.sequential import sequential_p
from pytest_pareto.stats.skew_t import MeanShift
from pytest_pareto.stats.variance import NO_SPREAD, PRIOR_DF, Spread, combine_variances

_BEYOND = "beyond the bound by no more than its noise"
_WITHIN = "within the bound by no more than its noise"
_SETTLE = "; more runs or samples would tell"
_SESSIONS = f" and what sessions may differ by ({Option.SESSION_SPREAD})"


def check_budget(
    budget: Budget,
    measured: Measured | None,
    spread: Spread | None,
    alpha: float,
    *,
    kept_alpha: float | None = None,
    session_spread: float = 0.0,
) -> BudgetResult:
    """Hold a metric against its bounds: broken, kept, or undecided.

    Broken where the level is shown to be beyond a bound at one-sided level ``alpha``, kept where
    it is shown to be within all of them at ``kept_alpha`` (if not given, the same; what passes
    shares it with nobody): by Student's t over the runs, or over the samples (see
    `tails_of_scores`). Where its noise reaches across a bound it is undecided. A relative
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
    told = partial(BudgetResult, budget.metric, budget.text, value)
    settle = _SESSIONS if metric.relative and session_spread else _SETTLE
    held = [_Held.of(bound, measured, value, spread, session_spread) for bound in budget.bounds]
    if any(not each.within and each.p_beyond <= alpha for each in held):
        return told(broken=True)
    if any(not each.within for each in held):
        return told(broken=None, reason=_BEYOND + settle)
    if any(each.p_within > (kept_alpha or alpha) for each in held):
        return told(broken=None, reason=_WITHIN + settle)
    return told(broken=False)


@dataclass(frozen=True, slots=True)
class _Held:
    """One bound beside what was measured.

    ``within`` is where the level itself is. ``p_beyond`` is small where the level is shown to be
    beyond the bound, ``p_within`` where it is shown to be within.
    """

    within: bool
    p_beyond: float
    p_within: float

    @classmethod
    def of(
        cls,
        bound: Bound,
        measured: Measured,
        value: float,
        spread: Spread | None,
        session_spread: float,
    ) -> "_Held":
        within = value <= bound.limit if bound.ceiling else value >= bound.limit
        above, below = _tails(bound.limit, measured, value, spread, session_spread)
        return cls(within, *((above, below) if bound.ceiling else (below, above)))


def _level(measured: Measured) -> float:
    metric = measured.metric
    if metric.kind is Kind.EXACT:
        return worst_run(measured.runs, better=metric.better, relative=metric.relative)
    return level_for_people(measured.runs, metric)


def _tails(
    limit: float, measured: Measured, value: float, spread: Spread | None, session_spread: float
) -> tuple[float, float]:
    """Return the p-values that speak for a level above ``limit``, and for one below it."""
    metric = measured.metric
    if metric.kind is Kind.EXACT or (metric.relative and limit <= 0):
        return 0.0, 0.0  # no level of a relative metric is down there, so no noise reaches it
    if measured.samples is not None:
        return tails_of_scores(measured, value, limit)
    values = to_working(measured.runs, relative=metric.relative)
    error = _error(values, spread, session_spread if metric.relative else 0.0)
    if error.variance == 0:
        return 0.0, 0.0
    distance = math.fsum(values) / len(values) - (math.log(limit) if metric.relative else limit)
    t = distance / math.sqrt(error.variance)
    return float(stdtr(error.df, -t)), float(stdtr(error.df, t))


def _error(values: Sequence[float], spread: Spread | None, session_spread: float) -> Spread:
    parts = [(spread, 1 / len(values))] if spread is not None and spread.df > 0 else []
    if session_spread > 0:
        parts.append((Spread(math.log1p(session_spread) ** 2, PRIOR_DF), 1.0))
    return combine_variances(*parts) if any(part.variance for part, _ in parts) else NO_SPREAD


Tails = tuple[float, float]


def tails_of_scores(measured: Measured, value: float, limit: float) -> Tails:
    """Return the p-values that speak for a level above ``limit``, and for one below it.

    Scores that are all 0 or 1 by the exact binomial test, others by t and Hall's t together (see
    `hall.MeanShift`), blocks of a set around its one number ``value`` by Student's t. A single
    sample has no spread and is taken as it stands. Where the evaluation may have stopped early,
    the p-values are those over all its looks.
    """
    assert measured.samples is not None
    values = np.array(measured.samples.values)
    if values.size < 2:
        return 0.0, 0.0
    above, below = _level_tails(values, value, limit, measured.metric.kind)
    return sequential_p(above, measured.looks), sequential_p(below, measured.looks)


def _level_tails(values: npt.NDArray[np.float64], value: float, limit: float, kind: Kind) -> Tails:
    if kind is Kind.SET:
        return _around(value - limit, values)
    if is_binary(values):
        return _proportion(int(values.sum()), values.size, limit)
    if not (values - limit).any():
        return 0.0, 0.0  # on the bound itself, and that is within
    shift = MeanShift.of(values - limit)
    return shift.p_above(0.0), shift.p_below(0.0)


def _around(distance: float, blocks: npt.NDArray[np.float64]) -> Tails:
    error = float(blocks.std(ddof=1)) / math.sqrt(blocks.size)
    if error == 0:
        return 0.0, 0.0  # it is where it is
    t = distance / error
    return float(stdtr(blocks.size - 1, -t)), float(stdtr(blocks.size - 1, t))


def _proportion(hits: int, n: int, limit: float) -> Tails:
    """Test a proportion exactly; no share is below 0 or above 1, and none needs a test there."""
    if limit <= 0:
        return 0.0, 1.0 if hits or limit < 0 else 0.0
    if limit >= 1:
        return 1.0 if hits < n or limit > 1 else 0.0, 0.0
    above = float(bdtrc(hits - 1, n, limit)) if hits else 1.0
    return above, float(bdtr(hits, n, limit))
