"""The callback that a pipeline calls at the end of each step: ours, around that of the user."""

import inspect
from collections.abc import Callable
from typing import Any

CALLBACK = "callback_on_step_end"


def position_of_callback(pipeline: Callable[..., Any]) -> int | None:
    """Return at which position a call takes a callback for the end of a step, if it does."""
    names = list(inspect.signature(pipeline).parameters)
    return names.index(CALLBACK) if CALLBACK in names else None


def with_callback(
    ours: Callable[..., Any],
    position: int,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return a call's arguments with ``ours`` after the callback that they have, if any.

    ``position`` is that of `position_of_callback`. Ours has ``tensor_inputs``, as diffusers' own
    kind of callback does.
    """
    if position < len(args):
        chained = _chained(args[position], ours)
        return (*args[:position], chained, *args[position + 1 :]), kwargs
    return args, {**kwargs, CALLBACK: _chained(kwargs.get(CALLBACK), ours)}


def _chained(theirs: Callable[..., Any] | None, ours: Callable[..., Any]) -> Callable[..., Any]:
    if theirs is None:
        return ours
    if hasattr(theirs, "tensor_inputs"):
        # A pipeline recognises these by their class, and takes the tensors they need from it.
        from diffusers.callbacks import MultiPipelineCallbacks

        both: Callable[..., Any] = MultiPipelineCallbacks([theirs, ours])
        return both

    def chained(pipeline: Any, step: Any, timestep: Any, tensors: Any) -> Any:
        return ours(pipeline, step, timestep, theirs(pipeline, step, timestep, tensors))

    return chained
