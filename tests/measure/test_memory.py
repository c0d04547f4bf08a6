import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from pytest_pareto.measure.memory import PeakMemoryMeter
from pytest_pareto.measure.meter import Calls

CallsOf = Callable[..., Calls]
MiB = 2**20


def test_the_peak_within_the_call_counts_with_what_is_held(
    fake_torch: Any, calls_of: CallsOf
) -> None:
    cuda = fake_torch.cuda
    cuda.allocate(100 * MiB)  # weights
    cuda.allocate(900 * MiB)  # an earlier test's peak, long gone
    cuda.free(900 * MiB)

    def function() -> None:
        cuda.allocate(64 * MiB)
        cuda.free(64 * MiB)

    (peak,) = PeakMemoryMeter().measure(calls_of(function, warmup=1))
    assert peak.values == (164 * MiB,)


def test_peaks_of_all_used_devices_are_summed(fake_torch: Any, calls_of: CallsOf) -> None:
    def function() -> None:
        for device in (0, 2):
            fake_torch.cuda.allocate(MiB, on=device)
            fake_torch.cuda.free(MiB, on=device)

    (peak,) = PeakMemoryMeter().measure(calls_of(function, warmup=1))
    assert peak.values == (2 * MiB,)


def test_memory_held_by_garbage_is_not_counted(fake_torch: Any, calls_of: CallsOf) -> None:
    class Tensor:
        def __init__(self) -> None:
            fake_torch.cuda.allocate(MiB)
            weakref.finalize(self, fake_torch.cuda.free, MiB)
            self.cycle = self

    gc.disable()  # or a collection of its own accord might hide what is tested
    try:
        (peak,) = PeakMemoryMeter().measure(calls_of(Tensor, warmup=3))
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
    fake_torch.cuda.allocate(100 * MiB)  # what another test holds
    (peak,) = PeakMemoryMeter().measure(calls_of(lambda: None, warmup=0))
    assert peak.absent == "the call allocated no CUDA memory"


def test_without_cuda_it_is_absent(fake_torch: Any) -> None:
    assert PeakMemoryMeter().absence() is None
    fake_torch.cuda.initialized = False
    assert PeakMemoryMeter().absence() == "no CUDA device was used"


@pytest.mark.usefixtures("without_torch")
def test_without_torch_it_is_absent() -> None:
    assert PeakMemoryMeter().absence() == "no CUDA device was used"
