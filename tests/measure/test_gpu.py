"""On a real CUDA device: that the figures mean what they say. Run with `-m gpu`."""

import re
from collections.abc import Callable
from statistics import median
from typing import Any

import pytest

from pytest_pareto.measure import measuring
from pytest_pareto.measure.device import CpuDevice, CudaDevice, find_device
from pytest_pareto.measure.environment import probe_environment
from pytest_pareto.measure.latency import LatencyMeter
from pytest_pareto.measure.measuring import measure_call
from pytest_pareto.measure.memory import PeakMemoryMeter
from pytest_pareto.measure.plan import LoopPlan
from pytest_pareto.measure.work import WorkMeter
from pytest_pareto.model.run import Measurement

pytestmark = pytest.mark.gpu

MiB = 2**20
PLAN = LoopPlan(rounds=10, warmup=3)


@pytest.fixture
def torch() -> Any:
    import torch

    assert torch.cuda.is_available(), "these tests need a CUDA device"
    torch.cuda.init()
    return torch


@pytest.fixture
def long_kernels(torch: Any) -> Callable[[], Any]:
    """Some tens of milliseconds of matrix products, launched in well under one."""
    a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    out = torch.empty_like(a)

    def function() -> Any:
        for _ in range(20):
            torch.mm(a, a, out=out)
        return out

    return function


def _latencies(function: Callable[[], object]) -> tuple[Measurement, Measurement]:
    meter = LatencyMeter(lambda: None)
    _, (latency, event_time) = measure_call(function, (), {}, meters=[meter], plan=PLAN)
    return latency, event_time


def _peak(torch: Any, function: Callable[[], object]) -> float:
    torch.cuda.empty_cache()
    _, (peak,) = measure_call(function, (), {}, meters=[PeakMemoryMeter()], plan=PLAN)
    assert peak.absent is None, peak.absent
    return peak.values[0]


def test_latency_is_the_work_and_not_its_launch(
    torch: Any, long_kernels: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    latency, _ = _latencies(long_kernels)
    # The negative control: the same loop without synchronising sees the launches alone.
    monkeypatch.setattr(measuring, "find_device", CpuDevice)
    monkeypatch.setattr("pytest_pareto.measure.meter.find_device", CpuDevice)
    launch, no_events = _latencies(long_kernels)
    torch.cuda.synchronize()
    assert no_events.absent == "no CUDA device was used"
    assert median(launch.values) < 0.2 * median(latency.values)


def test_event_time_agrees_with_wall_time_where_the_gpu_is_the_bottleneck(
    long_kernels: Callable[[], Any],
) -> None:
    latency, event_time = _latencies(long_kernels)
    assert median(event_time.values) == pytest.approx(median(latency.values), rel=0.05)


def test_event_time_is_in_seconds_of_the_kernels(torch: Any, long_kernels: Any) -> None:
    def twice() -> Any:
        long_kernels()
        return long_kernels()

    _, once = _latencies(long_kernels)
    _, doubled = _latencies(twice)
    assert median(doubled.values) == pytest.approx(2 * median(once.values), rel=0.2)


def test_a_planted_temporary_is_seen_to_the_byte(torch: Any) -> None:
    def plain() -> Any:
        return torch.empty(4 * MiB, dtype=torch.uint8, device="cuda")

    def planted() -> Any:
        temporary = torch.empty(64 * MiB, dtype=torch.uint8, device="cuda")
        result = plain()
        del temporary
        return result

    before = _peak(torch, plain)
    assert _peak(torch, plain) == before
    assert _peak(torch, planted) == before + 64 * MiB


def test_an_earlier_peak_does_not_count(torch: Any) -> None:
    def function() -> Any:
        return torch.empty(4 * MiB, dtype=torch.uint8, device="cuda")

    before = _peak(torch, function)
    torch.empty(256 * MiB, dtype=torch.uint8, device="cuda")
    assert _peak(torch, function) == before


def test_a_call_on_the_processor_has_no_peak(torch: Any) -> None:
    held = torch.empty(MiB, dtype=torch.uint8, device="cuda")
    x = torch.ones(8, 8)
    _, (peak,) = measure_call(lambda: x @ x, (), {}, meters=[PeakMemoryMeter()], plan=PLAN)
    assert peak.absent == "the call allocated no CUDA memory"
    del held


@pytest.mark.parametrize("rounds", [1, 5])
def test_random_numbers_of_the_device_do_not_show_the_rounds(torch: Any, rounds: int) -> None:
    def draw() -> Any:
        return torch.rand(4, device="cuda").tolist()

    torch.manual_seed(0)
    once = [draw(), draw()]
    torch.manual_seed(0)
    plan = LoopPlan(rounds=rounds, warmup=1)
    result, _ = measure_call(draw, (), {}, meters=[LatencyMeter(lambda: None)], plan=plan)
    assert [result, draw()] == once


def test_without_keeping_the_state_they_would(torch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from contextlib import nullcontext

    def draw() -> Any:
        return torch.rand(4, device="cuda").tolist()

    monkeypatch.setattr(measuring, "random_state_kept", nullcontext)
    torch.manual_seed(0)
    once = [draw(), draw()]
    torch.manual_seed(0)
    result, _ = measure_call(draw, (), {}, meters=[LatencyMeter(lambda: None)], plan=PLAN)
    assert result == once[0]
    assert draw() != once[1]


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_flops_are_those_of_the_processor(torch: Any, dtype: str) -> None:
    def attend_on(device: str) -> float:
        q = torch.ones(1, 2, 64, 64, device=device, dtype=getattr(torch, dtype))
        w = torch.ones(64, 64, device=device, dtype=getattr(torch, dtype))

        def function() -> Any:
            with torch.inference_mode():
                return torch.nn.functional.scaled_dot_product_attention(q, q, q) @ w

        _, (flops,) = measure_call(function, (), {}, meters=[WorkMeter()])
        assert flops.absent is None, flops.absent
        return flops.values[0]

    assert attend_on("cuda") == attend_on("cpu") == 4 * 2 * 64 * 64 * 64 + 2 * 2 * 64 * 64 * 64


def test_no_context_is_made_on_a_device_that_was_not_used(torch: Any) -> None:
    x = torch.ones(64, 64, device="cuda")
    meters = measuring.built_in_meters()
    measure_call(lambda: x @ x, (), {}, meters=meters, plan=PLAN)
    probe_environment()
    device = find_device()
    assert isinstance(device, CudaDevice)
    has_context = torch._C._cuda_hasPrimaryContext
    assert [i for i in range(torch.cuda.device_count()) if has_context(i)] == [*device.indexes]


def test_the_environment_is_described(torch: Any) -> None:
    found = probe_environment()
    count = torch.cuda.device_count()
    assert found.gpu_product
    assert found.gpu_product in torch.cuda.get_device_name(0)
    assert found.gpu_count == count == len(found.boards)
    assert all(re.fullmatch("[0-9a-f]{8}", board) for board in found.boards)
    assert len(set(found.boards)) == count
    assert len(found.power_limits_w) == count
    assert all(50 <= limit <= 2000 for limit in found.power_limits_w)
    assert re.fullmatch(r"[\d.]+", found.software["driver"])
    assert found.software["cuda"] == torch.version.cuda
    uuids = [str(torch.cuda.get_device_properties(i).uuid) for i in range(count)]
    assert all(uuid not in repr(found) for uuid in uuids)
