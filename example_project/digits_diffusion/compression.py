"""What a compression engineer would try on the model. Each changes a pipeline in place."""

from collections.abc import Callable
from typing import Any

import torch
from diffusers import DPMSolverMultistepScheduler, UNet2DModel
from torch import nn
from torch.nn.utils import prune

from digits_diffusion.pipeline import DigitPipeline


def use_dpm_solver(pipeline: DigitPipeline) -> None:
    """Sample with DPM-Solver++ of second order instead of DDIM."""
    config = pipeline.scheduler.config
    pipeline.scheduler = DPMSolverMultistepScheduler.from_config(config)


def to_bfloat16(pipeline: DigitPipeline) -> None:
    """Halve the width of every number."""
    pipeline.unet.to(torch.bfloat16)


def to_int8(pipeline: DigitPipeline) -> None:
    """Quantize the linear layers: weights ahead of time, activations at every call."""
    for module in list(pipeline.unet.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Linear):
                setattr(module, name, Int8Linear(child))


class Int8Linear(nn.Module):  # type: ignore[misc]  # torch is not read by mypy
    """A linear layer in 8 bits: a scale per output channel, and one per row of its input."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight, self.scale = _quantized(linear.weight)
        self.weight = weight.t().contiguous()
        self.bias = linear.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Multiply integers, then bring them back to their scale: (..., in) to (..., out)."""
        rows, scale = _quantized(x.flatten(0, -2))
        product = torch._int_mm(rows, self.weight) * scale * self.scale.t()  # noqa: SLF001
        if self.bias is not None:
            product = product + self.bias
        return product.unflatten(0, x.shape[:-1])


def _quantized(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Round each row to 8 bits; return integers (n, m) and scales (n, 1)."""
    scale = rows.abs().amax(1, keepdim=True).clamp(min=1e-8) / 127
    return (rows / scale).round().to(torch.int8), scale


def prune_weights(pipeline: DigitPipeline, share: float = 0.5) -> None:
    """Set the smallest weights to zero. Dense kernels multiply by the zeros all the same."""
    layers = [
        (m, "weight") for m in pipeline.unet.modules() if isinstance(m, nn.Conv2d | nn.Linear)
    ]
    prune.global_unstructured(layers, prune.L1Unstructured, amount=share)
    for module, name in layers:
        prune.remove(module, name)


def drop_middle(pipeline: DigitPipeline) -> None:
    """Leave out the innermost block, a quarter of the work."""
    pipeline.unet.mid_block = None


def cache_features(pipeline: DigitPipeline, every: int = 2) -> None:
    """Compute the inner blocks at every n-th step only, and repeat their output between.

    Neighbouring steps see almost the same coarse features; the outer blocks, which see the
    details, run at every step. After DeepCache (Ma et al., 2023, arXiv:2312.00858).
    """
    unet = pipeline.unet
    cache = _StepCache(every)
    unet.register_forward_pre_hook(cache.note_step)
    inner = (*unet.down_blocks[1:], unet.mid_block, *unet.up_blocks[:-1])
    for block in inner:
        block.forward = cache.remember(block.forward)


class _StepCache:
    """Counts the steps of one drawing; a time step that does not fall begins the next one."""

    def __init__(self, every: int) -> None:
        self.every = every
        self._step = -1
        self._last = float("-inf")

    def note_step(self, _unet: UNet2DModel, args: tuple[Any, ...]) -> None:
        time = float(args[1])
        self._step = self._step + 1 if time < self._last else 0
        self._last = time

    def remember(self, forward: Callable[..., Any]) -> Callable[..., Any]:
        answer: Any = None

        def cached(*args: Any, **kwargs: Any) -> Any:
            nonlocal answer
            if self._step % self.every == 0:
                answer = forward(*args, **kwargs)
            return answer

        return cached
