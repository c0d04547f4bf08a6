"""What surrounds a measured call: arguments, unfinished results, random state, tracers, compilers.

- `argument_source` supplies the arguments of each call: constant ones, or fresh ones of `setup`.
- `require_finished` rejects results that are a promise of work, which no loop can time.
- `preserve_random_state` keeps the number of measured calls from changing a result.
- `active_tracer` detects tracers and profilers, which slow down every Python call.
- `eager_mode` lets compiled functions run uncompiled; `skip_in_compiler` and `uncompiled` keep
  the compiler from functions that watch a call.
"""

import inspect
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any, TypeVar

from pytest_pareto.measure.device import loaded_torch
from pytest_pareto.model.errors import ParetoError

_ACCEPTED_FORMS = "tuple of positional arguments, such as `(x,)`, or a pair `(args, kwargs)`"
F = TypeVar("F", bound=Callable[..., Any])
Arguments = tuple[tuple[Any, ...], Mapping[str, Any]]
_MONITORING_TOOL_IDS = range(6)  # every id of sys.monitoring


def argument_source(
    args: Sequence[object],
    kwargs: Mapping[str, object],
    setup: Callable[[], object] | None,
) -> Callable[[], Arguments]:
    """Return a function that returns the arguments of the next call, ``(args, kwargs)``.

    Without ``setup`` every call gets ``args`` and ``kwargs`` themselves. With it every
    call gets what ``setup()`` returns: a pair of a tuple and a dict is ``(args, kwargs)``,
    any other tuple is the positional arguments. (A function whose two arguments are a
    tuple and a dict therefore needs ``((a_tuple, a_dict), {})``.)
    Raises ParetoError if ``setup`` is given together with arguments, or returns anything else.
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


def function_name(function: Callable[..., object]) -> str:
    """Return the name of a measured function for use in a message."""
    return getattr(function, "__name__", type(function).__name__)


def require_finished(function: Callable[..., object], result: object) -> None:
    """Raise ParetoError if ``result`` is a generator, a coroutine or another awaitable.

    Its work has not run yet, so that every reading would measure only its creation. What
    can be closed is closed, so that Python does not warn about it as well.
    """
    name = function_name(function)
    if inspect.isgenerator(result):
        result.close()
        raise ParetoError(
            f"{name} returned a generator, so none of its work has run yet; "
            "pareto.stream(fn, ...) consumes it, and measures the time to its first item and "
            "from item to item. For the whole call alone, consume it inside: "
            "pareto.measure(lambda: list(fn(...)))"
        )
    if inspect.isasyncgen(result):
        # Closing it takes an event loop, and one that never started needs no closing.
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
    """Restore the global random state, at the end of the block, to what it was at the start.

    Covers Python's ``random``, NumPy's legacy global generator, and torch's default
    generators of the CPU and of every accelerator in use, each only if the process has
    imported the library. Does not cover generator objects that the test holds itself.
    """
    python: Callable[[], object] = partial(random.setstate, random.getstate())
    restorers = [python, *_numpy_restorers(), *_torch_restorers()]
    try:
        yield
    finally:
        for restore in restorers:
            restore()


def _numpy_restorers() -> Iterator[Callable[[], object]]:
    # NumPy 2 imports numpy.random on first use.
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


def active_tracer() -> str | None:
    """Return which tool slows down Python code here and how to turn it off, or None.

    Coverage was observed to slow calls down 2.7 times, so no time of the host is meaningful
    under it. Checked are ``sys.settrace``, ``sys.setprofile`` and, from Python 3.12 on, the
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


def skip_in_compiler(*functions: Any) -> None:
    """Let functions run as they are within a call of torch.compile, which compiles what they call.

    Otherwise it would compile them too: they are entered while it looks for what to compile.
    """
    skip = getattr(sys.modules.get("torch._dynamo.eval_frame"), "skip_code", None)
    if skip is not None:
        for function in functions:
            skip(function.__code__)


def uncompiled(function: F) -> F:
    """Return a function that torch.compile leaves as it is, together with all that it calls."""
    if "torch._dynamo" not in sys.modules:
        return function
    disabled: F = sys.modules["torch"].compiler.disable(function)
    return disabled


def eager_mode(torch: Any) -> AbstractContextManager[object]:
    """Return a context in which functions that torch compiled run operation by operation."""
    # A process without dynamo compiles nothing, and loading dynamo would take a second.
    if "torch._dynamo" not in sys.modules:
        return nullcontext()
    stance: AbstractContextManager[object] = torch.compiler.set_stance("force_eager")
    return stance
