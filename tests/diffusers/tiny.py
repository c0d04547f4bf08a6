"""Tiny pipelines whose parts return their input, and a virtual clock that only they advance."""

from typing import Any

import diffusers
import pytest
import torch
from diffusers import callbacks

from pytest_pareto.diffusers import StagedPipeline
from pytest_pareto.measure.stages import HostClock, NoStagesError

ENCODE_NS, FORWARD_NS, DECODE_NS, CALLBACK_NS = 100, 10, 1000, 3


class Part(diffusers.ModelMixin):  # type: ignore[misc]  # diffusers is untyped
    """A part of a pipeline that returns its input times a weight of 1."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))

    def forward(self, x: Any, *_: Any) -> Any:
        return x * self.weight


class TinyPipeline(diffusers.DiffusionPipeline):  # type: ignore[misc]  # diffusers is untyped
    """Encodes, steps and decodes, with callbacks like those of diffusers' own pipelines."""

    def __init__(self, text_encoder: Any, unet: Any, vae: Any) -> None:
        super().__init__()
        self.register_modules(text_encoder=text_encoder, unet=unet, vae=vae)
        self.forwards = 1

    @torch.no_grad()  # type: ignore[untyped-decorator]  # torch is not read by mypy
    def __call__(
        self,
        prompt: Any,
        num_inference_steps: int = 2,
        callback_on_step_end: Any = None,
        callback_on_step_end_tensor_inputs: Any = ("latents",),
    ) -> Any:
        kinds = (callbacks.PipelineCallback, callbacks.MultiPipelineCallbacks)
        if isinstance(callback_on_step_end, kinds):
            callback_on_step_end_tensor_inputs = callback_on_step_end.tensor_inputs
        embeds = self.text_encoder(prompt)
        latents = torch.ones_like(embeds)
        for i in range(num_inference_steps):
            for _ in range(self.forwards):
                latents = self.unet(latents, i) + embeds
            if callback_on_step_end is not None:
                here = {"latents": latents, "embeds": embeds}
                requested = {name: here[name] for name in callback_on_step_end_tensor_inputs}
                latents = callback_on_step_end(self, i, i, requested).pop("latents", latents)
        return self.vae(latents)


def tiny() -> Any:
    return TinyPipeline(Part(), Part(), Part())


class VirtualTime:
    """A clock that only the parts of a pipeline advance."""

    def __init__(self) -> None:
        self.now_ns = 0

    def takes(self, module: Any, nanoseconds: int) -> None:
        module.register_forward_hook(lambda *_: self.passes(nanoseconds))

    def passes(self, nanoseconds: int) -> None:
        self.now_ns += nanoseconds

    def of(self, pipeline: Any) -> StagedPipeline:
        return StagedPipeline(pipeline, clock_for=lambda _: HostClock(lambda: self.now_ns))


def tiny_vae(**more: Any) -> Any:
    return diffusers.AutoencoderKL(
        block_out_channels=(8,), latent_channels=4, norm_num_groups=4, sample_size=8, **more
    )


PROMPT = torch.full((1, 4), 0.5)


def nanoseconds(staged: StagedPipeline) -> dict[str, float]:
    return {name: round(1e9 * seconds, 3) for name, seconds in staged.stages().items()}


def absence_reason(staged: StagedPipeline) -> str:
    with pytest.raises(NoStagesError) as caught:
        staged.stages()
    assert caught.value.names == ("encode", "step", "decode")
    return caught.value.reason


def hooks(pipeline: Any) -> int:
    return sum(len(module._forward_pre_hooks) for module in pipeline.unet.modules())
