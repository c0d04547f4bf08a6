"""Changes as pull requests bring them, planted on demand: ``EXAMPLE_CHANGE=slower make example``.

``ARGS=--pareto-runs=3`` measures in three processes, which a change of latency needs, and
``ARGS=--pareto-against=HEAD`` beside the code without it, where no latency is stored. Each change
really happens, to the pipeline of one variant; the gate is to find out which and how.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import DDIMScheduler

from digits_diffusion.pipeline import DigitPipeline

VARIABLE = "EXAMPLE_CHANGE"
FOLDER = "EXAMPLE_FOLDER"
"""The variable with the only folder whose code is changed, if set: old code is in another one."""
VARIANT = "ddim-2"
"""The variant that is changed."""


def plant(pipeline: DigitPipeline, variant: str) -> DigitPipeline:
    """Change the pipeline as the environment asks, if this is the variant that is changed."""
    wanted = os.environ.get(VARIABLE, "")
    if wanted and wanted not in CHANGES:
        raise ValueError(f"{VARIABLE}={wanted!r} is none of {', '.join(CHANGES)}")
    if wanted and variant == VARIANT and _is_changed():
        CHANGES[wanted](pipeline)
    return pipeline


def _is_changed() -> bool:
    here = Path(__file__).resolve().parents[1]
    changed = os.environ.get(FOLDER)
    return changed is None or Path(changed).resolve() == here


def one_half_at_a_time(pipeline: DigitPipeline) -> None:
    """Save memory by running the model on one half of the batch after the other."""
    whole = pipeline.unet.forward

    def forward(sample: torch.Tensor, timestep: Any, class_labels: torch.Tensor) -> Any:
        halves = [
            whole(part, timestep, class_labels=labels)
            for part, labels in zip(sample.chunk(2), class_labels.chunk(2), strict=True)
        ]
        return type(halves[0])(sample=torch.cat([half.sample for half in halves]))

    pipeline.unet.forward = forward


def weights_in_four_bits(pipeline: DigitPipeline) -> None:
    """Round every weight to 15 levels of its tensor, as a careless quantization would."""
    for weight in pipeline.unet.parameters():
        step = weight.abs().max() / 7
        weight.copy_((weight / step).round() * step)


def thinner_middle(pipeline: DigitPipeline) -> None:
    """Leave one residual block of the middle out: less work, and digits read less well."""
    pipeline.unet.mid_block.resnets[0].forward = lambda hidden_states, _time: hidden_states


def better_steps(pipeline: DigitPipeline) -> None:
    """Begin with pure noise.

    The default spacing of steps leaves the first ones out, where the noise is purest: Lin et
    al. (2024), "Common Diffusion Noise Schedules and Sample Steps are Flawed",
    arXiv:2305.08891.
    """
    config = pipeline.scheduler.config
    pipeline.scheduler = DDIMScheduler.from_config(config, timestep_spacing="trailing")


def padded_batches(pipeline: DigitPipeline, multiple: int = 16) -> None:
    """Fill each batch up to a multiple of 16, for the sake of fixed shapes."""
    whole = pipeline.unet.forward

    def forward(sample: torch.Tensor, timestep: Any, class_labels: torch.Tensor) -> Any:
        short = -len(sample) % multiple
        output = whole(
            torch.cat([sample, sample[:1].expand(short, *sample.shape[1:])]),
            timestep,
            class_labels=torch.cat([class_labels, class_labels[:1].expand(short)]),
        )
        return type(output)(sample=output.sample[: len(sample)])

    pipeline.unet.forward = forward


CHANGES: dict[str, Callable[[DigitPipeline], None]] = {
    "slower": one_half_at_a_time,
    "worse": weights_in_four_bits,
    "tradeoff": thinner_middle,
    "better": better_steps,
    "heavier": padded_batches,
}
