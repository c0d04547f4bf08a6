"""Where a call's arguments come from: the same ones each time, or fresh ones from `setup`.

Results that are a promise of work rather than work done, which no loop can time.

Global random state, kept so that the number of measured calls never changes a result.

Whether something slows every Python call of this process down: a tracer, a profiler.
"""

import inspect
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from pytest_pareto.measure.device import loaded_torch
from pytest_pareto.model.errors import ParetoError

_ACCEPTED_FORMS = "tuple of positional arguments, such as `(x,)`, or a pair `(args, kwargs)`"

Arguments = tuple[tuple[Any, ...], Mapping[str, Any]]


def argument_source(
    args: Sequence[object],
    kwargs: Mapping[str, object],
    setup: Callable[[], object] | None,
) -> Callable[[], Arguments]:
    """Return what is asked for the arguments of each call.

    Without ``setup`` every call gets ``args`` and ``kwargs`` themselves. With it every
    call gets what ``setup()`` returns: a pair of a tuple and a dict is ``(args, kwargs)``,
    any other tuple is the positional arguments. (A function whose two arguments are a
    tuple and a dict therefore needs ``((a_tuple, a_dict), {})``.)
    Raises ParetoError if ``setup`` is given beside arguments, or returns anything else.
    """
    if setup is None:
        constant: Arguments = (tuple(args), dict(kwargs))
        return lambda: constant
    if args or kwargs:
        raise ParetoError(
            "setup makes the arguments of every call, so measure() takes the function alone; "
            "return these arguments from setup, or leave setup out"
        )
    return lambda: _parse_setup_result(setup())


def _parse_setup_result(result: object) -> Arguments:
    if not isinstance(result, tuple):
        raise ParetoError(f"setup returned {_describe_type(result)}; return a {_ACCEPTED_FORMS}")
    if len(result) == 2 and isinstance(result[0], tuple) and isinstance(result[1], dict):
        args, kwargs = result
        invalid = next((key for key in kwargs if not isinstance(key, str)), None)
        if invalid is not None:
            raise ParetoError(
                f"setup returned (args, kwargs) with the keyword {invalid!r}, which is not a "
                "string; to pass a tuple and a dict as positional arguments, return "
                "`((a_tuple, a_dict), {})`"
            )
        return args, kwargs
    return result, {}


def _describe_type(result: object) -> str:
    return "None" if result is None else f"a {type(result).__name__}"


def name_of(function: Callable[..., object]) -> str:
    """Return what to call a measured function in a message."""
    return getattr(function, "__name__", type(function).__name__)


def require_finished(function: Callable[..., object], result: object) -> None:
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


@contextmanager
def preserve_random_state() -> Iterator[None]:
    """Put the global random state back at the end to what it is at the start.

    Kept are Python's ``random``, NumPy's legacy global generator, and torch's default
    generators of the CPU and of every accelerator in use; of these, those whose library
    the process has imported. Generator objects that the test holds itself are not.
    """
    python: Callable[[], object] = partial(random.setstate, random.getstate())
    restorers = [python, *_numpy_restorers(), *_torch_restorers()]
    try:
        yield
    finally:
        for restore in restorers:
            restore()


def _numpy_restorers() -> Iterator[Callable[[], object]]:
    # NumPy 2 imports numpy.random when it is first used.
    numpy_random: Any = sys.modules.get("numpy.random")
    if numpy_random is not None:
        yield partial(numpy_random.set_state, numpy_random.get_state(legacy=False))


def _torch_restorers() -> Iterator[Callable[[], object]]:
    torch = loaded_torch()
    if torch is None:
        return
    yield partial(torch.set_rng_state, torch.get_rng_state())
    for name in ("cuda", "xpu"):
        device = getattr(torch, name, None)
        if device is not None and device.is_initialized():
            yield partial(device.set_rng_state_all, device.get_rng_state_all())
    mps = getattr(getattr(torch, "backends", None), "mps", None)
    if mps is not None and mps.is_available():
        yield partial(torch.mps.set_rng_state, torch.mps.get_rng_state())


_MONITORING_TOOL_IDS = range(6)  # all that sys.monitoring has


def active_tracer() -> str | None:
    """Say what slows Python code down here and how to be rid of it, or None.

    Coverage was seen to slow calls 2.7 times, so no time of the host means anything under
    it. Looked for are ``sys.settrace``, ``sys.setprofile`` and, from Python 3.12 on, the
    tools of ``sys.monitoring``.
    """
    if sys.gettrace() is not None:
        return "a tracer is active (coverage or a debugger); run without --cov"
    if sys.getprofile() is not None:
        return "a profiler is active (sys.setprofile); run without it"
    monitoring = getattr(sys, "monitoring", None)
    tools = (
        [] if monitoring is None else [monitoring.get_tool(tool) for tool in _MONITORING_TOOL_IDS]
    )
    names = ", ".join(name for name in tools if name is not None)
    if names:
        return f"a tracer is active ({names}); run without --cov, debugger or profiler"
    return None
