from types import SimpleNamespace
from typing import Any

import pytest

from pytest_pareto.measure.device import (
    AcceleratorDevice,
    CpuDevice,
    CudaDevice,
    cumulative_allocated_bytes,
    find_device,
    initialized_cuda,
)


def _accelerator(kind: str, *, available: bool = True) -> SimpleNamespace:
    journal: list[str] = []
    return SimpleNamespace(
        journal=journal,
        is_available=lambda: available,
        current_accelerator=lambda: SimpleNamespace(type=kind),
        synchronize=lambda: journal.append("sync"),
    )


@pytest.mark.usefixtures("without_torch")
def test_without_torch_the_device_is_the_processor() -> None:
    device = find_device()
    assert isinstance(device, CpuDevice)
    assert device.event_pair() is None
    device.synchronize()


def test_cuda_that_was_not_started_is_left_alone(fake_torch: Any) -> None:
    fake_torch.cuda.initialized = False
    fake_torch.accelerator = _accelerator("cuda")
    assert isinstance(find_device(), CpuDevice)
    assert initialized_cuda() is None
    assert fake_torch.cuda.journal == fake_torch.accelerator.journal == []


def test_every_used_device_is_synchronised_and_no_other(fake_torch: Any) -> None:
    fake_torch.cuda.current = 1
    fake_torch.cuda.allocate(512, on=2)
    fake_torch.cuda.free(512, on=2)  # a device once used counts, though it holds nothing now
    device = find_device()
    assert isinstance(device, CudaDevice)
    device.synchronize()
    assert fake_torch.cuda.journal == ["sync 1", "sync 2"]


def test_an_allocator_without_statistics_does_not_fail_the_test(fake_torch: Any) -> None:
    fake_torch.cuda.keeps_statistics = False
    find_device().synchronize()
    assert fake_torch.cuda.journal == ["sync 0"]


def test_events_time_the_device_in_seconds(fake_torch: Any) -> None:
    pair = find_device().event_pair()
    assert pair is not None
    pair.start()
    fake_torch.cuda.launch(0.25)
    pair.stop()
    assert pair.elapsed_s() == pytest.approx(0.25)


@pytest.mark.parametrize("kind", ["mps", "xpu"])
def test_another_accelerator_is_synchronised_without_events(fake_torch: Any, kind: str) -> None:
    fake_torch.cuda.initialized = False
    fake_torch.accelerator = _accelerator(kind)
    device = find_device()
    assert isinstance(device, AcceleratorDevice)
    assert device.event_pair() is None
    device.synchronize()
    assert fake_torch.accelerator.journal == ["sync"]


def test_an_accelerator_that_is_not_there_is_the_processor(fake_torch: Any) -> None:
    fake_torch.cuda.initialized = False
    fake_torch.accelerator = _accelerator("mps", available=False)
    assert isinstance(find_device(), CpuDevice)


def test_a_function_works_on_the_devices_whose_memory_it_allocated(fake_torch: Any) -> None:
    fake_torch.cuda.allocate(7, on=2)  # of another test
    before = cumulative_allocated_bytes()
    fake_torch.cuda.allocate(7, on=1)
    device = find_device(before)
    assert isinstance(device, CudaDevice)
    assert (device.indexes, device.own_indexes) == ((0, 1, 2), (1,))


def test_one_that_allocated_nothing_works_on_the_current_one(fake_torch: Any) -> None:
    fake_torch.cuda.allocate(7, on=2)
    device = find_device(cumulative_allocated_bytes())
    assert isinstance(device, CudaDevice)
    assert device.own_indexes == (0,)


def test_looking_for_accelerators_does_not_start_cuda(fake_torch: Any) -> None:
    # Asking whether CUDA is available starts its driver, and forked workers could not use it.
    fake_torch.cuda.initialized = False
    fake_torch.accelerator = SimpleNamespace(
        current_accelerator=lambda: SimpleNamespace(type="cuda"), is_available=lambda: 1 / 0
    )
    assert isinstance(find_device(), CpuDevice)
