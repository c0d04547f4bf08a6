"""FLOPs of operations that torch's counter misses, or whose count depends on torch's version.

`formulas_of` returns what a counter should use. A formula is called with the arguments of an
operation and its result as ``out_val``, and returns two FLOPs per multiply-add. Packed weights have
no shape, but what a layer takes and returns has one.

This module imports torch: import it only where it is used.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from math import prod
from typing import Any

import torch
from torch.utils import flop_counter

Formula = Callable[..., int]

_TORCHS = flop_counter.__name__
"""The module of the formulas that torch itself has."""

_FUSED_ATTENTION = tuple(
    f"_scaled_dot_product_{kernel}"
    for kernel in (
        "flash_attention",
        "flash_attention_for_cpu",
        "efficient_attention",
        "cudnn_attention",
        "fused_attention_overrideable",
    )
)
_MATRIX_PRODUCTS = {
    # Rows times a matrix, which may be packed: the arguments begin with the rows.
    "aten": (
        "_dyn_quant_matmul_4bit",
        "_int_mm",
        "_mixed_dtypes_linear",
        "_scaled_mm",
        "_scaled_mm_v2",
        "_weight_int4pack_mm",
        "_weight_int4pack_mm_for_cpu",
        "_weight_int4pack_mm_with_scales_and_zeros",
        "_weight_int8pack_mm",
    ),
    "quantized": (
        "int4mm_packed_weight_cpu",
        "linear",
        "linear_dynamic",
        "linear_dynamic_fp16",
        "linear_dynamic_fp16_unpacked_weight",
        "linear_leaky_relu",
        "linear_relu",
        "linear_relu_dynamic",
        "linear_relu_dynamic_fp16",
        "linear_tanh",
        "linear_with_input_q_dq_qweight_dq_output_fp32",
        "linear_with_input_q_dq_qweight_dq_relu_output_fp32",
        "matmul",
    ),
    "_quantized": ("linear", "linear_dynamic", "wrapped_fbgemm_linear_fp16_weight"),
    "onednn": ("linear_dynamic_fp16", "linear_relu_dynamic_fp16", "qlinear_pointwise"),
}
_ADDED_PRODUCTS = ("_addmm_activation", "addbmm", "addbmm_", "addmm_", "baddbmm_")
_GROUPED_PRODUCTS = ("_grouped_mm", "_scaled_grouped_mm", "_scaled_grouped_mm_v2")


def formulas_of(registry: Mapping[Any, Formula], failed: set[str]) -> dict[Any, Formula]:
    """Return the formulas of a counter's ``registry`` and those of this module, by operation.

    Formulas that torch itself has are replaced, so that a count is the same with every version of
    it; those that users registered are kept. An operation whose formula raises has 0 FLOPs, and its
    name is added to ``failed``.
    """
    added = {
        operation: formula
        for operation, formula in _own_formulas()
        if getattr(registry.get(operation), "__module__", _TORCHS) == _TORCHS
    }
    return {
        operation: partial(_flops_or_fail, operation, formula, failed)
        for operation, formula in {**registry, **added}.items()
    }


def _flops_or_fail(
    operation: object, formula: Formula, failed: set[str], *args: Any, **kwargs: Any
) -> int:
    try:
        return formula(*args, **kwargs)
    except Exception:  # of the formula, which did not expect such arguments
        failed.add(str(operation))
        return 0


def _own_formulas() -> Iterator[tuple[Any, Formula]]:
    """Yield the operations that this version of torch has, with their formulas."""
    named: list[tuple[str, str, Formula]] = [
        *(("aten", name, _attention) for name in _FUSED_ATTENTION),
        *(("aten", f"{name}_backward", _attention_backward) for name in _FUSED_ATTENTION),
        ("aten", "_scaled_dot_product_attention_math_for_mps", _attention),
        *((space, name, _product) for space, names in _MATRIX_PRODUCTS.items() for name in names),
        *(("aten", name, _grouped_product) for name in _GROUPED_PRODUCTS),
        *(("aten", name, _added_product) for name in _ADDED_PRODUCTS),
    ]
    for namespace, name, formula in named:
        operation = getattr(getattr(torch.ops, namespace), name, None)
        if operation is not None:
            yield operation, formula


def _attention(query: Any, key: Any, value: Any, *_: object, **__: object) -> int:
    """Return the FLOPs of two products per head of the query: query and key, weights and value.

    Keys and values may have fewer heads: each is then used by several heads of the query. Causal
    attention counts in full, as torch counts it.
    """
    return _per_weight(query, key) * int(query.shape[-1] + value.shape[-1])


def _attention_backward(
    _gradient: object, query: Any, key: Any, value: Any, *_: object, **__: object
) -> int:
    """Return the FLOPs of five products: the weights once more, and the gradients of all four."""
    return _per_weight(query, key) * int(3 * query.shape[-1] + 2 * value.shape[-1])


def _per_weight(query: Any, key: Any) -> int:
    """Return two FLOPs for each attention weight: for all heads, each query with each key."""
    return 2 * int(prod(query.shape[:-1]) * key.shape[-2])


def _product(rows: Any, *_: object, out_val: Any, **__: object) -> int:
    return 2 * _numbers(rows) * int(out_val.shape[-1])


def _grouped_product(rows: Any, matrices: Any, *_: object, **__: object) -> int:
    """Return the FLOPs of a group of products, as if the groups had all rows and columns.

    Where a side has two axes, the groups are parts of it, and their sizes add up.
    """
    groups = int(rows.shape[0]) if rows.dim() > matrices.dim() else 1
    return 2 * _numbers(rows) * int(matrices.shape[-1]) // groups


def _added_product(_added: object, rows: Any, matrix: Any, **__: object) -> int:
    return 2 * _numbers(rows) * int(matrix.shape[-1])


def _numbers(tensor: Any) -> int:
    """Return how many numbers a tensor holds: a byte of the type for FP4 holds two."""
    packed = tensor.dtype is getattr(torch, "float4_e2m1fn_x2", None)
    return int(tensor.numel()) * (2 if packed else 1)
