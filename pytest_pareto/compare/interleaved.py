"""Two sides that were measured in turn: what a block has in common is in neither's way."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pytest_pareto.compare.contrast import Contrast
from pytest_pareto.compare.spread import (
    NO_SPREAD,
    Level,
    SessionValues,
    Spread,
    floored,
    level_of,
    spread_between_runs,
)


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
