"""NVML, by which the driver tells of a board: the only module that asks it."""

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
    """What was asked of NVML is not to be had here; the text says why."""


@dataclass(frozen=True, slots=True)
class Slowdown:
    """One thing that holds clocks down: for how long since the driver runs, and whether now.

    ``total_ns`` is None where the driver does not count it.
    """

    total_ns: int | None
    now: bool


@dataclass(frozen=True, slots=True)
class Board:
    """One GPU. ``name`` is a short hash of its UUID; ``sliced`` where we have but a part (MIG).

    Raises NvmlError where a question has no answer here.
    """

    nvml: Any
    handle: Any
    name: str
    is_mig_slice: bool = False

    def energy_j(self) -> float:
        """Energy since the driver was loaded; the counter moves in steps of some 0.1 s."""
        return float(self._query("nvmlDeviceGetTotalEnergyConsumption")) / 1e3

    def power_samples_w(self, after_us: int) -> list[tuple[int, float]]:
        """Power by time (µs since the epoch), as far back as the driver remembers."""
        kind = self.nvml.NVML_TOTAL_POWER_SAMPLES
        _, samples = self._query("nvmlDeviceGetSamples", kind, after_us)
        return [(int(s.timeStamp), s.sampleValue.uiVal / 1e3) for s in samples]

    def power_limit_w(self) -> float:
        """Return the limit that the driver holds the board to."""
        return float(self._query("nvmlDeviceGetPowerManagementLimit")) / 1e3

    def sm_clock_mhz(self) -> int:
        """Return the clock of the multiprocessors."""
        return int(self._query("nvmlDeviceGetClockInfo", self.nvml.NVML_CLOCK_SM))

    def temperature_c(self) -> int:
        """Return the temperature of the chip."""
        return int(self._query("nvmlDeviceGetTemperature", self.nvml.NVML_TEMPERATURE_GPU))

    def slowdowns(self) -> dict[str, Slowdown]:
        """Return what holds the clocks down, by name."""
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
        """Return the bytes that each process with a CUDA context has, None where unknown."""
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
        """Find the board with this UUID, or the one that this is a slice of.

        Boards are found by UUID because NVML numbers them by itself and sees hidden ones too.
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
    """Return a short hash of a board's UUID, which identifies it without telling it."""
    return hashlib.sha256(uuid.encode()).hexdigest()[:8]


@contextmanager
def open_nvml() -> Iterator[Nvml]:
    """Connect to the driver for as long as the context lasts.

    Raises NvmlError where there is no NVML: no library, no driver, no permission, ...
    """
    try:
        import pynvml as nvml

        nvml.nvmlInit()
    except Exception as error:  # the library's own, or an OSError of loading it
        raise NvmlError(f"NVML cannot be used here ({error_summary(error)})") from None
    try:
        yield Nvml(nvml)
    finally:
        nvml.nvmlShutdown()
