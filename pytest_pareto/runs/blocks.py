"""The order of runs in an interleaved comparison."""

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_pareto.runs.legs import Side

_ABBA = (Side.REF, Side.CANDIDATE, Side.CANDIDATE, Side.REF)
_BAAB = (Side.CANDIDATE, Side.REF, Side.REF, Side.CANDIDATE)


@dataclass(frozen=True, slots=True)
class Turn:
    """One run of one leg; block 0 is the warm-up, whose figures are thrown away."""

    side: Side
    block: int

    @property
    def is_warm_up(self) -> bool:
        """Whether this run is only there for what comes after it."""
        return self.block == 0


def turns(blocks: int, *, after: int = 0) -> Iterator[Turn]:
    """Yield the runs of ``blocks`` blocks of four, two of each leg, that follow ``after`` others.

    Within a block both legs have the same mean time, so that a linear drift of the machine
    adds nothing to their difference. The second block mirrors the first, and so on in turn: each
    leg goes first, and follows itself, equally often over an even number of blocks, and what a
    pause before a block or a curved drift does to one leg is done to the other.

    Before the first block each leg runs once for nothing: a fresh worktree has no bytecode
    yet, and its files are not in the system's cache. These runs are watched more closely than
    those whose figures count.
    """
    if after == 0 and blocks > 0:
        yield from (Turn(Side.REF, 0), Turn(Side.CANDIDATE, 0))
    for block in range(after + 1, after + blocks + 1):
        for side in _ABBA if block % 2 else _BAAB:
            yield Turn(side, block)
