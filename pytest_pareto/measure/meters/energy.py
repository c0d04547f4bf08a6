"""Energy of a call, by the boards' energy counters read before and after a long window of calls.

`EnergyWindow` measures. `PowerLog` integrates the power samples that the driver records, as a
cross-check of the counter.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pytest_pareto.measure.loop import Round
from pytest_pareto.measure.nvml import Board, NvmlError
from pytest_pareto.model.formatting import percent
from pytest_pareto.model.metric import DYNAMIC_ENERGY, ENERGY
from pytest_pareto.model.run import Measurement

STEPS = 20
"""The length of a window in steps of the counter: 2 s on an H200, as long as that of latency.

The board idles at both edges, which are observed to a few milliseconds. An error of one whole step
would be 5 %.
"""
_STALLED_AFTER_S = 2.0
_MIN_STEP_S = 0.05
"""Shorter steps are merged: idle power cannot be measured in a few milliseconds."""
_MIN_LOAD_RATIO = 1.05
"""Idle power is known to 2 %. An H200 draws 125 W idle, 200 W where its host keeps it waiting."""
_MIN_IDLE_RATIO = 0.95
NEAR_IDLE = "the GPU drew no more than when it idles"
"""The reason for which the dynamic energy of a call is absent that leaves the GPU nearly idle."""
_SETTLED_STEP = 2
"""At this step after work has ended the counter includes all of it: it lags by less than one."""
_FETCH_EVERY_US = 1_000_000
_LARGEST_GAP_US = 250_000
Sample = tuple[int, float]


@dataclass(frozen=True, slots=True)
class Edge:
    """A step of an energy counter: when it was observed (clock ns), and the value after it."""

    at_ns: int
    energy_j: float


class EnergyWindow:
    """Measures the energy that ``boards`` spend in calls from now on; the boards must be idle now.

    The counter of an H200 moves every 100 ms, so the window begins and ends at steps of the
    counter, with the GPU idle for one or two steps at either end. The energy drawn outside of the
    calls (there, and between the calls, where arguments are set up) is subtracted at idle power,
    which is measured; a `setup` that uses the GPU adds to the result. Reading the counter took 3 ms
    on an H200, so it is not read during the window. ``power_share`` is afterwards what the board
    nearest to its power limit drew of it in the calls, or None where no limit is known.
    Raises NvmlError where the energy of this process alone cannot be measured.
    """

    def __init__(self, boards: Sequence[Board], clock: Callable[[], int]) -> None:
        if any(board.is_mig_slice for board in boards):
            raise NvmlError("this is a MIG slice, and the counter is of the whole board")
        self._boards = boards
        self._clock = clock
        self.power_share: float | None = None
        self._require_exclusive_use()
        self._first_steps = self._wait_for_steps(_SETTLED_STEP + 1)
        self._log = PowerLog(boards, clock)

    @property
    def min_duration_s(self) -> float:
        """The seconds that the window must last, from the longest observed step."""
        return STEPS * max(
            _duration_s(earlier, later)
            for edges in self._first_steps
            for earlier, later in pairwise(edges)
        )

    def poll(self) -> None:
        """Fetch the drivers' power samples between two calls; they cover a few seconds only."""
        self._log.poll()

    def measurements(self, rounds: Sequence[Round]) -> tuple[Measurement, Measurement]:
        """Return the energy (J) of one of these calls, which must be all calls that were made.

        The second measurement is its dynamic part: what the idle boards would have drawn in the
        time of the calls is subtracted. It is absent where hardly anything is left. Then kernels
        alone show whether the calls used the GPU: `latency.drop_energy_without_kernels`.
        """
        self._log.fetch()
        last = self._wait_for_steps(_SETTLED_STEP + 1)
        self._require_exclusive_use()
        in_calls_s = sum(each.wall_s for each in rounds)
        energies, idle_w = [], []
        for first, after in zip(self._first_steps, last, strict=True):
            idle = _power_w((first[-2], first[-1]), (after[-2], after[-1]))
            outside_s = _duration_s(first[-1], after[-2]) - in_calls_s
            energies.append(after[-2].energy_j - first[-1].energy_j - idle * outside_s)
            idle_w.append(idle)
        self.power_share = self._power_share(energies, in_calls_s)
        idle_j = sum(idle_w) * in_calls_s
        if sum(energies) < _MIN_IDLE_RATIO * idle_j:
            raise NvmlError("the energy counter advanced by less than the idle GPU draws")
        window_note = (
            f"{len(rounds)} calls in {in_calls_s:.1f} s at {sum(energies) / in_calls_s:.0f} W, "
            f"of which {sum(idle_w):.0f} W idle"
        )
        notes = (
            window_note,
            *self._board_notes(energies, rounds),
            *self._cross_check_note(rounds, energies, idle_w),
        )
        dynamic_j = sum(energies) - idle_j
        return (
            Measurement(ENERGY, (sum(energies) / len(rounds),), notes=notes),
            Measurement(DYNAMIC_ENERGY, (dynamic_j / len(rounds),))
            if sum(energies) > _MIN_LOAD_RATIO * idle_j
            else Measurement(DYNAMIC_ENERGY, absent=NEAR_IDLE),
        )

    def _power_share(self, energies: Sequence[float], in_calls_s: float) -> float | None:
        try:
            limits_w = [board.power_limit_w() for board in self._boards]
        except NvmlError:
            return None
        if not all(limits_w):
            return None
        return max(
            energy / in_calls_s / limit_w
            for energy, limit_w in zip(energies, limits_w, strict=True)
        )

    def _board_notes(self, energies: Sequence[float], rounds: Sequence[Round]) -> Iterator[str]:
        if len(self._boards) > 1:
            for board, energy in zip(self._boards, energies, strict=True):
                yield f"GPU {board.name}: {energy / len(rounds):.4g} J"

    def _cross_check_note(
        self, rounds: Sequence[Round], energies: Sequence[float], idle_w: Sequence[float]
    ) -> Iterator[str]:
        """Yield a note that compares the energy with integrated power, both without idle energy."""
        began_ns, ended_ns = rounds[0].start_ns, rounds[-1].stop_ns
        integrated_j = self._log.energy_j(began_ns, ended_ns)
        if integrated_j is not None:
            outside_s = (ended_ns - began_ns) / 1e9 - sum(each.wall_s for each in rounds)
            in_calls_j = integrated_j - sum(idle_w) * outside_s
            yield f"integrated power: {percent(in_calls_j / sum(energies) - 1, 1, signed=True)}"

    def _wait_for_steps(self, count: int) -> list[list[Edge]]:
        """Wait until every counter has stepped ``count`` times; return the steps of each."""
        steps: list[list[Edge]] = [[] for _ in self._boards]
        latest = [self._read_edge(board) for board in self._boards]
        while any(len(edges) < count for edges in steps):
            for number, board in enumerate(self._boards):
                before, edge = latest[number], self._read_edge(board)
                since_s = (edge.at_ns - before.at_ns) / 1e9
                if edge.energy_j < before.energy_j:
                    raise NvmlError("the energy counter fell back")
                if edge.energy_j > before.energy_j:
                    latest[number] = edge
                    if not steps[number] or _duration_s(steps[number][-1], edge) >= _MIN_STEP_S:
                        steps[number].append(edge)
                elif since_s > _STALLED_AFTER_S:
                    raise NvmlError(f"the energy counter stood still for {_STALLED_AFTER_S:g} s")
        return steps

    def _read_edge(self, board: Board) -> Edge:
        return Edge(self._clock(), board.energy_j())

    def _require_exclusive_use(self) -> None:
        for board in self._boards:
            others = _other_processes(board)
            if others:
                raise NvmlError(
                    f"another process uses the GPU ({', '.join(map(str, others))}), and the "
                    "counter is of both; stop it, or leave energy out: skip_metrics=['energy']"
                )


def _duration_s(first: Edge, last: Edge) -> float:
    return (last.at_ns - first.at_ns) / 1e9


def _power_w(*spans: tuple[Edge, Edge]) -> float:
    energy_j = sum(last.energy_j - first.energy_j for first, last in spans)
    return energy_j / sum(_duration_s(first, last) for first, last in spans)


def _other_processes(board: Board) -> list[int]:
    """Return the pids that use the GPU, except this process and its parent, which waits for it."""
    pids = set(board.compute_processes())
    if os.getpid() not in pids:
        # In a container NVML may report pids of the host: then one of them is this process.
        return sorted(pids) if len(pids) > 1 else []
    return sorted(pids - {os.getpid(), os.getppid()})


class PowerLog:
    """The power samples that the driver has recorded of the boards since this log was made.

    The driver keeps some seconds (2.4 s in steps of 20 ms on an H200), so `poll` has to be called
    repeatedly; a query takes 0.3 ms. ``clock`` (ns) is the clock by which windows are timed,
    ``now_us`` the clock of the driver's time stamps: µs since the epoch.
    """

    def __init__(
        self,
        boards: Sequence[Board],
        clock: Callable[[], int],
        now_us: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._boards = boards
        self._now_us = now_us
        self._fetched_us = now_us()
        self._clock_offset_us = self._fetched_us - clock() / 1e3
        self._samples: list[list[Sample]] = [[] for _ in boards]
        self._latest_us = [self._fetched_us - _LARGEST_GAP_US] * len(boards)

    def poll(self) -> None:
        """Fetch new samples, if the last fetch is long enough ago."""
        if self._now_us() - self._fetched_us >= _FETCH_EVERY_US:
            self.fetch()

    def fetch(self) -> None:
        """Fetch the samples recorded until now."""
        self._fetched_us = self._now_us()
        for number, board in enumerate(self._boards):
            try:
                new = board.power_samples_w(self._latest_us[number])
            except NvmlError:
                continue  # no new sample, or a board without a record: `energy_j` finds the gap
            self._samples[number] += new
            self._latest_us[number] = new[-1][0] if new else self._latest_us[number]

    def energy_j(self, began_ns: int, ended_ns: int) -> float | None:
        """Return the energy (J) of all boards over a window, or None where samples are missing."""
        edges = began_ns / 1e3 + self._clock_offset_us, ended_ns / 1e3 + self._clock_offset_us
        parts = [_integrate(samples, *edges) for samples in self._samples]
        return None if None in parts else sum(part for part in parts if part is not None)


def _integrate(samples: Sequence[Sample], began_us: float, ended_us: float) -> float | None:
    """Return the energy (J) by the trapezoidal rule, or None where samples are missing.

    At the edges of the window the power is that of the nearest sample.
    """
    inside = [sample for sample in samples if began_us <= sample[0] <= ended_us]
    if not inside:
        return None
    points = [(began_us, inside[0][1]), *inside, (ended_us, inside[-1][1])]
    if max(later - earlier for (earlier, _), (later, _) in pairwise(points)) > _LARGEST_GAP_US:
        return None
    return sum(
        (later - earlier) / 1e6 * (first_w + last_w) / 2
        for (earlier, first_w), (later, last_w) in pairwise(points)
    )
