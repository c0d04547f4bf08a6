"""Pipelines to measure: real architectures with random weights, which does not change the speed.

Each maker returns a function of no arguments that makes one call of the pipeline, with the
same seed every time. Nothing is downloaded. Diffusers is imported piece by piece, as needed:
importing a pipeline takes seconds, which every fresh process pays.
"""

import logging
import warnings
from collections.abc import Callable
from typing import Any

import torch

Call = Callable[[], Any]

logging.getLogger("diffusers").setLevel(logging.ERROR)
warnings.filterwarnings("ignore", category=FutureWarning, module="diffusers")


def sd15(dtype: torch.dtype = torch.float16, steps: int = 8) -> Call:
    """Stable Diffusion 1.5: guidance on, DDIM, the decoder too. The host is the bottleneck."""
    return calls_of(sd15_pipeline(dtype), dtype, steps)


def sd15_pipeline(dtype: torch.dtype) -> Any:
    """Build the pipeline of Stable Diffusion 1.5, without its text encoder."""
    from diffusers import (
        AutoencoderKL,
        DDIMScheduler,
        StableDiffusionPipeline,
        UNet2DConditionModel,
    )

    torch.manual_seed(0)
    with torch.device("cuda"):
        unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)
        vae = AutoencoderKL(
            block_out_channels=(128, 256, 512, 512),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
            sample_size=512,
        )
    pipeline = StableDiffusionPipeline(
        vae=vae.to(dtype).eval(),
        text_encoder=None,
        tokenizer=None,
        unet=unet.to(dtype).eval(),
        scheduler=DDIMScheduler(clip_sample=False, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def calls_of(pipeline: Any, dtype: torch.dtype, steps: int) -> Call:
    """Make the calls of a Stable Diffusion pipeline, from embeddings as its encoder gives them."""
    text = torch.randn(1, 77, 768, generator=torch.Generator().manual_seed(1)).to("cuda", dtype)

    def call() -> Any:
        return pipeline(
            prompt_embeds=text,
            negative_prompt_embeds=-text,
            num_inference_steps=steps,
            generator=torch.Generator().manual_seed(0),
            output_type="pt",
        ).images

    return call


def ddim_small(steps: int = 6) -> Call:
    """Build a small unconditional pipeline, fp32, batch 4. The host is the bottleneck."""
    from diffusers import DDIMPipeline, DDIMScheduler, UNet2DModel

    torch.manual_seed(0)
    with torch.device("cuda"):
        unet = UNet2DModel(
            sample_size=64,
            block_out_channels=(64, 128, 256),
            down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
        )
    pipeline = DDIMPipeline(unet=unet.eval(), scheduler=DDIMScheduler())
    pipeline.set_progress_bar_config(disable=True)

    def call() -> Any:
        generator = torch.Generator().manual_seed(0)
        return pipeline(
            batch_size=4, generator=generator, num_inference_steps=steps, output_type="np"
        ).images

    return call


def block() -> Call:
    """Build a wide transformer layer in bf16, four passes. The GPU's power is the bottleneck."""
    torch.manual_seed(0)
    with torch.device("cuda"):
        layer = torch.nn.TransformerEncoderLayer(
            4096, 32, 16384, batch_first=True, dtype=torch.bfloat16
        ).eval()
        tokens = torch.randn(16, 1024, 4096, dtype=torch.bfloat16)

    def call() -> Any:
        out = tokens
        with torch.inference_mode():
            for _ in range(4):
                out = layer(out)
        return out

    return call


WORKLOADS: dict[str, Callable[[], Call]] = {
    "sd15_fp16": sd15,
    "ddim_small_fp32": ddim_small,
    "block_bf16": block,
}
