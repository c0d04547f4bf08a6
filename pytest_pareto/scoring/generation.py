"""The generating function: how it takes seeds, and how the outputs of a batch are read.

`read_generate` inspects the function once; `read_outputs` turns a return value into one output
per sample.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.scoring.score import describe, is_array, name_samples


@dataclass(frozen=True, slots=True)
class Generate:
    """A generating function, and the name of its parameter for the seeds of the samples.

    ``seeded_by`` is "generator" (diffusers' convention: a list of generators, one per sample),
    "seeds" (a list of ints) or None.
    """

    function: Callable[..., object]
    seeded_by: str | None

    def __call__(self, samples: Any, seeds: Sequence[int]) -> object:
        """Return the function's result for a batch, with one seed per sample."""
        if self.seeded_by == "generator":
            return self.function(samples, generator=_generators(seeds))
        if self.seeded_by == "seeds":
            return self.function(samples, seeds=list(seeds))
        return self.function(samples)


def read_generate(function: object, *, seeds: object) -> Generate:
    """Return the function with the parameter by which it takes seeds.

    Raises ParetoError if it cannot be called, or takes no seeds although ``seeds`` were given.
    """
    if not callable(function):
        raise ParetoError(
            f"evaluate takes a pipeline or another function to call, not {function!r}"
        )
    seeded_by = _seeded_by(function)
    if seeded_by is None and seeds is not None:
        raise ParetoError(
            "seeds= was given, but generate has no parameter 'generator' (a list of torch "
            "generators, one per sample) and none named 'seeds' (a list of ints) to take them; "
            "add one, or leave seeds= away"
        )
    return Generate(function, seeded_by)


def _seeded_by(function: Callable[..., object]) -> str | None:
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # functions written in C may have no signature
        return None
    return next((name for name in ("generator", "seeds") if name in parameters), None)


def _generators(seeds: Sequence[int]) -> list[Any]:
    """Return one torch generator per sample, on the CPU: the same numbers for every device."""
    import torch

    return [torch.Generator("cpu").manual_seed(seed) for seed in seeds]


_EXPECTED = "an object with .images or .frames, an array, or a list"


class OutputError(ParetoError):
    """A batch whose outputs cannot be assigned to its samples; a retry would not help."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The outputs of some jobs, with their targets.

    ``outputs`` and ``targets`` are arrays where they were given as arrays, else sequences; entry
    i of both belongs to the job that messages name ``labels[i]``.
    """

    labels: tuple[str, ...]
    outputs: Any
    targets: Any

    def __len__(self) -> int:
        return len(self.labels)


def read_outputs(returned: object, labels: Sequence[str]) -> Any:
    """Return an array or sequence with one output per sample of the batch.

    Accepts objects with ``images`` or ``frames`` (as those of diffusers), arrays and tensors with
    a leading batch dimension, lists and tuples. Raises OutputError for anything else, and where
    the number of outputs differs from the number of samples.
    """
    found: Any = returned
    where = ""
    for name in ("images", "frames"):
        inner = getattr(returned, name, None)
        if inner is not None:
            found, where = inner, f" in .{name}"
            break
    if not is_array(found) and not isinstance(found, list | tuple):
        raise OutputError(
            f"generate returned {describe(found)}{where} for {name_samples(labels)}; "
            f"expected is {_EXPECTED}, with one output per sample"
        )
    if isinstance(found, tuple) and any(is_array(e) or isinstance(e, list) for e in found):
        raise OutputError(
            f"generate returned a tuple of {len(found)} for {name_samples(labels)}: its entries "
            "may be outputs, or lists of them; return a list, or an object with .images "
            "(diffusers: return_dict=True)"
        )
    if len(found) != len(labels):
        raise OutputError(
            f"generate returned {describe(found)}{where} for a batch of {len(labels)} "
            f"({name_samples(labels)}); expected is one output per sample"
        )
    return found


def is_image(output: object) -> bool:
    """Whether an output can be saved as an image: a PIL image, or an array shaped like one."""
    if callable(getattr(output, "save", None)) and hasattr(output, "getbands"):
        return True
    if not is_array(output):
        return False
    shape: tuple[int, ...] = tuple(getattr(output, "shape", ()))
    if len(shape) == 2:
        return min(shape) > 1
    return len(shape) == 3 and bool({shape[0], shape[-1]} & {1, 3, 4})
