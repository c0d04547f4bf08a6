"""Devices: how to wait for work that was launched, and to time it on the device itself."""

import gc
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

NO_CUDA = "no CUDA device was used"
"""The reason of every metric that is of CUDA alone."""


class EventPair(Protocol):
    """Two marks in a device's queue of work, and the time between them."""

    def start(self) -> None:
        """Mark the start, after the work launched so far."""
        ...

    def stop(self) -> None:
        """Mark the end, after the work launched so far."""
        ...

    def elapsed_s(self) -> float:
        """Seconds between the marks by the device's clock; synchronise before asking."""
        ...


class Device(Protocol):
    """What a measured call may leave work on."""

    def synchronize(self) -> None:
        """Wait until all work that this process launched is done."""
        ...

    def event_pair(self) -> EventPair | None:
        """Return marks for timing on the device, or None where there is no such thing."""
        ...


class CpuDevice:
    """The processor: a call that has returned has done its work."""

    def synchronize(self) -> None:
        """Return at once."""

    def event_pair(self) -> EventPair | None:
        """Return None: the processor has no queue of work."""


@dataclass(frozen=True, slots=True)
class CudaDevice:
    """CUDA through ``torch.cuda``.

    ``indexes`` are of the current device and all others that this process has used: their work
    is waited for. ``working`` are those that the measured function works on, whose energy and
    memory is its own.
    """

    cuda: Any
    indexes: tuple[int, ...]
    own_indexes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.own_indexes:
            object.__setattr__(self, "own_indexes", self.indexes)

    def synchronize(self) -> None:
        """Wait for every stream of every device used."""
        for index in self.indexes:
            self.cuda.synchronize(index)

    def event_pair(self) -> "CudaEventPair":
        """Return two timing events of the current stream of the current device."""
        return CudaEventPair(
            self.cuda.Event(enable_timing=True), self.cuda.Event(enable_timing=True)
        )


@dataclass(frozen=True, slots=True)
class CudaEventPair:
    """Two events of ``torch.cuda``; they may be recorded again and again."""

    first: Any
    last: Any

    def start(self) -> None:
        """Record the first event in the current stream."""
        self.first.record()

    def stop(self) -> None:
        """Record the last event in the current stream."""
        self.last.record()

    def elapsed_s(self) -> float:
        """Seconds between the events; ``elapsed_time`` itself is in milliseconds."""
        return float(self.first.elapsed_time(self.last)) / 1e3


@dataclass(frozen=True, slots=True)
class AcceleratorDevice:
    """Any other accelerator (MPS, XPU, ...) through ``torch.accelerator``; no events."""

    accelerator: Any

    def synchronize(self) -> None:
        """Wait for every stream of the current device."""
        self.accelerator.synchronize()

    def event_pair(self) -> EventPair | None:
        """Return None: events of these devices are not comparable with CUDA's."""


def loaded_torch() -> Any | None:
    """Return torch if this process has imported it; never import it.

    A process that has not imported torch has no torch work to wait for or to count.
    """
    return sys.modules.get("torch")


def initialized_cuda() -> Any | None:
    """Return ``torch.cuda`` if this process has started CUDA, else None."""
    cuda = getattr(loaded_torch(), "cuda", None)
    return cuda if cuda is not None and cuda.is_initialized() else None


def used_cuda_devices(cuda: Any) -> tuple[int, ...]:
    """Return the indexes of the current device and of every other that allocated memory.

    Only these may be synchronised: waiting for an unused device would create a context
    there, which takes hundreds of megabytes of it.
    """
    current = cuda.current_device()
    allocated = cumulative_allocated_bytes()
    return tuple(i for i in range(cuda.device_count()) if i == current or allocated.get(i))


def cumulative_allocated_bytes() -> dict[int, int]:
    """Return the bytes that torch ever handed out on each CUDA device; {} before CUDA started."""
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
        # A pluggable allocator keeps no statistics, and asking it must not fail the test.
        return 0
    return int(statistics.get("allocated_bytes.all.allocated", 0))


def find_device(allocated_before: Mapping[int, int] | None = None) -> Device:
    """Return the device that this process works on as things stand now.

    Ask after the first call: what a function uses is known when it has run once. With what
    was `ever_allocated` before it, the function's own GPUs are told from those of others; a
    call that allocated nothing (a replayed graph, say) is taken to use the current one.
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
    # What is there is asked before whether it works: on CUDA that would start the driver, and
    # a process could not fork workers for the GPU any more.
    current = None if accelerator is None else accelerator.current_accelerator()
    if accelerator is not None and current is not None and current.type != "cuda":
        return AcceleratorDevice(accelerator) if accelerator.is_available() else CpuDevice()
    return CpuDevice()


def release_device_memory() -> None:
    """Give back the memory of GPUs that nothing in this process refers to any more."""
    cuda = initialized_cuda()
    if cuda is not None:
        gc.collect()
        cuda.empty_cache()
