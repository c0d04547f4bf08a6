"""Peak memory: the most that torch's CUDA allocator handed out during one call."""

import gc
from collections.abc import Sequence
from typing import Any

from pytest_pareto.measure.device import initialized_cuda, used_cuda_devices
from pytest_pareto.measure.loop import warm_up
from pytest_pareto.measure.meter import Calls, absent
from pytest_pareto.model.metric import PEAK_MEMORY
from pytest_pareto.model.run import Measurement


class PeakMemoryMeter:
    """`peak_memory` (B): allocated bytes at their peak, summed over the devices used.

    One call in the steady state, in a pass of its own, so that no other meter's memory is
    counted. Everything alive counts: weights, and the first call's result, which the
    test is about to receive. Memory that does not come from torch is not seen.
    """

    metrics = (PEAK_MEMORY,)

    def absence(self) -> str | None:
        """Say that there is no CUDA device to ask, if so."""
        return None if initialized_cuda() is not None else "no CUDA device was used"

    def measure(self, calls: Calls) -> Sequence[Measurement]:
        """Reset the allocator's peak, call once and read it."""
        warm_up(calls)
        cuda = initialized_cuda()
        assert cuda is not None
        call = calls.prepare()
        calls.device.synchronize()
        # Garbage in cycles would be counted or not as the collector happens to run.
        gc.collect()
        for index in used_cuda_devices(cuda):
            cuda.reset_peak_memory_stats(index)
        before = _ever_allocated(cuda)
        result = call()
        calls.device.synchronize()
        peak = sum(cuda.max_memory_allocated(index) for index in used_cuda_devices(cuda))
        del result
        if _ever_allocated(cuda) == before:
            # The peak is then whatever other tests hold: it would change with their order.
            return absent(self.metrics, "the call allocated no CUDA memory")
        return (Measurement(PEAK_MEMORY, (float(peak),)),)


def _ever_allocated(cuda: Any) -> int:
    return sum(
        cuda.memory_stats(index).get("allocated_bytes.all.allocated", 0)
        for index in used_cuda_devices(cuda)
    )
