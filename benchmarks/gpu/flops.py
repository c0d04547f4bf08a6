"""Check that FLOPs counted on a GPU are those by hand, whichever kernel torch chooses.

    python benchmarks/gpu/flops.py [DEVICE]

Counts attention with fewer heads of keys beside the same with repeated heads, under each of
torch's kernels, forward and with its backward; products of integers, of FP8, and grouped ones; and
a Llama of transformers, where that is installed, beside its count without data. Prints a line for
each, and exits with 1 where one is not as expected. DEVICE is "cuda" by default.
"""

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from pytest_pareto.measure.work.flops import Work, call_and_count, count_work

DEVICE = sys.argv[1] if len(sys.argv) > 1 else "cuda"

BATCH, HEADS, KEY_HEADS, TOKENS, WIDTH = 2, 32, 4, 512, 64
PRODUCT = 2 * BATCH * HEADS * TOKENS**2 * WIDTH
PRODUCTS = {False: 2, True: 7}
KERNELS = (
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.CUDNN_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.MATH,
)


def main() -> int:
    found = [*attention(), *products(), *llama()]
    return 0 if all(found) else 1


def counted(name: str, call: Callable[[], object], expected: int) -> bool:
    """Print one count beside what is expected, and return whether they are equal."""
    try:
        call()
    except (
        AttributeError,
        RuntimeError,
    ) as error:  # of torch, which has no such kernel for these tensors
        print(f"     {name}: not on this device ({str(error).splitlines()[0][:70]})")
        return True
    _, work = call_and_count(call)
    equal = work == Work(expected, work.operations)
    print(f"{'ok' if equal else 'BAD':<5}{name}: {work.flops:,} FLOPs, expected {expected:,}")
    if work.uncounted:
        print(f"     without {', '.join(work.uncounted)}")
    return equal


def attention() -> list[bool]:
    found = []
    for kernel in KERNELS:
        for backward in (False, True):
            for grouped in (True, False):
                # Taken apart, attention keeps its weights: the backward does not repeat a product.
                count = 6 if backward and kernel is SDPBackend.MATH else PRODUCTS[backward]
                heads = KEY_HEADS if grouped else HEADS
                step = "training" if backward else "forward"
                name = f"{kernel.name.lower()}, {step}, {heads} heads of keys for {HEADS}"
                call = attending(kernel, heads, backward=backward)
                found.append(counted(name, call, count * PRODUCT))
    return found


def attending(kernel: Any, key_heads: int, *, backward: bool) -> Callable[[], object]:
    q, k, v = (
        torch.randn(
            BATCH, heads, TOKENS, WIDTH,
            device=DEVICE, dtype=torch.bfloat16, requires_grad=backward,
        )
        for heads in (HEADS, key_heads, key_heads)
    )  # fmt: skip

    def call() -> None:
        with sdpa_kernel(kernel):
            out = scaled_dot_product_attention(
                q, k, v, is_causal=True, enable_gqa=key_heads < HEADS
            )
            if backward:
                out.sum().backward()

    return call


def products() -> list[bool]:
    rows, depth, columns, groups = 256, 512, 1024, 4
    by_hand = 2 * rows * depth * columns
    ints = [
        torch.ones(s, device=DEVICE, dtype=torch.int8) for s in ((rows, depth), (columns, depth))
    ]
    floats = [x.to(torch.float8_e4m3fn) for x in ints]
    scale = torch.ones((), device=DEVICE)
    halves = torch.ones(rows, depth, device=DEVICE, dtype=torch.bfloat16)
    experts = torch.ones(groups, columns, depth, device=DEVICE, dtype=torch.bfloat16)
    ends = torch.arange(1, groups + 1, device=DEVICE, dtype=torch.int32) * (rows // groups)
    aten = torch.ops.aten
    calls: dict[str, Callable[[], object]] = {  # they have no public names
        "int8": lambda: aten._int_mm(ints[0], ints[1].t()),  # noqa: SLF001
        "fp8": lambda: aten._scaled_mm(  # noqa: SLF001
            floats[0], floats[1].t(), scale, scale, out_dtype=torch.bfloat16
        ),
        "grouped": lambda: aten._grouped_mm(  # noqa: SLF001
            halves, experts.transpose(-1, -2), ends
        ),
    }
    return [counted(f"{name} product", call, by_hand) for name, call in calls.items()]


def llama() -> list[bool]:
    try:
        from transformers import LlamaConfig, LlamaForCausalLM
    except ImportError:
        print("     Llama: transformers is not installed")
        return []
    config = LlamaConfig(
        vocab_size=4096, hidden_size=1024, intermediate_size=2816, num_hidden_layers=4,
        num_attention_heads=16, num_key_value_heads=4,
    )  # fmt: skip
    model: Any = LlamaForCausalLM(config).to(DEVICE, torch.bfloat16).eval()
    prompt = torch.zeros(1, TOKENS, dtype=torch.long, device=DEVICE)

    def prefill() -> Any:
        with torch.no_grad():
            return model(prompt, use_cache=True)

    def and_decode() -> Any:
        cache = prefill().past_key_values
        with torch.no_grad():
            return model(prompt[:, :1], past_key_values=cache, use_cache=True)

    steps = {"prefill": prefill, "prefill and one token": and_decode}
    # Without data, heads of keys are repeated before they are counted.
    return [counted(f"Llama, {name}", step, count_work(step).flops) for name, step in steps.items()]


if __name__ == "__main__":
    sys.exit(main())
