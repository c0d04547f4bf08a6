from typing import Any

import pytest
from torch.utils.flop_counter import FlopCounterMode

from digits_diffusion import compression
from digits_diffusion.pipeline import DigitPipeline, load_pipeline
from digits_diffusion.variants import VARIANTS

LABELS, SEEDS = range(3), range(3)


def draw(pipeline: DigitPipeline, steps: int = 4) -> Any:
    return pipeline(LABELS, SEEDS, num_inference_steps=steps)


def flops(pipeline: DigitPipeline, steps: int = 4) -> int:
    with FlopCounterMode(display=False) as counter:
        draw(pipeline, steps)
    return int(counter.get_total_flops())


def test_a_cache_that_forgets_at_once_changes_nothing() -> None:
    pipeline = load_pipeline()
    before = draw(pipeline)
    compression.cache_features(pipeline, every=1)
    assert (draw(pipeline) == before).all()


def test_a_cache_saves_work_and_never_reaches_into_the_next_drawing() -> None:
    pipeline, plain = load_pipeline(), load_pipeline()
    compression.cache_features(pipeline, every=2)
    assert 0.4 * flops(plain) < flops(pipeline) < 0.9 * flops(plain)
    first = draw(pipeline)
    draw(pipeline, steps=5)  # ends on a step that is computed
    assert (draw(pipeline) == first).all()
    assert (first != draw(plain)).any()


def test_pruning_leaves_half_of_the_weights() -> None:
    pipeline = load_pipeline()
    compression.prune_weights(pipeline, share=0.5)
    layers = [p for p in pipeline.unet.parameters() if p.dim() > 1]
    zeros = sum(int((p == 0).sum()) for p in layers)
    assert 0.45 < zeros / sum(p.numel() for p in layers) < 0.55


@pytest.mark.parametrize("change", [compression.to_int8, compression.to_bfloat16])
def test_fewer_bits_draw_nearly_the_same(change: Any) -> None:
    pipeline = load_pipeline()
    before = draw(pipeline)
    change(pipeline)
    difference = (draw(pipeline) - before).abs()
    assert 0 < difference.mean() < 0.05


def test_variants_have_names_of_their_own() -> None:
    assert len({variant.name for variant in VARIANTS}) == len(VARIANTS) >= 8
