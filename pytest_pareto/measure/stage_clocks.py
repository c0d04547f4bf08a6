"""Clocks for the stages of a call, which it marks itself while its device is at work."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from pytest_pareto.measure.device import loaded_torch

_NS_PER_S = 1_000_000_000


class StageClock(Protocol):
    """Where a stage's moments are read: on the host, or in a device's queue of work."""

    def mark(self) -> Any:
        """Return this moment; never waits for launched work."""
        ...

    def seconds(self, earlier: Any, later: Any) -> float:
        """Return seconds between two moments; synchronise the device before asking."""
        ...


@dataclass(frozen=True, slots=True)
class HostClock:
    """Moments of the processor, whose work is done when a call returns: ``read`` is in ns."""

    read: Callable[[], int] = time.perf_counter_ns

    def mark(self) -> int:
        """Return the host's monotonic nanoseconds."""
        return self.read()

    def seconds(self, earlier: int, later: int) -> float:
        """Return seconds between two readings."""
        return (later - earlier) / _NS_PER_S


@dataclass(frozen=True, slots=True)
class CudaClock:
    """Moments in the current stream of one CUDA device, after the work launched so far."""

    cuda: Any
    device: object

    def mark(self) -> Any:
        """Return a timing event, recorded in the stream that is current for the device."""
        event = self.cuda.Event(enable_timing=True)
        event.record(self.cuda.current_stream(self.device))
        return event

    def seconds(self, earlier: Any, later: Any) -> float:
        """Return seconds between two events; ``elapsed_time`` itself is in milliseconds."""
        return float(earlier.elapsed_time(later)) / 1e3


def stage_clock(device: object) -> StageClock | None:
    """Return the clock for work on ``device``, such as "cpu" or ``torch.device("cuda:1")``.

    None for a device whose work the host's clock cannot see and that has no CUDA events.
    """
    kind = str(device).partition(":")[0]
    torch = loaded_torch()
    if kind == "cuda" and torch is not None:
        return CudaClock(torch.cuda, device)
    return HostClock() if kind == "cpu" else None
