"""Torch's choice of kernels where no device makes it. Imports torch: import it where used."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn import functional

_as_torch_has_it = functional.scaled_dot_product_attention


@contextmanager
def recurrent_layers_in_parts() -> Iterator[None]:
    """Keep recurrent layers from the one kernel of oneDNN or cuDNN, which hides its products."""
    backends = (torch.backends.mkldnn, torch.backends.cudnn)
    before = [backend.enabled for backend in backends]
    try:
        for backend in backends:
            backend.enabled = False
        yield
    finally:
        for backend, enabled in zip(backends, before, strict=True):
            backend.enabled = enabled


@contextmanager
def attention_in_one_operation() -> Iterator[None]:
    """Dispatch attention as one operation, as GPUs do.

    On the meta device torch takes it apart. The FLOPs of its forward are the same then, but
    its backward has four products instead of five, and its operations are a dozen.
    """
    # A mode for torch's functions would be asked once, and not again inside of those that
    # call attention for the user, such as the one behind `torch.nn.MultiheadAttention`.
    before = functional.scaled_dot_product_attention
    functional.scaled_dot_product_attention = _attention
    try:
        yield
    finally:
        functional.scaled_dot_product_attention = before


def _attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,  # noqa: FBT001, FBT002
    scale: float | None = None,
    enable_gqa: bool = False,  # noqa: FBT001, FBT002
) -> object:
    if enable_gqa and query.dim() == 4:
        # Not every version of torch has a formula for fewer heads of keys than of queries.
        groups = query.shape[1] // key.shape[1]
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    if not _is_fused_on_gpus(query, key, value, attn_mask):
        return _as_torch_has_it(query, key, value, attn_mask, dropout_p, is_causal, scale=scale)
    # Its arguments and its shapes are also those of the GPU's operations.
    output, _ = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(  # noqa: SLF001
        query, key, value, dropout_p, is_causal, attn_mask=attn_mask, scale=scale
    )
    return output


def _is_fused_on_gpus(query: Any, key: Any, value: Any, mask: Any) -> bool:
    same_heads = query.dim() == key.dim() == 4 and query.shape[:2] == key.shape[:2]
    same_width = key.shape == value.shape and query.shape[-1] == key.shape[-1]
    return same_heads and same_width and (mask is None or not mask.requires_grad)
