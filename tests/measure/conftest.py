"""Fixtures: a manual clock, a fake CUDA whose kernels take time by it, and a scripted NVML."""

import gc
import sys
from bisect import bisect_right
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_pareto.measure.meter import Calls
from pytest_pareto.measure.meters import energy
from pytest_pareto.measure.plan import LoopPlan
from tests.measure.chrome_trace import ChromeTrace
from tests.measure.scripted_nvml import EPOCH_US, ScriptedBoard, ScriptedNvml


class ManualClock:
    """A clock in nanoseconds that only `advance` moves."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns

    def advance(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)


class Queue:
    """The work queue of one device: when its work ends, and how much was done by a given time."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._began_ns = [0]
        self._ended_ns = [0]
        self._before_ns = [0]

    def launch(self, seconds: float) -> None:
        began_ns, work_ns = self.free_at_ns(), round(seconds * 1e9)
        if began_ns > self._ended_ns[-1]:
            self._before_ns.append(self.worked_ns(began_ns))
            self._began_ns.append(began_ns)
            self._ended_ns.append(began_ns)
        self._ended_ns[-1] += work_ns

    def free_at_ns(self) -> int:
        return max(self._clock(), self._ended_ns[-1])

    def worked_ns(self, until_ns: int) -> int:
        if until_ns <= 0:
            return 0
        last = bisect_right(self._began_ns, until_ns) - 1
        worked_ns = min(until_ns, self._ended_ns[last]) - self._began_ns[last]
        return self._before_ns[last] + worked_ns


class FakeEvent:
    def __init__(self, cuda: "FakeCuda") -> None:
        self._cuda = cuda
        self.at_ns = -1

    def record(self) -> None:
        self._cuda.journal.append("event")
        self.at_ns = self._cuda.queues[self._cuda.current].free_at_ns()

    def elapsed_time(self, later: "FakeEvent") -> float:
        return (later.at_ns - self.at_ns) / 1e6


class FakeTensor:
    """A tensor whose addition takes the host ``launch_s`` and the device a microsecond."""

    def __init__(self, cuda: "FakeCuda") -> None:
        self._cuda = cuda

    def add_(self, _: int) -> None:
        self._cuda.clock.advance(self._cuda.launch_s)
        self._cuda.launch(1e-6, on=self._cuda.current)


class FakeCuda:
    """The part of `torch.cuda` that the package uses: a kernel queue and allocator per device."""

    def __init__(self, clock: ManualClock, *, devices: int) -> None:
        self.clock = clock
        self.queues = [Queue(clock) for _ in range(devices)]
        self.launch_s = 5e-6
        self.journal: list[str] = []
        self.initialized = True
        self.current = 0
        self.allocated = [0] * devices
        self.requested = [0] * devices
        self.peak_requested = [0] * devices
        self.ever = [0] * devices
        self.reserved = [0] * devices
        self.peak_reserved = [0] * devices
        self.keeps_statistics = True
        self.backend = "native"
        self.names = ["NVIDIA H200"] * devices
        self.uuids: list[str | None] = [f"00000000-0000-0000-0000-00000000000{i}" for i in "abcdef"]
        self.random_states = [f"state {i}" for i in range(devices)]

    # Used by measured functions.
    def launch(self, seconds: float, *, on: int = 0) -> None:
        self.queues[on].launch(seconds)

    def allocate(self, size: int, *, on: int = 0, rounding: int = 0) -> None:
        """Hand out a block that is larger than was asked for by ``rounding``."""
        self.requested[on] += size
        self.peak_requested[on] = max(self.peak_requested[on], self.requested[on])
        self.allocated[on] += size + rounding
        self.ever[on] += size + rounding
        self.reserved[on] = max(self.reserved[on], self.allocated[on])
        self.peak_reserved[on] = max(self.peak_reserved[on], self.reserved[on])

    def free(self, size: int, *, on: int = 0, rounding: int = 0) -> None:
        self.requested[on] -= size
        self.allocated[on] -= size + rounding

    def empty_cache(self) -> None:
        self.reserved = list(self.allocated)

    # The interface of torch.cuda.
    def is_initialized(self) -> bool:
        return self.initialized

    def device_count(self) -> int:
        return len(self.allocated)

    def current_device(self) -> int:
        return self.current

    def synchronize(self, index: int) -> None:
        self.journal.append(f"sync {index}")
        self.clock.now_ns = self.queues[index].free_at_ns()

    def Event(self, *, enable_timing: bool) -> FakeEvent:  # noqa: N802  (torch's name)
        assert enable_timing
        return FakeEvent(self)

    def memory_stats(self, index: int) -> dict[str, int]:
        if not self.keeps_statistics:
            raise RuntimeError("CUDAPluggableAllocator does not yet support getDeviceStats")
        if not self.ever[index]:
            return {}
        return {
            "allocated_bytes.all.allocated": self.ever[index],
            "requested_bytes.all.current": self.requested[index],
            "requested_bytes.all.peak": self.peak_requested[index],
        }

    def get_allocator_backend(self) -> str:
        return self.backend

    def reset_peak_memory_stats(self, index: int) -> None:
        self.peak_requested[index] = self.requested[index]
        self.peak_reserved[index] = self.reserved[index]

    def memory_reserved(self, index: int) -> int:
        return self.reserved[index]

    def max_memory_reserved(self, index: int) -> int:
        return self.peak_reserved[index]

    def get_rng_state_all(self) -> list[str]:
        return list(self.random_states)

    def set_rng_state_all(self, states: list[str]) -> None:
        self.random_states = list(states)

    def get_device_name(self, index: int) -> str:
        return self.names[index]

    def get_device_properties(self, index: int) -> SimpleNamespace:
        uuid = self.uuids[index]
        return SimpleNamespace() if uuid is None else SimpleNamespace(uuid=uuid)


@pytest.fixture(autouse=True)
def _quick_collections() -> None:
    """Freeze live objects, since meters of memory collect garbage: with torch loaded in 0.1 s."""
    gc.freeze()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate a process that has not imported torch, whatever ran before."""
    monkeypatch.delitem(sys.modules, "torch", raising=False)


@pytest.fixture
def fake_torch(monkeypatch: pytest.MonkeyPatch, clock: ManualClock) -> Any:
    """A fake torch with three CUDA devices, none of them used yet."""
    state = {"cpu": "cpu state"}
    cuda = FakeCuda(clock, devices=3)
    torch = SimpleNamespace(
        cuda=cuda,
        zeros=lambda size, *, device: FakeTensor(cuda),
        autograd=SimpleNamespace(_profiler_enabled=lambda: False),
        version=SimpleNamespace(cuda="13.0", hip=None),
        backends=SimpleNamespace(cudnn=SimpleNamespace(version=lambda: 91002)),
        get_rng_state=lambda: state["cpu"],
        set_rng_state=lambda new: state.update(cpu=new),
        get_num_threads=lambda: 7,
    )
    monkeypatch.setitem(sys.modules, "torch", torch)
    return torch


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch, fake_torch: Any, clock: ManualClock) -> ScriptedNvml:
    """An NVML that knows the devices of `fake_torch` by their UUIDs."""
    cuda = fake_torch.cuda
    pairs = zip(cuda.uuids, cuda.queues, strict=False)
    boards = [ScriptedBoard(uuid, queue.worked_ns) for uuid, queue in pairs]
    scripted = ScriptedNvml(clock, boards)
    epoch = SimpleNamespace(time_ns=lambda: EPOCH_US * 1000 + clock())
    monkeypatch.setattr(energy, "time", epoch)
    monkeypatch.setitem(sys.modules, "pynvml", scripted)
    return scripted


@pytest.fixture
def trace() -> ChromeTrace:
    return ChromeTrace()


@pytest.fixture
def calls_of(clock: ManualClock) -> Callable[..., Calls]:
    """Make the `Calls` of a function, by the manual clock."""

    def make(function: Callable[..., object], **plan: Any) -> Calls:
        return Calls(function, lambda: ((), {}), clock=clock, plan=LoopPlan(**plan))

    return make
