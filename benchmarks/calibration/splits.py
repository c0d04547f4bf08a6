"""Ways to take some processes of unchanged code for the baseline, others for the candidate."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from benchmarks.calibration.peers import Calls
from benchmarks.calibration.recordings import Readings, Series

Groups = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Sides:
    """Some processes of a series as the baseline, others as the candidate.

    The candidate's readings are multiplied by ``factor``: 1.1 plants a regression of 10 %.
    """

    series: Series
    baseline: tuple[int, ...]
    candidate: tuple[int, ...]
    factor: float = 1.0

    def levels(self) -> tuple[Readings, Readings]:
        """One number per process."""
        levels = self.series.levels
        return (
            tuple(levels[i] for i in self.baseline),
            tuple(levels[i] * self.factor for i in self.candidate),
        )

    def calls(self) -> tuple[Calls, Calls]:
        """All readings of each side in one heap, as tools see them that know of no processes."""
        processes = self.series.processes
        base = np.concatenate([processes[i] for i in self.baseline])
        new = np.concatenate([processes[i] for i in self.candidate])
        return base, new * self.factor

    def planted(self, factor: float) -> "Sides":
        """Return the same sides with a slower candidate."""
        return replace(self, factor=factor)


def groupings(count: int, sizes: Sequence[int]) -> int:
    """Count the ways to draw disjoint groups of these sizes from ``count`` processes."""
    ways, left = 1, count
    for size in sizes:
        ways *= math.comb(left, size)
        left -= size
    return ways


def random_groups(
    count: int, sizes: Sequence[int], most: int, rng: np.random.Generator
) -> Iterator[Groups]:
    """Draw disjoint groups at random; all there are, once each, where that is at most ``most``."""
    if groupings(count, sizes) <= most:
        yield from _all_groups(tuple(range(count)), sizes)
        return
    edges = np.cumsum(sizes)
    for _ in range(most):
        order = rng.permutation(count)[: edges[-1]]
        yield tuple(tuple(map(int, group)) for group in np.split(order, edges[:-1]))


def _all_groups(indexes: Sequence[int], sizes: Sequence[int]) -> Iterator[Groups]:
    if not sizes:
        yield ()
        return
    for group in combinations(indexes, sizes[0]):
        rest = [i for i in indexes if i not in group]
        for others in _all_groups(rest, sizes[1:]):
            yield (group, *others)


def block_groups(count: int, sizes: tuple[int, int]) -> Iterator[Groups]:
    """Cut two neighbouring blocks out of the order in which the processes ran.

    Like two sessions, one after the other: what drifts stays within a side. Either may be
    the earlier one.
    """
    for start in range(count - sum(sizes) + 1):
        for first, swapped in ((sizes[0], False), (sizes[1], True)):
            middle, end = start + first, start + sum(sizes)
            earlier, later = tuple(range(start, middle)), tuple(range(middle, end))
            yield (later, earlier) if swapped else (earlier, later)


def random_sides(
    series: Series, sizes: tuple[int, int], most: int, rng: np.random.Generator
) -> list[Sides]:
    """Split one series at random, at most so many times."""
    groups = random_groups(len(series.levels), sizes, most, rng)
    return [Sides(series, baseline, candidate) for baseline, candidate in groups]


def block_sides(series: Series, sizes: tuple[int, int]) -> list[Sides]:
    """Split one series into neighbouring blocks, in every way."""
    groups = block_groups(len(series.levels), sizes)
    return [Sides(series, baseline, candidate) for baseline, candidate in groups]
