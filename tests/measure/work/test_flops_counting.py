"""The definition of work: equal on real tensors, on meta tensors and on fake ones."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from pytest_pareto.measure.work.flops import Work, call_and_count

torch: Any = pytest.importorskip("torch")


def work_of(function: Callable[[], object]) -> Work:
    return call_and_count(function)[1]


def operations(function: Callable[[], object]) -> int:
    return work_of(function).operations


def test_the_result_comes_back_beside_the_work() -> None:
    a, b = torch.ones(4, 8), torch.ones(8, 16)
    result, work = call_and_count(lambda: torch.relu(a @ b))
    assert torch.equal(result, torch.relu(a @ b))
    assert work == Work(flops=2 * 4 * 8 * 16, operations=2)


@pytest.mark.parametrize(
    "idle",
    [
        lambda x: x.view(2, 8).t()[0].unsqueeze(0).expand(3, 2).detach(),
        lambda x: x.reshape(16).split(4),
        lambda x: (x.shape, x.stride(), x.numel(), x.device, x.is_contiguous()),
        lambda x: torch.empty_like(x).new_empty(3),
        lambda x: x.squeeze_(),
    ],
)
def test_what_launches_nothing_is_no_operation(idle: Callable[[Any], object]) -> None:
    assert operations(lambda: idle(torch.empty(4, 4))) == 0


@pytest.mark.parametrize(
    "working",
    [
        lambda x: x.clone(),
        lambda x: x.t().contiguous(),
        lambda x: x.double(),
        lambda x: x.copy_(x),
        lambda x: torch.zeros(3),
        lambda x: x.t().reshape(16),
        lambda x: x.add_(1),
    ],
)
def test_what_computes_or_moves_numbers_is_one(working: Callable[[Any], object]) -> None:
    assert operations(lambda: working(torch.empty(4, 4))) == 1


def layers() -> Any:
    """Composite operations: a counter sees them in inference mode, and their parts otherwise."""
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3),
        torch.nn.GroupNorm(2, 8),
        torch.nn.Dropout(0.1),
        torch.nn.Upsample(scale_factor=2),
        torch.nn.Flatten(),
        torch.nn.Linear(8 * 12 * 12, 4),
    ).eval()


def test_grad_modes_count_alike() -> None:
    model, x = layers(), torch.ones(2, 3, 8, 8)
    found = []
    for mode in (torch.enable_grad, torch.no_grad, torch.inference_mode):
        with mode():
            found.append(work_of(lambda: model(x)))
    # Convolution, norm, upsampling, the linear layer: dropout does nothing here.
    assert found == [Work(found[0].flops, 4)] * 3


def test_below_torchs_own_counter_they_do_not() -> None:
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils.flop_counter import FlopCounterMode

    class Naive(TorchDispatchMode):  # type: ignore[misc]  # torch is not read by mypy
        count = 0

        def __torch_dispatch__(
            self, func: Any, types: object, args: Any = (), kwargs: Any = None
        ) -> object:
            self.count += 1
            return func(*args, **(kwargs or {}))

    model, x = layers(), torch.ones(2, 3, 8, 8)
    counts = []
    for mode in (torch.no_grad, torch.inference_mode):
        with mode(), Naive() as naive, FlopCounterMode(display=False):
            model(x)
        counts.append(naive.count)
    assert counts[0] != counts[1]


def transformer_layer() -> Any:
    return torch.nn.TransformerEncoderLayer(32, 4, 64, batch_first=True).eval()


def test_transformer_layers_are_counted_in_inference_as_in_training() -> None:
    layer, x = transformer_layer(), torch.ones(2, 10, 32)
    with torch.no_grad():
        in_inference = work_of(lambda: layer(x)).flops
    assert in_inference == work_of(lambda: layer(x)).flops > 0


def test_torchs_own_counter_misses_them() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    layer, x = transformer_layer(), torch.ones(2, 10, 32)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        layer(x)
    assert counter.get_total_flops() == 0


def test_their_fast_kernel_is_there_again_afterwards() -> None:
    with pytest.raises(ZeroDivisionError):
        call_and_count(lambda: 1 / 0)
    assert torch.backends.mha.get_fastpath_enabled()


@pytest.fixture
def custom() -> Iterator[Any]:
    """A custom operation, like those of kernel packages."""
    with ExitStack() as stack:
        library = torch.library.Library("pareto_test", "FRAGMENT")
        stack.callback(library._destroy)
        library.define("kernel(Tensor x) -> Tensor")
        library.impl("kernel", lambda x: x * 2, "CompositeExplicitAutograd")
        yield torch.ops.pareto_test.kernel


def test_operations_without_a_formula_are_named(custom: Any) -> None:
    x = torch.ones(4, 4)
    work = work_of(lambda: custom(x @ x))
    assert work == Work(2 * 4**3, 2, uncounted=("pareto_test.kernel",))


def test_operations_with_a_formula_are_not_named(custom: Any) -> None:
    from torch.utils.flop_counter import flop_registry, register_flop_formula

    @register_flop_formula(custom)  # type: ignore[untyped-decorator]  # torch is not read by mypy
    def flops(x_shape: Any, **_: object) -> int:
        return int(x_shape.numel())

    try:
        assert work_of(lambda: custom(torch.ones(4, 4))) == Work(16, 2)
    finally:
        del flop_registry[custom]


def test_a_recurrent_layer_in_one_kernel_is_named() -> None:
    if not torch.backends.mkldnn.is_available():
        pytest.skip("this torch has no such kernel on the processor")
    layer, x = torch.nn.LSTM(8, 8), torch.ones(5, 2, 8)
    assert work_of(lambda: layer(x)).uncounted == ("aten.mkldnn_rnn_layer",)


def test_autocast_and_function_transforms_are_counted() -> None:
    w, x = torch.ones(4, 4), torch.ones(3, 4)
    with torch.autocast("cpu"):
        assert work_of(lambda: x @ w).flops == 2 * 3 * 4 * 4
    assert work_of(lambda: torch.func.vmap(lambda row: row @ w)(x)).flops == 2 * 3 * 4 * 4


def test_a_formula_that_fails_is_named_and_raises_nothing(custom: Any) -> None:
    from torch.utils.flop_counter import flop_registry, register_flop_formula

    @register_flop_formula(custom)  # type: ignore[untyped-decorator]  # torch is not read by mypy
    def flops(x_shape: Any, **_: object) -> int:
        rows, columns, depth = x_shape
        return int(rows * columns * depth)

    x = torch.ones(4, 4)
    try:
        assert work_of(lambda: custom(x @ x)) == Work(2 * 4**3, 2, ("pareto_test.kernel",))
    finally:
        del flop_registry[custom]


def test_matrix_times_vector_is_an_operation_without_flops() -> None:
    x = torch.ones(32, 32)
    assert work_of(lambda: (x @ x[0], x @ x)) == Work(2 * 32**3, 2)
