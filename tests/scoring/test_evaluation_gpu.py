"""On a CUDA device: batches that do not fit are halved, and seeds are drawn on the CPU."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from pytest_pareto.scoring import Score, evaluate

pytestmark = pytest.mark.gpu

IDS = [f"p{n}" for n in range(16)]


@pytest.fixture(autouse=True)
def a_device() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")


def mean(output: Any, target: Any) -> Any:
    return output.mean()


METRICS = {"mean": Score(mean, better="higher")}


def test_a_batch_that_does_not_fit_is_halved_until_it_fits() -> None:
    free, _ = torch.cuda.mem_get_info()
    each = free // 6  # so that five fit, and eight do not

    def hungry(samples: Sequence[str], generator: Sequence[torch.Generator]) -> Any:
        held = [torch.empty(each, dtype=torch.uint8, device="cuda") for _ in samples]
        drawn = torch.stack([torch.rand(8, generator=g) for g in generator]).cuda()
        return drawn + 0 * len(held)

    result = evaluate(hungry, IDS, metrics=METRICS, batch_size=16)
    (measurement,) = result.measurements
    assert not measurement.broken, measurement.absent
    assert "batches of 16 failed (OutOfMemoryError" in measurement.notes[0]
    assert measurement.notes[0].endswith("continued with 4")


def test_scores_may_stay_on_the_device() -> None:
    from torchmetrics.regression import MeanSquaredError

    def draw(samples: Sequence[str], generator: Sequence[torch.Generator]) -> Any:
        return torch.stack([torch.rand(8, generator=g) for g in generator]).cuda()

    targets = torch.zeros(16, 8)
    metrics = {**METRICS, "error": MeanSquaredError().cuda()}
    result = evaluate(draw, IDS, targets=targets, metrics=metrics, batch_size=4)
    assert not result.failures
    assert result.scores["error"].keys() == set(IDS)
