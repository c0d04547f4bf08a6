import time

import pytest
import torch

from pytest_pareto import diffusers
from pytest_pareto import diffusers as staging
from pytest_pareto.diffusers import Marks, StagedPipeline, by_stage
from tests.diffusers.tiny import (
    PROMPT,
    absence_reason,
    hooks,
    tiny,
)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"num_inference_steps": 0}, "the pipeline never called its callback_on_step_end"),
        ({"forwards": 0}, "the pipeline ran its steps without calling its denoiser"),
    ],
)
def test_steps_that_were_not_seen_are_not_guessed(change: dict[str, int], reason: str) -> None:
    pipeline = tiny()
    pipeline.forwards = change.pop("forwards", 1)
    staged = by_stage(pipeline)
    assert staged(PROMPT, **change).shape == (1, 4)
    assert absence_reason(staged) == reason
    assert hooks(pipeline) == 0


def test_a_device_without_an_index_is_the_current_one() -> None:
    assert diffusers._is_within(torch.device("cuda:1"), torch.device("cuda"))
    assert not diffusers._is_within(torch.device("cuda:1"), torch.device("cuda:0"))


# In real time: a slower part appears in its own stage.


def slow_decoder_shows() -> bool:
    """Return whether 20 ms more in the decoder appear in `decode` and nowhere else."""
    pipeline = tiny()
    staged = by_stage(pipeline)
    before = fastest(staged)
    pipeline.vae.register_forward_hook(lambda *_: time.sleep(0.02))
    more = {name: seconds - before[name] for name, seconds in fastest(staged).items()}
    return more["decode"] >= 0.019 and more["step"] < 0.005 and more["encode"] < 0.005


def fastest(staged: StagedPipeline) -> dict[str, float]:
    """Return the fastest of three calls for each stage: the machine may be busy during some."""
    calls = []
    for _ in range(3):
        staged(PROMPT)
        calls.append(staged.stages())
    return {name: min(call[name] for call in calls) for name in calls[0]}


def test_a_slower_decoder_shows_in_decode_alone() -> None:
    assert slow_decoder_shows()


@pytest.mark.parametrize("swapped", [("last_step", "end"), ("end", "last_step")])
def test_marks_in_the_wrong_place_would_not_show_it(
    monkeypatch: pytest.MonkeyPatch, swapped: tuple[str, str]
) -> None:
    """Negative control: steps that end with the call, or a call that ends with its steps."""
    wrong, meant = swapped

    class Misplaced(Marks):
        def seconds(self) -> dict[str, float]:
            setattr(self, wrong, getattr(self, meant))
            return super().seconds()

    monkeypatch.setattr(staging, "Marks", Misplaced)
    assert not slow_decoder_shows()
