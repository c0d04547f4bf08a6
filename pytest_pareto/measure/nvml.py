"""NVML, the driver's management library: energy, power, clocks and processes of a GPU board.

`open_nvml` connects to the driver. This is the only module that calls NVML (package pynvml).
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pytest_pareto.measure.meter import error_summary
from pytest_pareto.model.errors import ParetoError

_SLOWDOWNS = {
    "hardware thermal slowdown": ("HW_THERM_SLOWDOWN", "HwThermalSlowdown"),
    "hardware power brake": ("HW_POWER_BRAKE_SLOWDOWN", "HwPowerBrakeSlowdown"),
    "software thermal slowdown": ("SW_THERM_SLOWDOWN", "SwThermalSlowdown"),
    "software power cap": ("SW_POWER_CAP", "SwPowerCap"),
}


class NvmlError(ParetoError):
    """NVML cannot provide a value here; the text gives the reason."""


@dataclass(frozen=True, slots=True)
class Slowdown:
    """One cause of reduced clocks: its total time since the driver was loaded, and its state.

    ``total_ns`` is None where the driver does not count it. ``now`` is whether it is active.
    """

    total_ns: int | None
    now: bool


@dataclass(frozen=True, slots=True)
class Board:
    """One GPU board.

    ``name`` is a short hash of its UUID; ``is_mig_slice`` is true where this process has only a
    part of the board (MIG). Methods raise NvmlError where NVML does not provide the value here.
    """

    nvml: Any
    handle: Any
    name: str
    is_mig_slice: bool = False

    def energy_j(self) -> float:
        """Return the energy (J) since the driver was loaded.

        The counter moves in steps of about 0.1 s.
        """
        return float(self._query("nvmlDeviceGetTotalEnergyConsumption")) / 1e3

    def power_samples_w(self, after_us: int) -> list[tuple[int, float]]:
        """Return (µs since the epoch, W) pairs, as far back as the driver's record reaches."""
        kind = self.nvml.NVML_TOTAL_POWER_SAMPLES
        _, samples = self._query("nvmlDeviceGetSamples", kind, after_us)
        return [(int(s.timeStamp), s.sampleValue.uiVal / 1e3) for s in samples]

    def power_limit_w(self) -> float:
        """Return the power limit (W) that the driver enforces."""
        return float(self._query("nvmlDeviceGetPowerManagementLimit")) / 1e3

    def sm_clock_mhz(self) -> int:
        """Return the clock of the multiprocessors (MHz)."""
        return int(self._query("nvmlDeviceGetClockInfo", self.nvml.NVML_CLOCK_SM))

    def temperature_c(self) -> int:
        """Return the temperature of the chip (°C)."""
        return int(self._query("nvmlDeviceGetTemperature", self.nvml.NVML_TEMPERATURE_GPU))

    def slowdowns(self) -> dict[str, Slowdown]:
        """Return what reduces the clocks, by name."""
        bits = int(self._query("nvmlDeviceGetCurrentClocksEventReasons"))
        fields = [
            getattr(self.nvml, f"NVML_FI_DEV_CLOCKS_EVENT_REASON_{field}", None)
            for field, _ in _SLOWDOWNS.values()
        ]
        totals = self._field_values([field for field in fields if field is not None])
        return {
            name: Slowdown(
                totals.get(field),
                bool(bits & getattr(self.nvml, f"nvmlClocksEventReason{reason}")),
            )
            for field, (name, (_, reason)) in zip(fields, _SLOWDOWNS.items(), strict=True)
        }

    def _field_values(self, fields: list[int]) -> dict[int | None, int]:
        try:
            values = self._query("nvmlDeviceGetFieldValues", fields)
        except NvmlError:
            return {}
        return {v.fieldId: int(v.value.ullVal) for v in values if v.nvmlReturn == 0}

    def compute_processes(self) -> dict[int, int | None]:
        """Return the bytes used by each process with a CUDA context, by pid; None where unknown."""
        found = self._query("nvmlDeviceGetComputeRunningProcesses")
        return {int(process.pid): process.usedGpuMemory for process in found}

    def _query(self, function_name: str, *args: object) -> Any:
        try:
            return getattr(self.nvml, function_name)(self.handle, *args)
        except (self.nvml.NVMLError, AttributeError) as error:
            raise NvmlError(f"NVML has no answer to {function_name} ({error})") from None


@dataclass(frozen=True, slots=True)
class Nvml:
    """An open connection to the driver."""

    nvml: Any

    def driver(self) -> str:
        """Return the version of the driver."""
        try:
            return str(self.nvml.nvmlSystemGetDriverVersion())
        except self.nvml.NVMLError as error:
            raise NvmlError(f"NVML does not know its driver ({error})") from None

    def board(self, uuid: str) -> Board:
        """Return the board with this UUID, or the board of which it is a slice.

        Boards are looked up by UUID because NVML has its own numbering, which includes hidden
        boards.
        """
        get_handle = self.nvml.nvmlDeviceGetHandleByUUID
        try:
            return Board(self.nvml, get_handle(f"GPU-{uuid}"), board_name(uuid))
        except self.nvml.NVMLError as error:
            reason = error
        try:
            mig_handle = get_handle(f"MIG-{uuid}")
            board_handle = self.nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(mig_handle)
            return Board(self.nvml, board_handle, board_name(uuid), is_mig_slice=True)
        except self.nvml.NVMLError:
            raise NvmlError(f"NVML does not know this GPU by its UUID ({reason})") from None


def board_name(uuid: str) -> str:
    """Return a short hash of a board's UUID, which does not reveal the UUID itself."""
    return hashlib.sha256(uuid.encode()).hexdigest()[:8]


@contextmanager
def open_nvml() -> Iterator[Nvml]:
    """Connect to the driver for the duration of the context.

    Raises NvmlError where NVML is not available: no library, no driver, no permission, ...
    """
    try:
        import pynvml as nvml

        nvml.nvmlInit()
    except Exception as error:  # one of the library, or an OSError of loading it
        raise NvmlError(f"NVML cannot be used here ({error_summary(error)})") from None
    try:
        yield Nvml(nvml)
    finally:
        nvml.nvmlShutdown()
