"""What a call leaves behind, put back. Imports torch: import it where used."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.modules.module import register_module_forward_pre_hook

_Held = dict[str, tuple[Any, Any]]
_CONTAINERS = (dict, OrderedDict, list, set)


@contextmanager
def traces_removed() -> Iterator[None]:
    """Put back, at the end, the grad mode and what a `forward` stored on its module.

    Modules keep caches of what they computed (positions, masks, past keys), which without
    data would break the next real call. A container on a module gets its content back, one
    level deep.
    """
    modules: dict[int, tuple[Any, _Held]] = {}

    def remember(module: Any, _args: object) -> None:
        if id(module) not in modules:
            modules[id(module)] = (module, _attributes(module))

    hook = register_module_forward_pre_hook(remember)
    try:
        with torch.set_grad_enabled(torch.is_grad_enabled()):
            yield
    finally:
        hook.remove()
        for module, held in modules.values():
            _restore(module, held)


def _attributes(module: Any) -> _Held:
    """Return each attribute, with a copy of what it contains if it is a container."""
    return {
        name: (value, value.copy() if type(value) in _CONTAINERS else None)
        for name, value in vars(module).items()
    }


def _restore(module: Any, held: _Held) -> None:
    attributes = vars(module)
    for name in attributes.keys() - held.keys():
        del attributes[name]
    for name, (value, content) in held.items():
        attributes[name] = value
        if isinstance(value, list):
            value[:] = content
        elif content is not None:
            value.clear()
            value.update(content)
