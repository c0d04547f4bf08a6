"""Raters with real torchmetrics objects: per sample, and over the whole set."""

import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchmetrics.classification import MulticlassAccuracy
from torchmetrics.image import PeakSignalNoiseRatio, StructuralSimilarityIndexMeasure
from torchmetrics.text import CharErrorRate

from pytest_pareto.scoring import Score, evaluate
from pytest_pareto.scoring.raters import as_batch, concatenated

IDS = [f"p{n}" for n in range(24)]
TRUTH = torch.rand(24, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def nearly(samples: Sequence[str], generator: Sequence[torch.Generator]) -> Any:
    indices = [int(sample[1:]) for sample in samples]
    noise = torch.stack([torch.randn(3, 16, 16, generator=g) for g in generator])
    scale = torch.tensor([0.01 * (1 + n) for n in indices])[:, None, None, None]
    return (TRUTH[indices] + scale * noise).clamp(0, 1)


def psnr(output: torch.Tensor, target: torch.Tensor) -> float:
    return -10 * math.log10(float((output - target).square().mean()))


@pytest.mark.parametrize("batch_size", [1, 5])
def test_image_metrics_are_scored_per_sample(batch_size: int) -> None:
    metric = PeakSignalNoiseRatio(data_range=1.0)
    result = evaluate(
        nearly,
        IDS,
        targets=TRUTH,
        batch_size=batch_size,
        metrics={
            "psnr": metric,
            "ssim": StructuralSimilarityIndexMeasure(data_range=1.0),
            "by_hand": Score(psnr, better="higher"),
        },
    )
    assert result.scores["psnr"] == pytest.approx(result.scores["by_hand"], abs=1e-3)
    assert len(set(result.scores["psnr"].values())) == 24
    assert all(0 < score < 1 for score in result.scores["ssim"].values())
    notes = {m.metric.name: " ".join(m.notes) for m in result.measurements}
    # A mean of logarithms is no logarithm of a mean; a mean of means is one.
    assert "two different numbers; Score(..., over='set')" in notes["psnr"]
    assert not notes["ssim"]
    assert not notes["by_hand"]


def logits(labels: torch.Tensor) -> Any:
    wrong = labels % 10 == 0
    return torch.nn.functional.one_hot((labels + wrong) % 4, 4).float()


def test_accuracy_is_per_sample_and_its_macro_average_over_the_set() -> None:
    labels = torch.tensor([0] * 30 + [1, 2, 3] * 2)
    ids = list(range(36))

    def classify(at: Sequence[int]) -> Any:
        guess = torch.tensor([0 if n < 33 else int(labels[n]) for n in at])
        return torch.nn.functional.one_hot(guess, 4).float()

    result = evaluate(
        classify,
        ids,
        targets=labels,
        batch_size=10,
        metrics={
            "accuracy": MulticlassAccuracy(num_classes=4),
            "micro": MulticlassAccuracy(num_classes=4, average="micro"),
            "macro": Score(MulticlassAccuracy(num_classes=4), over="set"),
        },
    )
    assert set(result.scores["accuracy"].values()) == {0.0, 1.0}
    assert result.mean("accuracy") == pytest.approx(33 / 36)
    assert result.whole["macro"] == pytest.approx((1 + 0.5 * 3) / 4)
    notes = {m.metric.name: " ".join(m.notes) for m in result.measurements}
    assert "0.625 over 36 samples at once, 0.9167 as the mean" in notes["accuracy"]
    assert not notes["micro"]


def test_text_metrics_get_lists() -> None:
    result = evaluate(
        lambda samples: [sample.replace("a", "b") for sample in samples],
        ["cat", "dog"],
        metrics={"errors": CharErrorRate()},
    )
    assert result.scores["errors"] == pytest.approx({"cat": 1 / 3, "dog": 0.0})


def test_the_object_is_left_reset() -> None:
    metric = MulticlassAccuracy(num_classes=4)
    evaluate(logits, torch.arange(3), metrics={"accuracy": metric})
    assert metric.update_count == 0


@pytest.mark.parametrize(
    ("mode", "shape"),
    [("RGB", (1, 3, 2, 5)), ("L", (1, 1, 2, 5)), ("RGBA", (1, 4, 2, 5)), ("P", (1, 3, 2, 5)),
     ("1", (1, 1, 2, 5)), ("I;16", (1, 1, 2, 5))],
)  # fmt: skip
def test_pil_images_become_floats_from_0_to_1(mode: str, shape: tuple[int, ...]) -> None:
    image = Image.new("L", (5, 2), 255).convert(mode)
    if mode == "I;16":
        image = Image.fromarray(np.full((2, 5), 65535, np.uint16))
    tensor = as_batch(image)
    assert tensor.shape == shape
    assert tensor.dtype == torch.float32
    assert tensor.max() == 1


def test_pixels_keep_their_position() -> None:
    image = Image.new("RGB", (5, 2))
    image.putpixel((3, 1), (0, 51, 0))
    tensor = as_batch(image)
    assert tensor[0, 1, 1, 3] == pytest.approx(0.2)
    assert tensor.sum() == pytest.approx(0.2)
    assert as_batch([image, image]).shape == (1, 2, 3, 2, 5)  # a video


@pytest.mark.parametrize(
    ("value", "batch"),
    [
        (3, torch.tensor([3])),
        (0.5, torch.tensor([0.5])),
        (True, torch.tensor([True])),
        ([1, 2], torch.tensor([[1, 2]])),
        (torch.ones(2), torch.ones(1, 2)),
        (torch.tensor(3), torch.tensor([3])),
        (np.ones(2, np.float32), torch.ones(1, 2)),
    ],
)
def test_numbers_become_a_batch_of_one(value: Any, batch: torch.Tensor) -> None:
    found = as_batch(value)
    assert found.dtype == batch.dtype
    assert torch.equal(found, batch)


def test_a_value_without_numbers_becomes_a_list_of_one() -> None:
    assert as_batch("text") == ["text"]
    assert as_batch(["a", "b"]) == [["a", "b"]]
    assert concatenated([["a"], ["b"]]) == ["a", "b"]
    assert concatenated([torch.ones(1, 2), torch.ones(1, 3)]) is None
    assert concatenated([torch.ones(1, 2), torch.ones(1, 2)]).shape == (2, 2)  # type: ignore[union-attr]  # they fit


def test_earlier_state_of_the_object_does_not_affect_scores() -> None:
    metric = MulticlassAccuracy(num_classes=4, average="micro")
    metric.update(torch.zeros(90, dtype=torch.int), torch.ones(90, dtype=torch.int))
    result = evaluate(logits, torch.arange(1, 4), metrics={"accuracy": metric})
    assert set(result.scores["accuracy"].values()) == {1.0}


class Slow:
    """Waits between update and compute, as a GPU may."""

    higher_is_better = True

    def reset(self) -> None:
        self.seen: list[int] = []

    def update(self, output: Any, target: Any) -> None:
        self.seen.append(int(output[0]))
        time.sleep(0.001)

    def compute(self) -> int:
        return sum(self.seen)


def test_threads_do_not_mix_the_state_of_an_object() -> None:
    with ThreadPoolExecutor(4) as pool:
        result = evaluate(list, range(40), metrics={"m": Slow()}, executor=pool)
    assert list(result.scores["m"].values()) == list(range(40))
