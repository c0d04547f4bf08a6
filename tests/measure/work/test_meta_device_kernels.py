"""Attention and recurrent layers: equal work wherever no device chooses kernels."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest

from pytest_pareto.measure.work.flops import Work, call_and_count

torch: Any = pytest.importorskip("torch")

HEADS, TOKENS, WIDTH = 4, 32, 16
FORWARD = 2 * 2 * HEADS * TOKENS**2 * WIDTH


def without_data() -> Any:
    from pytest_pareto.measure.work.meta_device import without_data

    return without_data(())


def work(function: Callable[[], object], *, real: bool) -> Work:
    with nullcontext() if real else without_data():
        return call_and_count(function)[1]


def everywhere(make: Callable[[str], Callable[[], object]]) -> list[Work]:
    """Return the work on real tensors, on the same ones without data, and on meta tensors."""
    return [
        work(make("cpu"), real=True),
        work(make("cpu"), real=False),
        work(make("meta"), real=False),
    ]


def attention(device: str, *, backward: bool = False, **options: Any) -> Callable[[], object]:
    q = torch.ones(1, HEADS, TOKENS, WIDTH, device=device, requires_grad=backward)

    def function() -> None:
        result = torch.nn.functional.scaled_dot_product_attention(q, q, q, **options)
        if backward:
            result.sum().backward()

    return function


@pytest.mark.parametrize("options", [{}, {"is_causal": True}, {"scale": 0.5}])
def test_attention_is_one_operation(options: dict[str, Any]) -> None:
    found = everywhere(lambda device: attention(device, **options))
    assert found == [Work(FORWARD, 1)] * 3


def test_and_its_backward_has_five_products() -> None:
    found = everywhere(lambda device: attention(device, backward=True))
    assert [each.flops for each in found] == [3.5 * FORWARD] * 3


def test_left_to_torch_it_would_be_taken_apart_on_meta() -> None:
    alone = work(attention("meta"), real=True)
    assert alone.flops == FORWARD
    assert alone.operations > 1
    assert work(attention("meta", backward=True), real=True).flops == 3 * FORWARD


def test_dropout_is_part_of_it_as_on_gpus() -> None:
    # The processor has no such operation, and takes attention apart where there is dropout.
    real, fake, meta = everywhere(lambda device: attention(device, dropout_p=0.1))
    assert fake == meta == Work(FORWARD, 1)
    assert (real.flops, real.operations > 1) == (FORWARD, True)


@pytest.mark.parametrize(
    "kind",
    ["mask", "learned mask", "few heads of keys", "three axes", "axes: few heads of keys"],
)
def test_other_attention_has_the_same_flops(kind: str) -> None:
    def make(device: str) -> Callable[[], object]:
        q = torch.ones(1, HEADS, TOKENS, WIDTH, device=device)
        k, options = q, {}
        if kind.endswith("mask"):
            options["attn_mask"] = torch.zeros(TOKENS, TOKENS, device=device)
            options["attn_mask"].requires_grad_(kind.startswith("learned"))
        else:
            q = k = q[0] if "axes" in kind else q
        if kind.endswith("few heads of keys"):
            k, options["enable_gqa"] = q[..., : HEADS // 2, :, :], True
        return lambda: torch.nn.functional.scaled_dot_product_attention(q, k, k, **options)

    found = everywhere(make)
    assert [each.flops for each in found] == [FORWARD] * 3
    assert found[1] == found[2]


def test_values_of_another_width_keep_it() -> None:
    q = torch.ones(1, HEADS, TOKENS, WIDTH, device="meta")
    with without_data():
        result = torch.nn.functional.scaled_dot_product_attention(q, q, q[..., :3])
    assert result.shape == (1, HEADS, TOKENS, 3)


def test_attention_layers_of_torch_use_it_too() -> None:
    def make(device: str) -> Callable[[], object]:
        layer = torch.nn.MultiheadAttention(32, 4, batch_first=True, device=device).eval()
        x = torch.ones(2, 10, 32, device=device)
        return lambda: layer(x, x, x, need_weights=False)

    real, fake, meta = everywhere(make)
    assert real == fake == meta
    assert real.operations < 10


def test_recurrent_layers_are_counted_in_their_parts() -> None:
    def make(device: str) -> Callable[[], object]:
        layer, x = torch.nn.LSTM(8, 8, device=device), torch.ones(5, 2, 8, device=device)
        return lambda: layer(x)

    _, fake, meta = everywhere(make)
    assert fake.flops == meta.flops == 5 * 2 * (2 * 8 * 32) * 2
    assert fake.uncounted == meta.uncounted == ()
