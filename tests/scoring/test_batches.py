"""Batches that fail are halved; executors keep the order; waiting batches are cancelled."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any

import pytest

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.scoring import Evaluation, Score, evaluate
from pytest_pareto.scoring import batches as module

IDS = [f"p{n}" for n in range(40)]


def length(output: Any, target: Any) -> float:
    return float(output)


LENGTH = {"length": Score(length, better="higher")}


def draw(samples: Sequence[str]) -> list[float]:
    return [float(sample[1:]) for sample in samples]


class Limited:
    """Fails for batches larger than ``most``, and for batches with the sample ``never``."""

    def __init__(self, most: int, never: str | None = None) -> None:
        self.most, self.never = most, never
        self.sizes: list[int] = []

    def __call__(self, samples: Sequence[str]) -> list[float]:
        self.sizes.append(len(samples))
        if len(samples) > self.most:
            import torch  # imported here, so that worker processes do not import it

            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        if self.never in samples:
            raise ValueError("cannot draw this")
        return draw(samples)


@pytest.fixture(scope="module")
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(3) as pool:
        yield pool


@pytest.fixture(scope="module")
def processes() -> Iterator[Executor]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool


def note_of(result: Evaluation) -> tuple[str, ...]:
    (measurement,) = result.measurements
    return measurement.notes


@pytest.mark.parametrize("threaded", [False, True])
def test_a_batch_that_is_too_large_is_run_in_halves(threaded: bool) -> None:
    generate = Limited(most=10)
    with ThreadPoolExecutor(1) as pool:
        result = evaluate(
            generate, IDS, metrics=LENGTH, batch_size=40, executor=pool if threaded else None
        )
    assert list(result.scores["length"].values()) == list(range(40))
    assert generate.sizes == [40, 20, 10, 10, 10, 10] if not threaded else generate.sizes[0] == 40
    assert note_of(result) == (
        "batches of 40 failed (OutOfMemoryError (CUDA out of memory. Tried to allocate 2 GiB)), "
        "continued with 10",
    )
    assert not note_of(evaluate(draw, IDS, metrics=LENGTH, batch_size=40))


@pytest.mark.parametrize("threaded", [False, True])
def test_a_sample_that_fails_alone_ends_the_evaluation_and_keeps_earlier_scores(
    threaded: bool,
) -> None:
    with ThreadPoolExecutor(1) as pool:
        result = evaluate(
            Limited(most=40, never="p37"),
            IDS,
            metrics=LENGTH,
            batch_size=16,
            executor=pool if threaded else None,
        )
    (measurement,) = result.measurements
    assert measurement.broken
    assert (
        measurement.absent == "sample 'p37' could not be generated: ValueError (cannot draw this)"
    )
    assert list(result.scores["length"]) == IDS[:37]
    with pytest.raises(ParetoError, match="'p37'") as caught:
        result.mean("length")
    assert isinstance(caught.value.__cause__, ValueError)


def test_outputs_that_cannot_be_assigned_to_samples_are_not_retried() -> None:
    sizes = []

    def one_for_all(samples: Sequence[str]) -> list[float]:
        sizes.append(len(samples))
        return [0.0]  # right for a batch of one: halving would hide it

    result = evaluate(one_for_all, IDS, metrics=LENGTH, batch_size=8)
    assert sizes == [8]
    assert "list of length 1 for a batch of 8" in str(result.measurements[0].absent)


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_an_executor_changes_no_score(kind: str, request: pytest.FixtureRequest) -> None:
    pool = request.getfixturevalue(kind)
    result = evaluate(draw, IDS, metrics=LENGTH, batch_size=3, executor=pool)
    assert result.scores == evaluate(draw, IDS, metrics=LENGTH).scores
    assert list(result.scores["length"]) == IDS


class AwkwardError(Exception):
    """Cannot be unpickled, and would break the process pool."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(one + other)


def fails_in_worker(samples: Sequence[str]) -> list[float]:
    raise AwkwardError("far ", "away")


def test_a_failure_in_another_process_has_its_traceback(processes: Executor) -> None:
    result = evaluate(fails_in_worker, IDS[:1], metrics=LENGTH, executor=processes)
    message = r"'p0' could not be generated: AwkwardError \(far away\)"
    with pytest.raises(ParetoError, match=message) as caught:
        result.check()
    assert "in fails_in_worker" in str(caught.value.__cause__)


def test_a_function_that_cannot_be_pickled_is_reported(processes: Executor) -> None:
    def local(samples: Sequence[str]) -> list[float]:
        return draw(samples)

    result = evaluate(local, IDS[:1], metrics=LENGTH, executor=processes)
    assert "local" in str(result.measurements[0].absent)
    assert "pickle" in str(result.measurements[0].absent)


def test_an_executor_that_was_shut_down_is_reported() -> None:
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    result = evaluate(draw, IDS, metrics=LENGTH, executor=pool)
    assert "the executor takes no more batches" in str(result.measurements[0].absent)


class RecordingPool(ThreadPoolExecutor):
    """Records its futures."""

    def __init__(self) -> None:
        super().__init__(1)
        self.futures: list[Future[Any]] = []

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        future = super().submit(*args, **kwargs)
        self.futures.append(future)
        return future


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(module, "_max_in_flight", lambda: 4)
    return iter([4])


def test_ctrl_c_cancels_waiting_batches_and_few_wait(few: Iterator[int]) -> None:
    def interrupt(done: int, total: int, elapsed_s: float) -> None:
        raise KeyboardInterrupt

    def slowly(samples: Sequence[str]) -> list[float]:
        time.sleep(0.02)
        return draw(samples)

    with RecordingPool() as pool:
        with pytest.raises(KeyboardInterrupt):
            evaluate(slowly, IDS, metrics=LENGTH, executor=pool, progress=interrupt)
        assert len(pool.futures) == next(few)
        assert any(future.cancelled() for future in pool.futures)


class Outcome(BaseException):
    """A BaseException, as pytest's skip and fail are."""


@pytest.mark.parametrize("raised", [KeyboardInterrupt, Outcome])
@pytest.mark.parametrize("threaded", [False, True])
def test_interruptions_and_outcomes_pass_through(
    raised: type[BaseException], threaded: bool
) -> None:
    def stop(samples: Sequence[str]) -> list[float]:
        raise raised

    with ThreadPoolExecutor(1) as pool, pytest.raises(raised):
        evaluate(stop, IDS, metrics=LENGTH, executor=pool if threaded else None)
