"""Awaitable functions and async streams, called from the synchronous measuring loop.

`run_in_greenlet` runs the loop; `AwaitedFunction` and `AwaitedStream` adapt the measured function.
`await_once` and `consume_async_stream` call a function of a test that is not measured.

The loop and its meters are synchronous, but a call in a running event loop has to be awaited
there. The loop therefore runs in a greenlet of the test's own thread, which is suspended while the
test's own task awaits the call. No thread changes: grad mode, current CUDA device and stream,
dispatch modes and context variables are those of the test, cancellation and Ctrl-C arrive where
they arrive in an ordinary `await`, and any event loop works. A call costs 1.5 µs more than an
ordinary `await`; through a worker thread and back it was 106 µs.
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from functools import update_wrapper
from typing import Any, TypeVar, cast

from pytest_pareto.measure.call import argument_source, function_name
from pytest_pareto.measure.stages import StagesForwarder
from pytest_pareto.measure.streams import FreshStreamCheck, add_closing_note, add_item_note
from pytest_pareto.model.errors import ParetoError, pip_install

T = TypeVar("T")

Wait = Callable[[Callable[[], Awaitable[Any]]], Any]
"""Function that makes an awaitable, awaits it outside, and returns its result or raises its error.
"""


async def run_in_greenlet(work: Callable[[Wait], T]) -> T:
    """Run synchronous ``work(wait)`` and return its result; await here what it passes to ``wait``.

    Raises ParetoError without the package greenlet.
    """
    __tracebackhide__ = True
    greenlet = _greenlet()
    child = greenlet.greenlet(work)
    child.gr_context = greenlet.getcurrent().gr_context
    # Passes calls to this coroutine and results back. A local variable would keep a result alive
    # beyond its round, so that it would be freed while the next round is timed.
    handover: list[Any] = []

    def wait(call: Callable[[], Awaitable[Any]]) -> Any:
        __tracebackhide__ = True
        handover.append(call)
        del call
        child.parent.switch()
        return handover.pop()

    result = child.switch(wait)
    while not child.dead:
        failed = None
        try:
            handover.append(await handover.pop()())
        except BaseException as error:  # of the call, or a cancellation: the loop raises it
            failed = error
        try:
            if failed is None:
                result = child.switch()
            else:
                result = child.throw(type(failed), failed, failed.__traceback__)
        finally:
            del failed  # the exception and this frame refer to each other
    return cast(T, result)


def _greenlet() -> Any:
    try:
        import greenlet
    except ImportError as error:
        raise ParetoError(
            "awaited calls are measured with the help of greenlet, which cannot be imported "
            f"({error}); install it: " + pip_install("greenlet")
        ) from None
    return greenlet


async def await_once(
    function: Callable[..., Awaitable[T]],
    args: Sequence[object],
    kwargs: Mapping[str, object],
    setup: Callable[[], object] | None,
) -> T:
    """Call and await ``function`` once, for a test that is not measured, and return the result."""
    __tracebackhide__ = True
    args, kwargs = argument_source(args, kwargs, setup)()
    result: T = await _await_result(function, function(*args, **kwargs))
    return result


async def consume_async_stream(
    function: Callable[..., object],
    args: Sequence[object],
    kwargs: Mapping[str, object],
    setup: Callable[[], object] | None,
    most: int | None,
) -> list[Any]:
    """Consume an async stream once, up to ``most`` items, without measuring; return the items."""
    __tracebackhide__ = True
    args, kwargs = argument_source(args, kwargs, setup)()
    stream = await _open_async_iterator(function, function(*args, **kwargs))
    items: list[Any] = []
    try:
        async for item in stream:
            items.append(item)
            if len(items) == most:
                break
    except BaseException as error:
        add_item_note(error, len(items) + 1)
        raise
    if most is not None:
        await _aclose(stream)
    return items


class AwaitedFunction(StagesForwarder):
    """Synchronous wrapper of a function that returns an awaitable; a call returns its result."""

    def __init__(self, function: Callable[..., Awaitable[Any]], wait: Wait) -> None:
        update_wrapper(self, function)
        self._function = function
        self._wait = wait

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function in the test's own task, wait for its result and return it."""
        __tracebackhide__ = True
        function = self._function
        return self._wait(lambda: _await_result(function, function(*args, **kwargs)))

    def empty(self) -> "AwaitedFunction":
        """Return a wrapper that awaits an empty coroutine, to measure the overhead."""
        return AwaitedFunction(_do_nothing, self._wait)


class AwaitedStream(StagesForwarder):
    """Synchronous wrapper of a function that returns an async iterator."""

    def __init__(self, function: Callable[..., object], wait: Wait) -> None:
        update_wrapper(self, function)
        self._function = function
        self._wait = wait
        self._fresh_check = FreshStreamCheck(function)

    def __call__(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """Call the function in the test's own task; return an iterator that awaits items there."""
        __tracebackhide__ = True
        function, wait = self._function, self._wait
        stream = wait(lambda: _open_async_iterator(function, function(*args, **kwargs)))
        self._fresh_check.require(stream)
        return _AwaitedIterator(stream, wait)


class _AwaitedIterator:
    def __init__(self, stream: AsyncIterator[Any], wait: Wait) -> None:
        self._stream = stream
        self._wait = wait

    def __iter__(self) -> "_AwaitedIterator":
        return self

    def __next__(self) -> Any:
        __tracebackhide__ = True
        try:
            return self._wait(self._stream.__anext__)
        except StopAsyncIteration:
            raise StopIteration from None

    def close(self) -> None:
        self._wait(lambda: _aclose(self._stream))


async def _do_nothing() -> None: ...


async def _await_result(function: Callable[..., object], result: Any) -> Any:
    __tracebackhide__ = True
    if inspect.isawaitable(result):
        return await result
    name = function_name(function)
    if isinstance(result, AsyncIterator):
        raise ParetoError(
            f"{name} returned an async iterator ({type(result).__name__}), which is consumed item "
            f"by item: await pareto.astream(fn, ...)"
        )
    raise ParetoError(
        f"{name} returned a {type(result).__name__}, which cannot be awaited: its work is done, or "
        "it is a stream; pareto.measure(fn, ...) or pareto.stream(fn, ...) measures it"
    )


async def _open_async_iterator(function: Callable[..., object], result: Any) -> AsyncIterator[Any]:
    __tracebackhide__ = True
    if inspect.isawaitable(result):  # some clients await the response before the stream
        result = await result
    if isinstance(result, AsyncIterator):
        return result
    raise ParetoError(
        f"{function_name(function)} came to a {type(result).__name__}, which is no async iterator; "
        "pareto.stream is for ordinary ones, await pareto.ameasure for what is done when awaited"
    )


async def _aclose(stream: object) -> None:
    close = getattr(stream, "aclose", None)
    if not callable(close):
        return
    try:
        await close()
    except BaseException as error:
        add_closing_note(error)
        raise
