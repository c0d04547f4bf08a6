"""Unchanged code of the recordings, taken in turns: blocks of four fresh processes, two a side.

That is how old and new code are measured where they cannot live at once; `live_pairs` has the
others. No recording has processes enough for such a session, which takes 24: twelve make a block
that screens and two that confirm.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from benchmarks.calibration.alone import ALPHA, change_in_turn
from benchmarks.calibration.recordings import METRICS, Series, series
from benchmarks.calibration.rows import Bound, Effort, Row, Section, at_most, share_of_groups
from benchmarks.calibration.splits import Sides
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.metric import LATENCY
from pytest_pareto.model.policy import SCREEN_ALPHA
from pytest_pareto.runs.leg_process import run_order
from pytest_pareto.runs.legs import Side

SEED = 8
BLOCKS, CONFIRMING = 2, 2
FACTOR = 1.10


@dataclass(frozen=True, slots=True)
class Turns:
    """Processes of one series in turns; ``order`` are their places, block by block.

    ``swapped`` lets the new code have the turns of the old.
    """

    series: Series
    order: tuple[int, ...]
    swapped: bool = False
    factor: float = 1.0

    def change(self, blocks: int, *, after: int = 0, tolerance: float) -> Change:
        """Compare both sides of some blocks."""
        sides = self.sides(blocks, after=after)
        return change_in_turn(*sides.levels(), tolerance)

    def sides(self, blocks: int, *, after: int = 0) -> Sides:
        """Return the processes of either side, in the order of blocks."""
        order = [turn for turn in run_order(after + blocks) if not turn.is_warm_up]
        taken = [
            (place, turn.side is Side.CANDIDATE)
            for place, turn in zip(self.order, order, strict=False)
            if turn.block > after
        ]
        old, new = (
            tuple(place for place, is_new in taken if is_new is wanted)
            for wanted in (self.swapped, not self.swapped)
        )
        return Sides(self.series, old, new, self.factor)

    def is_worse(self, tolerance: float) -> bool:
        """Whether two blocks alone call the new side WORSE."""
        return self.change(BLOCKS, tolerance=tolerance).outcome is Outcome.WORSE

    def convicted(self) -> bool:
        """Whether one block flags it, and two more convict it, at tolerance 0."""
        if self.change(1, tolerance=0.0).p_worse > SCREEN_ALPHA:
            return False
        return self.change(CONFIRMING, after=1, tolerance=0.0).p_worse <= ALPHA


def in_any_order(found: Series, blocks: int, most: int, rng: np.random.Generator) -> list[Turns]:
    """Let processes drawn at random take turns."""
    drawn = (rng.permutation(len(found.levels))[: 4 * blocks] for _ in range(most))
    return [Turns(found, tuple(order.tolist())) for order in drawn]


def as_they_ran(found: Series, blocks: int) -> list[Turns]:
    """Let neighbours take turns in the order in which they ran, either side first."""
    starts = range(len(found.levels) - 4 * blocks + 1)
    return [
        Turns(found, tuple(range(start, start + 4 * blocks)), swapped)
        for start in starts
        for swapped in (False, True)
    ]


def unchanged(effort: Effort) -> Iterator[Row]:
    """Yield what is called WORSE at tolerance 0: by two blocks, and screened and confirmed."""
    every = [s for metric in METRICS for s in series(metric)]
    alone = partial(Turns.is_worse, tolerance=0.0)
    yield from both_orders("2 blocks", every, BLOCKS, alone, effort)
    blocks = 1 + CONFIRMING
    what = "1 block screens, 2 confirm"
    yield from both_orders(what, every, blocks, Turns.convicted, effort, bound=at_most(1.5))


def slower(effort: Effort) -> Iterator[Row]:
    """Yield how often host-bound latency that is 10 % longer is caught by two blocks."""
    host_bound = [s for s in series(LATENCY) if s.host_bound]
    judge = partial(Turns.is_worse, tolerance=LATENCY.tolerance)
    what = "latency +10 %, host, 2 blocks"
    yield from both_orders(what, host_bound, BLOCKS, judge, effort, factor=FACTOR)


def both_orders(
    what: str,
    found: Sequence[Series],
    blocks: int,
    judge: Callable[[Turns], bool],
    effort: Effort,
    *,
    bound: Bound | None = None,
    factor: float = 1.0,
) -> Iterator[Row]:
    """Yield a row of processes in any order, and one of neighbours in the order they ran."""
    rng = np.random.default_rng(SEED)
    long_enough = [s for s in found if len(s.levels) >= 4 * blocks]
    drawn = [in_any_order(s, blocks, effort.splits // 4, rng) for s in long_enough]
    # A recording has a handful of neighbours in turns, which overlap: all in one group.
    ran = [[turn for s in long_enough for turn in as_they_ran(s, blocks)]]
    for groups, order, bounded in ((drawn, "any order", bound), (ran, "as they ran", None)):
        slowed = [[replace(turn, factor=factor) for turn in group] for group in groups]
        yield Row(
            f"{what}, {order}",
            sum(map(len, groups)),
            share_of_groups(slowed, judge),
            bounded,
        )


SECTIONS = (
    Section("Unchanged code in turns, blocks of 4 processes: tolerance 0", unchanged),
    Section("A planted slow-down in turns, own tolerance", slower),
)
