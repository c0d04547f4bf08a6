"""Candidate against baseline: how far apart, and with what error.

Two sides that were measured in turn: what a block has in common is in neither's way.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from scipy.special import stdtr

from pytest_pareto.model.formatting import plural
from pytest_pareto.stats.variance import (
    ENOUGH_DF,
    NO_SPREAD,
    Level,
    SessionValues,
    Spread,
    combined,
    floored,
    lend,
    level_of,
    shrunk,
    spread_between_runs,
    spread_between_sessions,
)


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


@dataclass(frozen=True, slots=True)
class InterleavedContrast(Contrast):
    """Candidate minus the old code, each with two runs in every block.

    A linear drift cancels within a block (old, new, new, old), a slow one between blocks does
    not count, and there is no session to differ by: V = s² (1/J + 1/R).
    """

    def with_runs(self, runs: float) -> "InterleavedContrast":
        """Return what so many runs of each side would make of it, in as many blocks as needed."""
        known = Spread(self.between_runs.variance, 1.5 * runs - 1)
        level = Level(self.baseline.mean, int(min(runs, 1e9)), 1.0)
        return replace(self, baseline=level, runs=runs, between_runs=known)

    @property
    def kept_df(self) -> float:
        """Nothing of this estimate enters the next: both sides are measured anew."""
        return 0.0

    @property
    def kept_variance(self) -> float:
        """Nor does anything of the error."""
        return 0.0

    @property
    def no_runs_settle(self) -> str:
        """Both sides get more runs, so that only a tolerance of nothing cannot be met."""
        return "no number of runs settles this: old and new are alike, and the tolerance is 0"

    def remedy(self, runs: int, *, confirmed: bool) -> str:
        """Name the option that takes so many runs of each side, of the ones that decided."""
        return f"--pareto-confirm {-(-runs // 2)}" if confirmed else f"--pareto-runs {runs}"


def interleaved_contrast(
    blocks: Sequence[SessionValues], candidate: Sequence[float], *, relative: bool
) -> InterleavedContrast:
    """Set the candidate's runs against those of the old code, block by block.

    ``blocks`` holds the old code's runs, two to a block, and ``candidate`` as many in the same
    order, all on the working scale.
    """
    level = level_of(blocks)
    values = [*candidate, *(x for block in blocks for x in block.values)]
    return InterleavedContrast(
        distance=math.fsum(candidate) / len(candidate) - level.mean,
        baseline=level,
        runs=len(candidate),
        between_runs=floored(spread_within_blocks(blocks, candidate), values, relative=relative),
        between_sessions=NO_SPREAD,
        sessions_seen=0,
    )


def spread_within_blocks(blocks: Sequence[SessionValues], candidate: Sequence[float]) -> Spread:
    """Return what is left of the runs after the means of blocks and of sides.

    Analysis of variance of randomised blocks with n of four runs: 3 n - 1 degrees of freedom.
    Where runs are missing, so that blocks are not whole, the scatter of each side stands in:
    it holds the drift as well, and errs towards saying too little.
    """
    if len(candidate) != sum(len(block.values) for block in blocks):
        together = SessionValues(0, tuple(x for block in blocks for x in block.values))
        return spread_between_runs([together], candidate)
    mean_old = math.fsum(x for block in blocks for x in block.values) / len(candidate)
    mean_new = math.fsum(candidate) / len(candidate)
    squares, df, place = 0.0, -1.0, 0
    for block in blocks:
        size = len(block.values)
        old = [x - mean_old for x in block.values]
        new = [x - mean_new for x in candidate[place : place + size]]
        middle = math.fsum((*old, *new)) / (2 * size)
        squares += math.fsum((x - middle) ** 2 for x in (*old, *new))
        df += 2 * size - 1
        place += size
    return Spread(squares / df if df > 0 else 0.0, max(df, 0.0))
