"""Devices of a process: synchronise launched work, and time it with the device's own events.

`find_device` returns the `Device` that a function works on. torch is used only where the process
has imported it already, and CUDA only where the process has initialised it.
"""

import gc
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

NO_CUDA = "no CUDA device was used"
"""The reason for which every metric of CUDA alone is absent."""


class EventPair(Protocol):
    """A pair of timing events in a device's work queue."""

    def start(self) -> None:
        """Record the start, after the work launched so far."""
        ...

    def stop(self) -> None:
        """Record the end, after the work launched so far."""
        ...

    def elapsed_s(self) -> float:
        """Return the seconds between the events by the device's clock; synchronise first."""
        ...


class Device(Protocol):
    """The device on which a measured call may leave unfinished work."""

    def synchronize(self) -> None:
        """Wait until all work that this process launched is done."""
        ...

    def event_pair(self) -> EventPair | None:
        """Return a pair of timing events, or None where the device has none."""
        ...


class CpuDevice:
    """The processor: the work of a call is done when the call returns."""

    def synchronize(self) -> None:
        """Return at once."""

    def event_pair(self) -> EventPair | None:
        """Return None: the processor has no work queue."""


@dataclass(frozen=True, slots=True)
class CudaDevice:
    """CUDA through ``torch.cuda``.

    ``indexes`` are the current device and all others that this process has used; `synchronize`
    waits for their work. ``own_indexes`` (all by default) are those that the measured function
    works on: its energy and memory are those of these devices.
    """

    cuda: Any
    indexes: tuple[int, ...]
    own_indexes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.own_indexes:
            object.__setattr__(self, "own_indexes", self.indexes)

    def synchronize(self) -> None:
        """Wait for every stream of every used device."""
        for index in self.indexes:
            self.cuda.synchronize(index)

    def event_pair(self) -> "CudaEventPair":
        """Return a pair of timing events for the current stream of the current device."""
        return CudaEventPair(
            self.cuda.Event(enable_timing=True), self.cuda.Event(enable_timing=True)
        )


@dataclass(frozen=True, slots=True)
class CudaEventPair:
    """Two events of ``torch.cuda``; they may be recorded repeatedly."""

    first: Any
    last: Any

    def start(self) -> None:
        """Record the first event in the current stream."""
        self.first.record()

    def stop(self) -> None:
        """Record the last event in the current stream."""
        self.last.record()

    def elapsed_s(self) -> float:
        """Return the seconds between the events; ``elapsed_time`` itself returns milliseconds."""
        return float(self.first.elapsed_time(self.last)) / 1e3


@dataclass(frozen=True, slots=True)
class AcceleratorDevice:
    """Any other accelerator (MPS, XPU, ...) through ``torch.accelerator``, without events."""

    accelerator: Any

    def synchronize(self) -> None:
        """Wait for every stream of the current device."""
        self.accelerator.synchronize()

    def event_pair(self) -> EventPair | None:
        """Return None: events of these devices are not comparable with those of CUDA."""


def loaded_torch() -> Any | None:
    """Return the module torch if this process has imported it, else None; never import it.

    A process that has not imported torch has no torch work to synchronise or to count.
    """
    return sys.modules.get("torch")


def initialized_cuda() -> Any | None:
    """Return ``torch.cuda`` if this process has initialised CUDA, else None."""
    cuda = getattr(loaded_torch(), "cuda", None)
    return cuda if cuda is not None and cuda.is_initialized() else None


def used_cuda_devices(cuda: Any) -> tuple[int, ...]:
    """Return the indexes of the current device and of every other that has allocated memory.

    Only these may be synchronised: synchronising an unused device would create a context
    there, which takes hundreds of megabytes of its memory.
    """
    current = cuda.current_device()
    allocated = cumulative_allocated_bytes()
    return tuple(i for i in range(cuda.device_count()) if i == current or allocated.get(i))


def cumulative_allocated_bytes() -> dict[int, int]:
    """Return the bytes that torch has ever allocated, by the index of the CUDA device.

    Freed memory counts too. Returns {} before CUDA is initialised.
    """
    cuda = initialized_cuda()
    return (
        {}
        if cuda is None
        else {i: _cumulative_allocated_bytes(cuda, i) for i in range(cuda.device_count())}
    )


def _cumulative_allocated_bytes(cuda: Any, index: int) -> int:
    try:
        statistics = cuda.memory_stats(index)
    except RuntimeError:
        # A pluggable allocator keeps no statistics; this must not fail the test.
        return 0
    return int(statistics.get("allocated_bytes.all.allocated", 0))


def find_device(allocated_before: Mapping[int, int] | None = None) -> Device:
    """Return the device that this process works on at present.

    Call it after the first call of a function: what the function uses is known only then. With
    ``allocated_before``, the result of `cumulative_allocated_bytes` before that call, the
    function's own GPUs are distinguished from those of others; a call that allocated nothing
    (for example a replayed graph) is assumed to use the current one.
    """
    cuda = initialized_cuda()
    if cuda is not None:
        used_indexes = used_cuda_devices(cuda)
        if allocated_before is None:
            return CudaDevice(cuda, used_indexes)
        own_indexes = tuple(
            index
            for index, size in cumulative_allocated_bytes().items()
            if size > allocated_before.get(index, 0)
        )
        return CudaDevice(cuda, used_indexes, own_indexes or (cuda.current_device(),))
    accelerator = getattr(loaded_torch(), "accelerator", None)
    # The type is checked before `is_available`, which on CUDA would start the driver: then the
    # process could no longer fork workers that use the GPU.
    current = None if accelerator is None else accelerator.current_accelerator()
    if accelerator is not None and current is not None and current.type != "cuda":
        return AcceleratorDevice(accelerator) if accelerator.is_available() else CpuDevice()
    return CpuDevice()


def release_device_memory() -> None:
    """Free GPU memory that nothing in this process refers to any more."""
    cuda = initialized_cuda()
    if cuda is not None:
        gc.collect()
        cuda.empty_cache()
