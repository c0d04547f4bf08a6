"""FLOPs that torch's counter misses: grouped-query attention, packed weights, grouped products."""

from collections.abc import Callable
from typing import Any

import pytest

from pytest_pareto.measure.work.flops import Work, call_and_count, count_work

torch: Any = pytest.importorskip("torch")

BATCH, HEADS, KEY_HEADS, QUERIES, KEYS, WIDTH, VALUE_WIDTH = 2, 8, 2, 5, 7, 16, 12
ATTENTION = (
    "_scaled_dot_product_flash_attention",
    "_scaled_dot_product_flash_attention_for_cpu",
    "_scaled_dot_product_efficient_attention",
    "_scaled_dot_product_cudnn_attention",
    "_scaled_dot_product_fused_attention_overrideable",
)
"""What torch dispatches `scaled_dot_product_attention` to, whole; all have a backward."""


def counted(function: Callable[[], object]) -> Work:
    return call_and_count(function)[1]


def formula_of(name: str, registry: Any = None) -> Callable[..., int]:
    """Return the formula that counts an operation of torch; it raises where it cannot."""
    from torch.utils import flop_counter

    from pytest_pareto.measure.work.formulas import formulas_of

    failed: set[str] = set()
    registry = flop_counter.flop_registry if registry is None else registry
    formula = formulas_of(registry, failed)[getattr(torch.ops.aten, name)]

    def flops(*args: Any) -> int:
        found = formula(*args, out_val=None)
        assert not failed
        return found

    return flops


def tensor(heads: int, tokens: int, width: int) -> Any:
    return torch.empty(BATCH, heads, tokens, width, device="meta")


def flops_with(key_heads: int, formula: Callable[..., int], *, backward: bool) -> int:
    q, k = tensor(HEADS, QUERIES, WIDTH), tensor(key_heads, KEYS, WIDTH)
    v, gradient = tensor(key_heads, KEYS, VALUE_WIDTH), tensor(HEADS, QUERIES, VALUE_WIDTH)
    return formula(gradient, q, k, v) if backward else formula(q, k, v)


PER_WIDTH = 2 * BATCH * HEADS * QUERIES * KEYS
BY_HAND = {False: WIDTH + VALUE_WIDTH, True: 3 * WIDTH + 2 * VALUE_WIDTH}


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("name", ATTENTION)
def test_fewer_heads_of_keys_have_the_flops_of_repeated_ones(name: str, backward: bool) -> None:
    formula = formula_of(f"{name}_backward" if backward else name)
    repeated = flops_with(HEADS, formula, backward=backward)
    assert flops_with(KEY_HEADS, formula, backward=backward) == repeated
    assert repeated == PER_WIDTH * BY_HAND[backward]


def test_a_formula_of_the_heads_of_keys_would_not() -> None:
    def wrong(query: Any, key: Any, value: Any) -> int:
        return int(2 * key.numel() * query.shape[-2] * 2)

    few, all_heads = (flops_with(heads, wrong, backward=False) for heads in (KEY_HEADS, HEADS))
    assert few * HEADS == all_heads * KEY_HEADS


@pytest.mark.parametrize("backward", [False, True])
def test_torchs_own_formula_agrees_where_all_heads_are_there(backward: bool) -> None:
    from torch.utils.flop_counter import sdpa_backward_flop_count, sdpa_flop_count

    def torchs(*tensors: Any) -> int:
        count = sdpa_backward_flop_count if backward else sdpa_flop_count
        return int(count(*(each.shape for each in tensors)))

    assert flops_with(HEADS, torchs, backward=backward) == PER_WIDTH * BY_HAND[backward]


class Attention(torch.nn.Module):  # type: ignore[misc]  # torch is not read by mypy
    """One layer of a Llama: fewer heads of keys, a cache of them, and a gated feed-forward."""

    def __init__(self, *, repeated: bool) -> None:
        super().__init__()
        self.repeated = repeated
        size = HEADS * WIDTH
        self.queries = torch.nn.Linear(size, size, bias=False)
        self.keys = torch.nn.Linear(size, KEY_HEADS * WIDTH, bias=False)
        self.values = torch.nn.Linear(size, KEY_HEADS * WIDTH, bias=False)
        self.out = torch.nn.Linear(size, size, bias=False)
        self.gate, self.up = (torch.nn.Linear(size, 3 * size, bias=False) for _ in range(2))
        self.down = torch.nn.Linear(3 * size, size, bias=False)

    def forward(self, x: Any, cache: Any = None) -> Any:
        q, k, v = (
            layer(x).unflatten(-1, (-1, WIDTH)).transpose(1, 2)
            for layer in (self.queries, self.keys, self.values)
        )
        if cache is not None:
            k, v = torch.cat((cache[0], k), 2), torch.cat((cache[1], v), 2)
        if self.repeated:
            k, v = (each.repeat_interleave(HEADS // KEY_HEADS, 1) for each in (k, v))
        attention = torch.nn.functional.scaled_dot_product_attention
        mixed = attention(q, k, v, is_causal=cache is None, enable_gqa=not self.repeated)
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        return x + self.down(torch.nn.functional.silu(self.gate(x)) * self.up(x))


def steps(device: str, *, repeated: bool) -> dict[str, Callable[[], object]]:
    """Return the steps of a language model: a prompt, one token behind a cache, and training."""
    with torch.device(device):
        layer = Attention(repeated=repeated)
        prompt, token = torch.ones(BATCH, KEYS, HEADS * WIDTH), torch.ones(BATCH, 1, HEADS * WIDTH)
        cache = torch.ones(2, BATCH, KEY_HEADS, KEYS, WIDTH)

    def without_grad(*args: Any) -> None:
        with torch.inference_mode():
            layer(*args)

    return {
        "prefill": lambda: without_grad(prompt),
        "decode": lambda: without_grad(token, cache),
        "training": lambda: layer(prompt).sum().backward(),
    }


def by_hand(tokens: int, keys: int) -> int:
    size, kept = HEADS * WIDTH, KEY_HEADS * WIDTH
    weights = 2 * size * size + 2 * size * kept + 3 * size * 3 * size
    return 2 * BATCH * (tokens * weights + 2 * HEADS * tokens * keys * WIDTH)


@pytest.mark.parametrize("step", ["prefill", "decode"])
def test_grouped_query_attention_counts_as_repeated_heads(step: str) -> None:
    tokens, keys = (KEYS, KEYS) if step == "prefill" else (1, KEYS + 1)
    found = [
        *(counted(steps("cpu", repeated=repeated)[step]) for repeated in (False, True)),
        *(count_work(steps("cpu", repeated=repeated)[step]) for repeated in (False, True)),
        *(count_work(steps("meta", repeated=repeated)[step]) for repeated in (False, True)),
    ]
    assert {each.flops for each in found} == {by_hand(tokens, keys)}
    assert {each.uncounted for each in found} == {()}


def test_so_does_its_training_without_data() -> None:
    few, repeated = (count_work(steps("meta", repeated=each)["training"]) for each in (False, True))
    assert few.flops == repeated.flops > 2 * by_hand(KEYS, KEYS)
    assert few.uncounted == ()


def perceptron() -> Any:
    return torch.nn.Sequential(torch.nn.Linear(64, 96), torch.nn.ReLU(), torch.nn.Linear(96, 32))


# torch moves its quantized layers to another package.
deprecated = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")


def quantized(model: Any, dtype: Any) -> Any:
    if torch.backends.quantized.engine == "none":
        pytest.skip("this torch has no quantized layers")
    return torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=dtype)


@deprecated
@pytest.mark.parametrize("dtype", ["qint8", "float16"])
def test_dynamically_quantized_layers_count_as_those_of_floats(dtype: str) -> None:
    model, x = perceptron(), torch.ones(4, 3, 64)
    small = quantized(model, getattr(torch, dtype))
    expected = 2 * 12 * (64 * 96 + 96 * 32)
    assert counted(lambda: model(x)) == Work(expected, 3)
    assert counted(lambda: small(x)) == Work(expected, 3)
    assert count_work(small, x).flops == expected


@deprecated
def test_torchs_own_counter_misses_them() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    small = quantized(perceptron(), torch.qint8)
    with FlopCounterMode(display=False) as counter:
        small(torch.ones(4, 64))
    assert counter.get_total_flops() == 0


@deprecated
def test_statically_quantized_layers_are_counted_and_the_rest_of_them_named() -> None:
    small = quantized(perceptron(), torch.qint8)
    x = torch.quantize_per_tensor(torch.ones(4, 64), 0.1, 0, torch.quint8)
    packed = small[0]._packed_params._packed_params
    work = counted(lambda: torch.ops.quantized.linear(x, packed, 0.1, 0))
    assert (work.flops, work.uncounted) == (2 * 4 * 64 * 96, ())
    # Sums of quantized numbers are no products.
    assert counted(lambda: torch.ops.quantized.add(x, x, 0.1, 0)).uncounted == ()
    cell = torch.ao.nn.quantized.dynamic.LSTMCell(8, 8)
    assert counted(lambda: cell(torch.ones(2, 8))).uncounted == (
        "quantized.quantized_lstm_cell_dynamic",
    )


def test_a_users_formula_is_kept() -> None:
    def users(*_: object, out_val: object) -> int:
        return 7

    operation = torch.ops.aten._int_mm
    assert formula_of("_int_mm", {operation: users})() == 7


def product(name: str, *args: Any) -> Callable[[], object]:
    operation = getattr(torch.ops.aten, name, None)
    if operation is None:
        pytest.skip(f"this torch has no {name}")
    return lambda: operation(*args)


M, K, N, GROUPS = 32, 64, 48, 4


def on_meta(*shape: int, dtype: Any = None) -> Any:
    return torch.empty(shape, device="meta", dtype=dtype)


def test_products_of_integers_are_counted() -> None:
    a, b = on_meta(M, K, dtype=torch.int8), on_meta(K, N, dtype=torch.int8)
    assert counted(product("_int_mm", a, b)) == Work(2 * M * K * N, 1)


def test_products_with_packed_weights_are_counted() -> None:
    x, weights = on_meta(M, K, dtype=torch.bfloat16), on_meta(N, K, dtype=torch.int8)
    scales = on_meta(N, dtype=torch.bfloat16)
    assert counted(product("_weight_int8pack_mm", x, weights, scales)) == Work(2 * M * K * N, 1)


def test_products_with_weights_of_four_bits_are_counted() -> None:
    weights = torch.randint(0, 15, (N, K), dtype=torch.int32)
    packed = product("_convert_weight_to_int4pack_for_cpu", weights, 2)()
    x, scales = torch.ones(M, K, dtype=torch.bfloat16), torch.ones(K // 32, N, 2).bfloat16()
    work = counted(product("_weight_int4pack_mm_for_cpu", x, packed, 32, scales))
    assert work == Work(2 * M * K * N, 1)


def test_scaled_products_are_counted() -> None:
    dtype, scale = torch.float8_e4m3fn, on_meta(dtype=torch.float32)
    a, b = on_meta(M, K, dtype=dtype), on_meta(N, K, dtype=dtype).t()
    scaled = product("_scaled_mm", a, b, scale, scale, None, None, torch.bfloat16)
    assert counted(scaled) == Work(2 * M * K * N, 1)


def test_a_byte_of_four_bit_floats_counts_twice() -> None:
    dtype = getattr(torch, "float4_e2m1fn_x2", None)
    if dtype is None:
        pytest.skip("this torch has no such type")
    a, b = on_meta(M, K, dtype=dtype), on_meta(N, K, dtype=dtype).t()
    scales = on_meta(128 * 2 * K // 16, dtype=torch.float8_e4m3fn)
    scaled = product("_scaled_mm", a, b, scales, scales, None, None, torch.bfloat16)
    assert counted(scaled) == Work(2 * M * (2 * K) * N, 1)


@pytest.mark.parametrize(
    ("rows", "columns", "one_by_one"),
    [
        ((GROUPS, M, K), (GROUPS, N, K), GROUPS * M * K * N),
        ((M, K), (GROUPS, N, K), M * K * N),  # a mixture of experts: each row has one
        ((GROUPS, M, K), (N, K), M * K * N),
        ((M, K), (N, K), M * K * N),  # the gradient of the experts' weights
    ],
)
def test_grouped_products_count_as_one_after_the_other(
    rows: tuple[int, ...], columns: tuple[int, ...], one_by_one: int
) -> None:
    a, b = (on_meta(*shape, dtype=torch.bfloat16) for shape in (rows, columns))
    ends = None if a.dim() == b.dim() == 3 else on_meta(GROUPS, dtype=torch.int32)
    grouped = product("_grouped_mm", a, b.transpose(-1, -2), ends)
    assert counted(grouped) == Work(2 * one_by_one, 1)


def test_products_that_are_added_in_place_are_counted() -> None:
    added, a, b = on_meta(M, N), on_meta(M, K), on_meta(K, N)
    assert counted(lambda: added.addmm_(a, b)) == Work(2 * M * K * N, 1)
    added, a, b = on_meta(GROUPS, M, N), on_meta(GROUPS, M, K), on_meta(GROUPS, K, N)
    assert counted(lambda: added.baddbmm_(a, b)) == Work(2 * GROUPS * M * K * N, 1)
