"""A clock that stands until it is moved, and a CUDA whose kernels take time by it."""

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_pareto.measure.meter import Calls
from pytest_pareto.measure.plan import LoopPlan


class HandClock:
    """Nanoseconds that pass only when somebody says so."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns

    def advance(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)


class FakeEvent:
    def __init__(self, cuda: "FakeCuda") -> None:
        self._cuda = cuda
        self.at_ns = -1

    def record(self) -> None:
        self._cuda.journal.append("event")
        self.at_ns = max(self._cuda.clock(), self._cuda.busy_until_ns)

    def elapsed_time(self, later: "FakeEvent") -> float:
        return (later.at_ns - self.at_ns) / 1e6


class FakeCuda:
    """What the package uses of `torch.cuda`: one queue of kernels, an allocator per device."""

    def __init__(self, clock: HandClock, *, devices: int) -> None:
        self.clock = clock
        self.busy_until_ns = 0
        self.journal: list[str] = []
        self.initialized = True
        self.current = 0
        self.allocated = [0] * devices
        self.peak = [0] * devices
        self.ever = [0] * devices
        self.keeps_statistics = True
        self.names = ["NVIDIA H200"] * devices
        self.uuids: list[str | None] = [f"00000000-0000-0000-0000-00000000000{i}" for i in "abcdef"]
        self.random_states = [f"state {i}" for i in range(devices)]

    # What a measured function does with it.
    def launch(self, seconds: float) -> None:
        self.busy_until_ns = max(self.clock(), self.busy_until_ns) + round(seconds * 1e9)

    def allocate(self, size: int, *, on: int = 0) -> None:
        self.allocated[on] += size
        self.ever[on] += size
        self.peak[on] = max(self.peak[on], self.allocated[on])

    def free(self, size: int, *, on: int = 0) -> None:
        self.allocated[on] -= size

    # torch.cuda
    def is_initialized(self) -> bool:
        return self.initialized

    def device_count(self) -> int:
        return len(self.allocated)

    def current_device(self) -> int:
        return self.current

    def synchronize(self, index: int) -> None:
        self.journal.append(f"sync {index}")
        self.clock.now_ns = max(self.clock.now_ns, self.busy_until_ns)

    def Event(self, *, enable_timing: bool) -> FakeEvent:  # noqa: N802  (torch's name)
        assert enable_timing
        return FakeEvent(self)

    def memory_stats(self, index: int) -> dict[str, int]:
        if not self.keeps_statistics:
            raise RuntimeError("CUDAPluggableAllocator does not yet support getDeviceStats")
        return {"allocated_bytes.all.allocated": self.ever[index]} if self.ever[index] else {}

    def reset_peak_memory_stats(self, index: int) -> None:
        self.peak[index] = self.allocated[index]

    def max_memory_allocated(self, index: int) -> int:
        return self.peak[index]

    def get_rng_state_all(self) -> list[str]:
        return list(self.random_states)

    def set_rng_state_all(self, states: list[str]) -> None:
        self.random_states = list(states)

    def get_device_name(self, index: int) -> str:
        return self.names[index]

    def get_device_properties(self, index: int) -> SimpleNamespace:
        uuid = self.uuids[index]
        return SimpleNamespace() if uuid is None else SimpleNamespace(uuid=uuid)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has not imported torch, whatever ran before."""
    monkeypatch.delitem(sys.modules, "torch", raising=False)


@pytest.fixture
def fake_torch(monkeypatch: pytest.MonkeyPatch, clock: HandClock) -> Any:
    """A torch with three CUDA devices of which none has been used."""
    state = {"cpu": "cpu state"}
    torch = SimpleNamespace(
        cuda=FakeCuda(clock, devices=3),
        version=SimpleNamespace(cuda="13.0", hip=None),
        backends=SimpleNamespace(cudnn=SimpleNamespace(version=lambda: 91002)),
        get_rng_state=lambda: state["cpu"],
        set_rng_state=lambda new: state.update(cpu=new),
        get_num_threads=lambda: 7,
    )
    monkeypatch.setitem(sys.modules, "torch", torch)
    return torch


@pytest.fixture
def calls_of(clock: HandClock) -> Callable[..., Calls]:
    """Make the `Calls` of a function, by the hand clock."""

    def make(function: Callable[..., object], **plan: Any) -> Calls:
        return Calls(function, lambda: ((), {}), clock=clock, plan=LoopPlan(**plan))

    return make
