"""Candidate against baseline: how far apart, and with what error."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from scipy.special import stdtr

from pytest_pareto.compare.borrow import lend
from pytest_pareto.compare.spread import (
    ENOUGH_DF,
    NO_SPREAD,
    Level,
    SessionValues,
    Spread,
    combined,
    floored,
    level_of,
    shrunk,
    spread_between_runs,
    spread_between_sessions,
)
from pytest_pareto.model.formatting import plural


@dataclass(frozen=True, slots=True)
class Doubt:
    """What an adjustment of the values costs: a variance, and degrees of freedom spent."""

    variance: Spread
    df: float

    def spent(self, spread: Spread) -> Spread:
        """Return a spread between runs, estimated after the adjustment."""
        if self.df == 0 or spread.df <= self.df:
            return spread
        left = spread.df - self.df
        return Spread(spread.variance * spread.df / left, left)


CERTAIN = Doubt(NO_SPREAD, 0.0)


@dataclass(frozen=True, slots=True)
class Contrast:
    """Candidate minus baseline on the working scale, and what its error is made of.

    ``runs`` are the candidate's, of one session. ``sessions_seen`` is how many sessions
    helped to estimate ``between_sessions``: 0 where it is assumed. ``doubt`` is what else
    makes ``distance`` uncertain, whatever the runs and sessions.
    """

    distance: float
    baseline: Level
    runs: float
    between_runs: Spread
    between_sessions: Spread
    sessions_seen: int
    doubt: Spread = NO_SPREAD

    @property
    def error(self) -> Spread:
        """V = s²(1/J + 1/R) + s_S²(1/S_J + 1/S_R) + doubt, of ``distance``; S_R is 1.

        Only where ``between_runs`` has degrees of freedom.
        """
        runs = self.between_runs, 1 / self.baseline.runs + 1 / self.runs
        return combined(runs, self._apart, (self.doubt, 1.0))

    def p_within(self, margin: float) -> float:
        """How compatible ``distance`` is with one of at most ``margin``: t = (θ - δ) / √V."""
        error = self.error
        return float(stdtr(error.df, (margin - self.distance) / math.sqrt(error.variance)))

    @property
    def session_error(self) -> Spread:
        """The part of the error that is left however many runs either side has."""
        return combined(self._apart, (self.doubt, 1.0))

    @property
    def _apart(self) -> tuple[Spread, float]:
        return self.between_sessions, 1 / self.baseline.sessions + 1

    def with_runs(self, runs: float) -> "Contrast":
        """Return what more candidate runs of the same scatter would make of it."""
        known = self.between_runs
        grown = Spread(known.variance, known.df + runs - self.runs)
        return replace(self, runs=runs, between_runs=grown)

    @property
    def kept_df(self) -> float:
        """The degrees of freedom of the spread that further candidate runs would share."""
        return self.between_runs.df - (self.runs - 1)

    @property
    def kept_variance(self) -> float:
        """The part of the error's variance that further candidate runs would share."""
        return self.between_runs.variance / self.baseline.runs + self.session_error.variance

    @property
    def no_runs_settle(self) -> str:
        """What to say where no number of candidate runs tells it."""
        return (
            "more runs now would not settle this: the baseline holds "
            f"{plural(self.baseline.runs, 'run')}; record it with more (--pareto-runs)"
        )

    def remedy(self, runs: int, *, confirmed: bool) -> str:
        """Name the option that takes so many candidate runs, of the ones that decided."""
        return f"--pareto-{'confirm' if confirmed else 'runs'} {runs}"


def contrast_of(
    sessions: Sequence[SessionValues],
    candidate: Sequence[float],
    *,
    relative: bool,
    session_spread: float,
    prior: Spread | None,
    doubt: Doubt = CERTAIN,
) -> Contrast:
    """Set the candidate's runs, of one session, against the level accepted now.

    Everything is on the working scale. ``session_spread`` and ``prior`` are what is assumed
    of the spread between sessions and known from other cases of that between runs; ``doubt``
    is of what was estimated to bring the values here.
    """
    level = level_of(sessions)
    own = doubt.spent(spread_between_runs(sessions, candidate))
    between_sessions, seen = _session_term(
        sessions, candidate, own, session_spread, relative=relative
    )
    values = [*candidate, *(x for s in sessions for x in s.values)]
    return Contrast(
        distance=math.fsum(candidate) / len(candidate) - level.mean,
        baseline=level,
        runs=len(candidate),
        between_runs=floored(lend(own, prior), values, relative=relative),
        between_sessions=between_sessions,
        sessions_seen=seen,
        doubt=doubt.variance,
    )


def _session_term(
    sessions: Sequence[SessionValues],
    candidate: Sequence[float],
    own: Spread,
    prior_sd: float,
    *,
    relative: bool,
) -> tuple[Spread, int]:
    """Return the spread between sessions and how many sessions it was estimated from."""
    within_df = sum(len(s.values) - 1 for s in sessions) + len(candidate) - 1
    if within_df >= ENOUGH_DF:
        estimate = spread_between_sessions(sessions, own)
        # What is assumed was measured of times and energy; of a score it is a mere guess.
        spread = shrunk(estimate, prior_sd, trusted=relative)
        return spread, len(sessions) if estimate.df else 0
    if within_df == 0 and own.df >= ENOUGH_DF:
        # Every session is one run: the scatter of runs already is that of sessions.
        return NO_SPREAD, 0
    return shrunk(Spread(0.0, 0.0), prior_sd), 0
