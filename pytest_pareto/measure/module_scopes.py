"""Which module of torch a call is in, by name: the place of an operation, a kernel or a tensor.

`ModuleScopes` follows the modules that a thread calls, without a change of these modules: hooks
would make torch compile functions anew. Imports torch, so import it where it is used.
"""

import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from types import CodeType, FrameType
from typing import Any, Self

from torch import nn

from pytest_pareto.measure.call import skip_in_compiler, uncompiled
from pytest_pareto.measure.storages import Storages
from pytest_pareto.model.attribution import placed

_TOOL = "pytest-pareto modules"
_TOOL_IDS = (4, 3)
"""The ids of ``sys.monitoring`` that no kind of tool has reserved."""
_MOST_ENTRIES = 8
_MOST_ALIKE = 2
"""A container of more modules is a stack of layers, whose numbers are written as one ``*``: the
first of any modules, the second of those of one class."""
_COMPILED = "_orig_mod"


class ModuleScopes:
    """Follows the modules that this thread calls within the block.

    ``path`` is the innermost one, such as ``Net.layers.*.up``: the class of the outermost module,
    and the names from there; "" outside of modules. ``roots`` are the outermost modules so far that
    are alive, held weakly: a call may make modules of its own.
    ``on_enter`` is called with the path of each module that begins, and ``on_exit`` with what that
    returned. A module that raised ends with the module that called it.
    """

    def __init__(
        self,
        on_enter: Callable[[str], object] = lambda _: None,
        on_exit: Callable[[Any], object] = lambda _: None,
    ) -> None:
        self._on_enter = on_enter
        self._on_exit = on_exit
        self._thread = threading.get_ident()
        self._stack: list[tuple[object, str, object]] = []
        self._known: dict[int, tuple[weakref.ref[Any], dict[int, str]]] = {}
        self._names: Mapping[int, str] = {}
        self._restore: Callable[[], None] = lambda: None

    @property
    def roots(self) -> list[Any]:
        """The outermost modules so far, without those that were freed."""
        found = (reference() for reference, _ in self._known.values())
        return [module for module in found if module is not None]

    @property
    def path(self) -> str:
        """The innermost module that is being called."""
        return self._stack[-1][1] if self._stack else ""

    def __enter__(self) -> Self:
        self._thread = threading.get_ident()
        follow = _follow_by_monitoring if hasattr(sys, "monitoring") else _follow_by_replacement
        self._restore = follow(uncompiled(self.begin), uncompiled(self.end))
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()
        while self._stack:
            self._on_exit(self._stack.pop()[2])

    def begin(self, module: Any, frame: object) -> None:
        """Enter a module; ``frame`` identifies the call."""
        if threading.get_ident() != self._thread:
            return
        if isinstance(frame, FrameType):
            self._end_raised(frame)
        if not self._stack:
            self._names = self._names_within(module)
        path = self._names.get(id(module))
        if path is None:  # a module that no attribute of the outermost one holds
            path = f"{self.path}/{class_name(module)}"
        self._stack.append((frame, path, self._on_enter(path)))

    def _names_within(self, root: Any) -> Mapping[int, str]:
        reference, names = self._known.get(id(root), (None, {}))
        if reference is None or reference() is not root:
            names = {id(each): name for name, each in named_modules(root)}
            self._known[id(root)] = weakref.ref(root), names
        return names

    def _end_raised(self, frame: FrameType) -> None:
        """Leave the modules that have raised: none of their calls has led to this frame."""
        caller = frame.f_back
        while self._stack:
            while caller is not None and caller is not self._stack[-1][0]:
                caller = caller.f_back
            if caller is not None:
                return
            self._on_exit(self._stack.pop()[2])
            caller = frame.f_back

    def end(self, frame: object) -> None:
        """Leave the module of a call, and those within it that raised."""
        if threading.get_ident() != self._thread:
            return
        if any(entered is frame for entered, _, _ in self._stack):
            entered = None
            while entered is not frame:
                entered, _, handle = self._stack.pop()
                self._on_exit(handle)


def _follow_by_monitoring(
    begin: Callable[[Any, object], None], end: Callable[[object], None]
) -> Callable[[], None]:
    """Follow by events of the one function that calls modules; return what ends that."""
    monitoring: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]  # from 3.12 on
    tool = next(each for each in _TOOL_IDS if monitoring.get_tool(each) is None)
    events = monitoring.events
    code = nn.Module._call_impl.__code__  # noqa: SLF001  (the one place of every call)

    def on_start(_: CodeType, __: int) -> None:
        frame = sys._getframe(1)  # noqa: SLF001  (monitoring does not pass it)
        begin(frame.f_locals["self"], frame)

    def on_return(*_: object) -> None:
        end(sys._getframe(1))  # noqa: SLF001

    skip_in_compiler(on_start, on_return)
    monitoring.use_tool_id(tool, _TOOL)
    monitoring.register_callback(tool, events.PY_START, on_start)
    monitoring.register_callback(tool, events.PY_RETURN, on_return)
    monitoring.set_local_events(tool, code, events.PY_START | events.PY_RETURN)

    def stop() -> None:
        monitoring.set_local_events(tool, code, events.NO_EVENTS)
        monitoring.register_callback(tool, events.PY_START, None)
        monitoring.register_callback(tool, events.PY_RETURN, None)
        monitoring.free_tool_id(tool)

    return stop


def _follow_by_replacement(
    begin: Callable[[Any, object], None], end: Callable[[object], None]
) -> Callable[[], None]:
    """Follow by a function in place of the one that calls modules; return what restores it.

    Before Python 3.12 only. From 3.13 on a class whose attributes change often is no longer cached.
    """
    call = nn.Module._call_impl  # noqa: SLF001

    def followed(module: Any, /, *args: Any, **kwargs: Any) -> object:
        begin(module, frame := object())
        try:
            return call(module, *args, **kwargs)
        finally:
            end(frame)

    skip_in_compiler(followed)
    nn.Module._call_impl = followed  # noqa: SLF001

    def stop() -> None:
        nn.Module._call_impl = call  # noqa: SLF001

    return stop


def class_name(module: Any) -> str:
    """Return the class of a module, of one that torch compiled the class of the original."""
    return type(getattr(module, _COMPILED, module)).__name__


def named_modules(root: Any) -> Iterator[tuple[str, Any]]:
    """Yield the path of each module within a root, itself first, and the module."""
    pending = [(class_name(root), root)]
    seen: set[int] = set()
    while pending:
        path, module = pending.pop()
        if id(module) in seen:
            continue
        seen.add(id(module))
        yield path, module
        children = [(name, child) for name, child in module.named_children() if child is not module]
        alike = len({class_name(child) for _, child in children}) == 1
        stacked = len(children) > (_MOST_ALIKE if alike else _MOST_ENTRIES)
        for name, child in reversed(children):
            shown = "*" if stacked and name.isdecimal() else name
            pending.append((path if name == _COMPILED else f"{path}.{shown}", child))


def parameter_names(roots: list[Any]) -> dict[int, str]:
    """Return the names of the parameters and buffers of modules, by the address of their storage.

    A sparse or a composed one has several; one of an opaque layout has none, and is left out.
    """
    names: dict[int, str] = {}
    for root in roots:
        for path, module in named_modules(root):
            for tensors in (module._parameters, module._buffers):  # noqa: SLF001
                for name, tensor in tensors.items():
                    storages = Storages()
                    if tensor is not None:
                        storages.add(tensor)
                    for address in storages.by_address:
                        names.setdefault(address, placed(name, path))
    return names
