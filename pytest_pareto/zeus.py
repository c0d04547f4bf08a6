"""Energy measured by the package zeus: AMD GPUs, Apple silicon, and processors."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib.util import find_spec
from io import StringIO
from typing import Any

from pytest_pareto.measure.device import CudaDevice
from pytest_pareto.measure.loop import call_for_seconds, warm_up
from pytest_pareto.measure.meter import Calls, error_summary
from pytest_pareto.model.errors import ParetoError, pip_install
from pytest_pareto.model.metric import ENERGY, Better, Kind, Metric, Scope
from pytest_pareto.model.run import Measurement

CPU_ENERGY = Metric("cpu_energy", "J", Better.LOWER, Kind.RUN, Scope.HOST, 0.05, relative=True)
_WINDOW_S = 5.0
_HELPER_START_S = 2.0
"""The first reading of RAPL starts helper processes, whose energy is not that of the calls."""
_WINDOW_NAME = "pytest-pareto"
_APPLE_GPU = ("gpu_mj", "gpu_sram_mj", "ane_mj", "dram_mj")
"""What a board's counter would cover: the GPU, the neural engine, and their shared memory."""
_APPLE_CPU = ("cpu_total_mj",)
_METRICS = {metric.name: metric for metric in (ENERGY, CPU_ENERGY)}


class ZeusEnergyMeter:
    """`energy` (J) of GPUs or Apple silicon and `cpu_energy` (J) of processors, of one call.

    Enabled in a project's ``conftest.py``, once zeus is installed (the extra ``zeus``)::

        from pytest_pareto.zeus import ZeusEnergyMeter

        def pytest_pareto_meters(config):
            return [ZeusEnergyMeter()]

    It replaces the built-in `energy`, which supports NVIDIA's boards; to keep that one,
    ``ZeusEnergyMeter(gpus=False)`` adds `cpu_energy` alone. It measures synchronised calls in
    the steady state for five seconds, however few the plan requests, `setup` included. GPUs are
    those that this process uses through torch; `cpu_energy` covers whole packages (RAPL, which
    by default only root may read on Linux), and so all processes that run on them. What
    zeus cannot read, or reads as 0, is absent with its reason.
    """

    def __init__(self, *, gpus: bool = True, cpus: bool = True) -> None:
        if not (gpus or cpus):
            raise ParetoError("ZeusEnergyMeter without gpus and without cpus measures nothing")
        self.metrics = (ENERGY,) * gpus + (CPU_ENERGY,) * cpus
        self._started = False

    def absence(self) -> str | None:
        """Return that zeus is not installed, or None."""
        if find_spec("zeus") is None:
            return "zeus is not installed; " + pip_install("zeus")
        return None

    def measure(self, calls: Calls) -> Sequence[Measurement]:
        """Call for five seconds between two readings of the counters; return the measurements."""
        with _silence_zeus():
            monitor, missing = _open_monitor(calls)
        measurements = {
            name: Measurement(_METRICS[name], absent=why) for name, why in missing.items()
        }
        try:
            if calls.wanted - missing.keys():
                warm_up(calls)
                if monitor.cpu_indices and not self._started:
                    call_for_seconds(calls, _HELPER_START_S)
                    self._started = True
                measurements = _measure_window(monitor, calls) | measurements
        finally:
            with _silence_zeus():
                _stop_polling(monitor)
        return [measurements[metric.name] for metric in self.metrics if metric.name in calls.wanted]


def _open_monitor(calls: Calls) -> tuple[Any, dict[str, str]]:
    """Return zeus's monitor of the requested metrics, and why it lacks some of them."""
    from zeus import device
    from zeus.monitor import ZeusMonitor

    # zeus numbers GPUs as torch does: those that are visible to the process.
    used = calls.device.indexes if isinstance(calls.device, CudaDevice) else ()
    gpus = list(used) if ENERGY.name in calls.wanted else []
    missing: dict[str, str] = {}
    if gpus:
        try:
            device.get_gpus()
        except Exception as error:  # zeus's own, and what the vendors' libraries raise
            missing[ENERGY.name] = f"zeus cannot read the GPU: {error_summary(error)}"
            gpus = []
    cpu_indices: list[int] | None = None if CPU_ENERGY.name in calls.wanted else []
    monitor = ZeusMonitor(gpu_indices=gpus, cpu_indices=cpu_indices)
    if monitor.soc_is_present:
        return monitor, {}
    if ENERGY.name in calls.wanted and not gpus:
        missing.setdefault(ENERGY.name, "no GPU was used, and this is no Apple silicon")
    if CPU_ENERGY.name in calls.wanted and not monitor.cpu_indices:
        missing[CPU_ENERGY.name] = _cpu_absence(device)
    for index in monitor.cpu_indices:
        monitor.cpus.get_total_energy_consumption(index)  # starts zeus's helper, before all calls
    return monitor, missing


def _cpu_absence(device: Any) -> str:
    # The monitor omits processors without giving the reason.
    try:
        device.get_cpus()
    except Exception as error:  # no RAPL, no permission to read it, another kind of processor, ...
        return f"zeus cannot read the processor: {error_summary(error)}"
    return "zeus found no processor with an energy counter"


def _measure_window(monitor: Any, calls: Calls) -> dict[str, Measurement]:
    """Return the measurements of the monitor's metrics over a window of calls, by name."""
    calls.device.synchronize()
    with _silence_zeus():
        monitor.begin_window(_WINDOW_NAME, sync_execution=False, restart=True)
    done, seconds = call_for_seconds(calls, _WINDOW_S)
    with _silence_zeus():
        window = monitor.end_window(_WINDOW_NAME, sync_execution=False)
    parts = {
        ENERGY: [*window.gpu_energy.values(), *_apple_j(window.soc_energy, _APPLE_GPU)],
        CPU_ENERGY: [
            *(window.cpu_energy or {}).values(),
            *_apple_j(window.soc_energy, _APPLE_CPU),
        ],
    }
    return {
        metric.name: _measurement(metric, energies_j, done, seconds)
        for metric, energies_j in parts.items()
    }


def _measurement(
    metric: Metric, energies_j: Sequence[float], calls: int, seconds: float
) -> Measurement:
    # A part that reads 0 is unknown, so the sum of the others would be too small.
    if not energies_j or min(energies_j) <= 0:
        read = ", ".join(f"{energy:g} J" for energy in energies_j) or "nothing"
        return Measurement(metric, absent=f"zeus read {read} in {seconds:.1f} s of calls")
    total_j = sum(energies_j)
    note = f"{calls} calls in {seconds:.1f} s at {total_j / seconds:.0f} W, by zeus"
    return Measurement(metric, (total_j / calls,), notes=(note,))


def _apple_j(soc: Any, fields: Sequence[str]) -> list[float]:
    """Return the summed energy (J) of parts of an Apple chip as one reading, or []."""
    parts_mj = [getattr(soc, field, None) for field in fields]
    known_mj = [part for part in parts_mj if part is not None]
    return [sum(known_mj) / 1e3] if known_mj else []


def _stop_polling(monitor: Any) -> None:
    # zeus polls GPUs without a counter from processes that would disturb later measurements.
    if monitor.power_monitor is not None:
        monitor.power_monitor.stop()


@contextmanager
def _silence_zeus() -> Iterator[None]:
    """Suppress what zeus prints, logs and warns about."""
    logger = logging.getLogger("zeus")
    propagate, logger.propagate = logger.propagate, False
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.propagate = propagate
