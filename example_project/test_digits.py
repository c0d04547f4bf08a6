"""One model, many ways of running it: which of them are worth having, and did one get worse?"""

import pytest
import torch

from digits_diffusion.data import CLASSES
from digits_diffusion.scores import Reader, Similarity
from digits_diffusion.variants import VARIANTS, Variant
from pytest_pareto import Pareto

PER_LABEL = 30
LABELS = torch.arange(CLASSES).repeat(PER_LABEL)
SEEDS = range(len(LABELS))
IDS = [f"{label} from seed {seed}" for label, seed in zip(LABELS.tolist(), SEEDS, strict=True)]
TIMED = CLASSES  # one image of each digit


@pytest.mark.pareto(
    front="digits",
    tolerance={"latency": 0.10, "flops": 0},  # naming FLOPs makes them gate
    give_up={"label_accuracy": 0.15},  # the most that a faster variant may lose
)
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_digits(pareto: Pareto, variant: Variant, reader: Reader, references: Similarity) -> None:
    pipeline = variant.build()
    # Time a small batch many times over; score many images, once.
    measured = pareto.configure(items=TIMED)
    measured(pipeline, LABELS[:TIMED], SEEDS[:TIMED], num_inference_steps=variant.steps)
    images = pipeline(LABELS, SEEDS, num_inference_steps=variant.steps)
    correct = reader.correct(images, LABELS)
    pareto.record(
        "label_accuracy", correct, ids=IDS, better="higher", tolerance=0.01, scope="anywhere"
    )
    # Generic, and noisy: told beside the others, and never a reason to fail.
    similarity = references.similarity(images, LABELS)
    pareto.record(
        "similarity",
        similarity,
        ids=IDS,
        better="higher",
        tolerance=0.01,
        scope="anywhere",
        gate=False,
    )
