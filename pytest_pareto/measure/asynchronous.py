"""Functions whose results have to be awaited: called from a synchronous loop, or once plainly.

Awaited calls: the synchronous loop asks, and the coroutine around it awaits.

The loop and its meters are synchronous, and a call in a running event loop has to be awaited
there. So the loop runs in a greenlet of the test's own thread, which stands still while the call
is awaited in the test's own task. Nothing changes threads: grad mode, current CUDA device and
stream, dispatch modes and context variables are those of the test, cancellation and Ctrl-C arrive
where they arrive in an ordinary `await`, and any event loop will do. A call costs 1.5 µs more than
an ordinary `await`; by a worker thread and back it was 106 µs.
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from functools import update_wrapper
from typing import Any, TypeVar, cast

from pytest_pareto.measure.call import argument_source, name_of
from pytest_pareto.measure.stages import StagesForwarder
from pytest_pareto.measure.streams import FreshStreamCheck, add_closing_note, add_item_note
from pytest_pareto.model.errors import ParetoError, pip_install

T = TypeVar("T")

Wait = Callable[[Callable[[], Awaitable[Any]]], Any]
"""Has an awaitable made and awaited outside, and returns what it comes to, or raises it."""


async def awaited_outside(work: Callable[[Wait], T]) -> T:
    """Run synchronous ``work(wait)``, and await here whatever it gives to ``wait``.

    Raises ParetoError without the package greenlet.
    """
    __tracebackhide__ = True
    greenlet = _greenlet()
    child = greenlet.greenlet(work)
    child.gr_context = greenlet.getcurrent().gr_context
    # Calls and results change hands here. In a frame of ours a result would outlive its round,
    # and be freed while the next one is timed.
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
        except BaseException as error:  # the call's, or a cancellation: the loop's to pass on
            failed = error
        try:
            if failed is None:
                result = child.switch()
            else:
                result = child.throw(type(failed), failed, failed.__traceback__)
        finally:
            del failed  # it refers to this frame, and the frame to it
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


async def once(
    function: Callable[..., Awaitable[T]],
    args: Sequence[object],
    kwargs: Mapping[str, object],
    setup: Callable[[], object] | None,
) -> T:
    """Call and await once, for a test that is not measured."""
    __tracebackhide__ = True
    args, kwargs = argument_source(args, kwargs, setup)()
    result: T = await _await_result(function, function(*args, **kwargs))
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


class Awaited(StagesForwarder):
    """A function that returns an awaitable, as one that returns what it comes to."""

    def __init__(self, function: Callable[..., Awaitable[Any]], wait: Wait) -> None:
        update_wrapper(self, function)
        self._function = function
        self._wait = wait

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call outside, in the test's own task, and wait there for the end."""
        __tracebackhide__ = True
        function = self._function
        return self._wait(lambda: _await_result(function, function(*args, **kwargs)))

    def empty(self) -> "Awaited":
        """Return one that awaits nothing: what measuring costs."""
        return Awaited(_do_nothing, self._wait)


class AwaitedStream(StagesForwarder):
    """A function that returns an async iterator, as one that returns an ordinary one."""

    def __init__(self, function: Callable[..., object], wait: Wait) -> None:
        update_wrapper(self, function)
        self._function = function
        self._wait = wait
        self._fresh_check = FreshStreamCheck(function)

    def __call__(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """Call outside, and hand out each item when it has been awaited there."""
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


async def _open_async_iterator(function: Callable[..., object], result: Any) -> AsyncIterator[Any]:
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
        add_closing_note(error)
        raise
