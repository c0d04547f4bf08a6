"""Devices: how to wait for work that was launched, and to time it on the device itself."""

import sys
from dataclasses import dataclass
from typing import Any, Protocol


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
    """CUDA through ``torch.cuda``: the current device and the others this process has used."""

    cuda: Any
    indexes: tuple[int, ...]

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
    return tuple(i for i in range(cuda.device_count()) if i == current or _allocated(cuda, i))


def _allocated(cuda: Any, index: int) -> bool:
    try:
        statistics = cuda.memory_stats(index)
    except RuntimeError:
        # A pluggable allocator keeps no statistics, and asking it must not fail the test.
        return False
    return bool(statistics.get("allocated_bytes.all.allocated", 0))


def find_device() -> Device:
    """Return the device that this process works on as things stand now.

    Ask after the first call: what a function uses is known when it has run once.
    """
    cuda = initialized_cuda()
    if cuda is not None:
        return CudaDevice(cuda, used_cuda_devices(cuda))
    accelerator = getattr(loaded_torch(), "accelerator", None)
    if accelerator is not None and accelerator.is_available():
        kind = accelerator.current_accelerator()
        if kind is not None and kind.type != "cuda":
            return AcceleratorDevice(accelerator)
    return CpuDevice()
