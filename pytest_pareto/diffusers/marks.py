"""The moments of one call of a pipeline, and the stages between them."""

from collections.abc import Mapping
from typing import Any

from pytest_pareto.diffusers.callbacks import CALLBACK
from pytest_pareto.measure.stage_clocks import StageClock
from pytest_pareto.measure.stages import NoStagesError

STAGES = ("encode", "step", "decode")


class Marks:
    """The moments of one call, and on which device its denoiser ran."""

    # A pipeline takes the names of the tensors that it hands out from diffusers' own kind of
    # callback; beside such a one ours asks for none.
    tensor_inputs: tuple[str, ...] = ()

    def __init__(self, clock: StageClock, device: object) -> None:
        self.clock = clock
        self.device = device
        self.seen: object = None
        self.start: Any = None
        self.denoising: Any = None
        self.stepped: Any = None
        self.end: Any = None
        self.steps = 0

    def denoising_starts(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Mark the start of the first forward of a denoiser, which gets these arguments."""
        self.denoising = self.clock.mark()
        # Timesteps may be on the processor wherever the model is; latents are not.
        tensors = (each for each in (*args, *kwargs.values()) if getattr(each, "ndim", 0) > 1)
        self.seen = getattr(next(tensors, None), "device", None)

    def __call__(self, _pipeline: Any, _step: Any, _timestep: Any, tensors: Any) -> Any:
        """Mark the end of a step, as a `callback_on_step_end` does."""
        self.stepped = self.clock.mark()
        self.steps += 1
        return tensors

    def seconds(self) -> dict[str, float]:
        """Return seconds by stage; raises NoStagesError where they cannot be told apart."""
        if not self.steps:
            raise NoStagesError(f"the pipeline never called its {CALLBACK}", STAGES)
        if self.denoising is None:
            raise NoStagesError("the pipeline ran its steps without calling its denoiser", STAGES)
        if self.seen is not None and not _is_within(self.seen, self.device):
            where = f"the denoiser ran on {self.seen} and not on {self.device}"
            raise NoStagesError(f"{where}, where it was expected", STAGES)
        between = self.clock.seconds
        return {
            "encode": between(self.start, self.denoising),
            "step": between(self.denoising, self.stepped) / self.steps,
            "decode": between(self.stepped, self.end),
        }


def _is_within(seen: object, expected: object) -> bool:
    # "cuda" without an index is the current device.
    where = str(seen)
    return str(expected) in (where, where.partition(":")[0])
