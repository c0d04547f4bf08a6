"""`without_data` computes and allocates nothing, and restores all state."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from pytest_pareto.measure.work.flops import call_and_count
from pytest_pareto.model.errors import ParetoError

torch: Any = pytest.importorskip("torch")

DEVICES = ("cpu", "meta")


def run(function: Callable[[], Any], arguments: object = ()) -> Any:
    from pytest_pareto.measure.work.meta_device import without_data

    with without_data(arguments):
        return function()


def is_without_data(tensor: Any) -> bool:
    from torch._subclasses.fake_tensor import FakeTensor

    return tensor.is_meta or isinstance(tensor, FakeTensor)


def test_real_tensors_give_fake_ones_of_the_same_shape() -> None:
    x = torch.ones(2, 3)
    y = run(lambda: (x @ x.t()).relu().half())
    assert is_without_data(y)
    assert (y.shape, y.dtype, y.device.type) == ((2, 2), torch.float16, "cpu")


def test_meta_tensors_give_plain_meta_tensors() -> None:
    x = torch.empty(2, 3, device="meta")
    y = run(lambda: torch.relu(x @ x.t()))
    assert type(y) is torch.Tensor
    assert y.is_meta


def test_nothing_is_allocated() -> None:
    column, row = torch.ones(10**6, 1), torch.ones(1, 10**6)
    y = run(lambda: torch.zeros(10**6, 10**6) + column * row + (column + row) @ row.t())
    assert y.shape == (10**6, 10**6)  # 4 TB


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.add_(1).mul_(2),
        lambda x: x.copy_(torch.ones(3)),
        lambda x: torch.add(x, 1, out=x),
        lambda x: x[0].fill_(7),
        lambda x: torch.nn.functional.relu(x.neg_(), inplace=True),
    ],
)
def test_the_users_tensors_are_not_written_to(function: Callable[[Any], object]) -> None:
    x = torch.zeros(3)
    run(lambda: function(x))
    assert x.tolist() == [0, 0, 0]


def test_a_bare_fake_mode_writes_to_them() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    x = torch.zeros(3)
    with FakeTensorMode(allow_non_fake_inputs=True):
        x.add_(1)
    assert x.tolist() == [1, 1, 1]


def test_what_was_written_to_has_no_values_any_more() -> None:
    x = torch.zeros(1)

    def stale() -> object:
        x.add_(torch.ones(1))
        return x.item()

    with pytest.raises(ParetoError, match="asks for numbers"):
        run(stale)


def test_tensors_that_exist_keep_their_values() -> None:
    steps = torch.tensor([900, 600, 300])
    table = torch.arange(1000.0)

    def loop() -> list[float]:
        return [table[step - 100].item() for step in steps if step > 300]

    assert run(loop) == [800.0, 500.0]


NEEDING_VALUES: dict[str, Callable[[Any], object]] = {
    "item": lambda x: (x + 1)[0].item(),
    "if": lambda x: 1 if (x + 1).sum() > 0 else 0,
    "float": lambda x: float((x + 1)[0]),
    "range": lambda x: range((x + 1).long()[0]),
    "mask": lambda x: x[x + 1 > 0],
    "nonzero": lambda x: (x + 1).nonzero(),
    "unique": lambda x: (x + 1).unique(),
    "equal": lambda x: torch.equal(x + 1, x),
    "repeats": lambda x: x.repeat_interleave((x + 1).long()),
    "one_hot": lambda x: torch.nn.functional.one_hot((x + 1).long()),
}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("example", NEEDING_VALUES)
def test_needing_values_is_an_error_with_place_and_advice(example: str, device: str) -> None:
    x = torch.ones(4, device=device)
    with pytest.raises(ParetoError, match=r"numbers at .*test_meta_device\.py:\d+"):
        run(lambda: NEEDING_VALUES[example](x))


@pytest.mark.parametrize("device", DEVICES)
def test_indexing_by_numbers_needs_none(device: str) -> None:
    x = torch.ones(4, 4, device=device)
    index = torch.tensor([0, 2], device=device)
    assert run(lambda: (x + 1)[index + 1, index]).shape == (2,)


def test_other_errors_are_the_functions_own() -> None:
    x = torch.ones(2, 3)
    with pytest.raises(RuntimeError, match=r"shapes|size|reduction dim"):
        run(lambda: x @ x)


def test_an_operation_without_shapes_is_named() -> None:
    library = torch.library.Library("pareto_test", "FRAGMENT")
    try:
        library.define("opaque(Tensor x) -> Tensor")
        library.impl("opaque", lambda x: x * 2, "CPU")
        x = torch.ones(3)
        with pytest.raises(ParetoError, match=r"opaque\S* cannot run without at .*\.py"):
            run(lambda: torch.ops.pareto_test.opaque(x + 1))
        torch.library.register_fake("pareto_test::opaque", torch.empty_like, lib=library)
        assert run(lambda: torch.ops.pareto_test.opaque(x + 1)).shape == (3,)
    finally:
        library._destroy()


def test_a_model_on_meta_can_be_copied_off_it() -> None:
    x = torch.empty(2, 3, device="meta")
    assert run(lambda: (x + 1).cpu() @ torch.ones(3, 4)).device.type == "cpu"


def test_tensors_on_different_devices_do_not_mix() -> None:
    x = torch.empty(3, 3, device="meta")
    with pytest.raises(RuntimeError, match="device"):
        run(lambda: x @ torch.ones(3, 3))


@pytest.mark.parametrize("device", DEVICES)
def test_gradients_are_as_before(device: str) -> None:
    fresh, held = (torch.nn.Linear(3, 3, device=device) for _ in range(2))
    gradient = held.weight.grad = torch.zeros(3, 3, device=device)
    run(lambda: held(fresh(torch.ones(2, 3, device=device))).sum().backward())
    assert fresh.weight.grad is None
    assert held.weight.grad is gradient
    if device == "cpu":
        assert gradient.abs().sum() == 0


def test_random_state_and_grad_mode_are_as_before() -> None:
    def function() -> None:
        random.random()
        torch.manual_seed(1)
        torch.rand(3)
        torch.set_grad_enabled(False)

    generator = torch.Generator()
    before = random.getstate(), torch.get_rng_state(), generator.get_state()
    run(function)
    run(lambda: torch.rand(3, generator=generator))
    assert torch.is_grad_enabled()
    assert random.getstate() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
    assert torch.equal(generator.get_state(), before[2])


def test_fake_tensors_of_the_user_keep_their_mode() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode() as mode:
        model, x = torch.nn.Linear(3, 5), torch.ones(2, 3)
        inside = run(lambda: model(torch.ones(2, 3)))
    outside = run(lambda: model(x), [{"x": x}])
    assert inside.fake_mode is outside.fake_mode is mode
    assert run(lambda: model(x)).shape == (2, 5)  # a closure, not passed as an argument


def test_nothing_stays_switched() -> None:
    from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

    def state() -> tuple[object, ...]:
        return (
            len(_get_current_dispatch_mode_stack()),
            torch.nn.functional.scaled_dot_product_attention,
            torch.backends.mkldnn.enabled,
            torch.backends.cudnn.enabled,
            len(torch.nn.modules.module._global_forward_pre_hooks),
        )

    before = state()
    with pytest.raises(ZeroDivisionError):
        run(lambda: 1 / 0)
    assert state() == before
    assert run(state) != before


def test_counting_goes_on_top() -> None:
    x = torch.ones(4, 4)
    assert run(lambda: call_and_count(lambda: x @ x))[1].flops == 2 * 4**3
