"""One batch, generated and scored: in this process, in another thread, or in another process."""

import gc
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.scoring.generating import Generate
from pytest_pareto.scoring.outputs import Batch, OutputError, read_outputs
from pytest_pareto.scoring.raters import ScoringError, said
from pytest_pareto.scoring.scorers import Scorer
from pytest_pareto.scoring.values import name_some


@dataclass(frozen=True)
class Failure:
    """What went wrong, in a sentence, and the exception where this process has it."""

    reason: str
    cause: BaseException | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions of users need not survive the way between processes, and one that does not
        # takes the whole pool down: its text goes instead.
        if self.cause is None:
            return Failure, (self.reason,)
        text = "".join(traceback.format_exception(self.cause)).strip()
        return Failure, (self.reason, ParetoError(f"in another process:\n{text}"))


@dataclass(frozen=True, slots=True)
class Scored:
    """What each metric made of each output, in the order of the batch, by metric name.

    A metric that failed is ``broken`` instead. ``outputs`` are there where they were asked for.
    """

    values: dict[str, list[Any]]
    broken: dict[str, Failure]
    outputs: Any = None


@dataclass(frozen=True, slots=True)
class Ungenerated:
    """A batch that has no outputs, and why.

    ``again`` is whether smaller ones may have some; else the failure names the samples.
    """

    failure: Failure
    again: bool


@dataclass(frozen=True, slots=True)
class Task:
    """All that one batch needs, so that another process can do it."""

    generate: Generate
    inputs: Any
    targets: Any
    seeds: tuple[int, ...]
    labels: tuple[str, ...]
    scorers: tuple[Scorer, ...]
    returns_outputs: bool

    def __call__(self) -> Scored | Ungenerated:
        """Generate and score. Failures are returned, interruptions and pytest's outcomes raised."""
        outcome = self._outputs()
        if isinstance(outcome, Ungenerated):
            if outcome.again:
                release_memory()  # after the exception is gone, whose frames held tensors
            return outcome
        values: dict[str, list[Any]] = {}
        broken: dict[str, Failure] = {}
        for scorer in self.scorers:
            try:
                values[scorer.name] = scorer.rater.rate(outcome)
            except ScoringError as error:
                broken[scorer.name] = Failure(str(error), error.__cause__ or error)
        return Scored(values, broken, outcome.outputs if self.returns_outputs else None)

    def _outputs(self) -> Batch | Ungenerated:
        try:
            returned = self.generate(self.inputs, self.seeds)
        except Exception as error:  # whatever users' code raises is told, not lost
            if len(self.labels) > 1:
                return Ungenerated(Failure(said(error)), again=True)
            return ungenerated_alone(self.labels, error)
        try:
            return Batch(self.labels, read_outputs(returned, self.labels), self.targets)
        except OutputError as error:
            return Ungenerated(Failure(str(error), error), again=False)


def ungenerated_alone(labels: Sequence[str], error: BaseException) -> Ungenerated:
    """Say that a sample failed although nothing else was in its batch."""
    reason = f"{name_some(labels)} could not be generated: {said(error)}"
    return Ungenerated(Failure(reason, error), again=False)


def release_memory() -> None:
    """Give back what a failed batch left on GPUs, if this process uses any."""
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    if cuda is not None and cuda.is_initialized():
        gc.collect()
        cuda.empty_cache()
