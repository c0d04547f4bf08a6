"""The host reference: a little loop of our own that feels the host's mood as a call does."""

from collections.abc import Callable, Sequence
from typing import Any

from pytest_pareto.measure.device import Device, loaded_torch
from pytest_pareto.measure.meter import absent
from pytest_pareto.model.formatting import percent
from pytest_pareto.model.metric import DEVICE_TIME, HOST_REFERENCE, LATENCY
from pytest_pareto.model.run import Measurement

_LAUNCHES = 300
_SHARE = 0.02
_BUSY = 0.9


class HostReference:
    """Times launches of a small kernel between the calls of a window.

    Where the host launches slowly, latency mostly tells how slowly. Measured on an H200, the
    log median of this loop followed that of two pipelines over 9 processes with r = 0.93 and
    0.97; a loop of module forwards did no better for twice the time, one of plain Python worse.
    """

    def __init__(self, device: Device, clock: Callable[[], int]) -> None:
        torch: Any = loaded_torch()
        self._device = device
        self._clock = clock
        self._operand = torch.zeros(8, device="cuda")
        self._launch()  # the first pays for loading the kernel
        self._expected_s = self._launch()
        self._spent_s = 0.0
        self._readings: list[float] = []

    def catch_up(self, elapsed_s: float) -> None:
        """Run the loop as often as its share of ``elapsed_s`` seconds still allows."""
        while self._spent_s + self._expected_s <= _SHARE * elapsed_s:
            self._expected_s = self._launch()
            self._spent_s += self._expected_s
            self._readings.append(self._expected_s)

    def measurement(self) -> Measurement:
        """Return a reading (s) of each time that the loop ran."""
        if not self._readings:
            reason = f"the window was too short to spend {percent(_SHARE)} of it on the reference"
            return Measurement(HOST_REFERENCE, absent=reason)
        return Measurement(HOST_REFERENCE, tuple(self._readings))

    def _launch(self) -> float:
        self._device.synchronize()
        start_ns = self._clock()
        for _ in range(_LAUNCHES):
            self._operand.add_(1)
        self._device.synchronize()
        return (self._clock() - start_ns) / 1e9


def unless_gpu_bound(measurements: Sequence[Measurement], gpus: int) -> tuple[Measurement, ...]:
    """Drop the reference of a call that does not wait for its host.

    Where its ``gpus`` work through nearly the whole call, latency does not follow the reference,
    and adjusting it by one would add noise.
    """
    found = {each.metric.name: each for each in measurements}
    names = (LATENCY.name, DEVICE_TIME.name, HOST_REFERENCE.name)
    latency, device_time, reference = (found.get(name) for name in names)
    if not (latency and device_time and reference):
        return tuple(measurements)
    if not (latency.values and device_time.values and reference.values):
        return tuple(measurements)
    from statistics import median  # 4 ms, which tests that measure nothing are spared

    latency_s = median(latency.values)
    busy = median(device_time.values) / gpus / latency_s if latency_s else 0.0
    if busy < _BUSY:
        return tuple(measurements)
    (dropped,) = absent(
        (reference.metric,), f"kernels fill {percent(busy)} of the call: the host is no bottleneck"
    )
    return tuple(dropped if each is reference else each for each in measurements)
