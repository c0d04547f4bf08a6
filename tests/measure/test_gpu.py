"""The meters on a real CUDA device: plausible values and negative controls (`-m gpu`)."""

import inspect
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import mean, median
from typing import Any

import pytest

from pytest_pareto.measure import measurement
from pytest_pareto.measure.device import CpuDevice, CudaDevice, find_device
from pytest_pareto.measure.machine import probe_environment
from pytest_pareto.measure.measurement import measure_call
from pytest_pareto.measure.meter import Meter
from pytest_pareto.measure.meters.device_time import DeviceTimeMeter, read_activity
from pytest_pareto.measure.meters.host_work import HostWorkMeter
from pytest_pareto.measure.meters.latency import SteadyMeter
from pytest_pareto.measure.meters.memory import MemoryMeter
from pytest_pareto.measure.plan import LoopPlan
from pytest_pareto.measure.torch_profiler import profile_calls
from pytest_pareto.measure.work.flops import WorkMeter
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


@pytest.fixture
def passes(torch: Any) -> Callable[[int], Callable[[], None]]:
    """Return functions of a number of passes over memory, which no power limit slows down."""
    x = torch.zeros(256 * MiB, dtype=torch.uint8, device="cuda")

    def make(count: int) -> Callable[[], None]:
        def function() -> None:
            for _ in range(count):
                x.add_(1)

        return function

    return make


def _measured(function: Callable[[], object], meter: Meter, *skip: str) -> list[Measurement]:
    _, found = measure_call(function, (), {}, meters=[meter], plan=PLAN, skip=frozenset(skip))
    return list(found)


def _value(measurement: Measurement) -> float:
    assert measurement.absent is None, measurement.absent
    return median(measurement.values)


def _latencies(function: Callable[[], object]) -> tuple[Measurement, Measurement]:
    latency, event_time, _ = _measured(
        function, SteadyMeter(lambda: None), "energy", "dynamic_energy"
    )
    return latency, event_time


def _energy(function: Callable[[], object]) -> Measurement:
    times = ("latency", "event_time", "host_reference")
    energy, _ = _measured(function, SteadyMeter(lambda: None), *times)
    return energy


def _device_time(function: Callable[[], object]) -> Measurement:
    device_time, *_ = _measured(function, DeviceTimeMeter())
    return device_time


def _peak(torch: Any, function: Callable[[], object]) -> float:
    torch.cuda.empty_cache()
    peak, *_ = _measured(function, MemoryMeter())
    return _value(peak)


def test_latency_is_the_work_and_not_its_launch(
    torch: Any, long_kernels: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    latency, _ = _latencies(long_kernels)
    # The negative control: the same loop without synchronising sees the launches alone.
    monkeypatch.setattr("pytest_pareto.measure.loop.find_device", lambda _: CpuDevice())
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


def test_windows_in_a_row_all_see_their_kernels(long_kernels: Callable[[], Any]) -> None:
    counts = {read_activity(profile_calls(long_kernels, long_kernels)).kernels for _ in range(4)}
    assert len(counts) == 1
    assert counts.pop() > 0


def test_event_time_is_in_seconds_of_the_kernels(torch: Any, long_kernels: Any) -> None:
    def twice() -> Any:
        long_kernels()
        return long_kernels()

    _, once = _latencies(long_kernels)
    _, doubled = _latencies(twice)
    assert median(doubled.values) == pytest.approx(2 * median(once.values), rel=0.2)


def test_device_time_is_the_sum_that_the_profiler_itself_finds(
    torch: Any, long_kernels: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    profiles: list[Any] = []

    class Remembered(torch.profiler.profile):  # type: ignore[misc]  # torch is not read by mypy
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            profiles.append(self)

    monkeypatch.setattr(torch.profiler, "profile", Remembered)
    device_time = _device_time(long_kernels)
    (done,) = re.findall(r"of (\d+) calls", " ".join(device_time.notes))
    on_gpu = [
        event.self_device_time_total
        for event in profiles[-1].key_averages()
        if event.device_type == torch.autograd.DeviceType.CUDA and not event.is_user_annotation
    ]
    assert len(on_gpu) >= 1
    assert mean(device_time.values) * int(done) == pytest.approx(sum(on_gpu) / 1e6, rel=0.01)


def test_a_tenth_more_kernel_work_is_seen_as_a_tenth(
    passes: Callable[[int], Callable[[], None]],
) -> None:
    before, again, planted = (_value(_device_time(passes(n))) for n in (50, 50, 55))
    assert planted / before == pytest.approx(1.10, abs=0.01)
    # The same check on unchanged work, which must not pass it.
    assert again / before != pytest.approx(1.10, abs=0.01)


def test_kernels_and_waits_are_those_of_one_call(
    torch: Any, passes: Callable[[int], Callable[[], None]]
) -> None:
    work, flag = passes(50), torch.ones(1, device="cuda")

    def function() -> float:
        work()
        return float(flag.item())

    _, kernels, host_copies, host_waits, launches, allocations = _measured(
        function, DeviceTimeMeter()
    )
    assert [_value(each) for each in (kernels, host_copies, host_waits)] == [50.0, 1.0, 1.0]
    assert [_value(each) for each in (launches, allocations)] == [50.0, 0.0]


def _launching_s(torch: Any) -> float:
    x = torch.zeros(8, device="cuda")

    def once() -> float:
        torch.cuda.synchronize()
        start_s = time.perf_counter()
        for _ in range(300):
            x.add_(1)
        torch.cuda.synchronize()
        return time.perf_counter() - start_s

    for _ in range(50):
        once()
    return median(once() for _ in range(300))


MEASURED = {
    "a profile": "DeviceTimeMeter(absence=lambda: None)",
    "counting": "HostWorkMeter(lambda: None)",
}


def _launching_after(what: str, *, detach: str = "1") -> float:
    """Return how long launches take after a measurement, as a ratio, in a process of its own."""
    code = (
        "import time, torch\n"
        "from statistics import median\n"
        "from pytest_pareto.measure.measurement import measure_call\n"
        "from pytest_pareto.measure.meters.device_time import DeviceTimeMeter\n"
        "from pytest_pareto.measure.meters.host_work import HostWorkMeter\n"
        f"{inspect.getsource(_launching_s).replace(': Any', '')}\n"
        "x = torch.zeros(8, device='cuda')\n"
        "before_s = _launching_s(torch)\n"
        f"_, found = measure_call(lambda: x.add_(1), (), dict(), meters=[{MEASURED[what]}])\n"
        "assert found[0].absent is None, found\n"
        "print(_launching_s(torch) / before_s)\n"
    )
    environment = {**os.environ, "TEARDOWN_CUPTI": detach}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
    )
    assert not done.returncode, done.stderr
    return float(done.stdout.split()[-1])


@pytest.mark.parametrize("what", MEASURED)
def test_launches_are_no_slower_after(what: str) -> None:
    # A host's speed wanders by more than that for tens of seconds: one process of three will do.
    assert any(_launching_after(what) <= 1.1 for _ in range(3))


def test_they_would_be_if_the_profiler_stayed_attached() -> None:
    assert all(_launching_after("a profile", detach="0") > 1.15 for _ in range(3))


def test_host_counts_see_one_pass_more(passes: Callable[[int], Callable[[], None]]) -> None:
    meters: list[Meter] = [DeviceTimeMeter(), HostWorkMeter(lambda: None)]

    def counts(times: int) -> dict[str, float]:
        _, found = measure_call(passes(times), (), {}, meters=meters)
        return {each.metric.name: _value(each) for each in found}

    few, more, most = counts(50), counts(51), counts(52)
    for name, seen in (("python_calls", 0), ("c_calls", 1), ("launches", 1), ("allocations", 0)):
        assert (more[name] - few[name], most[name] - more[name]) == (seen, seen), name
    assert most["dispatches"] - more["dispatches"] == more["dispatches"] - few["dispatches"] > 0


def test_beside_another_profiler_device_time_is_absent(
    torch: Any, passes: Callable[[int], Callable[[], None]]
) -> None:
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]):
        assert _device_time(passes(50)).absent == (
            "a torch profiler is active already; run without it"
        )
    assert _device_time(passes(50)).absent is None


def test_energy_of_twice_the_work_is_twice_the_energy(long_kernels: Callable[[], Any]) -> None:
    def twice() -> Any:
        long_kernels()
        return long_kernels()

    once, doubled = _energy(long_kernels), _energy(twice)
    assert _value(doubled) / _value(once) == pytest.approx(2.00, abs=0.06)


def test_energy_is_time_at_a_power_that_a_board_can_draw(
    long_kernels: Callable[[], Any],
) -> None:
    latency, *_, energy, dynamic = _measured(long_kernels, SteadyMeter(lambda: None))
    (limit_w, *_) = probe_environment().power_limits_w
    assert 0.3 * limit_w < _value(energy) / _value(latency) < 1.1 * limit_w
    found = re.search(r"calls in [\d.]+ s at (\d+) W, of which (\d+) W idle", energy.notes[0])
    assert found is not None
    above_idle = 1 - int(found[2]) / int(found[1])
    assert _value(dynamic) / _value(energy) == pytest.approx(above_idle, abs=0.01)
    (reported,) = re.findall(r"integrated power says ([+−][\d.]+) %", " ".join(energy.notes))
    assert abs(float(reported.replace("−", "-"))) < 5.0


def _times(function: Callable[[], object]) -> tuple[Measurement, Measurement, Measurement]:
    meters: list[Meter] = [SteadyMeter(lambda: None), DeviceTimeMeter()]
    _, measured = measure_call(function, (), {}, meters=meters)
    found = {each.metric.name: each for each in measured}
    return found["latency"], found["host_reference"], found["device_time"]


def test_long_kernels_fill_their_call_and_need_no_reference(
    passes: Callable[[int], Callable[[], None]],
) -> None:
    # At the power limit the calls of latency, without rests, would take longer than their kernels.
    latency, reference, device_time = _times(passes(200))
    assert _value(device_time) == pytest.approx(_value(latency), rel=0.05)
    assert "the host is no bottleneck" in (reference.absent or "")


def test_launches_leave_gaps_and_have_a_reference(torch: Any) -> None:
    x = torch.zeros(8, device="cuda")

    def launches() -> None:
        for _ in range(2000):
            x.add_(1)

    latency, reference, device_time = _times(launches)
    assert _value(device_time) < 0.9 * _value(latency)
    assert _value(reference) == pytest.approx(_value(latency) * 300 / 2000, rel=0.3)


def _memory(function: Callable[[], object]) -> dict[str, Measurement]:
    return {each.metric.name: each for each in _measured(function, MemoryMeter())}


def _resident(function: Callable[[], object]) -> float:
    return _value(_memory(function)["resident_memory"])


def test_memory_that_torch_does_not_hand_out_is_plausible(torch: Any) -> None:
    def function() -> Any:
        return torch.empty(64 * MiB, dtype=torch.uint8, device="cuda")

    found = _memory(function)
    assert _value(found["reserved_memory"]) >= _value(found["peak_memory"]) == 64 * MiB
    other = found["other_memory"]
    if other.absent is not None and "in a container" in other.absent:
        pytest.skip(other.absent)
    # A context and the loaded kernels; an H200 has 141 GB, and other processes do not count.
    assert 100 * MiB < _value(other) < 4096 * MiB


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


def test_gaps_that_earlier_tests_left_do_not_count(torch: Any) -> None:
    model = torch.nn.Linear(1024, 1024, device="cuda", dtype=torch.float16)
    x = torch.ones(700, 1024, device="cuda", dtype=torch.float16)

    def function() -> Any:
        with torch.no_grad():
            return model(model(x)).relu_()

    def allocated() -> int:
        """Return what a peak in whole blocks would be, above what is there."""
        function()
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        function()
        torch.cuda.synchronize()
        peak: int = torch.cuda.max_memory_allocated() - before
        return peak

    peaks, blocks = [], []
    for gap in (1_500_000, 2_400_000, 3_300_000):
        torch.cuda.empty_cache()
        # Blocks with gaps of this size between them, which the next tensors get.
        parts = [torch.empty(gap, dtype=torch.uint8, device="cuda") for _ in range(20)]
        del parts[::2]
        peaks.append(_value(_memory(function)["peak_memory"]))
        blocks.append(allocated())
        del parts
    assert len(set(peaks)) == 1
    assert peaks[0] >= 2 * 700 * 1024 * 2
    # The negative control: whole blocks differ.
    assert len(set(blocks)) > 1


def test_what_the_allocator_has_not_taken_back_yet_is_not_the_calls(torch: Any) -> None:
    side, size = torch.cuda.Stream(), 64 * MiB

    def function() -> None:
        x = torch.empty(size, dtype=torch.uint8, device="cuda")
        with torch.cuda.stream(side):
            torch.cuda._sleep(10_000_000)
        x.record_stream(side)  # the block is free when the other stream gets here

    assert [_peak(torch, function) for _ in range(3)] == [size] * 3


def test_a_case_holds_its_model_and_what_lies_beside_it(torch: Any) -> None:
    def build(width: int) -> Any:
        return torch.nn.Linear(width, width, bias=False, device="cuda", dtype=torch.float16)

    model, x = build(2048), torch.ones(8, 2048, device="cuda", dtype=torch.float16)
    size = 2 * (2048 * 2048 + 8 * 2048)
    assert _resident(lambda: model(x)) == size
    neighbour = build(4096)
    garbage = [torch.empty(48 * MiB, dtype=torch.uint8, device="cuda")]
    garbage.append(garbage)
    del garbage
    assert _resident(lambda: model(x)) == size
    model.beside = torch.empty(48 * MiB, dtype=torch.uint8, device="cuda")
    assert _resident(lambda: model(x)) == size + 48 * MiB
    assert _resident(neighbour.weight.sum) == 2 * 4096 * 4096


def test_graphs_count_with_the_memory_that_they_keep(torch: Any) -> None:
    model = torch.nn.Linear(1024, 1024, device="cuda", dtype=torch.float16).requires_grad_(False)
    x = torch.ones(2048, 1024, device="cuda", dtype=torch.float16)

    def capture(passes: int) -> Any:
        """Capture passes whose results all live at once; return the graph and its result."""
        with torch.cuda.stream(torch.cuda.Stream()):
            model(x)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = torch.stack([model(x) for _ in range(passes)]).sum(0)
        return graph, result

    def resident(passes: int) -> float:
        graph, result = capture(passes)
        found = _memory(graph.replay)
        assert _value(found["peak_memory"]) == 0
        del result
        return _value(found["resident_memory"])

    # The first graph of the process keeps a workspace for all; it must not have more memory.
    first, again, more = resident(4), resident(4), resident(12)
    assert first == again
    # Each result has 4 MiB, and the stack holds them once more.
    assert more - first >= 2 * 8 * 4 * MiB


def test_a_call_on_the_processor_has_memory_there(torch: Any) -> None:
    held = torch.empty(MiB, dtype=torch.uint8, device="cuda")
    x = torch.ones(8, 8)
    found = _memory(lambda: x @ x)
    for name in ("peak_memory", "reserved_memory", "other_memory"):
        assert found[name].absent == "no CUDA device was used"
    assert _value(found["host_peak_memory"]) == _value(found["resident_memory"]) == 8 * 8 * 4
    del held


def test_launches_are_no_slower_after_a_trace_of_the_processors_memory(torch: Any) -> None:
    x = torch.ones(8, 8)
    before_s = _launching_s(torch)
    assert _memory(lambda: x @ x)["host_peak_memory"].absent is None
    assert _launching_s(torch) <= 1.1 * before_s


@pytest.mark.parametrize("rounds", [1, 5])
def test_random_numbers_of_the_device_do_not_show_the_rounds(torch: Any, rounds: int) -> None:
    def draw() -> Any:
        return torch.rand(4, device="cuda").tolist()

    torch.manual_seed(0)
    once = [draw(), draw()]
    torch.manual_seed(0)
    plan = LoopPlan(rounds=rounds, warmup=1)
    meters, skip = [SteadyMeter(lambda: None)], frozenset({"energy", "dynamic_energy"})
    result, _ = measure_call(draw, (), {}, meters=meters, plan=plan, skip=skip)
    assert [result, draw()] == once


def test_without_keeping_the_state_they_would(torch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from contextlib import nullcontext

    def draw() -> Any:
        return torch.rand(4, device="cuda").tolist()

    monkeypatch.setattr(measurement, "preserve_random_state", nullcontext)
    torch.manual_seed(0)
    once = [draw(), draw()]
    torch.manual_seed(0)
    meters, skip = [SteadyMeter(lambda: None)], frozenset({"energy", "dynamic_energy"})
    result, _ = measure_call(draw, (), {}, meters=meters, plan=PLAN, skip=skip)
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
    meters = measurement.built_in_meters()
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
