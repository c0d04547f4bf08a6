"""The difference between candidate and baseline, and its standard error.

`contrast_of` compares a candidate session with stored sessions. `interleaved_contrast` compares two
versions of the code that were measured in blocks, so that what is common to a block cancels. All
values are on the working scale (see `scale`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from scipy.special import stdtr

from pytest_pareto.model.formatting import plural
from pytest_pareto.model.policy import RUNS_PER_BLOCK, Option
from pytest_pareto.stats.variance import (
    NO_SPREAD,
    Level,
    SessionValues,
    Spread,
    combine_variances,
    floored,
    level_of,
    moderated_spread,
    session_evidence,
    session_spreads,
    spread_between_runs,
)


@dataclass(frozen=True, slots=True)
class AdjustmentError:
    """The cost of an adjustment of the values: a variance, and degrees of freedom used."""

    variance: Spread
    df: float

    def spent(self, spread: Spread) -> Spread:
        """Return a spread between runs with the degrees of freedom of the adjustment taken off.

        ``spread`` is estimated from the adjusted values.
        """
        if self.df == 0 or spread.df <= self.df:
            return spread
        left = spread.df - self.df
        return Spread(spread.variance * spread.df / left, left)


NO_ADJUSTMENT = AdjustmentError(NO_SPREAD, 0.0)


@dataclass(frozen=True, slots=True)
class Contrast:
    """Candidate minus baseline on the working scale, with the parts of its error.

    ``runs`` are the candidate's, all of one session. ``sessions_seen`` is the number of sessions
    from which ``between_sessions`` was estimated, 0 where it is assumed. ``adjustment_error`` is a
    further error of ``distance`` that neither runs nor sessions reduce.
    """

    distance: float
    baseline: Level
    runs: float
    between_runs: Spread
    between_sessions: Spread
    sessions_seen: int
    adjustment_error: Spread = NO_SPREAD

    @property
    def error(self) -> Spread:
        """The variance V = s²(1/J + 1/R) + s_S²(1/S_J + 1/S_R) + doubt of ``distance``; S_R is 1.

        Defined only where ``between_runs`` has degrees of freedom.
        """
        runs = self.between_runs, 1 / self.baseline.runs + 1 / self.runs
        return combine_variances(runs, self._session_part, (self.adjustment_error, 1.0))

    def p_within(self, margin: float) -> float:
        """Return the p-value of "the distance is at most ``margin``": t = (θ - δ) / √V.

        That is the one-sided probability of a distance as large as ``distance`` at the margin.
        """
        error = self.error
        return float(stdtr(error.df, (margin - self.distance) / math.sqrt(error.variance)))

    @property
    def session_error(self) -> Spread:
        """The part of the error that remains however many runs either side has."""
        return combine_variances(self._session_part, (self.adjustment_error, 1.0))

    @property
    def _session_part(self) -> tuple[Spread, float]:
        return self.between_sessions, 1 / self.baseline.sessions + 1

    def with_runs(self, runs: float) -> "Contrast":
        """Return the contrast as it would be with ``runs`` candidate runs of the same scatter."""
        known = self.between_runs
        grown = Spread(known.variance, known.df + runs - self.runs)
        return replace(self, runs=runs, between_runs=grown)

    @property
    def shared_df(self) -> float:
        """The degrees of freedom of the spread that further candidate runs would share."""
        return self.between_runs.df - (self.runs - 1)

    @property
    def shared_variance(self) -> float:
        """The part of the error's variance that further candidate runs would share."""
        return self.between_runs.variance / self.baseline.runs + self.session_error.variance

    @property
    def no_runs_settle_message(self) -> str:
        """The message for a change that no number of candidate runs settles."""
        return (
            "more runs now will not help: the baseline holds "
            f"{plural(self.baseline.runs, 'run')}; record it with more ({Option.RUNS})"
        )

    def runs_option(self, runs: int, *, confirmed: bool) -> str:
        """Return the option that takes ``runs`` candidate runs.

        ``confirmed`` is whether the runs that decided were those of the confirmation.
        """
        return f"{Option.CONFIRM if confirmed else Option.RUNS} {runs}"


def contrast_of(
    sessions: Sequence[SessionValues],
    candidate: Sequence[float],
    *,
    relative: bool,
    session_spread: float,
    prior: Spread | None,
    between_sessions: Spread | None = None,
    adjustment_error: AdjustmentError = NO_ADJUSTMENT,
) -> Contrast:
    """Return the contrast of the candidate's runs, of one session, with the level accepted now.

    All values are on the working scale. ``session_spread`` is the assumed standard deviation
    between sessions, and ``between_sessions`` the spread that all cases of the metric show, if they
    were estimated together. ``prior`` is the spread between runs that other cases suggest.
    ``adjustment_error`` is the cost of an adjustment that the values went through.
    """
    own = adjustment_error.spent(spread_between_runs(sessions, candidate))
    evidence = session_evidence(sessions, candidate, own, session_spread, relative=relative)
    if evidence is None:
        between_sessions = NO_SPREAD
    elif between_sessions is None:
        (between_sessions,) = session_spreads([evidence])
    level = level_of(sessions)
    values = [*candidate, *(x for s in sessions for x in s.values)]
    return Contrast(
        distance=math.fsum(candidate) / len(candidate) - level.mean,
        baseline=level,
        runs=len(candidate),
        between_runs=floored(moderated_spread(own, prior), values, relative=relative),
        between_sessions=between_sessions,
        sessions_seen=0 if evidence is None else evidence.sessions,
        adjustment_error=adjustment_error.variance,
    )


@dataclass(frozen=True, slots=True)
class InterleavedContrast(Contrast):
    """Candidate minus old code, each with as many runs in every block.

    A linear drift cancels within a block (old, new, new, old), and a slow drift between blocks does
    not enter. Both sides share the session: V = s² (1/J + 1/R). ``runs_per_block`` are the runs of
    either side in a block: two, or one of a pair of live processes.
    """

    runs_per_block: int = RUNS_PER_BLOCK

    def with_runs(self, runs: float) -> "InterleavedContrast":
        """Return the contrast with ``runs`` runs of each side, in as many blocks as needed."""
        df = (2 - 1 / self.runs_per_block) * runs - 1
        known = Spread(self.between_runs.variance, df)
        level = Level(self.baseline.mean, int(min(runs, 1e9)), 1.0)
        return replace(self, baseline=level, runs=runs, between_runs=known)

    @property
    def shared_df(self) -> float:
        """Zero: both sides are measured anew, so nothing of this estimate enters the next."""
        return 0.0

    @property
    def shared_variance(self) -> float:
        """Zero, for the same reason."""
        return 0.0

    @property
    def no_runs_settle_message(self) -> str:
        """The message where no number of runs helps.

        Both sides get more runs, so only a tolerance of 0 cannot be met.
        """
        return "more runs will not help: old and new are alike, and the tolerance is 0"

    def runs_option(self, runs: int, *, confirmed: bool) -> str:
        """Return the option that takes ``runs`` runs of each side.

        ``confirmed`` is whether the runs that decided were those of the confirmation.
        """
        blocks = -(-runs // self.runs_per_block)
        return f"{Option.CONFIRM} {blocks}" if confirmed else f"{Option.RUNS} {runs}"


def interleaved_contrast(
    blocks: Sequence[SessionValues], candidate: Sequence[float], *, relative: bool
) -> InterleavedContrast:
    """Return the contrast of the candidate's runs with those of the old code, block by block.

    ``blocks`` holds the old code's runs, one or two per block, and ``candidate`` as many in the
    same order, all on the working scale.
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
        runs_per_block=max(len(block.values) for block in blocks),
    )


def spread_within_blocks(blocks: Sequence[SessionValues], candidate: Sequence[float]) -> Spread:
    """Return the residual spread of the runs after the means of blocks and of sides.

    Analysis of variance of randomised blocks: n blocks of four runs leave 3 n - 1 degrees of
    freedom, and n pairs n - 1: the paired t. Where runs are missing and blocks are incomplete, the
    scatter of each side is used instead. It includes the drift, so it errs towards too few claims.
    """
    if len(candidate) != sum(len(block.values) for block in blocks):
        pooled = SessionValues(0, tuple(x for block in blocks for x in block.values))
        return spread_between_runs([pooled], candidate)
    mean_old = math.fsum(x for block in blocks for x in block.values) / len(candidate)
    mean_new = math.fsum(candidate) / len(candidate)
    squares, df, start = 0.0, -1.0, 0
    for block in blocks:
        size = len(block.values)
        old = [x - mean_old for x in block.values]
        new = [x - mean_new for x in candidate[start : start + size]]
        block_mean = math.fsum((*old, *new)) / (2 * size)
        squares += math.fsum((x - block_mean) ** 2 for x in (*old, *new))
        df += 2 * size - 1
        start += size
    return Spread(squares / df if df > 0 else 0.0, max(df, 0.0))
