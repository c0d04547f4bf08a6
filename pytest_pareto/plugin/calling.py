"""The ways to measure: whole calls and streams, each of them called or awaited."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import TypeVar, cast

from pytest_pareto.measure.awaiting import (
    Awaited,
    AwaitedStream,
    Wait,
    all_items,
    awaited_outside,
    once,
)
from pytest_pareto.measure.streaming import Stream
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


async def ameasure(
    recorder: Recorder,
    fn: Callable[..., Awaitable[T]],
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
    options: MeasureOptions,
) -> T:
    """Measure a call that has to be awaited, or await it once, after ``begin("ameasure", ...)``.

    `Recorder.begin` comes before: it notes the case where nobody awaits this.
    """
    __tracebackhide__ = True
    recorder.awaited(options.name)
    if recorder.plain:
        return await once(fn, args, kwargs, options.setup)

    def measured(wait: Wait) -> object:
        __tracebackhide__ = True
        return recorder.measured(Awaited(fn, wait), args, kwargs, options)

    return cast(T, await awaited_outside(measured))


async def astream(
    recorder: Recorder,
    fn: Callable[..., AsyncIterator[T] | Awaitable[AsyncIterator[T]]],
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
    options: MeasureOptions,
) -> list[T]:
    """Measure a stream that has to be awaited, or consume one, after ``begin("astream", ...)``."""
    __tracebackhide__ = True
    recorder.awaited(options.name)
    if recorder.plain:
        return await all_items(fn, args, kwargs, options.setup, options.max_items)

    def measured(wait: Wait) -> object:
        __tracebackhide__ = True
        consumed = Stream(AwaitedStream(fn, wait), most=options.max_items)
        return recorder.measured(consumed, args, kwargs, options)

    return cast(list[T], await awaited_outside(measured))
