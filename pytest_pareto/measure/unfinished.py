"""Results that are a promise of work rather than work done, which no loop can time."""

import inspect
from collections.abc import Callable

from pytest_pareto.model.errors import ParetoError

_STREAM = (
    "Time to first item and items per second are what pareto.stream is for, "
    "which is not in this version yet"
)


def refuse_unfinished(function: Callable[..., object], result: object) -> None:
    """Raise ParetoError if ``result`` is a generator, a coroutine or another awaitable.

    Its work has not run yet, so that every figure would be of making the promise. What
    can be closed is closed, so that Python does not warn of it on top.
    """
    name = getattr(function, "__name__", type(function).__name__)
    if inspect.isgenerator(result):
        result.close()
        raise ParetoError(
            f"{name} returned a generator, so none of its work has run yet; consume it inside "
            f"the call: pareto.measure(lambda: list(fn(...))). {_STREAM}"
        )
    if inspect.isasyncgen(result):
        # Closing one takes an event loop; one that never started needs no closing.
        raise ParetoError(
            f"{name} returned an async generator, so none of its work has run yet; consume it "
            f"inside the call, in a coroutine given to asyncio.run. {_STREAM}"
        )
    if inspect.isawaitable(result):
        if inspect.iscoroutine(result):
            result.close()
        raise ParetoError(
            f"{name} returned an awaitable ({type(result).__name__}), so its work has not run "
            "to an end; finish it inside the call: "
            "pareto.measure(lambda: asyncio.run(fn(...))). A call in a running event loop is "
            "what `await pareto.ameasure` is for, which is not in this version yet"
        )
