"""Awaited calls: the synchronous loop asks, and the coroutine around it awaits.

The loop and its meters are synchronous, and a call in a running event loop has to be awaited
there. So the loop runs in a greenlet of the test's own thread, which stands still while the call
is awaited in the test's own task. Nothing changes threads: grad mode, current CUDA device and
stream, dispatch modes and context variables are those of the test, cancellation and Ctrl-C arrive
where they arrive in an ordinary `await`, and any event loop will do. A call costs 1.5 µs more than
an ordinary `await`; by a worker thread and back it was 106 µs.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

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
    box: list[Any] = []

    def wait(call: Callable[[], Awaitable[Any]]) -> Any:
        __tracebackhide__ = True
        box.append(call)
        del call
        child.parent.switch()
        return box.pop()

    done = child.switch(wait)
    while not child.dead:
        failed = None
        try:
            box.append(await box.pop()())
        except BaseException as error:  # the call's, or a cancellation: the loop's to pass on
            failed = error
        try:
            if failed is None:
                done = child.switch()
            else:
                done = child.throw(type(failed), failed, failed.__traceback__)
        finally:
            del failed  # it refers to this frame, and the frame to it
    return cast(T, done)


def _greenlet() -> Any:
    try:
        import greenlet
    except ImportError as error:
        raise ParetoError(
            "awaited calls are measured with the help of greenlet, which cannot be imported "
            f"({error}); install it: " + pip_install("greenlet")
        ) from None
    return greenlet
