"""Conditions of a window of calls: what slowed the GPU down, and what kept the host from working.

`ThrottlingMonitor` records them, and repeats a window in which heat slowed a GPU down.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self, TypeVar

from pytest_pareto.measure.device import NO_CUDA, CudaDevice
from pytest_pareto.measure.machine import device_uuids
from pytest_pareto.measure.meter import Calls
from pytest_pareto.measure.meters.contention import HostConditions, HostSnapshot
from pytest_pareto.measure.nvml import Board, NvmlError, Slowdown, open_nvml
from pytest_pareto.model.formatting import percent
from pytest_pareto.model.run import Measurement

T = TypeVar("T")

_MAX_WINDOWS = 3
_MIN_REPORTED_SHARE = 0.01
_POWER_CAP = "software power cap"
"""The only slowdown of a healthy GPU: it reaches its power limit under heavy load."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of one board at one moment; None or empty where the driver does not provide it."""

    sm_clock_mhz: int | None
    temperature_c: int | None
    slowdowns: Mapping[str, Slowdown]

    @classmethod
    def of(cls, board: Board) -> "Snapshot":
        """Return the current state of a board, from the driver."""
        return cls(
            _query_or_none(board.sm_clock_mhz),
            _query_or_none(board.temperature_c),
            _query_or_none(board.slowdowns) or {},
        )


def _query_or_none(query: Callable[[], T]) -> T | None:
    try:
        return query()
    except NvmlError:
        return None


@dataclass(frozen=True, slots=True)
class Conditions:
    """The state of one board over a window: its clocks, and the share of time of each slowdown.

    ``sm_clocks_mhz`` are those that were read within the window and at its end.
    """

    sm_clocks_mhz: tuple[int, ...]
    temperature_c: int | None
    shares: Mapping[str, float]

    @classmethod
    def between(
        cls, before: Snapshot, after: Snapshot, seconds: float, clocks_mhz: Sequence[int] = ()
    ) -> "Conditions":
        """Return the conditions of a window from the snapshots at its edges, and clocks within.

        Where the driver does not count slowdown time, a slowdown at an edge counts as the whole
        window.
        """
        shares = {}
        for name, last in after.slowdowns.items():
            first = before.slowdowns.get(name, last)
            if first.total_ns is None or last.total_ns is None:
                share = float(first.now or last.now)
            else:
                share = min(1.0, (last.total_ns - first.total_ns) / 1e9 / seconds)
            if share >= _MIN_REPORTED_SHARE:
                shares[name] = share
        last_mhz = () if after.sm_clock_mhz is None else (after.sm_clock_mhz,)
        return cls((*clocks_mhz, *last_mhz), after.temperature_c, shares)

    @property
    def slowdown_reason(self) -> str | None:
        """What kept the board from its usual speed, or None. A power cap is usual."""
        parts = [
            f"{name} {percent(share)}" for name, share in self.shares.items() if name != _POWER_CAP
        ]
        return " and ".join(parts) or None

    @property
    def is_power_capped(self) -> bool:
        """Whether the board's power limit lowered its clock."""
        return _POWER_CAP in self.shares

    @property
    def notes(self) -> tuple[str, ...]:
        """The conditions as notes of a measurement."""
        at_end = [] if self.temperature_c is None else [f"{self.temperature_c} °C"]
        parts = []
        clocks = sorted({*self.sm_clocks_mhz})
        if len(clocks) == 1:
            at_end.insert(0, f"{clocks[0]} MHz")
        elif clocks:
            parts.append(f"{clocks[0]} to {clocks[-1]} MHz")
        if at_end:
            parts.append(f"{' and '.join(at_end)} at the end")
        capped = self.shares.get(_POWER_CAP)
        cap = "" if capped is None else f"{_POWER_CAP} for {percent(capped)} of the time"
        return tuple(note for note in (", ".join(parts), cap) if note)


class ThrottlingMonitor:
    """Monitors the GPUs in use, and the host, during a measurement.

    ``boards`` is empty where NVML is not available; ``nvml_absence`` is then the reason.
    ``slowdown_reason`` is why the last window is invalid, or None. ``host`` is what the host gave
    the last window, None where the clock of the calls is not that of the host.
    """

    def __init__(self, calls: Calls, read_host: Callable[[], HostSnapshot] | None = None) -> None:
        self._calls = calls
        self._read_host = read_host or HostSnapshot.now
        self.host: HostConditions | None = None
        self._exit_stack = ExitStack()
        self.boards: tuple[Board, ...] = ()
        self.nvml_absence: str | None = None
        self.slowdown_reason: str | None = None
        self._conditions: tuple[Conditions, ...] = ()
        self._clocks_mhz: list[list[int]] = []

    def __enter__(self) -> Self:
        device = self._calls.device
        if not isinstance(device, CudaDevice):
            self.nvml_absence = NO_CUDA
            return self
        uuids = device_uuids(device.cuda, device.own_indexes)
        if not uuids:
            self.nvml_absence = (
                "torch does not report the UUIDs of its devices, by which NVML finds them"
            )
            return self
        try:
            nvml = self._exit_stack.enter_context(open_nvml())
            self.boards = tuple(nvml.board(uuid) for uuid in uuids)
        except NvmlError as error:
            self.nvml_absence = str(error)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._exit_stack.close()

    def repeat_while_throttled(self, window: Callable[[], T]) -> T:
        """Return what ``window`` returns; repeat it, within bounds, while heat slows a GPU down.

        The window makes its calls within `recording_conditions`: before and after them a GPU is
        idle, and neither its clock nor its slowdowns then belong to the calls.
        """
        for _ in range(_MAX_WINDOWS):
            result = window()
            reason = next(
                (c.slowdown_reason for c in self._conditions if c.slowdown_reason is not None), None
            )
            self.slowdown_reason = reason and (
                f"the GPU was slowed down in each of {_MAX_WINDOWS} windows ({reason} of the last "
                "one); let it cool, and see what heats it or limits its power"
            )
            if self.slowdown_reason is None:
                break
        return result

    @contextmanager
    def recording_conditions(self) -> Iterator[None]:
        """Record the conditions before and after the calls that are made within the block."""
        self._clocks_mhz = [[] for _ in self.boards]
        before, began_ns = self._snapshots(), self._calls.clock()
        host_before = self._host_snapshot()
        yield
        host_after = self._host_snapshot()
        seconds = (self._calls.clock() - began_ns) / 1e9
        if host_before is not None and host_after is not None:
            self.host = HostConditions.between(host_before, host_after)
        self._conditions = tuple(
            Conditions.between(first, last, seconds, clocks_mhz)
            for first, last, clocks_mhz in zip(
                before, self._snapshots(), self._clocks_mhz, strict=True
            )
        )

    @property
    def is_power_capped(self) -> bool:
        """Whether a power limit lowered a board's clock in the last window."""
        return any(each.is_power_capped for each in self._conditions)

    def record_clocks(self) -> None:
        """Record the boards' clocks at this moment of the window, right after calls."""
        for board, clocks_mhz in zip(self.boards, self._clocks_mhz, strict=True):
            clock_mhz = _query_or_none(board.sm_clock_mhz)
            if clock_mhz is not None:
                clocks_mhz.append(clock_mhz)

    def _host_snapshot(self) -> HostSnapshot | None:
        return self._read_host() if self._calls.clock is time.perf_counter_ns else None

    def _snapshots(self) -> tuple[Snapshot, ...]:
        return tuple(Snapshot.of(board) for board in self.boards)

    def with_conditions(self, measurement: Measurement) -> Measurement:
        """Return the measurement with the conditions of the GPUs added to its notes."""
        name_boards = len(self._conditions) > 1
        notes = [
            f"GPU {board.name}: {note}" if name_boards else note
            for board, conditions in zip(self.boards, self._conditions, strict=False)
            for note in conditions.notes
        ]
        return replace(measurement, notes=(*measurement.notes, *notes))
