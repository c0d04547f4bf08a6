"""Budgets: test the level of a metric against fixed floors and ceilings.

`check_budget` comes first. A bound is tested with the error of the level: by Student's t over runs,
or by a test over samples (`tails_of_scores`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr, bdtrc, stdtr

from pytest_pareto.compare.exact import worst_run
from pytest_pareto.compare.levels import Measured, reported_level
from pytest_pareto.model.metric import Bound, Budget, Kind
from pytest_pareto.model.policy import Option
from pytest_pareto.model.verdict import BudgetResult
from pytest_pareto.stats.paired_proportion import is_binary
from pytest_pareto.stats.scale import to_working
from pytest_pareto.stats.sequential import sequential_p
from pytest_pareto.stats.skew_t import MeanShift
from pytest_pareto.stats.variance import (
    NO_SPREAD,
    Spread,
    assumed_session_spread,
    combine_variances,
)

_BEYOND = "beyond the bound by no more than its noise"
_WITHIN = "within the bound by no more than its noise"
_MORE_DATA = "; more runs or samples would decide"
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
    """Test a metric against the bounds of a budget: broken, kept, or undecided.

    Parameters
    ----------
    measured
        The metric as this session measured it, or None.
    spread
        The spread between its runs, on the working scale. None for scores and exact metrics.
    alpha
        The one-sided level at which the level must be shown to be beyond a bound: broken.
    kept_alpha
        The level at which it must be shown to be within all bounds: kept. ``alpha`` where None.
        It is not divided: only budgets that can fail share alpha.
    session_spread
        The assumed standard deviation between sessions, a fraction of the level. It is part of the
        error of a relative metric, because a bound must hold on any day.

    The budget is undecided where the error reaches across a bound. Exact metrics, and single
    numbers without any spread, are compared without a test. A lower bound shows that a ceiling is
    broken or a floor kept, and nothing else.
    """
    if measured is None:
        return BudgetResult(budget.metric, budget.text, None, None, "it was not measured")
    metric = measured.metric
    value = _level(measured)
    if budget.unit not in ("", metric.unit or "%"):
        reason = f"it is in {budget.unit}, and the metric in {metric.unit or 'no unit'}"
        return BudgetResult(budget.metric, budget.text, value, broken=True, reason=reason)
    result = partial(BudgetResult, budget.metric, budget.text, value)
    advice = _SESSIONS if metric.relative and session_spread else _MORE_DATA
    beyond, within = _BEYOND + advice, _WITHIN + advice
    if measured.lower_bound is not None:
        beyond = within = f"a lower bound, {measured.lower_bound}"
    tests = [
        _BoundTest.of(bound, measured, value, spread, session_spread) for bound in budget.bounds
    ]
    if any(not test.within and test.p_beyond <= alpha for test in tests):
        return result(broken=True)
    if any(not test.within for test in tests):
        return result(broken=None, reason=beyond)
    if any(test.p_within > (kept_alpha or alpha) for test in tests):
        return result(broken=None, reason=within)
    return result(broken=False)


@dataclass(frozen=True, slots=True)
class _BoundTest:
    """The test of one level against one bound.

    ``within`` is whether the level itself is within the bound. ``p_beyond`` is small where the
    level is shown to be beyond the bound, ``p_within`` where it is shown to be within.
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
    ) -> "_BoundTest":
        within = value <= bound.limit if bound.ceiling else value >= bound.limit
        above, below = _tails(bound.limit, measured, value, spread, session_spread)
        return cls(within, *((above, below) if bound.ceiling else (below, above)))


def _level(measured: Measured) -> float:
    """Return the level that is compared with the bounds: of an exact metric, its worst run."""
    metric = measured.metric
    if metric.kind is Kind.EXACT:
        return worst_run(measured.runs, better=metric.better, relative=metric.relative)
    return reported_level(measured.runs, metric)


def _tails(
    limit: float, measured: Measured, value: float, spread: Spread | None, session_spread: float
) -> tuple[float, float]:
    """Return the p-value of "the level is at most ``limit``", and of "it is at least ``limit``"."""
    metric = measured.metric
    if measured.lower_bound is not None:
        return 0.0, 1.0  # the true level may be any larger one
    if metric.kind is Kind.EXACT or (metric.relative and limit <= 0):
        return 0.0, 0.0  # levels of a relative metric are positive, so no error reaches the limit
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
    """Return the variance of the mean of ``values``, on the working scale."""
    parts = [(spread, 1 / len(values))] if spread is not None and spread.df > 0 else []
    if session_spread > 0:
        parts.append((assumed_session_spread(math.log1p(session_spread)), 1.0))
    return combine_variances(*parts) if any(part.variance for part, _ in parts) else NO_SPREAD


Tails = tuple[float, float]


def tails_of_scores(measured: Measured, value: float, limit: float) -> Tails:
    """Return the p-value of "the mean is at most ``limit``", and of "it is at least ``limit``".

    Scores that are all 0 or 1 use the exact binomial test, others t and Hall's t together (see
    `pytest_pareto.stats.skew_t.MeanShift`). A set metric uses Student's t, with its ``value`` as
    the mean and the spread of its blocks. A single sample has no spread and is compared without a
    test. Where the evaluation may have stopped early, the p-values are those over all its looks.
    """
    assert measured.samples is not None
    values = np.array(measured.samples.values)
    if values.size < 2:
        return 0.0, 0.0
    above, below = _level_tails(values, value, limit, measured.metric.kind)
    return sequential_p(above, measured.looks), sequential_p(below, measured.looks)


def _level_tails(values: npt.NDArray[np.float64], value: float, limit: float, kind: Kind) -> Tails:
    if kind is Kind.SET:
        return _block_tails(value - limit, values)
    if is_binary(values):
        return _proportion_tails(int(values.sum()), values.size, limit)
    if not (values - limit).any():
        return 0.0, 0.0  # on the bound itself, which counts as within
    shift = MeanShift.of(values - limit)
    return shift.p_above(0.0), shift.p_below(0.0)


def _block_tails(distance: float, blocks: npt.NDArray[np.float64]) -> Tails:
    """Test a ``distance`` from the limit by Student's t, with the spread of the blocks."""
    error = float(blocks.std(ddof=1)) / math.sqrt(blocks.size)
    if error == 0:
        return 0.0, 0.0  # no spread, nothing to test
    t = distance / error
    return float(stdtr(blocks.size - 1, -t)), float(stdtr(blocks.size - 1, t))


def _proportion_tails(hits: int, n: int, limit: float) -> Tails:
    """Test a proportion by the exact binomial test; limits outside (0, 1) need no test."""
    if limit <= 0:
        return 0.0, 1.0 if hits or limit < 0 else 0.0
    if limit >= 1:
        return 1.0 if hits < n or limit > 1 else 0.0, 0.0
    above = float(bdtrc(hits - 1, n, limit)) if hits else 1.0
    return above, float(bdtr(hits, n, limit))
