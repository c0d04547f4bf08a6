"""Power over time, from the driver's own record, to check the energy counter by."""

import time
from collections.abc import Callable, Sequence
from itertools import pairwise

from pytest_pareto.measure.machine.nvml import Board, NvmlError

_KEEP_EVERY_US = 1_000_000
_LARGEST_GAP_US = 250_000

Sample = tuple[int, float]


class PowerLog:
    """What the driver recorded of the boards' power since this was made.

    It remembers some seconds (2.4 s in steps of 20 ms on an H200), so `keep` is to be called
    now and then; asking takes 0.3 ms. ``clock`` (ns) is the one that windows are timed by,
    ``now_us`` the one that the driver stamps its samples by: µs since the epoch.
    """

    def __init__(
        self,
        boards: Sequence[Board],
        clock: Callable[[], int],
        now_us: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._boards = boards
        self._now_us = now_us
        self._kept_us = now_us()
        self._ahead_us = self._kept_us - clock() / 1e3
        self._samples: list[list[Sample]] = [[] for _ in boards]
        self._latest_us = [self._kept_us - _LARGEST_GAP_US] * len(boards)

    def keep(self) -> None:
        """Take over what was recorded, if the last time is a while ago."""
        if self._now_us() - self._kept_us >= _KEEP_EVERY_US:
            self.keep_now()

    def keep_now(self) -> None:
        """Take over what was recorded until now."""
        self._kept_us = self._now_us()
        for number, board in enumerate(self._boards):
            try:
                new = board.power_samples_w(self._latest_us[number])
            except NvmlError:
                continue  # nothing new, or a board that keeps no record: the gap will tell
            self._samples[number] += new
            self._latest_us[number] = new[-1][0] if new else self._latest_us[number]

    def energy_j(self, began_ns: int, ended_ns: int) -> float | None:
        """Integrate the power of all boards over a window, or None where the record has gaps."""
        edges = began_ns / 1e3 + self._ahead_us, ended_ns / 1e3 + self._ahead_us
        parts = [_integrate(samples, *edges) for samples in self._samples]
        return None if None in parts else sum(part for part in parts if part is not None)


def _integrate(samples: Sequence[Sample], began_us: float, ended_us: float) -> float | None:
    """Return the energy (J) by the trapezoidal rule; at the edges power is as at the nearest."""
    inside = [sample for sample in samples if began_us <= sample[0] <= ended_us]
    if not inside:
        return None
    points = [(began_us, inside[0][1]), *inside, (ended_us, inside[-1][1])]
    if max(later - sooner for (sooner, _), (later, _) in pairwise(points)) > _LARGEST_GAP_US:
        return None
    return sum(
        (later - sooner) / 1e6 * (first_w + last_w) / 2
        for (sooner, first_w), (later, last_w) in pairwise(points)
    )
