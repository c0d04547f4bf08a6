"""Where a call's arguments come from: the same ones each time, or fresh ones from `setup`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pytest_pareto.model.errors import ParetoError

_FORMS = "tuple of positional arguments, such as `(x,)`, or a pair `(args, kwargs)`"

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
        same: Arguments = (tuple(args), dict(kwargs))
        return lambda: same
    if args or kwargs:
        raise ParetoError(
            "setup makes the arguments of every call, so measure() takes the function alone; "
            "return these arguments from setup, or leave setup out"
        )
    return lambda: _read(setup())


def _read(made: object) -> Arguments:
    if not isinstance(made, tuple):
        raise ParetoError(f"setup returned {_describe(made)}; return a {_FORMS}")
    if len(made) == 2 and isinstance(made[0], tuple) and isinstance(made[1], dict):
        args, kwargs = made
        wrong = next((key for key in kwargs if not isinstance(key, str)), None)
        if wrong is not None:
            raise ParetoError(
                f"setup returned (args, kwargs) with the keyword {wrong!r}, which is not a "
                "string; to pass a tuple and a dict as positional arguments, return "
                "`((a_tuple, a_dict), {})`"
            )
        return args, kwargs
    return made, {}


def _describe(made: object) -> str:
    return "None" if made is None else f"a {type(made).__name__}"
