"""Batched execution: generate and score jobs in order, in this process or through an executor.

`Batches.run` yields the scores batch by batch. A `Task` is one batch with all that it needs; it
can run in this process, in another thread or in another process. A batch whose generation raises
is split in halves and run again.
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
from pytest_pareto.scoring.raters import ScoringError, exception_text
from pytest_pareto.scoring.samples import Job
from pytest_pareto.scoring.score import name_samples
from pytest_pareto.scoring.scorers import Scorer


@dataclass(frozen=True)
class Failure:
    """The reason of a failure, in a sentence, and the exception where this process has it."""

    reason: str
    cause: BaseException | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        # An exception of user code may not survive pickling, and one that does not breaks the
        # whole pool. Its traceback is sent as text instead.
        if self.cause is None:
            return Failure, (self.reason,)
        text = "".join(traceback.format_exception(self.cause)).strip()
        return Failure, (self.reason, ParetoError(f"in another process:\n{text}"))


@dataclass(frozen=True, slots=True)
class BatchScores:
    """The values of one batch by metric name, in the order of the batch.

    A metric that failed is in ``failures`` instead of ``values``. ``outputs`` is None unless the
    task was to return them.
    """

    values: dict[str, list[Any]]
    failures: dict[str, Failure]
    outputs: Any = None


@dataclass(frozen=True, slots=True)
class GenerationFailure:
    """The reason why a batch has no outputs.

    ``retry`` is whether smaller batches may succeed; otherwise the failure names the samples.
    """

    failure: Failure
    retry: bool


@dataclass(frozen=True, slots=True)
class Task:
    """One batch with all that it needs, so that another process can run it."""

    generate: Generate
    inputs: Any
    targets: Any
    seeds: tuple[int, ...]
    labels: tuple[str, ...]
    scorers: tuple[Scorer, ...]
    returns_outputs: bool

    def __call__(self) -> BatchScores | GenerationFailure:
        """Generate and score the batch.

        Exceptions of user code are returned as failures; interruptions and pytest's outcomes
        (skip, fail) are raised.
        """
        batch = self._generate()
        if isinstance(batch, GenerationFailure):
            if batch.retry:
                release_memory()  # the exception is gone by now; its frames held tensors
            return batch
        values: dict[str, list[Any]] = {}
        failures: dict[str, Failure] = {}
        for scorer in self.scorers:
            try:
                values[scorer.name] = scorer.rater.rate(batch)
            except ScoringError as error:
                failures[scorer.name] = Failure(str(error), error.__cause__ or error)
        return BatchScores(values, failures, batch.outputs if self.returns_outputs else None)

    def _generate(self) -> Batch | GenerationFailure:
        try:
            returned = self.generate(self.inputs, self.seeds)
        except Exception as error:  # user code may raise anything; it is reported, not lost
            if len(self.labels) > 1:
                return GenerationFailure(Failure(exception_text(error)), retry=True)
            return single_sample_failure(self.labels, error)
        try:
            return Batch(self.labels, read_outputs(returned, self.labels), self.targets)
        except OutputError as error:
            return GenerationFailure(Failure(str(error), error), retry=False)


def single_sample_failure(labels: Sequence[str], error: BaseException) -> GenerationFailure:
    """Return the failure of a sample that was alone in its batch; it is not retried."""
    reason = f"{name_samples(labels)} could not be generated: {exception_text(error)}"
    return GenerationFailure(Failure(reason, error), retry=False)


def release_memory() -> None:
    """Release the GPU memory that a failed batch left allocated, if this process uses a GPU."""
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    if cuda is not None and cuda.is_initialized():
        gc.collect()
        cuda.empty_cache()


Jobs = tuple[Job, ...]


class Executor(Protocol):
    """The part of `concurrent.futures.Executor` that is needed; dask's client has one too."""

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Any:
        """Return a future of ``fn(*args)``."""
        ...


class GenerationError(ParetoError):
    """A sample that could not be generated, not even alone; it ends the evaluation."""


class Batches:
    """Runs tasks batch by batch, and remembers the batch size that succeeds.

    A batch that raises is run again in halves, and later batches are no larger than those halves.
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
        """The batch size that failed and the size used from then on, None if none failed."""
        if self._first_failure is None:
            return None
        size, reason = self._first_failure
        return f"batches of {size} failed ({reason}), continued with {self._size}"

    def run(self, jobs: Sequence[Job]) -> Generator[tuple[Jobs, BatchScores]]:
        """Yield the jobs batch by batch, in order, each batch with its scores.

        Raises GenerationError where a single sample fails, or where the outputs of a batch
        cannot be assigned to its samples.
        """
        rest = tuple(jobs)
        if self._executor is None:
            return self._run_here(rest)
        return self._run_through(self._executor, rest)

    def _run_here(self, rest: Jobs) -> Generator[tuple[Jobs, BatchScores]]:
        while rest:
            batch = rest[: self._size]
            result = self._task_of(batch)()
            if isinstance(result, GenerationFailure):
                self._shrink(batch, result)
                continue
            rest = rest[len(batch) :]
            yield batch, result

    def _run_through(self, executor: Executor, rest: Jobs) -> Generator[tuple[Jobs, BatchScores]]:
        in_flight: deque[tuple[Jobs, Future[BatchScores | GenerationFailure]]] = deque()
        try:
            while rest or in_flight:
                while rest and len(in_flight) < _max_in_flight():
                    batch, rest = rest[: self._size], rest[self._size :]
                    in_flight.append((batch, self._submit(executor, batch)))
                batch, future = in_flight[0]
                result = _result(batch, future)
                in_flight.popleft()
                if isinstance(result, GenerationFailure):
                    self._shrink(batch, result)
                    middle = -(-len(batch) // 2)
                    halves = (batch[:middle], batch[middle:])
                    in_flight.extendleft(
                        [(half, self._submit(executor, half)) for half in reversed(halves)]
                    )
                else:
                    yield batch, result
        finally:
            for _, future in in_flight:
                future.cancel()

    def _submit(self, executor: Executor, batch: Jobs) -> Any:
        try:
            return executor.submit(self._task_of(batch))
        except RuntimeError as error:  # the executor was shut down, or broke
            reason = exception_text(error)
            raise GenerationError(f"the executor takes no more batches: {reason}") from error

    def _shrink(self, batch: Jobs, result: GenerationFailure) -> None:
        """Halve the batch size. Raises GenerationError where a smaller batch would not help."""
        if not result.retry:
            raise GenerationError(result.failure.reason) from result.failure.cause
        if self._first_failure is None:
            self._first_failure = (len(batch), result.failure.reason)
        self._size = min(self._size, -(-len(batch) // 2))


def _result(
    batch: Jobs, future: "Future[BatchScores | GenerationFailure]"
) -> BatchScores | GenerationFailure:
    labels = [job.label for job in batch]
    try:
        return future.result()
    except BrokenExecutor as error:
        raise GenerationError(
            f"the executor broke while it worked on {name_samples(labels)}: {exception_text(error)}"
        ) from error
    except Exception as error:  # transfer between processes failed; it is reported, not lost
        if len(batch) > 1:
            return GenerationFailure(Failure(exception_text(error)), retry=True)
        return single_sample_failure(labels, error)


def _max_in_flight() -> int:
    return max(32, 2 * (os.cpu_count() or 1))
