"""What a generating function returned for a batch, told apart by sample."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.scoring.values import describe, is_array, name_some

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
