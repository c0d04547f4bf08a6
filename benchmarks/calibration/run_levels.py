"""What stands for a run: the middle of its calls, its quick calls, or either at half of alpha.

Noise of a host is one-sided, so quick calls scatter less between processes; but they do not show a
slow-down of some calls. Every recording of latency is split into processes of either side, without
a session term, and slow-downs of the same mean are planted in the new ones.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from benchmarks.calibration.alone import ALPHA, change_of
from benchmarks.calibration.live_pairs import recordings
from benchmarks.calibration.recordings import Readings, series
from benchmarks.calibration.rows import Effort, Row, Section, at_most, share_of, share_of_groups
from pytest_pareto.model.metric import LATENCY
from pytest_pareto.stats.scale import summarise_run

SEED, MOST = 17, 5
MIDDLE, QUICK, EITHER = "middle half", "10 % quantile", "either at α / 2"


def _quick(readings: Readings) -> float:
    return float(np.quantile(readings, 0.1))


LEVELS: Mapping[str, Callable[[Readings], float]] = {
    MIDDLE: partial(summarise_run, relative=True),
    QUICK: _quick,
}


@dataclass(frozen=True, slots=True)
class Slowed:
    """A slow-down of every n-th call, so large that the mean call takes 10 % longer."""

    every: int

    def apply(self, readings: Readings) -> Readings:
        """Return readings with the slow-down planted."""
        factors = np.ones(len(readings))
        factors[:: self.every] += 0.1 * self.every
        return tuple((np.array(readings) * factors).tolist())

    @property
    def name(self) -> str:
        """It in words, such as "+20 % of every 2nd call"."""
        which = {1: "every call", 2: "every 2nd call", 4: "every 4th call"}[self.every]
        return f"+{10 * self.every} % of {which}"


PLANTED = (Slowed(1), Slowed(2), Slowed(4))


@dataclass(frozen=True, slots=True)
class Split:
    """The levels of old and new processes by each level, and those of the new ones slowed."""

    old: Mapping[str, Sequence[float]]
    new: Mapping[str, Sequence[float]]

    def p_worse(self, level: str, tolerance: float) -> float:
        """Return the p-value of the product's test over runs."""
        return change_of(self.old[level], self.new[level], tolerance, 0.0).p_worse

    def is_worse(self, way: str, tolerance: float) -> bool:
        """Return whether one way calls the new processes WORSE."""
        if way == EITHER:
            return any(self.p_worse(level, tolerance) <= ALPHA / 2 for level in LEVELS)
        return self.p_worse(way, tolerance) <= ALPHA


@cache
def processes() -> tuple[tuple[Readings, ...], ...]:
    """Return the readings of the processes of each recording of at least six."""
    fresh = [s.processes for s in series(LATENCY)]
    live = [
        tuple(tuple(x for r in process for x in r) for process in recording.processes)
        for recording in recordings()
    ]
    return tuple(found for found in (*fresh, *live) if len(found) >= 6)


def _levels(found: Sequence[Readings]) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    return {name: np.array([level(p) for p in found]) for name, level in LEVELS.items()}


def splits(slowed: Slowed | None, effort: Effort) -> list[list[Split]]:
    """Split each recording at random, at most five processes a side."""
    rng, groups = np.random.default_rng(SEED), []
    for found in processes():
        old = _levels(found)
        new = old if slowed is None else _levels([slowed.apply(p) for p in found])
        size = min(MOST, len(found) // 2)
        orders = [rng.permutation(len(found)) for _ in range(max(2, effort.splits // 10))]
        groups.append(
            [
                Split(
                    {name: values[order[:size]].tolist() for name, values in old.items()},
                    {name: values[order[size : 2 * size]].tolist() for name, values in new.items()},
                )
                for order in orders
            ]
        )
    return groups


def rows(effort: Effort) -> Iterator[Row]:
    """Yield for each way how often it is WORSE where nothing changed, and where something did."""
    for slowed in (None, *PLANTED):
        groups = splits(slowed, effort)
        tolerance = 0.0 if slowed is None else LATENCY.tolerance
        for way in (*LEVELS, EITHER):
            what = "nothing changed, tolerance 0" if slowed is None else slowed.name
            judge = partial(Split.is_worse, way=way, tolerance=tolerance)
            share = share_of_groups(groups, judge)
            bound = at_most(7) if slowed is None else None
            yield Row(f"{what}: {way}", sum(map(len, groups)), share, bound)


def quieter(_: Effort) -> Iterator[Row]:
    """Yield in how many recordings quick calls scatter less between processes, and by how much."""
    ratios = []
    for found in processes():
        levels = _levels(found)
        quick, middle = (np.std(np.log(levels[name]), ddof=1) for name in (QUICK, MIDDLE))
        ratios.append(float(quick / middle))
    yield Row("scatter of the 10 % quantile is less", len(ratios), share_of(r < 1 for r in ratios))
    typical = float(np.exp(np.mean(np.log(ratios))))
    yield Row("its scatter, of that of the middle half", len(ratios), typical)


SECTIONS = (
    Section("What stands for a run: scatter between processes", quieter),
    Section("What stands for a run: WORSE of the splits", rows),
)
