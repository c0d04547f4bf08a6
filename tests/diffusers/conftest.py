import json
from pathlib import Path
from typing import Any

import diffusers
import pytest
import transformers

from tests.diffusers.tiny import (
    DECODE_NS,
    ENCODE_NS,
    FORWARD_NS,
    VirtualTime,
    tiny,
    tiny_vae,
)


@pytest.fixture
def virtual() -> VirtualTime:
    return VirtualTime()


@pytest.fixture
def pipeline(virtual: VirtualTime) -> Any:
    made = tiny()
    virtual.takes(made.text_encoder, ENCODE_NS)
    virtual.takes(made.unet, FORWARD_NS)
    virtual.takes(made.vae, DECODE_NS)
    return made


@pytest.fixture
def stable_diffusion(tmp_path: Path) -> Any:
    words = ("<|startoftext|>", "<|endoftext|>", "a</w>")
    (tmp_path / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = transformers.CLIPTokenizer.from_pretrained(tmp_path, model_max_length=8)
    text = transformers.CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=8,
        bos_token_id=0,
        eos_token_id=1,
    )
    unet = diffusers.UNet2DConditionModel(
        sample_size=8,
        down_block_types=("CrossAttnDownBlock2D",),
        up_block_types=("CrossAttnUpBlock2D",),
        block_out_channels=(8,),
        layers_per_block=1,
        cross_attention_dim=8,
        attention_head_dim=2,
        norm_num_groups=4,
    )
    pipeline = diffusers.StableDiffusionPipeline(
        tiny_vae(),
        transformers.CLIPTextModel(text),
        tokenizer,
        unet,
        diffusers.DDIMScheduler(steps_offset=1, clip_sample=False),
        None,
        None,
        None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
