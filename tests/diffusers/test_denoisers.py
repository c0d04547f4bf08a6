import diffusers
import pytest
import torch

from pytest_pareto.diffusers import StagedPipeline, by_stage
from tests.diffusers.tiny import (
    DECODE_NS,
    ENCODE_NS,
    FORWARD_NS,
    PROMPT,
    TinyPipeline,
    VirtualTime,
    absence_reason,
    nanoseconds,
    tiny,
    tiny_vae,
)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.mark.parametrize("how", ["torch.compile(unet)", "unet.compile()"])
def test_a_compiled_denoiser_is_timed(virtual: VirtualTime, how: str) -> None:
    pipeline = tiny()
    virtual.takes(pipeline.vae, DECODE_NS)
    virtual.takes(pipeline.text_encoder, ENCODE_NS)
    if how == "unet.compile()":
        pipeline.unet.compile(backend="eager")
    else:
        pipeline.unet = torch.compile(pipeline.unet, backend="eager")
    staged = virtual.of(pipeline)
    staged(PROMPT)
    assert nanoseconds(staged) == {"encode": ENCODE_NS, "step": 0, "decode": DECODE_NS}


def test_a_transformer_is_a_denoiser_too(virtual: VirtualTime) -> None:
    transformer = diffusers.FluxTransformer2DModel(
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=8,
        pooled_projection_dim=8,
        axes_dims_rope=(2, 2, 4),
    )
    vae = tiny_vae(shift_factor=0.0, use_quant_conv=False, use_post_quant_conv=False)
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler()
    pipeline = diffusers.FluxPipeline(scheduler, vae, None, None, None, None, transformer)
    pipeline.set_progress_bar_config(disable=True)
    virtual.takes(transformer, FORWARD_NS)
    virtual.takes(vae.decoder, DECODE_NS)
    staged = virtual.of(pipeline)
    staged(
        prompt_embeds=torch.zeros(1, 4, 8),
        pooled_prompt_embeds=torch.zeros(1, 8),
        height=16,
        width=16,
        num_inference_steps=2,
        output_type="np",
    )
    assert nanoseconds(staged) == {"encode": 0, "step": FORWARD_NS, "decode": DECODE_NS}


def test_a_pipeline_whose_denoiser_is_no_module_is_measured_as_it_is() -> None:
    pipeline = tiny()
    pipeline.unet = lambda latents, _: latents  # like an engine that replaces a module
    staged = by_stage(pipeline)
    assert staged(PROMPT).shape == (1, 4)
    assert absence_reason(staged) == (
        "TinyPipeline has no denoiser that is a torch module; looked for unet, transformer, "
        "transformer_2, controlnet, prior, decoder, model"
    )


def test_parts_without_a_device_are_where_their_weights_are() -> None:
    requested: list[object] = []
    # torch's own modules have no `device`, so the pipeline has none either.
    parts = [torch.nn.PReLU(device="meta") for _ in range(3)]
    staged = StagedPipeline(TinyPipeline(*parts), clock_for=requested.append)
    staged(PROMPT.to("meta"), num_inference_steps=0)
    assert requested == [torch.device("meta")]
    assert absence_reason(staged).endswith("TinyPipeline works on meta")
