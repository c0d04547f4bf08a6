"""Jobs in batches, in order, here or through an executor; in halves where a batch fails.

One batch, generated and scored: in this process, in another thread, or in another process.
"""

import gc
import os
import sys
import traceback
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import BrokenExecutor, Future
from dataclasses import dataclass
from typing import Any, Protocol

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.scoring.generation import Batch, Generate, OutputError, read_outputs
from pytest_pareto.scoring.raters import ScoringError, said
from pytest_pareto.scoring.samples import Job
from pytest_pareto.scoring.score import name_some
from pytest_pareto.scoring.scorers import Scorer


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


Jobs = tuple[Job, ...]
Done = tuple[Jobs, Scored]


class Executor(Protocol):
    """As much of `concurrent.futures.Executor` as is needed; dask's client has one too."""

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Any:
        """Return a future of ``fn(*args)``."""
        ...


class GenerationError(ParetoError):
    """A sample that could not be generated, not even alone: the evaluation ends there."""


class Batches:
    """Runs tasks, and remembers what batch size they come through at.

    A batch that raises is run again in halves, and later batches are no larger than those.
    """

    def __init__(
        self, task_of: Callable[[Jobs], Task], size: int, executor: Executor | None
    ) -> None:
        self._task_of = task_of
        self._size = size
        self._executor = executor
        self._first_failure: tuple[int, str] | None = None

    @property
    def note(self) -> str | None:
        """Say which batches failed before others came through, if any did."""
        if self._first_failure is None:
            return None
        size, reason = self._first_failure
        return f"batches of {size} failed ({reason}), continued with {self._size}"

    def over(self, jobs: Sequence[Job]) -> Generator[Done]:
        """Yield the jobs batch by batch, in order, with what became of them.

        Raises GenerationError where a single sample fails, or where the outputs of a batch
        cannot be told apart.
        """
        rest = tuple(jobs)
        return self._here(rest) if self._executor is None else self._through(rest, self._executor)

    def _here(self, rest: Jobs) -> Generator[Done]:
        while rest:
            batch = rest[: self._size]
            outcome = self._task_of(batch)()
            if isinstance(outcome, Ungenerated):
                self._shrink(batch, outcome)
                continue
            rest = rest[len(batch) :]
            yield batch, outcome

    def _through(self, rest: Jobs, executor: Executor) -> Generator[Done]:
        flying: deque[tuple[Jobs, Future[Scored | Ungenerated]]] = deque()
        try:
            while rest or flying:
                while rest and len(flying) < _most_in_flight():
                    batch, rest = rest[: self._size], rest[self._size :]
                    flying.append((batch, self._submit(executor, batch)))
                batch, future = flying[0]
                outcome = _result(batch, future)
                flying.popleft()
                if isinstance(outcome, Ungenerated):
                    self._shrink(batch, outcome)
                    middle = -(-len(batch) // 2)
                    halves = (batch[:middle], batch[middle:])
                    flying.extendleft(
                        [(half, self._submit(executor, half)) for half in reversed(halves)]
                    )
                else:
                    yield batch, outcome
        finally:
            for _, future in flying:
                future.cancel()

    def _submit(self, executor: Executor, batch: Jobs) -> Any:
        try:
            return executor.submit(self._task_of(batch))
        except RuntimeError as error:  # it was shut down, or broke
            raise GenerationError(f"the executor takes no more batches: {said(error)}") from error

    def _shrink(self, batch: Jobs, outcome: Ungenerated) -> None:
        if not outcome.again:
            raise GenerationError(outcome.failure.reason) from outcome.failure.cause
        if self._first_failure is None:
            self._first_failure = (len(batch), outcome.failure.reason)
        self._size = min(self._size, -(-len(batch) // 2))


def _result(batch: Jobs, future: "Future[Scored | Ungenerated]") -> Scored | Ungenerated:
    labels = [job.label for job in batch]
    try:
        return future.result()
    except BrokenExecutor as error:
        raise GenerationError(
            f"the executor broke while it worked on {name_some(labels)}: {said(error)}"
        ) from error
    except Exception as error:  # the way to another process failed: told, not lost
        if len(batch) > 1:
            return Ungenerated(Failure(said(error)), again=True)
        return ungenerated_alone(labels, error)


def _most_in_flight() -> int:
    return max(32, 2 * (os.cpu_count() or 1))
