"""What sessions to come will see on a machine whose spread between runs is known.

Planning formulas: the spread is taken for the true one, and each session to come estimates it
anew with the degrees of freedom that it will have.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from pytest_pareto.compare.family import screened_family
from pytest_pareto.model.sight import Plan, Sight
from pytest_pareto.stats.contrast import Contrast, InterleavedContrast
from pytest_pareto.stats.power import MOST_RUNS, caught_at_once, caught_beyond
from pytest_pareto.stats.scale import margin_of, to_fraction
from pytest_pareto.stats.variance import NO_SPREAD, Level, Spread, shrunk

_SENSIBLE = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
_HAIR = 1e-9
_WIDEST = 1.0
"""A tolerance of more than 100 % promises nothing."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a session to come is known to meet, on the working scale of the metric.

    ``variance`` is that between runs, ``session_sd`` what sessions are assumed to differ by, and
    ``doubt`` the variance that an adjustment of the values adds. A stored baseline has
    ``baseline_runs`` of one session, and ``family`` tests have ``alpha`` between them: what they
    have of the session's.
    """

    variance: float
    session_sd: float
    doubt: Spread
    baseline_runs: int
    alpha: float
    family: int
    relative: bool

    def caught(self, plan: Plan) -> float:
        """Return the distance beyond the margin that a plan catches with 80 % probability."""
        if not plan.interleaved:
            return caught_beyond(self._stored(plan.runs), self._level, plan.confirming)
        family = screened_family(self.family) if plan.confirming else self.family
        return caught_beyond(self._in_turn(plan.runs), self.alpha / family, plan.confirming)

    @property
    def _level(self) -> float:
        return self.alpha / self.family

    def _stored(self, runs: int) -> Contrast:
        df = self.baseline_runs + runs - 2.0
        return Contrast(
            distance=0.0,
            baseline=Level(0.0, self.baseline_runs, 1.0),
            runs=runs,
            between_runs=Spread(self.variance, df),
            between_sessions=shrunk(Spread(0.0, 0.0), self.session_sd),
            sessions_seen=0,
            doubt=self.doubt,
        )

    def _in_turn(self, runs: int) -> InterleavedContrast:
        blocks = InterleavedContrast(
            distance=0.0,
            baseline=Level(0.0, 0, 1.0),
            runs=0,
            between_runs=Spread(self.variance, 0.0),
            between_sessions=NO_SPREAD,
            sessions_seen=0,
        )
        return blocks.with_runs(runs)

    def sights(self, plans: Iterable[Plan], tolerance: float) -> tuple[Sight, ...]:
        """Say what each plan sees at a tolerance, and which tolerances it holds."""
        room, margin = self._room(tolerance), margin_of(tolerance, relative=self.relative)
        found = [(plan, self.caught(plan)) for plan in plans]
        return tuple(
            Sight(
                plan,
                sees=to_fraction(margin + caught, relative=self.relative),
                holds=rounded_up(held_tolerance(caught, relative=self.relative)),
                suffices=caught <= room,
            )
            for plan, caught in found
        )

    def enough_runs(self, tolerance: float) -> int | None:
        """Return the smallest number of runs, up to 100, at which a tolerance holds."""
        room = self._room(tolerance)
        if not room or self.caught(Plan(MOST_RUNS)) > room:
            return None
        return next(runs for runs in range(1, MOST_RUNS + 1) if self.caught(Plan(runs)) <= room)

    def sessions_forbid(self, tolerance: float) -> bool:
        """Whether a tolerance would not hold however many runs either side had."""
        left = caught_at_once(self._stored(1).session_error, self._level)
        return left > self._room(tolerance)

    def _room(self, tolerance: float) -> float:
        """How far a change of twice the tolerance is beyond it."""
        near, far = (margin_of(t, relative=self.relative) for t in (tolerance, 2 * tolerance))
        return far - near


def held_tolerance(caught: float, *, relative: bool) -> float:
    """Return the tolerance τ of which twice as much is ``caught`` beyond it; `inf` if none is.

    Where changes are ratios log(1 + 2τ) - log(1 + τ) = c, so that τ = (eᶜ - 1) / (2 - eᶜ); one
    beyond 100 % is none.
    """
    if not relative:
        return caught
    growth = to_fraction(caught, relative=True)
    tolerance = growth / (1 - growth) if growth < 1 else math.inf
    return tolerance if tolerance <= _WIDEST else math.inf


def rounded_up(tolerance: float) -> float:
    """Round a tolerance up to a figure that a person would choose: 0.0123 to 0.015."""
    if not 0 < tolerance < math.inf:
        return tolerance
    power = 10.0 ** math.floor(math.log10(tolerance))
    step = next(s for s in _SENSIBLE if s >= tolerance / power * (1 - _HAIR))
    return float(f"{step * power:.2g}")
