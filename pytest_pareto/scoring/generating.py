"""One call of the function that generates: a batch of samples in, its outputs out."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_pareto.model.errors import ParetoError


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
