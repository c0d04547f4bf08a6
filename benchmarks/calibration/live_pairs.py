"""Live processes of unchanged code that took turns: half of them against the others, in windows.

Windows of one length do not overlap; those of another are cut from the same rounds. Splits share
processes, and lengths share rounds: nothing here is independent but the recordings.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np
from scipy.stats import ttest_1samp

from benchmarks.calibration import peers
from benchmarks.calibration.alone import ALPHA
from benchmarks.calibration.peers import Calls
from benchmarks.calibration.recordings import DATA
from benchmarks.calibration.rows import (
    Effort,
    Row,
    Section,
    at_least,
    at_most,
    peer_shares,
    share_of,
    spread_out,
)
from pytest_pareto import compare_interleaved
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import LATENCY

SECONDS = {
    "e_own_cores": 200,
    "g_own_cores": 4 * 26,
    "h_free": 205,
    "h_shared_core": 205,
    "i_free": 90,
    "i_shared_core": 210,
}
"""How long each recording took, as the file says: two pairs twice in g, all at once elsewhere."""

WINDOWS = (25, 50, 100, 200)
FACTOR = 1.10

Process = tuple[tuple[float, ...], ...]
"""The readings of each round, empty where the process took no part in it."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Processes of either side in one window; the new side's readings are times ``factor``."""

    old: tuple[Process, ...]
    new: tuple[Process, ...]
    factor: float = 1.0

    def is_worse(self, tolerance: float) -> bool:
        """Whether the product calls the new side WORSE."""
        new = [[[x * self.factor for x in r] for r in process] for process in self.new]
        change = compare_interleaved(self.old, new, tolerance=tolerance, alpha=ALPHA)
        return change.outcome is Outcome.WORSE

    def rounds_are_slower(self) -> bool:
        """Whether Student's t over rounds says so, as if each were a replicate of its own."""
        apart = _logs_of_rounds(self.new) - _logs_of_rounds(self.old)
        return bool(ttest_1samp(apart, 0.0, alternative="greater").pvalue <= ALPHA)

    def calls(self) -> tuple[Calls, Calls]:
        """All readings of each side in one heap, as tools see them that know of no processes."""
        old, new = (
            np.array([x for process in side for r in process for x in r])
            for side in (self.old, self.new)
        )
        return old, new * self.factor


@dataclass(frozen=True, slots=True)
class Recording:
    """Processes that took turns for so many seconds; its name is ``h shared core`` or so."""

    name: str
    seconds: int
    processes: tuple[Process, ...]

    @property
    def lengths(self) -> tuple[int, ...]:
        """The windows that it is long enough for, in seconds."""
        return tuple(seconds for seconds in WINDOWS if seconds <= self.seconds)

    def windows(self, seconds: int) -> list[tuple[Process, ...]]:
        """Cut all processes into windows of so many seconds, without overlap.

        A window has the same share of the rounds of every process: where pairs were measured one
        after another, a part of each pair.
        """
        part = seconds / self.seconds
        return [
            tuple(_cut(process, n * part, (n + 1) * part) for process in self.processes)
            for n in range(self.seconds // seconds)
        ]

    def splits(self) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        """Take half of the processes for the old code and the others for the new, in every way.

        Left out is what cannot be compared: a process that shares no round with the other side.
        """
        every = range(len(self.processes))
        halves = [
            (old, tuple(n for n in every if n not in old))
            for old in combinations(every, len(every) // 2)
        ]
        return [sides for sides in halves if self._meet(*sides)]

    def _meet(self, old: tuple[int, ...], new: tuple[int, ...]) -> bool:
        rounds = [{r for r, readings in enumerate(p) if readings} for p in self.processes]
        met = [(a, b) for a in old for b in new if rounds[a] & rounds[b]]
        return {a for a, _ in met} == set(old) and {b for _, b in met} == set(new)

    def comparisons(self, seconds: int, effort: Effort, factor: float = 1.0) -> list[Comparison]:
        """Compare both sides of each split in each window, or in an even part of all these."""
        windows = self.windows(seconds)
        every = [
            Comparison(tuple(window[n] for n in old), tuple(window[n] for n in new), factor)
            for old, new in self.splits()
            for window in windows
        ]
        return list(spread_out(every, effort.splits // 4))


def _logs_of_rounds(side: tuple[Process, ...]) -> Calls:
    """Return the mean log of all readings of a side in each round that has any."""
    rounds = [[x for readings in r for x in readings] for r in zip(*side, strict=True)]
    return np.array([np.mean(np.log(r)) for r in rounds if r])


def _cut(process: Process, begin: float, end: float) -> Process:
    own = [number for number, readings in enumerate(process) if readings]
    kept = {*own[int(begin * len(own)) : int(end * len(own))]}
    return tuple(readings if n in kept else () for n, readings in enumerate(process))


@cache
def recordings() -> tuple[Recording, ...]:
    """Read every recording."""
    found = []
    for name, seconds in SECONDS.items():
        read = json.loads((DATA / "turns" / f"machine_{name}.json").read_text(encoding="utf-8"))
        processes = tuple(tuple(map(tuple, process)) for process in read["processes"])
        found.append(Recording(name.replace("_", " "), seconds, processes))
    return tuple(found)


def unchanged(effort: Effort) -> Iterator[Row]:
    """Yield what is called WORSE at tolerance 0: for each length of windows, then all of them."""
    return _at_no_tolerance(effort, lambda each: each.is_worse(0.0), ours=True)


def over_rounds(effort: Effort) -> Iterator[Row]:
    """Yield what Student's t says of the same rounds: the trap that the product avoids."""
    return _at_no_tolerance(effort, Comparison.rounds_are_slower, ours=False)


def _at_no_tolerance(
    effort: Effort, judge: Callable[[Comparison], bool], *, ours: bool
) -> Iterator[Row]:
    for recording in recordings():
        every: list[bool] = []
        for seconds in recording.lengths:
            drawn = recording.comparisons(seconds, effort)
            said = list(map(judge, drawn))
            every += said
            beside = _beside(drawn, effort) if ours else {}
            yield Row(f"{recording.name}, {seconds} s", len(said), share_of(said), peers=beside)
        bound = at_most(7) if ours and len(recording.processes) == 6 else None
        yield Row(f"{recording.name}, all windows", len(every), share_of(every), bound)


def slower(effort: Effort) -> Iterator[Row]:
    """Yield how often a side that is 10 % slower is caught at the tolerance of latency."""
    for recording in recordings():
        for seconds in recording.lengths:
            drawn = recording.comparisons(seconds, effort, FACTOR)
            said = [each.is_worse(LATENCY.tolerance) for each in drawn]
            promised = seconds == 200 and recording.name.endswith("shared core")
            bound, beside = at_least(85) if promised else None, _beside(drawn, effort)
            yield Row(f"{recording.name}, {seconds} s", len(said), share_of(said), bound, beside)


def _beside(drawn: Sequence[Comparison], effort: Effort) -> Mapping[str, float]:
    heaps = [each.calls() for each in spread_out(drawn, effort.peers)]
    return peer_shares(heaps, peers.rules(effort.resamples))


SECTIONS = (
    Section("Unchanged code, live processes that take turns: tolerance 0", unchanged),
    Section("The same by Student's t over rounds: not ours, a trap", over_rounds),
    Section("Live processes that take turns: +10 % planted, tolerance 5 %", slower),
)
