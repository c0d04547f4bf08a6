"""The committed scores claim to be the same anywhere. That is tested where the suite runs."""

from pathlib import Path
from typing import Any

import pytest
import torch

from digits_diffusion.scores import Reader, Similarity
from digits_diffusion.variants import VARIANTS, Variant
from pytest_pareto.baseline.store import load

BASELINES = Path(__file__).parents[2] / "example_project" / "pareto_baselines"
LABELS = torch.arange(10).repeat(30)
CHOSEN = [v for v in VARIANTS if v.name in ("ddim-2", "int8-4")]


def apart(variant: Variant, images: Any) -> tuple[int, float]:
    """How many digits are read otherwise than recorded, and how far similarity is off."""
    case = load(BASELINES, "no-machine").cases[f"test_digits.py::test_digits[{variant.name}]"]
    reading, likeness = case.metrics["label_accuracy"].samples, case.metrics["similarity"].samples
    assert reading is not None
    assert likeness is not None
    correct = Reader().correct(images, LABELS)
    similarity = Similarity().similarity(images, LABELS)
    return (
        int((correct != torch.tensor(reading.values)).sum()),
        float((similarity - torch.tensor(likeness.values)).abs().max()),
    )


@pytest.mark.parametrize("variant", CHOSEN, ids=lambda variant: variant.name)
def test_the_committed_scores_are_found_again(variant: Variant) -> None:
    images = variant.build()(LABELS, range(300), num_inference_steps=variant.steps)
    differ, off = apart(variant, images)
    assert differ <= 1
    assert off < 0.05


def test_other_seeds_are_found_out() -> None:
    variant = CHOSEN[0]
    images = variant.build()(LABELS, range(1, 301), num_inference_steps=variant.steps)
    differ, off = apart(variant, images)
    assert differ > 1
    assert off > 0.05
