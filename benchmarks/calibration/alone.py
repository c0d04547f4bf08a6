"""One metric alone, judged by the product's own test over runs.

A family of one: what `pytest_pareto.pipeline.judge_record` returns for a session with one case
and one metric, without building the session.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.calibration.splits import Sides
from pytest_pareto.compare.runs import compare_levels
from pytest_pareto.model.baseline import Session
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.metric import Better, Metric, Scope
from pytest_pareto.model.policy import RUNS_PER_BLOCK, SessionSpreads
from pytest_pareto.stats.contrast import contrast_of
from pytest_pareto.stats.scale import margin_of, to_working
from pytest_pareto.stats.variance import SessionValues

NO_SESSIONS = SessionSpreads(**dict.fromkeys(SessionSpreads.__dataclass_fields__, 0.0))
"""Both sides belong to one session, or are taken to."""

PRIORS = SessionSpreads()
ALPHA = 0.05


def change_of(
    baseline: Sequence[float],
    candidate: Sequence[float],
    tolerance: float,
    session_spread: float,
    *,
    family: float = 1.0,
    confirming: int = 0,
) -> Change:
    """Compare levels, one per run, of a cost such as a time; the spread is a fraction.

    Its resolution is that of being confirmed by so many fresh runs, if any, at a level that a
    ``family`` of tests shares.
    """
    return compare_levels(
        [Session("", 0, tuple(baseline))],
        candidate,
        better=Better.LOWER,
        relative=True,
        tolerance=tolerance,
        alpha=ALPHA,
        family=family,
        session_spread=math.log1p(session_spread),
        confirming=confirming,
    )


def p_worse_of(
    baseline: Sequence[float], candidate: Sequence[float], tolerance: float, session_spread: float
) -> float:
    """Return the p-value of `change_of`, in a quarter of the time."""
    contrast = contrast_of(
        [SessionValues(0, to_working(baseline, relative=True))],
        to_working(candidate, relative=True),
        relative=True,
        session_spread=math.log1p(session_spread),
        prior=None,
    )
    return contrast.p_within(margin_of(tolerance, relative=True))


def change_in_turn(
    old: Sequence[float], new: Sequence[float], tolerance: float, *, confirming: int = 0
) -> Change:
    """Compare levels of old and new code that took turns, in blocks of two runs of each."""
    starts = range(0, len(old), RUNS_PER_BLOCK)
    return compare_levels(
        [Session("", 0, tuple(old[start : start + RUNS_PER_BLOCK])) for start in starts],
        new,
        better=Better.LOWER,
        relative=True,
        tolerance=tolerance,
        alpha=ALPHA,
        confirming=confirming,
        interleaved=True,
    )


@dataclass(frozen=True, slots=True)
class OverRuns:
    """The product's rule. ``tolerance`` is the metric's own unless one is given."""

    tolerance: float | None = None
    spreads: SessionSpreads = NO_SESSIONS
    other_board: bool = False

    def change(self, sides: Sides) -> Change:
        """Compare two sides of one series."""
        metric = sides.series.metric
        tolerance = metric.tolerance if self.tolerance is None else self.tolerance
        return change_of(*sides.levels(), tolerance, self.spread_of(metric))

    def spread_of(self, metric: Metric) -> float:
        """What sessions of this metric are taken to differ by, as a fraction."""
        if self.other_board and metric.scope is Scope.GPU:
            return self.spreads.gpu_other_board
        return self.spreads.on_same_board(metric.scope)

    def __call__(self, sides: Sides) -> bool:
        """Whether the candidate is called WORSE."""
        return self.change(sides).outcome is Outcome.WORSE
