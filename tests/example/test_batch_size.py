"""The batch size is no part of a pair: on the example's model, within a stated bound."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
import torch
from diffusers import DDIMPipeline, DDIMScheduler, UNet2DModel
from PIL import Image
from torchmetrics.image import PeakSignalNoiseRatio

from digits_diffusion.data import CLASSES
from digits_diffusion.scores import Reader
from digits_diffusion.variants import VARIANTS
from pytest_pareto import Evaluation, Score
from pytest_pareto.scoring import evaluate

LABELS = torch.arange(CLASSES).repeat(20)
IDS = [f"{label} no {number}" for number, label in enumerate(LABELS.tolist())]
BOUND = 1e-4
"""Of a pixel, whose range is 2: float32 sums in another order. Measured: 4e-6 on an EPYC."""
(DDIM,) = (variant for variant in VARIANTS if variant.name == "ddim-2")


Draw = Callable[..., Any]


@pytest.fixture
def pipeline() -> Draw:
    build: Any = DDIM.build  # diffusers is untyped
    return partial(build(), num_inference_steps=DDIM.steps)


def drawn(generate: Draw, batch_size: int, every: int = 1) -> Evaluation:
    metrics = {"label_accuracy": Score(Reader().correct, better="higher", over="batch")}
    return evaluate(
        generate,
        LABELS[::every],
        ids=IDS[::every],
        batch_size=batch_size,
        metrics=metrics,
        keep_outputs=True,
    )


def apart(one: Evaluation, other: Evaluation) -> float:
    """How far the images of ``one`` are from the other's."""
    assert one.outputs is not None
    assert other.outputs is not None
    there = other.outputs
    return max(float((image - there[key]).abs().max()) for key, image in one.outputs.items())


def test_a_batch_size_of_1_16_and_200_gives_the_same_pairs(pipeline: Draw) -> None:
    alone = drawn(pipeline, 1, every=3)  # one by one is slow
    some, together = drawn(pipeline, 16), drawn(pipeline, 200)
    assert apart(some, together) < BOUND
    assert apart(alone, together) < BOUND
    assert together.scores == some.scores
    scores = together.scores["label_accuracy"]
    assert alone.scores["label_accuracy"] == {key: scores[key] for key in IDS[::3]}
    assert 0.9 < together.mean("label_accuracy") < 1


def test_seeds_of_the_batch_instead_of_the_samples_would_be_noticed(pipeline: Draw) -> None:
    def careless(labels: torch.Tensor, seeds: Sequence[int]) -> Any:
        return pipeline(labels, range(len(seeds)))

    assert apart(drawn(careless, 50), drawn(careless, 200)) > 100 * BOUND


def test_a_pipeline_of_diffusers_is_evaluated_as_it_is() -> None:
    torch.manual_seed(0)
    unet = UNet2DModel(
        sample_size=8,
        layers_per_block=1,
        block_out_channels=(8, 8),
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
        norm_num_groups=4,
    )
    pipeline: Any = DDIMPipeline(unet, DDIMScheduler())
    pipeline.set_progress_bar_config(disable=True)

    def draw(batch: Sequence[str], generator: Any) -> Any:  # this one takes no prompts
        return pipeline(batch_size=len(batch), generator=generator, num_inference_steps=2)

    prompts = [f"p{n}" for n in range(6)]
    references = [Image.new("RGB", (8, 8), "grey")] * 6
    metrics = {"psnr": PeakSignalNoiseRatio(data_range=1.0)}
    alone = evaluate(draw, prompts, targets=references, metrics=metrics)
    together = evaluate(draw, prompts, targets=references, metrics=metrics, batch_size=4)
    assert not alone.failures
    assert len(set(alone.scores["psnr"].values())) == 6
    assert together.scores["psnr"] == pytest.approx(alone.scores["psnr"], abs=0.1)
