"""What the table is made of: shares beside the bound that they must meet."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from benchmarks.calibration.peers import Calls, Rule

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Bound:
    """The least and the most that a share may be."""

    low: float = 0.0
    high: float = 1.0

    def holds(self, share: float) -> bool:
        """Whether a share is within the bound."""
        return self.low <= share <= self.high

    def __str__(self) -> str:
        if self.low == 0:
            return f"≤ {100 * self.high:g}"
        if self.high == 1:
            return f"≥ {100 * self.low:g}"
        return f"{100 * self.low:g}-{100 * self.high:g}"


def at_most(per_cent: float) -> Bound:
    """``at_most(5)``: a share of at most 5 %."""
    return Bound(high=per_cent / 100)


def at_least(per_cent: float) -> Bound:
    """``at_least(95)``: a share of at least 95 %."""
    return Bound(low=per_cent / 100)


@dataclass(frozen=True, slots=True)
class Row:
    """How often something was said in ``draws`` draws.

    ``simulated`` draws are independent of each other; splits of a recording are not.
    """

    what: str
    draws: int
    share: float
    bound: Bound | None = None
    peers: Mapping[str, float] = field(default_factory=dict)
    simulated: bool = False

    @property
    def missed(self) -> bool:
        """Whether the row fails the calibration."""
        return self.bound is not None and not self.bound.holds(self.share)

    @property
    def error(self) -> float | None:
        """The standard error of the share, where draws are independent.

        After Laplace's rule, so that it is not 0 where something was never or always seen.
        """
        if not self.simulated:
            return None
        share = (self.share * self.draws + 1) / (self.draws + 2)
        return math.sqrt(share * (1 - share) / self.draws)


@dataclass(frozen=True, slots=True)
class Effort:
    """How many draws: of splits of a recording, of simulated sessions and comparisons.

    ``builds`` are sessions whose judgement is derived, ``sessions`` those that are judged
    whole. ``peers`` of the splits and ``peer_sessions`` of the sessions are put to the rules
    of other tools, criterion with so many ``resamples``.
    """

    splits: int
    builds: int
    sessions: int
    comparisons: int
    peers: int
    peer_sessions: int
    resamples: int


FULL = Effort(
    splits=2_000,
    builds=2_000,
    sessions=400,
    comparisons=4_000,
    peers=120,
    peer_sessions=40,
    resamples=500,
)
QUICK = Effort(
    splits=20, builds=2, sessions=1, comparisons=60, peers=2, peer_sessions=1, resamples=50
)


@dataclass(frozen=True, slots=True)
class Section:
    """Rows that belong together, made when asked for."""

    title: str
    rows: Callable[[Effort], Iterator[Row]]


def share_of(verdicts: Iterable[bool]) -> float:
    """Return how many of the verdicts are true, as a share."""
    said = list(verdicts)
    return sum(said) / len(said)


def share_of_groups(groups: Sequence[Sequence[T]], judge: Callable[[T], bool]) -> float:
    """Return the mean over groups, such as recordings, of what is true of so many in each."""
    return sum(share_of(map(judge, group)) for group in groups) / len(groups)


def spread_out(items: Sequence[T], most: int) -> Sequence[T]:
    """Pick at most so many items, evenly over all of them."""
    return items[:: max(1, math.ceil(len(items) / most))]


def peer_shares(
    sides: Sequence[tuple[Calls, Calls]], rules: Mapping[str, Rule]
) -> Mapping[str, float]:
    """Return how often each rule calls the second side slower."""
    return {name: share_of(rule(base, new) for base, new in sides) for name, rule in rules.items()}
