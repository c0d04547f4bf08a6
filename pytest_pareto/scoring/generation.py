"""One call of the function that generates: a batch of samples in, its outputs out.

What a generating function returned for a batch, told apart by sample.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.scoring.score import describe, is_array, name_some


@dataclass(frozen=True, slots=True)
class Generate:
    """A function, and the parameter by which it takes the seeds of its samples, if it does.

    ``seeded_by`` is "generator" (diffusers' convention: a list of generators, one per sample),
    "seeds" (a list of ints) or None.
    """

    function: Callable[..., object]
    seeded_by: str | None

    def __call__(self, samples: Any, seeds: Sequence[int]) -> object:
        """Generate a batch."""
        if self.seeded_by == "generator":
            return self.function(samples, generator=_generators(seeds))
        if self.seeded_by == "seeds":
            return self.function(samples, seeds=list(seeds))
        return self.function(samples)


def read_generate(function: object, *, seeds: object) -> Generate:
    """See how a function takes seeds.

    Raises ParetoError if it cannot be called, or takes none although ``seeds`` were given.
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
    except (TypeError, ValueError):  # functions written in C may not tell
        return None
    return next((name for name in ("generator", "seeds") if name in parameters), None)


def _generators(seeds: Sequence[int]) -> list[Any]:
    """Make one generator per sample, on the processor: the same numbers for every device."""
    import torch

    return [torch.Generator("cpu").manual_seed(seed) for seed in seeds]


_EXPECTED = "an object with .images or .frames, an array, or a list"


class OutputError(ParetoError):
    """A batch whose outputs cannot be told apart: trying again would not help."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The outputs of some jobs, and what they are scored against.

    ``outputs`` and ``targets`` are arrays where they came as arrays, else sequences; entry i of
    both is of the job that messages call ``labels[i]``.
    """

    labels: tuple[str, ...]
    outputs: Any
    targets: Any

    def __len__(self) -> int:
        return len(self.labels)


def read_outputs(returned: object, labels: Sequence[str]) -> Any:
    """Return an array or sequence with one output per sample of the batch.

    Understood are objects with ``images`` or ``frames`` (as those of diffusers), arrays and
    tensors with a leading batch dimension, lists and tuples. Raises OutputError for anything
    else, and for another number of outputs than there are samples.
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
            f"generate returned {describe(found)}{where} for {name_some(labels)}; "
            f"expected is {_EXPECTED}, with one output per sample"
        )
    if isinstance(found, tuple) and any(is_array(e) or isinstance(e, list) for e in found):
        raise OutputError(
            f"generate returned a tuple of {len(found)} for {name_some(labels)}: its entries may "
            "be outputs, or lists of them; return a list, or an object with .images (diffusers: "
            "return_dict=True)"
        )
    if len(found) != len(labels):
        raise OutputError(
            f"generate returned {describe(found)}{where} for a batch of {len(labels)} "
            f"({name_some(labels)}); expected is one output per sample"
        )
    return found


def is_image(output: object) -> bool:
    """Whether an output can be saved as an image: PIL's, or an array shaped like one."""
    if callable(getattr(output, "save", None)) and hasattr(output, "getbands"):
        return True
    if not is_array(output):
        return False
    shape: tuple[int, ...] = tuple(getattr(output, "shape", ()))
    if len(shape) == 2:
        return min(shape) > 1
    return len(shape) == 3 and bool({shape[0], shape[-1]} & {1, 3, 4})
