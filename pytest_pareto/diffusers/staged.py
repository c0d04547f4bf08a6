"""A pipeline of diffusers that also says how long its stages took."""

from collections.abc import Callable, Mapping
from typing import Any

from pytest_pareto.diffusers.callbacks import CALLBACK, position_of_callback, with_callback
from pytest_pareto.diffusers.denoisers import DENOISERS, denoisers_of, device_of
from pytest_pareto.diffusers.marks import STAGES, Marks
from pytest_pareto.measure.first_forward import before_first_forward
from pytest_pareto.measure.stage_clocks import StageClock, stage_clock
from pytest_pareto.measure.stages import NoStagesError


def by_stage(pipeline: Callable[..., Any]) -> "StagedPipeline":
    """Return the pipeline as a callable that also says how long its stages took.

    For ``pareto.measure(by_stage(pipeline), prompt, num_inference_steps=8)``, which then
    reports `encode_time`, `step_time` and `decode_time` beside the latency. A pipeline
    whose stages cannot be told apart is measured as it is; they are absent with the reason.
    """
    return StagedPipeline(pipeline)


class StagedPipeline:
    """A pipeline that marks the time where denoising starts, after each step and at the end.

    The stages, in seconds: ``encode`` is everything before the denoiser first runs (text
    encoders, latents, timesteps), ``step`` the mean of the steps, so that another number of
    steps leaves it as it is, and ``decode`` everything after the last one (the VAE,
    post-processing). ``encode + n * step + decode`` is the whole call. What the pipeline's
    own callback does is part of its step. On CUDA the marks are events, and nothing waits.
    """

    def __init__(
        self,
        pipeline: Callable[..., Any],
        *,
        clock_for: Callable[[object], StageClock | None] = stage_clock,
    ) -> None:
        self.pipeline = pipeline
        self._clock_for = clock_for
        self._position = position_of_callback(pipeline)
        self._device: object = None
        self._latest: Marks | str = "the pipeline was not called yet"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the pipeline with these arguments and return what it returns.

        It gets a `callback_on_step_end` of ours, which calls the given one, if there is one,
        and returns what that returns. Hooks on the denoiser are gone when it has begun.
        """
        __tracebackhide__ = True
        self._latest = "the latest call did not end"
        marks = self._begin()
        if isinstance(marks, str):
            result = self.pipeline(*args, **kwargs)
            self._latest = marks
            return result
        assert self._position is not None  # else there were no marks
        args, kwargs = with_callback(marks, self._position, args, kwargs)
        with before_first_forward(denoisers_of(self.pipeline), marks.denoising_starts):
            marks.start = marks.clock.mark()
            result = self.pipeline(*args, **kwargs)
            marks.end = marks.clock.mark()
        self._device = marks.seen or self._device
        self._latest = marks
        return result

    def stages(self) -> Mapping[str, float]:
        """Return seconds of the latest call by stage; synchronise the device before asking.

        Raises NoStagesError where its stages cannot be told apart, or it raised.
        """
        if isinstance(self._latest, str):
            raise NoStagesError(self._latest, STAGES)
        return self._latest.seconds()

    def _begin(self) -> Marks | str:
        """Return marks for one call, or why there cannot be any."""
        who = type(self.pipeline).__name__
        if self._position is None:
            return f"{who} takes no {CALLBACK}, so its steps cannot be told apart"
        denoisers = denoisers_of(self.pipeline)
        if not denoisers:
            known = ", ".join(name for group in DENOISERS for name in group)
            return f"{who} has no denoiser that is a torch module; looked for {known}"
        placed = getattr(self.pipeline, "hf_device_map", None) or {}
        devices = sorted({str(each) for each in placed.values()})
        if len(devices) > 1:
            return f"{who} is spread over several devices ({', '.join(devices)})"
        # Asking the pipeline walks through all its modules, some milliseconds of a large one,
        # so later calls go by the device on which the denoiser ran.
        device = self._device or device_of(self.pipeline, denoisers[0])
        clock = self._clock_for(device)
        if clock is None:
            return f"stages are timed on CUDA and on the processor; {who} works on {device}"
        return Marks(clock, device)
