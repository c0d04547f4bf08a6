import gc
import os
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pareto.measure.measurement import measure_call
from pytest_pareto.measure.meter import Calls, meter_pass
from pytest_pareto.measure.meters.memory import PeakMemoryMeter
from pytest_pareto.measure.plan import LoopPlan
from pytest_pareto.model.run import Measurement

if TYPE_CHECKING:
    from tests.measure.scripted_nvml import ScriptedNvml

CallsOf = Callable[..., Calls]
MiB = 2**20


def test_the_peak_within_the_call_counts_with_what_is_held(
    fake_torch: Any, calls_of: CallsOf
) -> None:
    cuda = fake_torch.cuda
    cuda.allocate(100 * MiB)  # weights
    cuda.allocate(900 * MiB)  # the peak of an earlier test, freed since
    cuda.free(900 * MiB)

    def function() -> None:
        cuda.allocate(64 * MiB)
        cuda.free(64 * MiB)

    peak, _, _ = PeakMemoryMeter().measure(calls_of(function, warmup=1))
    assert peak.values == (164 * MiB,)


def test_peaks_of_all_used_devices_are_summed(fake_torch: Any, calls_of: CallsOf) -> None:
    def function() -> None:
        for device in (0, 2):
            fake_torch.cuda.allocate(MiB, on=device)
            fake_torch.cuda.free(MiB, on=device)

    function()
    peak, reserved, _ = PeakMemoryMeter().measure(calls_of(function, warmup=1))
    assert peak.values == reserved.values == (2 * MiB,)


def test_what_others_hold_on_other_devices_is_not_the_calls(fake_torch: Any) -> None:
    fake_torch.cuda.allocate(500 * MiB, on=2)

    def function() -> None:
        fake_torch.cuda.allocate(MiB)
        fake_torch.cuda.free(MiB)

    _, (peak, *_) = measure_call(
        function, (), {}, meters=[PeakMemoryMeter()], plan=LoopPlan(rounds=1, warmup=1)
    )
    assert peak.values == (MiB,)


def test_memory_held_by_garbage_is_not_counted(fake_torch: Any, calls_of: CallsOf) -> None:
    class Tensor:
        def __init__(self) -> None:
            fake_torch.cuda.allocate(MiB)
            weakref.finalize(self, fake_torch.cuda.free, MiB)
            self.cycle = self

    gc.disable()  # an automatic collection might hide the effect under test
    try:
        peak, _, _ = PeakMemoryMeter().measure(calls_of(Tensor, warmup=3))
    finally:
        gc.enable()
    assert peak.values == (MiB,)


def test_it_is_measured_warm_and_in_a_single_call(fake_torch: Any, calls_of: CallsOf) -> None:
    calls = calls_of(lambda: fake_torch.cuda.allocate(MiB), warmup=3)
    PeakMemoryMeter().measure(calls)
    assert calls.count == 4


def test_a_call_that_allocates_nothing_has_no_peak_of_its_own(
    fake_torch: Any, calls_of: CallsOf
) -> None:
    fake_torch.cuda.allocate(100 * MiB)  # memory of another test
    found = PeakMemoryMeter().measure(calls_of(lambda: None, warmup=0))
    assert [each.absent for each in found] == [
        "the call allocated no CUDA memory: it replays a CUDA graph, or uses no GPU"
    ] * 3


def test_without_cuda_it_is_absent(fake_torch: Any) -> None:
    assert PeakMemoryMeter().absence() is None
    fake_torch.cuda.initialized = False
    assert PeakMemoryMeter().absence() == "no CUDA device was used"


@pytest.mark.usefixtures("without_torch")
def test_without_torch_it_is_absent() -> None:
    assert PeakMemoryMeter().absence() == "no CUDA device was used"


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
            found = PeakMemoryMeter().measure(calls_of(function, warmup=1))
            return [each.values for each in found[:2]]

        assert measured() == [(64 * MiB,), (900 * MiB,)]
        fake_torch.cuda.empty_cache()
        assert measured() == [(64 * MiB,), (64 * MiB,)]

    def test_it_is_the_peak_and_not_what_is_left(self, fake_torch: Any, calls_of: CallsOf) -> None:
        def function() -> None:
            fake_torch.cuda.allocate(64 * MiB)
            fake_torch.cuda.free(64 * MiB)
            fake_torch.cuda.empty_cache()

        _, reserved, _ = PeakMemoryMeter().measure(calls_of(function, warmup=1))
        assert fake_torch.cuda.memory_reserved(0) == 0
        assert reserved.values == (64 * MiB,)


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
            measured = meter_pass(PeakMemoryMeter(), calls_of(function, warmup=1), frozenset())
            peak, reserved, other = measured
            assert (peak.values, reserved.values) == ((64 * MiB,), (64 * MiB,))
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
        _, _, other = PeakMemoryMeter().measure(calls_of(function, warmup=1))
        assert other.values == (1000 * MiB,)

    @pytest.mark.parametrize("processes", [{}, {4711: 516 * MiB}, {os.getpid(): None}])
    def test_a_process_that_nvml_does_not_know_or_measure_has_none(
        self,
        nvml: "ScriptedNvml",
        measure: Callable[[], Measurement],
        processes: dict[int, int | None],
    ) -> None:
        nvml.boards[0].processes = processes
        reason = "NVML does not tell this process's memory (in a container, pids may differ)"
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
