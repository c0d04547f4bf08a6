"""Functions whose results have to be awaited: called from a synchronous loop, or once plainly."""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from functools import update_wrapper
from typing import Any, TypeVar

from pytest_pareto.measure.arguments import argument_source
from pytest_pareto.measure.awaiting import Wait
from pytest_pareto.measure.stages import Forwarding
from pytest_pareto.measure.stream_rules import FreshStreams, note_closing, note_item
from pytest_pareto.measure.unfinished import name_of
from pytest_pareto.model.errors import ParetoError

T = TypeVar("T")


async def once(
    function: Callable[..., Awaitable[T]],
    args: Sequence[object],
    kwargs: Mapping[str, object],
    setup: Callable[[], object] | None,
) -> T:
    """Call and await once, for a test that is not measured."""
    __tracebackhide__ = True
    args, kwargs = argument_source(args, kwargs, setup)()
    result: T = await _awaitable(function, function(*args, **kwargs))
    return result


async def all_items(
    function: Callable[..., object],
    args: Sequence[object],
    kwargs: Mapping[str, object],
    setup: Callable[[], object] | None,
    most: int | None,
) -> list[Any]:
    """Consume an asynchronous stream once, up to ``most`` items, without measuring it."""
    __tracebackhide__ = True
    args, kwargs = argument_source(args, kwargs, setup)()
    stream = await _async_iterator(function, function(*args, **kwargs))
    items: list[Any] = []
    try:
        async for item in stream:
            items.append(item)
            if len(items) == most:
                break
    except BaseException as error:
        note_item(error, len(items) + 1)
        raise
    if most is not None:
        await _aclose(stream)
    return items


class Awaited(Forwarding):
    """A function that returns an awaitable, as one that returns what it comes to."""

    def __init__(self, function: Callable[..., Awaitable[Any]], wait: Wait) -> None:
        update_wrapper(self, function)
        self._function = function
        self._wait = wait

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call outside, in the test's own task, and wait there for the end."""
        __tracebackhide__ = True
        function = self._function
        return self._wait(lambda: _awaitable(function, function(*args, **kwargs)))

    def empty(self) -> "Awaited":
        """Return one that awaits nothing: what measuring costs."""
        return Awaited(_nothing, self._wait)


class AwaitedStream(Forwarding):
    """A function that returns an async iterator, as one that returns an ordinary one."""

    def __init__(self, function: Callable[..., object], wait: Wait) -> None:
        update_wrapper(self, function)
        self._function = function
        self._wait = wait
        self._fresh = FreshStreams(function)

    def __call__(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """Call outside, and hand out each item when it has been awaited there."""
        __tracebackhide__ = True
        function, wait = self._function, self._wait
        stream = wait(lambda: _async_iterator(function, function(*args, **kwargs)))
        self._fresh.require(stream)
        return _Items(stream, wait)


class _Items:
    def __init__(self, stream: AsyncIterator[Any], wait: Wait) -> None:
        self._stream = stream
        self._wait = wait

    def __iter__(self) -> "_Items":
        return self

    def __next__(self) -> Any:
        __tracebackhide__ = True
        try:
            return self._wait(self._stream.__anext__)
        except StopAsyncIteration:
            raise StopIteration from None

    def close(self) -> None:
        self._wait(lambda: _aclose(self._stream))


async def _nothing() -> None: ...


async def _awaitable(function: Callable[..., object], result: Any) -> Any:
    __tracebackhide__ = True
    if inspect.isawaitable(result):
        return await result
    name = name_of(function)
    if isinstance(result, AsyncIterator):
        raise ParetoError(
            f"{name} returned an async iterator ({type(result).__name__}), which is consumed item "
            f"by item: await pareto.astream(fn, ...)"
        )
    raise ParetoError(
        f"{name} returned a {type(result).__name__}, which cannot be awaited: its work is done, or "
        "it is a stream; pareto.measure(fn, ...) or pareto.stream(fn, ...) measures it"
    )


async def _async_iterator(function: Callable[..., object], result: Any) -> AsyncIterator[Any]:
    __tracebackhide__ = True
    if inspect.isawaitable(result):  # as clients do that answer before they stream
        result = await result
    if isinstance(result, AsyncIterator):
        return result
    raise ParetoError(
        f"{name_of(function)} came to a {type(result).__name__}, which is no async iterator; "
        "pareto.stream is for ordinary ones, await pareto.ameasure for what is done when awaited"
    )


async def _aclose(stream: object) -> None:
    close = getattr(stream, "aclose", None)
    if not callable(close):
        return
    try:
        await close()
    except BaseException as error:
        note_closing(error)
        raise
