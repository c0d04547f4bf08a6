"""Stage times of diffusers pipelines: encode, step and decode.

`by_stage` wraps a pipeline in a `StagedPipeline`, which marks moments of each call (`Marks`)
through a hook on the denoiser and a callback at the end of each step.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from pytest_pareto.measure.device import loaded_torch
from pytest_pareto.measure.stages import (
    NoStagesError,
    StageClock,
    before_first_forward,
    stage_clock,
)

__all__ = ["STAGES", "StagedPipeline", "by_stage"]
CALLBACK = "callback_on_step_end"
# Attribute names of the modules that run in each step of diffusers' pipelines; the first group
# present counts. A pipeline with a `unet` may have a `decoder` that is no denoiser.
DENOISERS = (
    ("unet", "transformer", "transformer_2", "controlnet"),
    ("prior", "decoder", "model"),
)
STAGES = ("encode", "step", "decode")


def by_stage(pipeline: Callable[..., Any]) -> "StagedPipeline":
    """Return the pipeline as a callable that also reports how long its stages took.

    For ``pareto.measure(by_stage(pipeline), prompt, num_inference_steps=8)``, which then reports
    `encode_time`, `step_time` and `decode_time` in addition to the latency. A pipeline whose stages
    cannot be distinguished is measured unchanged; its stages are absent with the reason.
    """
    return StagedPipeline(pipeline)


class Marks:
    """The moments of one call, and the device on which its denoiser ran."""

    # A pipeline reads from diffusers' own kind of callback which tensors to pass; next to such a
    # callback this one requests none.
    tensor_inputs: tuple[str, ...] = ()

    def __init__(self, clock: StageClock, device: object) -> None:
        self.clock = clock
        self.device = device
        self.observed_device: object = None
        self.start: Any = None
        self.denoising_start: Any = None
        self.last_step: Any = None
        self.end: Any = None
        self.steps = 0

    def on_denoising_start(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Mark the start of the first forward of a denoiser, which receives these arguments."""
        self.denoising_start = self.clock.mark()
        # Timesteps may be on the processor even if the model is not; latents are not.
        tensors = (each for each in (*args, *kwargs.values()) if getattr(each, "ndim", 0) > 1)
        self.observed_device = getattr(next(tensors, None), "device", None)

    def __call__(self, _pipeline: Any, _step: Any, _timestep: Any, tensors: Any) -> Any:
        """Mark the end of a step, as a `callback_on_step_end`, and return ``tensors``."""
        self.last_step = self.clock.mark()
        self.steps += 1
        return tensors

    def seconds(self) -> dict[str, float]:
        """Return seconds by stage; raise NoStagesError where the stages cannot be distinguished."""
        if not self.steps:
            raise NoStagesError(f"the pipeline never called its {CALLBACK}", STAGES)
        if self.denoising_start is None:
            raise NoStagesError("the pipeline ran its steps without calling its denoiser", STAGES)
        if self.observed_device is not None and not _is_within(self.observed_device, self.device):
            where = f"the denoiser ran on {self.observed_device} and not on {self.device}"
            raise NoStagesError(f"{where}, where it was expected", STAGES)
        between = self.clock.seconds
        return {
            "encode": between(self.start, self.denoising_start),
            "step": between(self.denoising_start, self.last_step) / self.steps,
            "decode": between(self.last_step, self.end),
        }


class StagedPipeline:
    """A pipeline that marks the time where denoising starts, after each step and at the end.

    The stages, in seconds: ``encode`` is everything before the denoiser first runs (text
    encoders, latents, timesteps), ``step`` the mean of the steps, so that it does not depend on
    their number, and ``decode`` everything after the last one (the VAE,
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

        The call receives an additional `callback_on_step_end`, which calls the given one, if any,
        and returns its result. Hooks on the denoiser are removed when the denoiser starts.
        """
        __tracebackhide__ = True
        self._latest = "the latest call did not end"
        marks = self._new_marks()
        if isinstance(marks, str):
            result = self.pipeline(*args, **kwargs)
            self._latest = marks
            return result
        assert self._position is not None  # else there were no marks
        args, kwargs = with_callback(marks, self._position, args, kwargs)
        with before_first_forward(denoisers_of(self.pipeline), marks.on_denoising_start):
            marks.start = marks.clock.mark()
            result = self.pipeline(*args, **kwargs)
            marks.end = marks.clock.mark()
        self._device = marks.observed_device or self._device
        self._latest = marks
        return result

    def stages(self) -> Mapping[str, float]:
        """Return seconds of the latest call by stage; synchronise the device first.

        Raises NoStagesError where the stages cannot be distinguished, or the call raised.
        """
        if isinstance(self._latest, str):
            raise NoStagesError(self._latest, STAGES)
        return self._latest.seconds()

    def _new_marks(self) -> Marks | str:
        """Return marks for one call, or the reason why there cannot be any."""
        pipeline_name = type(self.pipeline).__name__
        if self._position is None:
            return f"{pipeline_name} takes no {CALLBACK}, so its steps cannot be separated"
        denoisers = denoisers_of(self.pipeline)
        if not denoisers:
            known = ", ".join(name for group in DENOISERS for name in group)
            return f"{pipeline_name} has no denoiser that is a torch module; looked for {known}"
        device_map = getattr(self.pipeline, "hf_device_map", None) or {}
        devices = sorted({str(each) for each in device_map.values()})
        if len(devices) > 1:
            return f"{pipeline_name} is spread over several devices ({', '.join(devices)})"
        # The pipeline searches all its modules for its device, which takes some milliseconds for
        # a large one. Later calls therefore use the device on which the denoiser ran.
        device = self._device or device_of(self.pipeline, denoisers[0])
        clock = self._clock_for(device)
        if clock is None:
            return (
                f"stages are timed on CUDA and on the processor; {pipeline_name} works on {device}"
            )
        return Marks(clock, device)


def position_of_callback(pipeline: Callable[..., Any]) -> int | None:
    """Return the position of the parameter `callback_on_step_end`, or None if there is none."""
    names = list(inspect.signature(pipeline).parameters)
    return names.index(CALLBACK) if CALLBACK in names else None


def with_callback(
    callback: Callable[..., Any],
    position: int,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return a call's arguments with ``callback`` added after the callback that they have, if any.

    ``position`` is the result of `position_of_callback`. The added callback has ``tensor_inputs``,
    as diffusers' own kind of callback does.
    """
    if position < len(args):
        chained = _chain(args[position], callback)
        return (*args[:position], chained, *args[position + 1 :]), kwargs
    return args, {**kwargs, CALLBACK: _chain(kwargs.get(CALLBACK), callback)}


def _chain(
    user_callback: Callable[..., Any] | None, callback: Callable[..., Any]
) -> Callable[..., Any]:
    if user_callback is None:
        return callback
    if hasattr(user_callback, "tensor_inputs"):
        # A pipeline recognises these by their class, and reads which tensors they need.
        from diffusers.callbacks import MultiPipelineCallbacks

        both: Callable[..., Any] = MultiPipelineCallbacks([user_callback, callback])
        return both

    def chained(pipeline: Any, step: Any, timestep: Any, tensors: Any) -> Any:
        return callback(pipeline, step, timestep, user_callback(pipeline, step, timestep, tensors))

    return chained


def denoisers_of(pipeline: object) -> list[Any]:
    """Return the torch modules that denoise; [] where no known attribute is one."""
    torch = loaded_torch()
    if torch is None:
        return []
    for names in DENOISERS:
        found = [getattr(pipeline, name, None) for name in names]
        modules = [each for each in found if isinstance(each, torch.nn.Module)]
        if modules:
            return modules
    return []


def device_of(pipeline: object, denoiser: Any) -> object:
    """Return the device that a pipeline reports, else that of this denoiser's weights."""
    # `_execution_device` also covers models that are offloaded while they are idle; neither
    # attribute covers parts that are not diffusers' own.
    for name in ("_execution_device", "device"):
        device = getattr(pipeline, name, None)
        if device is not None:
            return device
    weight = next(denoiser.parameters(), None)
    return "cpu" if weight is None else weight.device


def _is_within(observed_device: object, expected: object) -> bool:
    # "cuda" without an index is the current device, and matches every index here.
    where = str(observed_device)
    return str(expected) in (where, where.partition(":")[0])
