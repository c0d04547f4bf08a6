"""One metric alone, judged by the product's own test over runs.

A family of one: what `pytest_pareto.pipeline.judge_runs` would say of a session with one case
and one metric, without building the session.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.calibration.splits import Sides
from pytest_pareto.compare.runs import compare_levels
from pytest_pareto.compare.terms import SessionSpreads
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.history import Session
from pytest_pareto.model.metric import Better, Metric, Scope

NO_SESSIONS = SessionSpreads(host=0.0, gpu=0.0, gpu_other_board=0.0)
"""Both sides belong to one session, or are taken to."""

PRIORS = SessionSpreads()
ALPHA = 0.05


def change_of(
    baseline: Sequence[float], candidate: Sequence[float], tolerance: float, session_spread: float
) -> Change:
    """Compare levels, one per run, of a cost such as a time; the spread is a fraction."""
    return compare_levels(
        [Session("", 0, tuple(baseline))],
        candidate,
        better=Better.LOWER,
        relative=True,
        tolerance=tolerance,
        alpha=ALPHA,
        session_spread=math.log1p(session_spread),
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
        return self.spreads.on_one_board(metric.scope)

    def __call__(self, sides: Sides) -> bool:
        """Whether the candidate is called WORSE."""
        return self.change(sides).outcome is Outcome.WORSE
