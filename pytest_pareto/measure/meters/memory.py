"""CUDA memory of one call: allocated and reserved by torch, and used beside torch."""

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

    `peak_memory` is what torch's allocator had handed out at the peak of one call in the steady
    state, in a pass of its own, so that no other meter's memory is counted. All live tensors count:
    weights, and the first call's result, which the test is about to receive. `reserved_memory` is
    the device memory that the allocator held at its peak, including gaps that earlier tests may
    have left. `other_memory` is what this process holds beside that, by NVML after the call: the
    CUDA context, and libraries that do not allocate through torch.
    """

    metrics = (PEAK_MEMORY, RESERVED_MEMORY, OTHER_MEMORY)

    def absence(self) -> str | None:
        """Return that no CUDA device was used, or None."""
        return None if initialized_cuda() is not None else NO_CUDA

    def measure(self, calls: Calls) -> Sequence[Measurement]:
        """Reset the allocator's peak, call once, and return the peak."""
        warm_up(calls)
        cuda = initialized_cuda()
        assert cuda is not None
        call = calls.prepare()
        calls.device.synchronize()
        # Whether garbage in cycles counts would otherwise depend on when the collector runs.
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
            # The peak is then the memory of other tests, which depends on their order.
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
