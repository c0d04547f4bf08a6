"""The peak on the processor by the operations that needed the memory, with the real profiler."""

from collections.abc import Callable
from typing import Any

import pytest

torch: Any = pytest.importorskip("torch")

from pytest_pareto.measure.measurement import measure_call  # noqa: E402
from pytest_pareto.measure.meters.memory import MemoryMeter  # noqa: E402
from pytest_pareto.measure.torch_profiler import CallProfiler  # noqa: E402


def conversion(x: Any) -> Any:
    return x.double()


def buffer(x: Any) -> Any:
    return torch.empty_like(x, dtype=torch.float64)


def product(x: Any) -> Any:
    return torch.mm(x, x).double()


@pytest.mark.parametrize(
    ("function", "parts"),
    [
        (conversion, {"aten::_to_copy": 8 * 64}),
        (buffer, {"aten::empty_strided": 8 * 64}),
        (product, {"aten::_to_copy": 8 * 64, "aten::mm": 4 * 64}),
    ],
)
def test_memory_is_of_the_operation_that_needs_it(
    function: Callable[[Any], Any], parts: dict[str, int]
) -> None:
    """An operation that only allocates is named where the call itself asked for a buffer."""
    _, measured = measure_call(
        function, (torch.ones(8, 8),), {}, meters=[MemoryMeter()], profiler=CallProfiler()
    )
    (peak,) = [m for m in measured if m.metric.name == "host_peak_memory"]
    assert peak.breakdown is not None
    assert {part.name: part.value for part in peak.breakdown.parts} == parts
    assert peak.breakdown.total == peak.values[0]
