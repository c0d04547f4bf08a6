"""The ways to measure: whole calls and streams, each of them called or awaited."""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from typing import Any, TypeVar, cast

from pytest_pareto.measure.asynchronous import (
    Awaited,
    AwaitedStream,
    Wait,
    all_items,
    awaited_outside,
    once,
)
from pytest_pareto.measure.streams import Stream
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.plugin.options import MeasureOptions
from pytest_pareto.plugin.recording import Recorder

T = TypeVar("T")


def measure(
    recorder: Recorder,
    fn: Callable[..., T],
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
    options: MeasureOptions,
) -> T:
    """Measure a call, or make it once; return what the first call returned."""
    __tracebackhide__ = True
    recorder.begin("measure", fn, options)
    return cast(T, recorder.measured(fn, args, kwargs, options))


def stream(
    recorder: Recorder,
    fn: Callable[..., Iterator[T]],
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
    options: MeasureOptions,
) -> list[T]:
    """Measure a call and the stream that it returns, or consume one; return its items."""
    __tracebackhide__ = True
    recorder.begin("stream", fn, options)
    consumed = Stream(fn, most=options.max_items)
    return cast(list[T], recorder.measured(consumed, args, kwargs, options))


def ameasure(
    recorder: Recorder,
    fn: Callable[..., Awaitable[T]],
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
    options: MeasureOptions,
) -> Coroutine[Any, Any, T]:
    """Return what measures a call that has to be awaited, or awaits it once."""
    __tracebackhide__ = True

    def measured(wait: Wait) -> object:
        __tracebackhide__ = True
        return recorder.measured(Awaited(fn, wait), args, kwargs, options)

    # Before anybody awaits: what is never awaited can then be told at the test's end.
    recorder.begin("ameasure", fn, options)
    return _awaited(recorder, options, measured, lambda: once(fn, args, kwargs, options.setup))


def astream(
    recorder: Recorder,
    fn: Callable[..., AsyncIterator[T] | Awaitable[AsyncIterator[T]]],
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
    options: MeasureOptions,
) -> Coroutine[Any, Any, list[T]]:
    """Return what measures a stream that has to be awaited, or consumes one."""
    __tracebackhide__ = True

    def measured(wait: Wait) -> object:
        __tracebackhide__ = True
        consumed = Stream(AwaitedStream(fn, wait), most=options.max_items)
        return recorder.measured(consumed, args, kwargs, options)

    recorder.begin("astream", fn, options)
    return _awaited(
        recorder,
        options,
        measured,
        lambda: all_items(fn, args, kwargs, options.setup, options.max_items),
    )


async def _awaited(
    recorder: Recorder,
    options: MeasureOptions,
    measured: Callable[[Wait], object],
    plainly: Callable[[], Awaitable[T]],
) -> T:
    __tracebackhide__ = True
    recorder.awaited(options.name)
    try:
        if recorder.plain:
            return await plainly()
        return cast(T, await awaited_outside(measured))
    except ParetoError as error:
        raise error.with_traceback(None) from None
