import itertools
from types import SimpleNamespace

import pytest

from pytest_pareto.measure.stages import CudaClock, HostClock, stage_clock


def test_the_host_clock_is_in_seconds_of_its_nanoseconds() -> None:
    clock = HostClock(iter([2_000_000_000, 2_500_000_000]).__next__)
    earlier, later = clock.mark(), clock.mark()
    assert clock.seconds(earlier, later) == 0.5


class FakeCuda:
    """Events with the time of their stream, in milliseconds, like those of `torch.cuda`."""

    def __init__(self) -> None:
        self.recorded: list[object] = []
        self.ticks = itertools.count(step=250.0)

    def current_stream(self, device: object) -> object:
        return f"stream of {device}"

    def Event(self, *, enable_timing: bool) -> "FakeEvent":  # noqa: N802  (torch's name)
        assert enable_timing
        return FakeEvent(self)


class FakeEvent:
    def __init__(self, cuda: FakeCuda) -> None:
        self.cuda = cuda

    def record(self, stream: object) -> None:
        self.cuda.recorded.append(stream)
        self.at_ms = next(self.cuda.ticks)

    def elapsed_time(self, later: "FakeEvent") -> float:
        return later.at_ms - self.at_ms


def test_the_cuda_clock_marks_the_stream_of_its_device_and_waits_for_nothing() -> None:
    cuda = FakeCuda()  # it has no `synchronize` to call
    clock = CudaClock(cuda, "cuda:1")
    earlier, later = clock.mark(), clock.mark()
    assert clock.seconds(earlier, later) == 0.25
    assert cuda.recorded == ["stream of cuda:1"] * 2


def test_every_device_has_the_clock_that_sees_its_work(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = SimpleNamespace(cuda=FakeCuda())
    monkeypatch.setattr("pytest_pareto.measure.stages.loaded_torch", lambda: fake)
    assert stage_clock("cpu") == HostClock()
    assert stage_clock("cuda:1") == CudaClock(fake.cuda, "cuda:1")
    assert stage_clock("mps") is None
