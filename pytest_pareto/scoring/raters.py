"""Raters: score a batch by a function per sample, a function per batch, or a torchmetrics object.

Each rater has ``rate(batch)``, which returns one score per sample and raises ScoringError.
`as_batch` turns a single output or target into a batch of one, in the form that torchmetrics
takes.
"""

import math
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Number
from typing import Any

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.scoring.generation import Batch
from pytest_pareto.scoring.score import as_number, as_numbers, describe, name_samples

OutputPair = tuple[Any, Any]
"""An output and its target, each a batch of one."""


def as_batch(value: Any, device: object = None) -> Any:
    """Return a value with a leading batch dimension of one, as a tensor where it is numeric.

    PIL images become float tensors of shape (1, channels, height, width) with values in [0, 1],
    numbers become tensors of shape (1,); text and other objects become a list of one. Tensors
    move to ``device`` if one is given. Where torch is not loaded, NumPy arrays are returned
    instead of tensors.
    """
    found = value
    if _is_pil_image(value):
        found = _pil_array(value)
    elif isinstance(value, list | tuple) and value and all(map(_is_pil_image, value)):
        import numpy as np

        found = np.stack([_pil_array(frame) for frame in value])
    elif not hasattr(value, "shape") and not _is_numeric(value):
        return [value]
    return _tensor(found, device)[None]


def concatenated(values: Sequence[Any]) -> Any | None:
    """Return batches of one as one batch, None where their shapes differ."""
    if all(isinstance(value, list) for value in values):
        return [entry for value in values for entry in value]
    shapes = {tuple(getattr(value, "shape", ())) for value in values}
    if len(shapes) > 1 or () in shapes:
        return None
    torch = sys.modules.get("torch")
    if torch is not None:
        return torch.cat(list(values))
    import numpy as np

    return np.concatenate(values)


def _is_numeric(value: object) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and all(map(_is_numeric, value))
    return isinstance(value, Number)


def _is_pil_image(value: object) -> bool:
    image = getattr(sys.modules.get("PIL.Image"), "Image", None)
    return image is not None and isinstance(value, image)


def _pil_array(image: Any) -> Any:
    """Return a PIL image as a float32 array of shape (channels, height, width) in [0, 1]."""
    import numpy as np

    pixels = np.array(image.convert("RGB") if image.mode == "P" else image)
    scale = np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1
    channels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return np.ascontiguousarray(channels, np.float32) / np.float32(scale)


def _tensor(value: Any, device: object) -> Any:
    torch: Any = sys.modules.get("torch")
    if torch is None:
        import numpy as np

        return np.asarray(value)
    if isinstance(value, torch.Tensor):
        return value if device is None else value.to(device)
    return torch.as_tensor(value, device=device)


_STATE_LOCK = threading.RLock()
"""A metric object with state can score one thing at a time, however many threads there are."""


class ScoringError(ParetoError):
    """A metric that failed; the message names the metric, the sample and the cause."""


@dataclass(frozen=True, slots=True)
class FunctionRater:
    """Scores each sample by a function of its output and target."""

    name: str
    function: Callable[[Any, Any], object]

    def rate(self, batch: Batch) -> list[float]:
        """Return the score of each sample. Raises ScoringError."""
        return [
            one_number(self.name, label, self._call(label, output, target))
            for label, output, target in zip(
                batch.labels, batch.outputs, batch.targets, strict=True
            )
        ]

    def _call(self, label: str, output: Any, target: Any) -> object:
        try:
            return self.function(output, target)
        except Exception as error:  # user code may raise anything; it is reported, not lost
            raise scoring_error(self.name, label, error) from error


@dataclass(frozen=True, slots=True)
class BatchRater:
    """Scores a batch by a function of all its outputs and targets, which returns one per sample."""

    name: str
    function: Callable[[Any, Any], object]

    def rate(self, batch: Batch) -> list[float]:
        """Return the score of each sample. Raises ScoringError."""
        try:
            returned = self.function(batch.outputs, batch.targets)
        except Exception as error:  # user code may raise anything; it is reported, not lost
            where = name_samples(batch.labels)
            reason = exception_text(error)
            raise ScoringError(f"{self.name!r} raised {reason} at {where}") from error
        numbers = as_numbers(returned)
        if numbers is None or len(numbers) != len(batch):
            raise ScoringError(
                f"{self.name!r} returned {describe(returned)} for {name_samples(batch.labels)}; "
                f"over='batch' needs one number for each of the {len(batch)} samples"
            )
        return [
            one_number(self.name, label, number)
            for label, number in zip(batch.labels, numbers, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class UpdateRater:
    """Scores each sample by an object with update, compute and reset, as those of torchmetrics.

    The object is reset for each sample.
    """

    name: str
    metric: Any

    def rate(self, batch: Batch) -> list[float]:
        """Return the score of each sample. Raises ScoringError."""
        return [
            one_number(self.name, label, self._compute(label, output, target))
            for label, output, target in zip(
                batch.labels, batch.outputs, batch.targets, strict=True
            )
        ]

    def _compute(self, label: str, output: Any, target: Any) -> object:
        try:
            return value_over(self.metric, [self.pair(output, target)])
        except Exception as error:  # user code may raise anything; it is reported, not lost
            raise scoring_error(self.name, label, error) from error

    def pair(self, output: Any, target: Any) -> OutputPair:
        """Return an output and its target as batches of one, on the device of the object."""
        device = getattr(self.metric, "device", None)
        return as_batch(output, device), as_batch(target, device)


def value_over(metric: Any, pairs: list[OutputPair]) -> object:
    """Return the value that the object computes over these pairs alone; its state is reset."""
    with _STATE_LOCK:
        metric.reset()
        try:
            for output, target in pairs:
                metric.update(output, target)
            return metric.compute()
        finally:
            metric.reset()


def one_number(name: str, label: str, value: object) -> float:
    """Return a score as a float. Raises ScoringError where it is not one finite number."""
    number = as_number(value)
    if number is None:
        raise ScoringError(
            f"{name!r} returned {describe(value)} at sample {label!r}; one number is needed"
        )
    if not math.isfinite(number):
        raise ScoringError(f"{name!r} is {number} at sample {label!r}; a finite number is needed")
    return number


def scoring_error(name: str, label: str, error: Exception) -> ScoringError:
    """Return the error of a metric that raised; its message names metric, sample and cause."""
    return ScoringError(f"{name!r} raised {exception_text(error)} at sample {label!r}")


def exception_text(error: BaseException) -> str:
    """Return an exception in one line: "ValueError (first line of its message)"."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__} ({lines[0]})" if lines else type(error).__name__
