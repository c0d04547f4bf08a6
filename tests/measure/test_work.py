import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_pareto.measure.meter import Calls
from pytest_pareto.measure.work import WorkMeter

CallsOf = Callable[..., Calls]


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch")


def _flops(calls: Calls) -> float:
    (found,) = WorkMeter().measure(calls)
    assert found.absent is None
    return found.values[0]


def test_a_matrix_product_is_two_m_n_k(torch: Any, calls_of: CallsOf) -> None:
    a, b = torch.ones(4, 8), torch.ones(8, 16)
    calls = calls_of(lambda: a @ b)
    assert _flops(calls) == 2 * 4 * 16 * 8
    assert calls.count == 1


def test_one_product_more_is_seen(torch: Any, calls_of: CallsOf) -> None:
    a = torch.ones(8, 8)
    assert _flops(calls_of(lambda: a @ a @ a)) == 2 * _flops(calls_of(lambda: a @ a))


def test_inference_mode_is_counted(torch: Any, calls_of: CallsOf) -> None:
    layer, x = torch.nn.Linear(8, 16), torch.ones(4, 8)

    def function() -> Any:
        with torch.inference_mode():
            return layer(x)

    assert _flops(calls_of(function)) == 2 * 4 * 16 * 8


def test_compiled_code_is_counted_as_it_was_written(torch: Any, calls_of: CallsOf) -> None:
    compiled_graphs: list[object] = []

    def backend(graph: Any, inputs: object) -> Any:
        compiled_graphs.append(graph)
        return graph.forward

    a, b = torch.ones(4, 8), torch.ones(8, 16)
    compiled = torch.compile(lambda: torch.relu(a @ b), backend=backend)
    compiled()
    assert _flops(calls_of(compiled)) == 2 * 4 * 16 * 8
    compiled()
    assert len(compiled_graphs) == 1  # counting does not make it compile again


def test_compilers_are_told_to_stand_back_for_the_counted_call_alone(
    torch: Any, calls_of: CallsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What torch does with a compiled function under a counter differs between versions.
    journal: list[str] = []

    @contextmanager
    def set_stance(stance: str) -> Iterator[None]:
        journal.append(stance)
        yield
        journal.append("default")

    monkeypatch.setattr(torch.compiler, "set_stance", set_stance)
    monkeypatch.setitem(sys.modules, "torch._dynamo", torch._dynamo)
    WorkMeter().measure(calls_of(lambda: journal.append("call")))
    assert journal == ["force_eager", "call", "default"]


def test_attention_on_the_processor_is_counted_as_on_a_gpu(torch: Any, calls_of: CallsOf) -> None:
    heads, tokens, width = 2, 32, 16
    q = torch.ones(1, heads, tokens, width)
    attention = torch.nn.functional.scaled_dot_product_attention
    assert _flops(calls_of(lambda: attention(q, q, q))) == 2 * 2 * heads * tokens**2 * width


def test_attention_backward_on_the_processor_is_counted(torch: Any, calls_of: CallsOf) -> None:
    q = torch.ones(1, 2, 32, 16, requires_grad=True)
    attention = torch.nn.functional.scaled_dot_product_attention
    forward = _flops(calls_of(lambda: attention(q, q, q)))
    both = _flops(calls_of(lambda: attention(q, q, q).sum().backward()))
    # Backward makes five products where forward makes two.
    assert both == 3.5 * forward


def test_nothing_counted_is_absent_and_never_zero(torch: Any, calls_of: CallsOf) -> None:
    x = torch.ones(8)
    (found,) = WorkMeter().measure(calls_of(lambda: x + x))
    assert found.values == ()
    assert found.absent == "0 FLOPs counted: the call dispatched no operation that torch can count"


def test_code_that_only_the_counter_breaks_is_absent(torch: Any, calls_of: CallsOf) -> None:
    def function() -> Any:
        if torch.utils._python_dispatch._get_current_dispatch_mode() is not None:
            raise TypeError("no dispatch modes here\nsecond line")
        return torch.ones(1)

    calls = calls_of(function)
    (found,) = WorkMeter().measure(calls)
    assert found.absent == "counting raised TypeError: no dispatch modes here"
    assert calls.count == 2


def test_code_that_breaks_without_the_counter_too_is_the_functions_fault(
    torch: Any, calls_of: CallsOf
) -> None:
    def function() -> None:
        raise TypeError("always")

    calls = calls_of(function)
    with pytest.raises(TypeError, match="always") as raised:
        WorkMeter().measure(calls)
    assert raised.value is calls.raised


def test_the_counter_leaves_nothing_behind(torch: Any, calls_of: CallsOf) -> None:
    modes = torch.utils._python_dispatch._get_current_dispatch_mode_stack
    seen: list[int] = []
    calls = calls_of(lambda: seen.append(len(modes())))
    WorkMeter().measure(calls)
    calls.prepare()()
    assert seen == [1, 0]


@pytest.mark.usefixtures("without_torch")
def test_without_torch_there_is_nothing_to_count() -> None:
    assert WorkMeter().absence() == "torch is not imported, and only its operations are counted"


def test_with_torch_there_is(monkeypatch: pytest.MonkeyPatch, fake_torch: SimpleNamespace) -> None:
    assert WorkMeter().absence() is None
