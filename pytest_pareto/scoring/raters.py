"""Scores of samples: by a function of each, by a function of a batch, by torchmetrics."""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.scoring.outputs import Batch
from pytest_pareto.scoring.tensors import Pair, as_batch
from pytest_pareto.scoring.values import as_number, as_numbers, describe, name_some

_ONE_AT_A_TIME = threading.RLock()
"""An object that collects state can score one thing at a time, whatever threads there are."""


class ScoringError(ParetoError):
    """A metric that failed; the message names it, the sample and the cause."""


@dataclass(frozen=True, slots=True)
class ByFunction:
    """A function of one output and its target."""

    name: str
    function: Callable[[Any, Any], object]

    def rate(self, batch: Batch) -> list[float]:
        """Return the score of each sample."""
        return [
            one_number(self.name, label, self._call(label, output, target))
            for label, output, target in zip(
                batch.labels, batch.outputs, batch.targets, strict=True
            )
        ]

    def _call(self, label: str, output: Any, target: Any) -> object:
        try:
            return self.function(output, target)
        except Exception as error:  # whatever users' code raises is told, not lost
            raise failed(self.name, label, error) from error


@dataclass(frozen=True, slots=True)
class ByBatch:
    """A function of a whole batch, which returns a number per sample."""

    name: str
    function: Callable[[Any, Any], object]

    def rate(self, batch: Batch) -> list[float]:
        """Return the score of each sample."""
        try:
            returned = self.function(batch.outputs, batch.targets)
        except Exception as error:  # whatever users' code raises is told, not lost
            where = name_some(batch.labels)
            raise ScoringError(f"{self.name!r} raised {said(error)} at {where}") from error
        numbers = as_numbers(returned)
        if numbers is None or len(numbers) != len(batch):
            raise ScoringError(
                f"{self.name!r} returned {describe(returned)} for {name_some(batch.labels)}; "
                f"over='batch' needs one number for each of the {len(batch)} samples"
            )
        return [
            one_number(self.name, label, number)
            for label, number in zip(batch.labels, numbers, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class ByUpdate:
    """An object that collects and computes, as those of torchmetrics: reset for each sample."""

    name: str
    metric: Any

    def rate(self, batch: Batch) -> list[float]:
        """Return the score of each sample."""
        return [
            one_number(self.name, label, self._compute(label, output, target))
            for label, output, target in zip(
                batch.labels, batch.outputs, batch.targets, strict=True
            )
        ]

    def _compute(self, label: str, output: Any, target: Any) -> object:
        try:
            return value_over(self.metric, [self.pair(output, target)])
        except Exception as error:  # whatever users' code raises is told, not lost
            raise failed(self.name, label, error) from error

    def pair(self, output: Any, target: Any) -> Pair:
        """Return an output and its target as the object takes them, on its device."""
        device = getattr(self.metric, "device", None)
        return as_batch(output, device), as_batch(target, device)


def value_over(metric: Any, pairs: list[Pair]) -> object:
    """Return what the object computes of these pairs alone; its state is reset."""
    with _ONE_AT_A_TIME:
        metric.reset()
        try:
            for output, target in pairs:
                metric.update(output, target)
            return metric.compute()
        finally:
            metric.reset()


def one_number(name: str, label: str, value: object) -> float:
    """Read a score. Raises ScoringError where it is none, or not finite."""
    number = as_number(value)
    if number is None:
        raise ScoringError(
            f"{name!r} returned {describe(value)} at sample {label!r}; one number is needed"
        )
    if not math.isfinite(number):
        raise ScoringError(f"{name!r} is {number} at sample {label!r}; a finite number is needed")
    return number


def failed(name: str, label: str, error: Exception) -> ScoringError:
    """Name the metric, the sample and the cause."""
    return ScoringError(f"{name!r} raised {said(error)} at sample {label!r}")


def said(error: BaseException) -> str:
    """Return an exception in one line: "ValueError (what it said)"."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__} ({lines[0]})" if lines else type(error).__name__
