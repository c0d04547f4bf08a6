"""Memory of one call on CUDA: what torch's allocator handed out, reserved, and did not see."""

import gc
import os
from collections.abc import Sequence

from pytest_pareto.measure.device import (
    NO_CUDA,
    CudaDevice,
    cumulative_allocated_bytes,
    initialized_cuda,
)
from pytest_pareto.measure.loop import warm_up
from pytest_pareto.measure.meter import Calls, absent
from pytest_pareto.measure.meters.throttling import ThrottlingMonitor
from pytest_pareto.measure.nvml import NvmlError
from pytest_pareto.model.metric import OTHER_MEMORY, PEAK_MEMORY, RESERVED_MEMORY
from pytest_pareto.model.run import Measurement


class PeakMemoryMeter:
    """`peak_memory`, `reserved_memory` and `other_memory` (B), summed over the devices used.

    `peak_memory` is what the allocator had handed out at the peak of one call in the steady
    state, in a pass of its own, so that no other meter's memory is counted. Everything alive
    counts: weights, and the first call's result, which the test is about to receive.
    `reserved_memory` is what it held of the device at its peak, with the gaps that earlier
    tests may have left. `other_memory` is what this process holds beside that, by NVML after
    the call: the CUDA context, and libraries that do not ask torch for memory.
    """

    metrics = (PEAK_MEMORY, RESERVED_MEMORY, OTHER_MEMORY)

    def absence(self) -> str | None:
        """Say that there is no CUDA device to ask, if so."""
        return None if initialized_cuda() is not None else NO_CUDA

    def measure(self, calls: Calls) -> Sequence[Measurement]:
        """Reset the allocator's peak, call once and read it."""
        warm_up(calls)
        cuda = initialized_cuda()
        assert cuda is not None
        call = calls.prepare()
        calls.device.synchronize()
        # Garbage in cycles would be counted or not as the collector happens to run.
        gc.collect()
        for index in _device_indexes(calls):
            cuda.reset_peak_memory_stats(index)
        allocated_before = cumulative_allocated_bytes()
        result = call()
        calls.device.synchronize()
        indexes = _device_indexes(calls)
        peak = sum(cuda.max_memory_allocated(index) for index in indexes)
        reserved = sum(cuda.max_memory_reserved(index) for index in indexes)
        other = _other_memory(calls, sum(cuda.memory_reserved(index) for index in indexes))
        del result
        if cumulative_allocated_bytes() == allocated_before:
            # The peak is then whatever other tests hold: it would change with their order.
            return absent(
                self.metrics,
                "the call allocated no CUDA memory: it replays a CUDA graph, or uses no GPU",
            )
        return (
            Measurement(PEAK_MEMORY, (float(peak),)),
            Measurement(RESERVED_MEMORY, (float(reserved),)),
            other,
        )


def _device_indexes(calls: Calls) -> tuple[int, ...]:
    assert isinstance(calls.device, CudaDevice)
    return calls.device.own_indexes


def _other_memory(calls: Calls, reserved: int) -> Measurement:
    with ThrottlingMonitor(calls) as monitor:
        if monitor.nvml_absence is not None:
            return absent((OTHER_MEMORY,), monitor.nvml_absence)[0]
        try:
            held_sizes = [board.compute_processes().get(os.getpid()) for board in monitor.boards]
        except NvmlError as error:
            return absent((OTHER_MEMORY,), str(error))[0]
    if None in held_sizes:
        reason = "NVML does not tell this process's memory (in a container, pids may differ)"
        return absent((OTHER_MEMORY,), reason)[0]
    other = sum(size for size in held_sizes if size is not None) - reserved
    if other < 0:
        reason = "NVML counts less for this process than torch has reserved"
        return absent((OTHER_MEMORY,), reason)[0]
    return Measurement(OTHER_MEMORY, (float(other),))
