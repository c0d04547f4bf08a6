"""Results that are a promise of work rather than work done, which no loop can time."""

import inspect
from collections.abc import Callable

from pytest_pareto.model.errors import ParetoError


def name_of(function: Callable[..., object]) -> str:
    """Return what to call a measured function in a message."""
    return getattr(function, "__name__", type(function).__name__)


def refuse_unfinished(function: Callable[..., object], result: object) -> None:
    """Raise ParetoError if ``result`` is a generator, a coroutine or another awaitable.

    Its work has not run yet, so that every figure would be of making the promise. What
    can be closed is closed, so that Python does not warn of it on top.
    """
    name = name_of(function)
    if inspect.isgenerator(result):
        result.close()
        raise ParetoError(
            f"{name} returned a generator, so none of its work has run yet; "
            "pareto.stream(fn, ...) consumes it, and measures the time to its first item and "
            "from item to item. For the whole call alone, consume it inside: "
            "pareto.measure(lambda: list(fn(...)))"
        )
    if inspect.isasyncgen(result):
        # Closing one takes an event loop; one that never started needs no closing.
        raise ParetoError(
            f"{name} returned an async generator, so none of its work has run yet; in a running "
            "event loop `await pareto.astream(fn, ...)` consumes and measures it"
        )
    if inspect.isawaitable(result):
        if inspect.iscoroutine(result):
            result.close()
        raise ParetoError(
            f"{name} returned an awaitable ({type(result).__name__}), so its work has not run "
            "to an end; in a running event loop `await pareto.ameasure(fn, ...)` measures it, "
            "and elsewhere pareto.measure(lambda: asyncio.run(fn(...)))"
        )
