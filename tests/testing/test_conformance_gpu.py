"""The built-in GPU meters conform to the protocol. Run with `-m gpu`."""

from collections.abc import Callable
from typing import Any

import pytest

from pytest_pareto.measure.meters.device_time import DeviceTimeMeter
from pytest_pareto.measure.meters.latency import SteadyMeter
from pytest_pareto.measure.meters.memory import MemoryMeter
from pytest_pareto.testing import check_meter

pytestmark = pytest.mark.gpu

MiB = 2**20


@pytest.fixture
def products() -> Callable[[int], Callable[[], None]]:
    """Work of about ten milliseconds of matrix products per unit."""
    import torch

    a: Any = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    out = torch.empty_like(a)

    def work(units: int) -> Callable[[], None]:
        def multiply() -> None:
            for _ in range(10 * units):
                torch.mm(a, a, out=out)

        return multiply

    return work


def test_latency_and_energy(products: Callable[[int], Callable[[], None]]) -> None:
    # The reference measures the host, so it does not grow with the work.
    meter = SteadyMeter(tracer=lambda: None)
    found = check_meter(meter, work=products, skip=["host_reference"], passes=1)
    assert found.readings.keys() >= {"latency", "event_time"}


def test_device_time(products: Callable[[int], Callable[[], None]]) -> None:
    found = check_meter(
        DeviceTimeMeter(),
        work=products,
        unseen=lambda: sum(range(1000)),
        skip=["host_copies", "host_waits", "allocations"],  # there are none
        passes=1,
        must_measure=True,
    )
    assert found.readings["kernels"] >= 10


def test_peak_memory() -> None:
    import torch

    torch.cuda.init()
    check_meter(
        MemoryMeter(),
        work=lambda units: lambda: torch.empty(units * 32 * MiB, dtype=torch.uint8, device="cuda"),
        unseen=lambda: sum(range(1000)),
        # Nothing is held, and a GPU is worked on; what the process has does not grow with the work.
        skip=["resident_memory", "host_peak_memory", "reserved_memory", "other_memory"],
        must_measure=True,
    )
