import gc
import os
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pareto.measure.measurement import measure_call
from pytest_pareto.measure.meter import Calls, Meter, meter_pass
from pytest_pareto.measure.meters.memory import MemoryMeter, WatchedCall
from pytest_pareto.measure.plan import LoopPlan
from pytest_pareto.model.run import Measurement

if TYPE_CHECKING:
    from tests.measure.scripted_nvml import ScriptedNvml

CallsOf = Callable[..., Calls]
MiB = 2**20


def on_cuda(held: int = 0) -> MemoryMeter:
    """Return a meter of calls that work on a GPU, and hold so many bytes there."""
    return MemoryMeter(watch=lambda calls: WatchedCall({"cuda": held}, "cuda", profiled=False))


def by_name(meter: Meter, calls: Calls) -> Mapping[str, Any]:
    return {each.metric.name: each for each in meter_pass(meter, calls, frozenset())}


def peak_of(calls: Calls) -> tuple[float, ...]:
    values: tuple[float, ...] = by_name(on_cuda(), calls)["peak_memory"].values
    return values


def test_the_peak_within_the_call_counts_without_what_was_there(
    fake_torch: Any, calls_of: CallsOf
) -> None:
    cuda = fake_torch.cuda
    cuda.allocate(100 * MiB)  # weights, of this case or another
    cuda.allocate(900 * MiB)  # the peak of an earlier test, freed since
    cuda.free(900 * MiB)

    def function() -> None:
        cuda.allocate(64 * MiB)
        cuda.free(64 * MiB)

    assert peak_of(calls_of(function, warmup=1)) == (64 * MiB,)


def test_what_a_block_is_larger_than_its_tensor_depends_on_earlier_tests_and_is_not_counted(
    fake_torch: Any, calls_of: CallsOf
) -> None:
    gaps = iter((0, 0, MiB, MiB))

    def function() -> None:
        gap = next(gaps)
        fake_torch.cuda.allocate(64 * MiB, rounding=gap)
        fake_torch.cuda.free(64 * MiB, rounding=gap)

    assert [peak_of(calls_of(function, warmup=1)) for _ in range(2)] == [(64 * MiB,)] * 2


def test_peaks_of_all_used_devices_are_summed(fake_torch: Any, calls_of: CallsOf) -> None:
    def function() -> None:
        for device in (0, 2):
            fake_torch.cuda.allocate(MiB, on=device)
            fake_torch.cuda.free(MiB, on=device)

    function()
    found = by_name(on_cuda(), calls_of(function, warmup=1))
    assert found["peak_memory"].values == found["reserved_memory"].values == (2 * MiB,)


def test_what_others_hold_on_other_devices_is_not_the_calls(fake_torch: Any) -> None:
    fake_torch.cuda.allocate(500 * MiB, on=2)

    def function() -> None:
        fake_torch.cuda.allocate(MiB)
        fake_torch.cuda.free(MiB)

    _, found = measure_call(function, (), {}, meters=[on_cuda()], plan=LoopPlan(rounds=1, warmup=1))
    values = {each.metric.name: each.values for each in found}
    assert values["peak_memory"] == values["reserved_memory"] == (MiB,)


def test_memory_held_by_garbage_is_not_counted(fake_torch: Any, calls_of: CallsOf) -> None:
    class Tensor:
        def __init__(self) -> None:
            fake_torch.cuda.allocate(MiB)
            weakref.finalize(self, fake_torch.cuda.free, MiB)
            self.cycle = self

    gc.disable()  # an automatic collection might hide the effect under test
    try:
        assert peak_of(calls_of(Tensor, warmup=3)) == (MiB,)
        enabled = gc.isenabled()
    finally:
        gc.enable()
    assert not enabled  # a meter leaves the collector as it was


def test_garbage_of_a_call_counts_whenever_the_collector_would_have_run(
    fake_torch: Any, calls_of: CallsOf
) -> None:
    fake_torch.cuda.allocate(MiB)
    enabled = []

    def function() -> None:
        enabled.append(gc.isenabled())

    by_name(on_cuda(), calls_of(function, warmup=1))
    assert enabled == [True, False]
    assert gc.isenabled()


def test_it_is_measured_warm_and_in_a_single_call(fake_torch: Any, calls_of: CallsOf) -> None:
    calls = calls_of(lambda: fake_torch.cuda.allocate(MiB), warmup=3)
    on_cuda().measure(calls)
    assert calls.count == 4


def test_a_call_that_allocates_nothing_has_a_peak_of_zero(
    fake_torch: Any, calls_of: CallsOf
) -> None:
    fake_torch.cuda.allocate(100 * MiB)  # memory of another test
    found = by_name(on_cuda(held=64 * MiB), calls_of(lambda: None, warmup=0))
    assert found["peak_memory"].values == (0.0,)
    assert found["resident_memory"].values == (64 * MiB,)
    assert found["host_peak_memory"].absent == "the call works on a GPU"


@pytest.mark.parametrize("names", [("peak_memory", "reserved_memory", "other_memory")])
class TestWithoutAPeak:
    def test_a_call_on_the_processor_has_none_on_a_gpu(
        self, fake_torch: Any, calls_of: CallsOf, names: tuple[str, ...]
    ) -> None:
        fake_torch.cuda.allocate(100 * MiB)
        watched = WatchedCall({"cpu": MiB, "cuda": 100 * MiB}, "cpu", profiled=False)
        meter = MemoryMeter(watch=lambda calls: watched, host_peak=lambda prepare: MiB)
        found = by_name(meter, calls_of(lambda: None, warmup=0))
        assert {found[name].absent for name in names} == {"no CUDA device was used"}
        assert found["resident_memory"].values == found["host_peak_memory"].values == (MiB,)

    @pytest.mark.usefixtures("without_torch")
    def test_without_torch_there_is_nothing_to_measure(
        self, calls_of: CallsOf, names: tuple[str, ...]
    ) -> None:
        calls = calls_of(lambda: None, warmup=2)
        found = by_name(MemoryMeter(), calls)
        assert {found[name].absent for name in names} == {"no CUDA device was used"}
        reason = "torch is not imported, and only its memory is measured"
        assert found["resident_memory"].absent == found["host_peak_memory"].absent == reason
        assert calls.count == 0

    @pytest.mark.parametrize(
        ("attribute", "value", "reason"),
        [
            (
                "backend",
                "cudaMallocAsync",
                "the allocator cudaMallocAsync does not count what tensors ask for; use torch's "
                "own",
            ),
            (
                "keeps_statistics",
                False,
                "torch's allocator counts nothing here (PYTORCH_NO_CUDA_MEMORY_CACHING is set)",
            ),
        ],
    )
    def test_an_allocator_that_does_not_count_has_none(
        self,
        fake_torch: Any,
        calls_of: CallsOf,
        names: tuple[str, ...],
        attribute: str,
        value: object,
        reason: str,
    ) -> None:
        fake_torch.cuda.allocate(MiB)
        setattr(fake_torch.cuda, attribute, value)
        found = by_name(on_cuda(held=MiB), calls_of(lambda: None, warmup=0))
        assert {found[name].absent for name in names} == {reason}
        assert found["resident_memory"].values == (MiB,)


class TestReservedMemory:
    def test_gaps_that_earlier_tests_left_are_in_it(
        self, fake_torch: Any, calls_of: CallsOf
    ) -> None:
        fake_torch.cuda.allocate(900 * MiB)
        fake_torch.cuda.free(900 * MiB)

        def function() -> None:
            fake_torch.cuda.allocate(64 * MiB)
            fake_torch.cuda.free(64 * MiB)

        def measured() -> list[tuple[float, ...]]:
            found = by_name(on_cuda(), calls_of(function, warmup=1))
            return [found[name].values for name in ("peak_memory", "reserved_memory")]

        assert measured() == [(64 * MiB,), (900 * MiB,)]
        fake_torch.cuda.empty_cache()
        assert measured() == [(64 * MiB,), (64 * MiB,)]

    def test_it_is_the_peak_and_not_what_is_left(self, fake_torch: Any, calls_of: CallsOf) -> None:
        def function() -> None:
            fake_torch.cuda.allocate(64 * MiB)
            fake_torch.cuda.free(64 * MiB)
            fake_torch.cuda.empty_cache()

        found = by_name(on_cuda(), calls_of(function, warmup=1))
        assert fake_torch.cuda.memory_reserved(0) == 0
        assert found["reserved_memory"].values == (64 * MiB,)


class TestOtherMemory:
    @pytest.fixture
    def measure(self, fake_torch: Any, calls_of: CallsOf) -> Callable[[], Measurement]:
        """Measure a call that peaks at 64 MiB and holds 16 of them reserved."""

        def function() -> None:
            fake_torch.cuda.allocate(64 * MiB)
            fake_torch.cuda.free(48 * MiB)
            fake_torch.cuda.empty_cache()
            fake_torch.cuda.free(16 * MiB)

        def found() -> Measurement:
            measured = by_name(on_cuda(), calls_of(function, warmup=1))
            peak, reserved = measured["peak_memory"], measured["reserved_memory"]
            assert (peak.values, reserved.values) == ((64 * MiB,), (64 * MiB,))
            other: Measurement = measured["other_memory"]
            return other

        return found

    def test_it_is_what_the_process_holds_beside_the_allocator(
        self, nvml: "ScriptedNvml", measure: Callable[[], Measurement]
    ) -> None:
        nvml.boards[0].processes = {os.getpid(): 516 * MiB, 4711: 9000 * MiB}
        # What was reserved at the peak is not subtracted: it is freed by now.
        assert measure().values == (500 * MiB,)
        assert nvml.sessions == 0

    def test_a_context_more_is_seen(
        self, nvml: "ScriptedNvml", measure: Callable[[], Measurement]
    ) -> None:
        found = []
        for held in (516, 616):
            nvml.boards[0].processes = {os.getpid(): held * MiB}
            found.append(measure().values[0])
        assert found[1] - found[0] == 100 * MiB

    def test_boards_are_summed(
        self, nvml: "ScriptedNvml", fake_torch: Any, calls_of: CallsOf
    ) -> None:
        def function() -> None:
            for device in (0, 2):
                fake_torch.cuda.allocate(MiB, on=device)
                fake_torch.cuda.free(MiB, on=device)

        for board in nvml.boards:
            board.processes = {os.getpid(): 501 * MiB}
        fake_torch.cuda.allocate(1, on=2)
        fake_torch.cuda.free(1, on=2)
        found = by_name(on_cuda(), calls_of(function, warmup=1))
        assert found["other_memory"].values == (1000 * MiB,)

    @pytest.mark.parametrize("processes", [{}, {4711: 516 * MiB}, {os.getpid(): None}])
    def test_a_process_that_nvml_does_not_know_or_measure_has_none(
        self,
        nvml: "ScriptedNvml",
        measure: Callable[[], Measurement],
        processes: dict[int, int | None],
    ) -> None:
        nvml.boards[0].processes = processes
        reason = "NVML does not report this process's memory (in a container, pids may differ)"
        assert measure().absent == reason

    def test_less_than_is_reserved_is_no_figure_and_takes_no_other_away(
        self, nvml: "ScriptedNvml", measure: Callable[[], Measurement]
    ) -> None:
        nvml.boards[0].processes = {os.getpid(): 15 * MiB}
        assert measure().absent == "NVML counts less for this process than torch has reserved"

    def test_without_nvml_it_alone_is_absent(
        self, nvml: "ScriptedNvml", measure: Callable[[], Measurement]
    ) -> None:
        nvml.init_error = "Driver Not Loaded"
        assert measure().absent == "NVML cannot be used here (NVMLError: Driver Not Loaded)"

    def test_so_it_is_where_nvml_does_not_answer(
        self, nvml: "ScriptedNvml", measure: Callable[[], Measurement]
    ) -> None:
        nvml.boards[0].errors["nvmlDeviceGetComputeRunningProcesses"] = "Insufficient Permissions"
        reason = measure().absent
        assert reason is not None
        assert reason.endswith("(Insufficient Permissions)")
