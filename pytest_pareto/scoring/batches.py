"""Jobs in batches, in order, here or through an executor; in halves where a batch fails."""

import os
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import BrokenExecutor, Future
from typing import Any, Protocol

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.scoring.raters import said
from pytest_pareto.scoring.samples import Job
from pytest_pareto.scoring.values import name_some
from pytest_pareto.scoring.work import Failure, Scored, Task, Ungenerated, ungenerated_alone

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
