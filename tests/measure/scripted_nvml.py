"""Scripted NVML: boards that draw power for the work of a `FakeCuda`, by the manual clock."""
# ruff: noqa: N802, N815  (the names are NVML's)

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

if TYPE_CHECKING:
    from tests.measure.conftest import ManualClock

P = ParamSpec("P")
R = TypeVar("R")

EPOCH_US = 1_790_000_000_000_000
"""The time of day (µs) at which the manual clock is 0."""
_NOT_SUPPORTED = 3
_ENERGY_TAKES_S = 0.003
_SAMPLES_TAKE_S = 0.0003
_SAMPLE_EVERY_NS = 20_000_000
_SAMPLES = 120
_SINCE_LOADED_J = 50_000.0
_REASONS = {
    74: "SwPowerCap",
    269: "SwThermalSlowdown",
    270: "HwThermalSlowdown",
    271: "HwPowerBrakeSlowdown",
}


class NVMLError(Exception):
    pass


@dataclass(eq=False)
class ScriptedBoard:
    """One board; a test changes the attributes that it needs.

    ``worked_ns`` returns how long it has worked until a moment of the clock. The energy counter
    shows what was drawn ``lag_s`` before its last full step, passed through ``shown`` with the
    seconds of the clock. ``errors`` has NVML's error text by the name of the failing function.
    """

    uuid: str
    worked_ns: Callable[[int], int]
    idle_w: float = 100.0
    busy_w: float = 600.0
    step_s: float = 0.1
    phase_s: float = 0.0
    lag_s: float = 0.0
    shown: Callable[[float, float], float] = lambda energy_j, _: energy_j
    samples_by: float = 1.0
    limit_mw: int = 700_000
    sm_clock_mhz: int = 1980
    temperature_c: int = 45
    slowed: list[tuple[str, float, float]] = field(default_factory=list)
    counts_slowdowns: bool = True
    processes: dict[int, int | None] = field(default_factory=lambda: {os.getpid(): None})
    errors: dict[str, str] = field(default_factory=dict)

    def slow(self, reason: str, began_s: float, ended_s: float) -> None:
        """Slow the board down for a time, for a reason by NVML's name: ``SwPowerCap``, ..."""
        self.slowed.append((reason, began_s, ended_s))

    def drawn_j(self, began_ns: int, ended_ns: int) -> float:
        """Return the true energy (J) that the board drew between two moments of the clock."""
        worked_ns = self.worked_ns(ended_ns) - self.worked_ns(began_ns)
        idle_ns = ended_ns - began_ns - worked_ns
        return (self.idle_w * idle_ns + self.busy_w * worked_ns) / 1e9

    def counter_mj(self, now_ns: int) -> int:
        step_ns, phase_ns = round(self.step_s * 1e9), round(self.phase_s * 1e9)
        stepped_ns = (now_ns - phase_ns) // step_ns * step_ns + phase_ns
        drawn_j = _SINCE_LOADED_J + self.drawn_j(0, stepped_ns - round(self.lag_s * 1e9))
        return round(self.shown(drawn_j, now_ns / 1e9) * 1e3)

    def samples(self, now_ns: int, after_us: int) -> list[SimpleNamespace]:
        latest = now_ns // _SAMPLE_EVERY_NS
        found = []
        for number in range(max(1, latest - _SAMPLES + 1), latest + 1):
            at_ns = number * _SAMPLE_EVERY_NS
            stamp_us = EPOCH_US + at_ns // 1000
            if stamp_us > after_us:
                drawn_j = self.drawn_j(at_ns - _SAMPLE_EVERY_NS, at_ns)
                milliwatts = round(self.samples_by * drawn_j * 1e12 / _SAMPLE_EVERY_NS)
                value = SimpleNamespace(uiVal=milliwatts)
                found.append(SimpleNamespace(timeStamp=stamp_us, sampleValue=value))
        return found

    def slowed_ns(self, reason: str, now_ns: int) -> int:
        now_s = now_ns / 1e9
        return sum(
            round((min(ended_s, now_s) - began_s) * 1e9)
            for name, began_s, ended_s in self.slowed
            if name == reason and began_s < now_s
        )

    def is_slowed(self, reason: str, now_ns: int) -> bool:
        return any(
            name == reason and began_s <= now_ns / 1e9 < ended_s
            for name, began_s, ended_s in self.slowed
        )


def _board_query(
    function: Callable[Concatenate["ScriptedNvml", ScriptedBoard, P], R],
) -> Callable[Concatenate["ScriptedNvml", ScriptedBoard, P], R]:
    @wraps(function)
    def query(
        nvml: "ScriptedNvml", board: ScriptedBoard, /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        function_name = function.__name__
        if not nvml.sessions:
            raise NVMLError("Uninitialized")
        if function_name in board.errors:
            raise NVMLError(board.errors[function_name])
        nvml.queries.append((nvml.clock(), function_name))
        return function(nvml, board, *args, **kwargs)

    return query


class ScriptedNvml:
    """The part of `pynvml` that the package uses. ``queries`` are all calls, with their times.

    ``slices`` are boards by the UUID of a MIG slice of them; ``init_error`` is why a connection
    fails.
    """

    NVMLError = NVMLError
    NVML_TOTAL_POWER_SAMPLES = 0
    NVML_TEMPERATURE_GPU = 0
    NVML_CLOCK_SM = 1
    NVML_FI_DEV_CLOCKS_EVENT_REASON_SW_POWER_CAP = 74
    NVML_FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN = 269
    NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN = 270
    NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN = 271
    nvmlClocksEventReasonSwPowerCap = 4
    nvmlClocksEventReasonSwThermalSlowdown = 32
    nvmlClocksEventReasonHwThermalSlowdown = 64
    nvmlClocksEventReasonHwPowerBrakeSlowdown = 128

    def __init__(self, clock: "ManualClock", boards: list[ScriptedBoard]) -> None:
        self.clock = clock
        self.boards = boards
        self.slices: dict[str, ScriptedBoard] = {}
        self.init_error: str | None = None
        self.sessions = 0
        self.queries: list[tuple[int, str]] = []

    def nvmlInit(self) -> None:
        if self.init_error is not None:
            raise NVMLError(self.init_error)
        self.sessions += 1

    def nvmlShutdown(self) -> None:
        self.sessions -= 1

    def nvmlSystemGetDriverVersion(self) -> str:
        return "580.159.04"

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> Any:
        if uuid.removeprefix("MIG-") in self.slices:
            return uuid
        found = [board for board in self.boards if f"GPU-{board.uuid}" == uuid]
        if not found:
            raise NVMLError("Not Found")
        return found[0]

    def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self, handle: str) -> ScriptedBoard:
        return self.slices[handle.removeprefix("MIG-")]

    @_board_query
    def nvmlDeviceGetTotalEnergyConsumption(self, board: ScriptedBoard) -> int:
        self.clock.advance(_ENERGY_TAKES_S)
        return board.counter_mj(self.clock())

    @_board_query
    def nvmlDeviceGetSamples(
        self, board: ScriptedBoard, kind: int, after_us: int
    ) -> tuple[int, list[SimpleNamespace]]:
        assert kind == self.NVML_TOTAL_POWER_SAMPLES
        self.clock.advance(_SAMPLES_TAKE_S)
        found = board.samples(self.clock(), after_us)
        if not found:
            raise NVMLError("Not Found")
        return 1, found

    @_board_query
    def nvmlDeviceGetPowerManagementLimit(self, board: ScriptedBoard) -> int:
        return board.limit_mw

    @_board_query
    def nvmlDeviceGetClockInfo(self, board: ScriptedBoard, kind: int) -> int:
        assert kind == self.NVML_CLOCK_SM
        return board.sm_clock_mhz

    @_board_query
    def nvmlDeviceGetTemperature(self, board: ScriptedBoard, kind: int) -> int:
        assert kind == self.NVML_TEMPERATURE_GPU
        return board.temperature_c

    @_board_query
    def nvmlDeviceGetCurrentClocksEventReasons(self, board: ScriptedBoard) -> int:
        bits = [
            getattr(self, f"nvmlClocksEventReason{reason}")
            for reason in _REASONS.values()
            if board.is_slowed(reason, self.clock())
        ]
        return sum(bits)

    @_board_query
    def nvmlDeviceGetFieldValues(
        self, board: ScriptedBoard, fields: list[int]
    ) -> list[SimpleNamespace]:
        status = 0 if board.counts_slowdowns else _NOT_SUPPORTED
        return [
            SimpleNamespace(
                fieldId=each,
                nvmlReturn=status,
                value=SimpleNamespace(ullVal=board.slowed_ns(_REASONS[each], self.clock())),
            )
            for each in fields
        ]

    @_board_query
    def nvmlDeviceGetComputeRunningProcesses(self, board: ScriptedBoard) -> list[SimpleNamespace]:
        return [
            SimpleNamespace(pid=pid, usedGpuMemory=size) for pid, size in board.processes.items()
        ]
