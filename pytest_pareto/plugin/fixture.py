"""The ``pareto`` fixture: the API with which tests measure calls and record scores.

`Pareto` measures whole calls and streams, called or awaited. Its base `Scores` records scores,
evaluations and outputs. `make_fixture` makes the fixture of one test.
"""

from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, Unpack, cast

import pytest

from pytest_pareto.measure.asynchronous import (
    AwaitedFunction,
    AwaitedStream,
    Wait,
    await_once,
    consume_async_stream,
    run_in_greenlet,
)
from pytest_pareto.measure.streams import Stream
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.plugin.holdings import test_frames
from pytest_pareto.plugin.marker import MeasureOptions, read_marker
from pytest_pareto.plugin.recorded_scores import evaluate_case, read_outputs, score_measurement
from pytest_pareto.plugin.recorder import KEEPER, MEASURED, METERS, RECORDER, Recorder

if TYPE_CHECKING:
    from pytest_pareto.scoring.evaluation import Evaluation, EvaluationRequest


class Scores:
    """Records scores of one test, for the case that the options name."""

    def __init__(self, recorder: Recorder, options: MeasureOptions | None = None) -> None:
        self._recorder = recorder
        self._options = options or MeasureOptions()

    def record(  # noqa: PLR0913  (each describes one property of the score)
        self,
        name: str,
        value: object,
        *,
        ids: Sequence[object] | None = None,
        better: str | None = None,
        tolerance: float | None = None,
        unit: str = "",
        scope: str = "gpu",
        gate: bool = True,
        ordinal: bool = False,
    ) -> None:
        """Record a score of this case: a number, one per sample with ``ids``, or a metric.

        ``value`` may be a number, a vector with ids, a mapping from ids, or an object with
        ``update`` and ``compute`` such as those of torchmetrics, which may know its own
        direction. ``tolerance`` is absolute, in the metric's unit; without one (here or
        in the marker) any significant loss is a regression. ``scope`` is where else the
        score would be the same: "gpu" (the same hardware), "host", or "anywhere", which is
        the author's claim. ``gate=False`` makes it a diagnostic. ``ordinal`` is for scores of
        which only the order has a meaning, such as grades and preferences; then the
        tolerance is a share: how many more of the samples may get worse than get better.
        """
        __tracebackhide__ = True
        try:
            measurement = score_measurement(
                name,
                value,
                ids=ids,
                better=better,
                tolerance=tolerance,
                unit=unit,
                scope=scope,
                gate=gate,
                ordinal=ordinal,
            )
            self._recorder.add(self._options.name, measurement)
        except ParetoError as error:
            raise error.with_traceback(None) from None

    def evaluate(
        self,
        generate: Callable[..., object],
        samples: Any,
        **request: "Unpack[EvaluationRequest]",
    ) -> "Evaluation":
        """Generate from samples in batches, score each output, and record the scores.

        ``generate(batch)`` returns an output per sample; a parameter ``generator`` gets a list
        of torch generators, one per sample, a parameter ``seeds`` a list of ints, so that the
        batch size changes no pair. The keyword arguments are those of `EvaluationRequest`:
        ``metrics``, and if need be ``ids``, ``targets``, ``batch_size``, ``seeds``,
        ``executor``, ``stop`` and ``keep_outputs``.

        Raises ParetoError, before anything is generated, where arguments cannot be used. A
        metric that fails is recorded as broken, and raises where nothing is recorded.
        """
        __tracebackhide__ = True
        from pytest_pareto.scoring.evaluation import plan_evaluation

        try:
            plan = plan_evaluation(generate, samples, request)
            return evaluate_case(self._recorder, self._options.name, plan)
        except ParetoError as error:
            raise error.with_traceback(None) from error.__cause__

    def keep(self, outputs: object, *, ids: Iterable[object] | None = None) -> None:
        """Keep the outputs whose scores are recorded, so that the worst of these can be shown.

        ``outputs`` is a mapping from sample ids, or a sequence with ``ids``: images of Pillow,
        arrays or tensors. Nothing is kept without ``--pareto``; what is not an image is left out.
        """
        __tracebackhide__ = True
        try:
            pairs = read_outputs(outputs, ids)
        except ParetoError as error:
            raise error.with_traceback(None) from None
        keep = self._recorder.keeper(self._options.name)
        if keep is not None:
            for label, output in pairs:
                keep(label, output)


T = TypeVar("T")


def _measure(
    recorder: Recorder,
    fn: Callable[..., T],
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
    options: MeasureOptions,
) -> T:
    """Measure a call, or make it once; return the result of the first call."""
    __tracebackhide__ = True
    recorder.begin("measure", fn, options)
    return cast(T, recorder.measure(fn, args, kwargs, options))


def _stream(
    recorder: Recorder,
    fn: Callable[..., Iterator[T]],
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
    options: MeasureOptions,
) -> list[T]:
    """Measure a call and the stream that it returns, or consume it once; return its items."""
    __tracebackhide__ = True
    recorder.begin("stream", fn, options)
    stream = Stream(fn, most=options.max_items)
    return cast(list[T], recorder.measure(stream, args, kwargs, options))


def _ameasure(
    recorder: Recorder,
    fn: Callable[..., Awaitable[T]],
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
    options: MeasureOptions,
) -> Coroutine[Any, Any, T]:
    """Return a coroutine that measures an awaitable call, or awaits it once."""
    __tracebackhide__ = True

    def measured(frames: Sequence[FrameType], wait: Wait) -> object:
        __tracebackhide__ = True
        return recorder.measure(AwaitedFunction(fn, wait), args, kwargs, options, frames)

    # Before the coroutine is awaited: one that never is can then be reported at the test's end.
    recorder.begin("ameasure", fn, options)
    return _await_measurement(
        recorder, options, measured, lambda: await_once(fn, args, kwargs, options.setup)
    )


def _astream(
    recorder: Recorder,
    fn: Callable[..., AsyncIterator[T] | Awaitable[AsyncIterator[T]]],
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
    options: MeasureOptions,
) -> Coroutine[Any, Any, list[T]]:
    """Return a coroutine that measures an asynchronous stream, or consumes it once."""
    __tracebackhide__ = True

    def measured(frames: Sequence[FrameType], wait: Wait) -> object:
        __tracebackhide__ = True
        stream = Stream(AwaitedStream(fn, wait), most=options.max_items)
        return recorder.measure(stream, args, kwargs, options, frames)

    recorder.begin("astream", fn, options)
    return _await_measurement(
        recorder,
        options,
        measured,
        lambda: consume_async_stream(fn, args, kwargs, options.setup, options.max_items),
    )


async def _await_measurement(
    recorder: Recorder,
    options: MeasureOptions,
    measured: Callable[[Sequence[FrameType], Wait], object],
    call_once: Callable[[], Awaitable[T]],
) -> T:
    __tracebackhide__ = True
    recorder.mark_awaited(options.name)
    try:
        if recorder.plain:
            return await call_once()
        # The greenlet's stack is its own, and does not begin with the test.
        return cast(T, await run_in_greenlet(partial(measured, test_frames(recorder.item))))
    except ParetoError as error:
        raise error.with_traceback(None) from None


P = ParamSpec("P")


class Pareto(Scores):
    """Measures calls and records scores for one test.

    ``pareto(fn, ...)`` is ``pareto.measure(fn, ...)``. A test may measure several things
    under names of their own: ``pareto.configure(name="decode").measure(fn, ...)``.
    """

    def __call__(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Measure a call; see `measure`."""
        __tracebackhide__ = True
        return self.measure(fn, *args, **kwargs)

    def measure(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call ``fn`` once, then under ``--pareto`` again for each metric's readings.

        Returns the result of the first call. The global random state (Python, NumPy,
        torch) is left as after that one call. Every argument goes to ``fn``; options go
        through `configure`.
        """
        __tracebackhide__ = True  # a failing test should show the user's lines, not ours
        try:
            return _measure(self._recorder, fn, args, kwargs, self._options)
        except ParetoError as error:
            raise error.with_traceback(None) from None

    def stream(self, fn: Callable[P, Iterator[T]], /, *args: P.args, **kwargs: P.kwargs) -> list[T]:
        """Measure a function that returns an iterator, such as a generator of tokens.

        Measures as `measure` does, where a call ends with the iterator's last item, and also the
        time to the first item and from item to item. Returns the items of the first call, in a
        list.
        """
        __tracebackhide__ = True
        try:
            return _stream(self._recorder, fn, args, kwargs, self._options)
        except ParetoError as error:
            raise error.with_traceback(None) from None

    def ameasure(
        self, fn: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, T]:
        """Measure a call that has to be awaited, such as of a coroutine function; see `measure`.

        Each call is awaited in the running event loop, in the task of the test.
        """
        __tracebackhide__ = True
        try:
            return _ameasure(self._recorder, fn, args, kwargs, self._options)
        except ParetoError as error:
            raise error.with_traceback(None) from None

    def astream(
        self,
        fn: Callable[P, AsyncIterator[T] | Awaitable[AsyncIterator[T]]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Coroutine[Any, Any, list[T]]:
        """Measure an asynchronous iterator, in the running event loop; see `stream`."""
        __tracebackhide__ = True
        try:
            return _astream(self._recorder, fn, args, kwargs, self._options)
        except ParetoError as error:
            raise error.with_traceback(None) from None

    def configure(
        self,
        *,
        name: str | None = None,
        setup: Callable[[], object] | None = None,
        items: int | None = None,
        rounds: int | None = None,
        warmup: int | None = None,
        metrics: Iterable[str] | None = None,
        max_items: int | None = None,
    ) -> "Pareto":
        """Return a `Pareto` with other options; an option that is not given stays as it is.

        ``name`` makes a case of its own, ``nodeid#name``. ``setup`` makes fresh arguments
        for each call, untimed. ``items`` is the number of items that one call processes.
        ``rounds`` and ``warmup`` fix the number of calls. ``metrics`` limits what is
        measured. ``max_items`` ends a stream after that many items.
        """
        options = self._options.updated_with(
            name=name,
            setup=setup,
            items=items,
            rounds=rounds,
            warmup=warmup,
            metrics=None if metrics is None else self._recorder.require_measurable(metrics),
            max_items=max_items,
        )
        return Pareto(self._recorder, options)


def make_fixture(request: pytest.FixtureRequest) -> Pareto:
    """Return the fixture of one test, and put its recorder into the item's stash for the hooks."""
    item = request.node
    stash = item.config.stash
    idle = MEASURED in stash and item.nodeid not in stash[MEASURED]
    recorder = Recorder(request, read_marker(item), None if idle else stash.get(METERS, None))
    if KEEPER in stash:
        stash[KEEPER].begin(item.nodeid)
    item.stash[RECORDER] = recorder
    return Pareto(recorder)
