from pathlib import Path
from typing import Any

import pytest
from torch.utils.flop_counter import FlopCounterMode

from digits_diffusion import planted
from digits_diffusion.pipeline import DigitPipeline
from digits_diffusion.variants import VARIANTS

LABELS, SEEDS = range(10), range(10)
BY_NAME = {variant.name: variant for variant in VARIANTS}


def drawn(pipeline: DigitPipeline) -> tuple[Any, int]:
    with FlopCounterMode(display=False) as counter:
        images = pipeline(LABELS, SEEDS, num_inference_steps=2)
    return images, counter.get_total_flops()


@pytest.mark.parametrize(
    ("change", "same_images", "work"),
    [
        ("slower", True, 1.0),
        ("heavier", True, 1.6),
        ("worse", False, 1.0),
        ("better", False, 1.0),
        ("tradeoff", False, 0.9),
    ],
)
def test_each_change_does_what_it_says_to_one_variant(
    monkeypatch: pytest.MonkeyPatch, change: str, same_images: bool, work: float
) -> None:
    before, flops_before = drawn(BY_NAME[planted.VARIANT].build())
    other = BY_NAME["cached-4"].build()(LABELS, SEEDS, num_inference_steps=4)
    monkeypatch.setenv(planted.VARIABLE, change)
    after, flops_after = drawn(BY_NAME[planted.VARIANT].build())
    assert ((after - before).abs().max() < 1e-4) == same_images
    assert flops_after / flops_before == pytest.approx(work, abs=0.05)
    assert (BY_NAME["cached-4"].build()(LABELS, SEEDS, num_inference_steps=4) == other).all()


def test_every_change_is_tested() -> None:
    (marker,) = test_each_change_does_what_it_says_to_one_variant.pytestmark  # type: ignore[attr-defined]  # pytest sets it
    assert {change for change, *_ in marker.args[1]} == set(planted.CHANGES)


def test_an_unknown_change_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(planted.VARIABLE, "slowr")
    with pytest.raises(ValueError, match=r"slowr.*slower, worse, tradeoff, better, heavier"):
        BY_NAME["ddim-2"].build()


@pytest.mark.parametrize("is_here", [True, False])
def test_only_the_code_of_the_stated_folder_is_changed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, is_here: bool
) -> None:
    """The old code of ``--pareto-against`` has the same environment, and is in another folder."""
    whole = drawn(BY_NAME[planted.VARIANT].build())[1]
    monkeypatch.setenv(planted.VARIABLE, "heavier")
    here = Path(planted.__file__).parents[1]
    monkeypatch.setenv(planted.FOLDER, str(here if is_here else tmp_path))
    assert (drawn(BY_NAME[planted.VARIANT].build())[1] > whole) == is_here
