"""The moment at which the first of some torch modules begins to work."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

# Where `torch.nn.Module.compile` keeps the compiled call; None on modules that are not.
_COMPILED = "_compiled_call_impl"


@contextmanager
def before_first_forward(
    modules: Iterable[Any], notice: Callable[[tuple[Any, ...], Mapping[str, Any]], None]
) -> Iterator[None]:
    """Call ``notice(args, kwargs)`` before the first forward of any of these torch modules.

    Every hook is gone after that forward has begun, or where the block ends without one.
    """
    with ExitStack() as hooks:

        def once(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
            hooks.close()
            notice(args, kwargs)

        for module in modules:
            hooks.callback(_hook(module, once))
        yield


def _hook(module: Any, notice: Callable[..., None]) -> Callable[[], None]:
    """Hook one module, and return what removes the hook."""
    compiled = getattr(module, _COMPILED, None)
    if compiled is None:
        handle = module.register_forward_pre_hook(
            lambda _, args, kwargs: notice(args, kwargs), with_kwargs=True
        )
        remove: Callable[[], None] = handle.remove
        return remove

    # `module.compile()` compiles the hooks too: ours would break the graph that is measured.
    def noticed(*args: Any, **kwargs: Any) -> Any:
        notice(args, kwargs)
        return compiled(*args, **kwargs)

    setattr(module, _COMPILED, noticed)
    return lambda: setattr(module, _COMPILED, compiled)
