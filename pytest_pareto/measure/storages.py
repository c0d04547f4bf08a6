"""Torch's storages that objects refer to, or that a call uses: what stays resident.

Which of them a test holds does not depend on what other tests of the process hold, on gaps in an
allocator or on the order of tests, so that it can be compared to the byte. Imports torch, so
import it where it is used.
"""

import dis
import gc
import inspect
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache, partial
from types import FunctionType, MethodType, ModuleType
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode, is_traceable_wrapper_subclass
from torch.utils._pytree import tree_leaves

from pytest_pareto.model.attribution import Part

_SHARED = (type, ModuleType, type(lru_cache(lambda: None)))
"""Types of objects that refer to what any test may have made."""
_SHARED_GLOBALS = (*_SHARED, FunctionType, dict, list, set, tuple)
_SHARED_PACKAGES = ("_pytest.", "pluggy.", "pytest_pareto.plugin.", "pytest_pareto.measure.meter.")
_WITHOUT_WEIGHTS = ("profiler", "c10d", "_c10d_functional")
"""Operations whose objects of torch are marks in a trace, and groups of processes."""
_LEAVES = frozenset(
    (torch.Tensor, torch.nn.Parameter, int, float, bool, str, type(None), torch.dtype, torch.device)
)
"""Types of arguments that hold no others."""
_GRAPH = "CUDA graphs"
_OUTSIDE = "tensors outside of modules"
_SPARSE_PARTS = {
    torch.sparse_coo: ("_indices", "_values"),
    torch.sparse_csr: ("crow_indices", "col_indices", "values"),
    torch.sparse_bsr: ("crow_indices", "col_indices", "values"),
    torch.sparse_csc: ("ccol_indices", "row_indices", "values"),
    torch.sparse_bsc: ("ccol_indices", "row_indices", "values"),
}


class Storages:
    """The storages of tensors, each of them once however many tensors share it, and CUDA graphs.

    They are held weakly: what nothing else refers to any more is freed, and no longer counts.
    ``by_address`` holds the reference, the type of the device, the bytes and, on a GPU, the address
    of the data; ``graph_pools`` the ids of the memory pools of graphs.
    """

    def __init__(self) -> None:
        # The address of a storage object, which no other can get while there is a weak reference.
        self.by_address: dict[int, tuple[StorageWeakRef, str, int, int]] = {}
        self.graph_pools: set[tuple[int, int]] = set()

    def add(self, tensor: torch.Tensor) -> None:
        """Add the storage of a tensor; of a sparse or a composed one, those of its parts."""
        if is_traceable_wrapper_subclass(tensor):
            names, _ = tensor.__tensor_flatten__()
            parts = [getattr(tensor, name) for name in names]
        else:
            parts = [getattr(tensor, name)() for name in _SPARSE_PARTS.get(tensor.layout, ())]
        if parts:
            for part in parts:
                self.add(part)
            return
        try:
            storage = tensor.untyped_storage()
        except (RuntimeError, ValueError):
            return  # of an opaque layout, such as oneDNN's, or not initialized yet
        key = storage._cdata  # noqa: SLF001  (torch's own address of it; there is no public one)
        if key not in self.by_address:
            device = storage.device.type
            address = storage.data_ptr() if device == "cuda" else 0
            self.by_address[key] = StorageWeakRef(storage), device, storage.nbytes(), address

    def add_graph(self, graph: Any) -> None:
        """Add the memory that a captured CUDA graph keeps for its replays."""
        try:
            self.graph_pools.add(tuple(graph.pool()))
        except RuntimeError:
            return  # it was never captured, or is reset

    def merge(self, other: "Storages") -> None:
        """Add all storages and graphs of another collection."""
        self.by_address.update(other.by_address)
        self.graph_pools |= other.graph_pools

    def without(self, other: "Storages") -> "Storages":
        """Return those that are not in another collection."""
        rest = Storages()
        rest.by_address = {
            key: found for key, found in self.by_address.items() if key not in other.by_address
        }
        rest.graph_pools = self.graph_pools - other.graph_pools
        return rest

    def sizes(self) -> Counter[str]:
        """Return the bytes of those that are alive, by the type of the device, such as "cuda".

        They are the bytes that tensors asked for. A graph counts with what torch's allocator keeps
        for it and the tensors there, and without other memory in use there: a library's workspace
        lies in the graph that is captured first, and serves all later ones. Of small segments (2
        MiB for blocks of at most 1 MiB) only tensors count: such a workspace takes the place of
        blocks that are free in other graphs.
        """
        sizes: Counter[str] = Counter()
        for _, device, size in self._alive():
            sizes[device] += size
        return sizes

    def parts(self, device: str, names: Mapping[int, str]) -> Iterator[Part]:
        """Yield those on a type of device that are alive, as `sizes` counts them.

        ``names`` are those of parameters by the address of their storages.
        """
        for key, there, size in self._alive():
            if there == device:
                name = _GRAPH if key is None else names.get(key, _OUTSIDE)
                yield Part(name, float(size), 1.0)

    def _alive(self) -> Iterator[tuple[int | None, str, int]]:
        """Yield key, type of device and bytes; the key of a block of a CUDA graph is None."""
        alive = [(key, *each) for key, each in self.by_address.items() if not each[0].expired()]
        starts = {address for _, _, device, _, address in alive if device == "cuda"}
        in_graphs: set[int] = set()
        for start, length, in_use in self._graph_blocks():
            tensors = {address for address in starts if start <= address < start + length}
            if tensors or not in_use:
                yield None, "cuda", length
                in_graphs |= tensors
        for key, _, device, size, address in alive:
            if device != "cuda" or address not in in_graphs:
                yield key, device, size

    def _graph_blocks(self) -> Iterator[tuple[int, int, bool]]:
        """Yield address and bytes of each larger block of graphs, and whether it is in use."""
        if not self.graph_pools:
            return
        for segment in torch.cuda.memory_snapshot():
            of_graph = tuple(segment["segment_pool_id"]) in self.graph_pools
            if of_graph and segment["segment_type"] == "large":
                address = segment["address"]
                for block in segment["blocks"]:
                    yield address, block["size"], block["state"] == "active_allocated"
                    address += block["size"]


class UsedStorages(TorchDispatchMode):  # type: ignore[misc]  # torch is not read by mypy
    """Collects the storages that operations read or write in this block, in this thread.

    Those that are still alive when the block has ended are what a call uses and does not make: its
    weights, wherever they are kept. ``operated`` is whether there was any operation, ``packed``
    whether one had an argument in which torch packs tensors, such as quantized weights.
    """

    supports_higher_order_operators = True

    def __init__(self) -> None:
        super().__init__()
        self.storages = Storages()
        self.operated = self.packed = False

    def __torch_dispatch__(
        self, func: Any, types: object, args: Any = (), kwargs: Any = None
    ) -> object:
        """Collect the tensors among the arguments of an operation, and run it."""
        self.operated = True
        kwargs = kwargs or {}
        # Most arguments are tensors and numbers. The leaves of others take longer than all else.
        for argument in (*args, *kwargs.values()):
            for each in (argument,) if type(argument) in _LEAVES else tree_leaves(argument):
                if isinstance(each, torch.Tensor):
                    self.storages.add(each)
                elif isinstance(each, torch.ScriptObject):
                    self.packed |= getattr(func, "namespace", None) not in _WITHOUT_WEIGHTS
        return func(*args, **kwargs)


def call_storages(function: Any, arguments: object) -> Storages:
    """Return the storages and CUDA graphs that a call refers to, directly or through others.

    Followed are attributes, items, closures, defaults and gradients of all objects, and the global
    variables that the function itself names, unless they are containers. Not followed are classes,
    modules, functions that are named, the cache of a cached function, and pytest's objects, which
    all tests share.
    """
    roots = (function, arguments, *_named_globals(function))
    found, seen, shared = Storages(), set[int](), dict[type, bool]()
    pending = list(roots)
    while pending:
        each = pending.pop()
        # The type, and not `__class__`, which runs code in objects that load themselves late.
        kind = type(each)
        if id(each) in seen or not gc.is_tracked(each):
            continue
        seen.add(id(each))
        if kind not in shared:
            shared[kind] = _is_shared(kind)
        if shared[kind]:
            continue
        if issubclass(kind, torch.Tensor):
            found.add(each)
        elif issubclass(kind, torch.cuda.CUDAGraph):
            found.add_graph(each)
        pending.extend(_referents(each, kind))
    return found


def variable_storages(values: Iterable[object], *, apart: Collection[int] = ()) -> Storages:
    """Return the storages of tensors and of modules' parameters and buffers among values.

    Values may be in lists, tuples, sets and dicts. No other object is followed: it may be shared,
    and hold what other tests have added to it. ``apart`` are the ids of values that do not count.
    """
    found, seen = Storages(), set(apart)
    pending: list[Any] = list(values)
    while pending:
        each = pending.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        kind = type(each)
        if issubclass(kind, torch.Tensor):
            found.add(each)
            pending.extend(_gradient(each))
        elif issubclass(kind, torch.nn.Module):
            pending.extend((*each.parameters(), *each.buffers()))
        elif kind is dict:
            pending.extend(each.values())
        elif kind in (list, tuple, set):
            pending.extend(each)
    return found


def _is_shared(kind: type) -> bool:
    """Return whether objects of this type refer to what any test may have made."""
    modules = (f"{base.__module__}." for base in kind.__mro__)
    return issubclass(kind, _SHARED) or any(map(_in_shared_package, modules))


def _in_shared_package(module: str) -> bool:
    return module.startswith(_SHARED_PACKAGES)


def _referents(each: Any, kind: type) -> Iterable[object]:
    if kind is FunctionType:
        return (each.__closure__, each.__defaults__, each.__kwdefaults__, vars(each))
    if kind is MethodType:
        return (each.__self__,)
    referents = gc.get_referents(each)
    return [*referents, *_gradient(each)] if issubclass(kind, torch.Tensor) else referents


def _gradient(tensor: Any) -> tuple[object, ...]:
    """Return a tensor's gradient, which torch holds outside of Python."""
    # Torch warns about that of a tensor that is no leaf.
    return (tensor.grad,) if tensor.is_leaf and tensor.grad is not None else ()


def _named_globals(function: Any) -> Iterator[object]:
    """Yield the global variables that a function names, beneath its wrappers: a model, a tensor."""
    try:
        while isinstance(function := inspect.unwrap(function), partial):
            function = function.func
    except ValueError:
        return  # an object that has every attribute wraps itself without end
    if isinstance(function, FunctionType):
        for name in sorted(_global_names(function.__code__)):
            value = function.__globals__.get(name)
            if not isinstance(value, _SHARED_GLOBALS):
                yield value


def _global_names(code: Any) -> set[str]:
    names = {each.argval for each in dis.get_instructions(code) if each.opname == "LOAD_GLOBAL"}
    inner = [each for each in code.co_consts if isinstance(each, type(code))]
    return names.union(*map(_global_names, inner))
