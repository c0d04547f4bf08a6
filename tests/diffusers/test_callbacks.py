from typing import Any

import diffusers
import pytest
import torch
from diffusers import callbacks

from pytest_pareto.diffusers import by_stage
from tests.diffusers.tiny import (
    CALLBACK_NS,
    DECODE_NS,
    FORWARD_NS,
    PROMPT,
    VirtualTime,
    absence_reason,
    nanoseconds,
    tiny,
)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.mark.parametrize("positional", [True, False])
def test_the_callback_of_the_user_is_called_and_its_result_used(
    virtual: VirtualTime, pipeline: Any, positional: bool
) -> None:
    received: list[Any] = []

    def callback(*values: Any) -> dict[str, Any]:
        virtual.passes(CALLBACK_NS)
        received.append(values)
        return {"latents": values[3]["latents"] + 1}

    staged = virtual.of(pipeline)
    expected = pipeline(PROMPT, 3, callback, ("latents", "embeds"))
    once, received[:] = list(received), []
    if positional:
        found = staged(PROMPT, 3, callback, ("latents", "embeds"))
    else:
        names = {"callback_on_step_end_tensor_inputs": ("latents", "embeds")}
        found = staged(PROMPT, 3, callback_on_step_end=callback, **names)
    assert torch.equal(found, expected)
    assert [(values[:3], [*values[3]]) for values in received] == [
        ((pipeline, i, i), ["latents", "embeds"]) for i in range(3)
    ]
    assert len(once) == len(received)
    # Its time is part of its step, also of the last one.
    assert nanoseconds(staged)["step"] == FORWARD_NS + CALLBACK_NS
    assert nanoseconds(staged)["decode"] == DECODE_NS


def test_a_callback_of_diffusers_own_kind_gets_the_tensors_it_requests() -> None:
    class Adding(callbacks.PipelineCallback):  # type: ignore[misc]  # diffusers is untyped
        tensor_inputs = ("embeds", "latents")

        def callback_fn(self, _pipeline: Any, _step: Any, _timestep: Any, tensors: Any) -> Any:
            return {"latents": tensors["latents"] + tensors["embeds"]}

    pipeline = tiny()
    staged = by_stage(pipeline)
    for callback in (Adding(), callbacks.MultiPipelineCallbacks([Adding()])):
        expected = pipeline(PROMPT, callback_on_step_end=callback)
        assert torch.equal(staged(PROMPT, callback_on_step_end=callback), expected)
        assert not torch.equal(staged(PROMPT), expected)


def test_its_own_callbacks_work_beside_ours(stable_diffusion: Any) -> None:
    cutoff = callbacks.SDCFGCutoffCallback(cutoff_step_ratio=None, cutoff_step_index=0)
    widths: list[int] = []
    unet = stable_diffusion.unet
    unet.register_forward_pre_hook(lambda _, args: widths.append(len(args[0])))
    staged = by_stage(stable_diffusion)
    staged("a", num_inference_steps=3, output_type="latent", callback_on_step_end=cutoff)
    assert widths == [2, 1, 1]  # guidance ends after the first step
    assert [*staged.stages()] == ["encode", "step", "decode"]


def test_a_pipeline_without_callbacks_is_measured_as_it_is() -> None:
    unet = diffusers.UNet2DModel(
        sample_size=8,
        block_out_channels=(8,),
        down_block_types=("DownBlock2D",),
        up_block_types=("UpBlock2D",),
        norm_num_groups=4,
        layers_per_block=1,
    )
    pipeline = diffusers.DDIMPipeline(unet, diffusers.DDIMScheduler())
    pipeline.set_progress_bar_config(disable=True)
    staged = by_stage(pipeline)
    assert staged(num_inference_steps=1, output_type="np").images.shape == (1, 8, 8, 3)
    assert absence_reason(staged) == (
        "DDIMPipeline takes no callback_on_step_end, so its steps cannot be separated"
    )


def test_the_example_draws_digits_without_callbacks() -> None:
    from digits_diffusion.pipeline import load_pipeline

    staged = by_stage(load_pipeline())
    assert staged([3], [0], num_inference_steps=1).shape == (1, 1, 8, 8)
    assert absence_reason(staged).startswith("DigitPipeline takes no callback_on_step_end")
