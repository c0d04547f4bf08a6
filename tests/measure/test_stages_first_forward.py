import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import pytest

from pytest_pareto.measure.stages import before_first_forward


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch")


@pytest.fixture
def module(torch: Any) -> Any:
    class Double(torch.nn.Module):  # type: ignore[misc]  # torch is not read by mypy
        def forward(self, x: Any, *, plus: int = 0) -> Any:
            return 2 * x + plus

    return Double()


def _hooks(module: Any) -> int:
    return len(module._forward_pre_hooks)


def test_only_the_first_forward_of_all_is_noticed(module: Any, torch: Any) -> None:
    other, seen = torch.nn.Identity(), []
    with before_first_forward((module, other), lambda *reported: seen.append(reported)):
        assert (_hooks(module), _hooks(other)) == (1, 1)
        assert module(3, plus=1) == 7
        assert (_hooks(module), _hooks(other)) == (0, 0)
        other(1)
        module(2)
    assert seen == [((3,), {"plus": 1})]


@pytest.mark.parametrize("raises", [True, False])
def test_no_hook_outlives_a_block_without_a_forward(module: Any, raises: bool) -> None:
    with (
        pytest.raises(KeyError) if raises else nullcontext(),
        before_first_forward([module], lambda *_: pytest.fail("there was no forward")),
    ):
        if raises:
            raise KeyError
    assert _hooks(module) == 0
    module(1)


@pytest.fixture(params=["torch.compile(module)", "module.compile()"])
def compiled(request: pytest.FixtureRequest, torch: Any, module: Any) -> Iterator[Any]:
    from torch._dynamo.testing import CompileCounter

    torch._dynamo.reset()
    module.counter = CompileCounter()
    if request.param == "module.compile()":
        module.compile(backend=module.counter, fullgraph=True)
        yield module
    else:
        yield torch.compile(module, backend=module.counter, fullgraph=True)
    torch._dynamo.reset()


def _forwards(module: Any, x: Any, block: Callable[[], Any]) -> None:
    for _ in range(3):
        with block():
            assert module(x).item() == 2
            assert module(x).item() == 2


def test_a_compiled_module_is_noticed_and_keeps_its_one_graph(torch: Any, compiled: Any) -> None:
    x, seen = torch.ones(()), []
    kept = vars(compiled).get("_compiled_call_impl")
    with torch.no_grad():
        compiled(x)
        _forwards(compiled, x, lambda: before_first_forward([compiled], lambda *_: seen.append(0)))
    assert (len(seen), compiled.counter.frame_count) == (3, 1)
    assert vars(compiled).get("_compiled_call_impl") is kept
    assert _hooks(compiled) == 0


def test_a_hook_in_the_graph_would_break_it(torch: Any, module: Any) -> None:
    """The negative control: what an ordinary hook does to a module compiled in place."""
    torch._dynamo.reset()
    module.compile(backend="eager", fullgraph=True)
    module.register_forward_pre_hook(lambda *_: time.perf_counter_ns())
    with pytest.raises(torch._dynamo.exc.TorchDynamoException):
        module(torch.ones(()))
    torch._dynamo.reset()
