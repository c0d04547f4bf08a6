"""The variants that compete: one trained model, and many ways of running it."""

from collections.abc import Callable
from dataclasses import dataclass

from digits_diffusion import compression, planted
from digits_diffusion.pipeline import DigitPipeline, load_pipeline


@dataclass(frozen=True, slots=True)
class Variant:
    """How the model is run: so many steps, after these changes to its pipeline."""

    name: str
    steps: int
    changes: tuple[Callable[[DigitPipeline], None], ...] = ()

    def build(self) -> DigitPipeline:
        """Load the weights afresh and apply the changes, and what the environment plants."""
        pipeline = load_pipeline()
        for change in self.changes:
            change(pipeline)
        return planted.plant(pipeline, self.name)


VARIANTS = (
    *(Variant(f"ddim-{steps}", steps) for steps in (10, 4, 2)),
    Variant("dpm-4", 4, (compression.use_dpm_solver,)),
    Variant("bf16-4", 4, (compression.to_bfloat16,)),
    Variant("int8-4", 4, (compression.to_int8,)),
    Variant("pruned-4", 4, (compression.prune_weights,)),
    Variant("cached-4", 4, (compression.cache_features,)),
    Variant("shallow-2", 2, (compression.drop_middle,)),
)
