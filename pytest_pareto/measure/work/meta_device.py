"""Run calls without data: operations run for their shapes alone, on meta and fake tensors.

`without_data` is the entry point. It combines `DatalessMode`, which dispatches each operation,
`single_operation_attention` and `decomposed_recurrent_layers`, which choose kernels where no device
does, `dataless_error`, which explains what cannot run without data, and `restore_modules`, which
undoes what a call stored on modules.

This module imports torch: import it only where it is used.
"""

import inspect
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch._guards import detect_fake_mode
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensor,
    FakeTensorMode,
    UnsupportedOperatorException,
)
from torch.nn import functional
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from pytest_pareto.measure.call import preserve_random_state
from pytest_pareto.model.errors import ParetoError

_aten = torch.ops.aten
_DATA_DEPENDENT_TAGS = frozenset((torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape))
_torch_attention = functional.scaled_dot_product_attention
_LIBRARY_FOLDERS = (str(Path(torch.__file__).parent), str(Path(__file__).parent))
_SavedAttributes = dict[str, tuple[Any, Any]]
_CONTAINERS = (dict, OrderedDict, list, set)


@contextmanager
def without_data(arguments: object) -> Iterator[None]:
    """Run what torch dispatches within the block for its shapes alone, and restore all state.

    Operations on meta tensors run unchanged, all others on fake tensors, so that nothing
    is computed and no memory is allocated. ``arguments`` (any nesting) may contain the caller's own
    fake tensors. At the end tensors, their gradients, modules, the grad mode and the global random
    state are as before.

    Raises ParetoError where an operation needs values, or cannot run without data.
    """
    mode = detect_fake_mode(tree_leaves(arguments)) or FakeTensorMode(allow_non_fake_inputs=True)
    dataless = DatalessMode(mode)
    with ExitStack() as stack:
        stack.enter_context(preserve_random_state())
        stack.enter_context(restore_modules())
        stack.callback(dataless.restore_gradients)
        stack.enter_context(single_operation_attention())
        stack.enter_context(decomposed_recurrent_layers())
        stack.enter_context(dataless)
        yield


class DatalessMode(TorchDispatchMode):  # type: ignore[misc]  # torch is not read by mypy
    """Runs operations on meta tensors unchanged, and all others under ``fake_mode``.

    A tensor that exists keeps its values, and so do views of it and results computed from
    single numbers: loops over time steps work. All other tensors have a shape and no values.
    """

    supports_higher_order_operators = True

    def __init__(self, fake_mode: Any) -> None:
        super().__init__()
        self._fake_mode = fake_mode
        self._overwritten: dict[int, Any] = {}
        self._gradients: dict[int, tuple[Any, Any]] = {}

    def __torch_dispatch__(
        self,
        func: Any,
        types: object,
        args: Any = (),
        kwargs: Any = None,
    ) -> object:
        """Run one operation for its shapes, and return its result."""
        kwargs = kwargs or {}
        tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
        self._save_gradients(tensors)
        try:
            if self._runs_unchanged(func, tensors, kwargs.get("device")):
                return func(*args, **kwargs)
            written = (
                x for x in _written_tensors(func, args, kwargs) if not isinstance(x, FakeTensor)
            )
            self._overwritten |= {_storage_id(x): x for x in written}
            # A fake mode that receives real tensors only computes some operations with them,
            # in place too. The arguments are therefore converted first.
            args, kwargs = tree_map_only(torch.Tensor, self._to_fake, (args, kwargs))
            with self._fake_mode:
                return func(*args, **kwargs)
        except RuntimeError as error:
            explained = dataless_error(func, error)
            if explained is None:
                raise
            raise explained from error

    def _runs_unchanged(self, func: Any, tensors: Sequence[Any], device: Any) -> bool:
        to_meta = device is not None and device.type == "meta"
        if any(isinstance(tensor, FakeTensor) for tensor in tensors):
            return False
        if any(tensor.is_meta for tensor in tensors):
            # Fake tensors detect what needs values, and can be copied off the meta device.
            return (device is None or to_meta) and not _needs_values(func, tensors)
        if to_meta or not tensors:
            return to_meta
        if any(x.requires_grad or _storage_id(x) in self._overwritten for x in tensors):
            return False
        return _keeps_values(func, tensors)

    def _to_fake(self, tensor: Any) -> object:
        return tensor if isinstance(tensor, FakeTensor) else self._fake_mode.from_tensor(tensor)

    def _save_gradients(self, tensors: Sequence[Any]) -> None:
        # Backward leaves gradients without data on parameters. (Fake tensors never have values,
        # and a tensor that is still referenced here cannot be moved by `Module.to`.)
        for tensor in tensors:
            if tensor.requires_grad and tensor.is_leaf and not isinstance(tensor, FakeTensor):
                self._gradients.setdefault(id(tensor), (tensor, tensor.grad))

    def restore_gradients(self) -> None:
        """Restore the gradients that tensors had when they were first seen."""
        for tensor, gradient in self._gradients.values():
            tensor.grad = gradient


def _keeps_values(func: Any, tensors: Sequence[Any]) -> bool:
    """Return whether an operation only reads existing tensors, or computes a single number."""
    if func is _aten._local_scalar_dense.default or getattr(func, "is_view", False):  # noqa: SLF001
        return True
    pointwise = torch.Tag.pointwise in getattr(func, "tags", ()) and not func._schema.is_mutable  # noqa: SLF001
    return pointwise and all(tensor.numel() == 1 for tensor in tensors)


def _storage_id(tensor: Any) -> int:
    """Return an identifier of a tensor's memory, which views share."""
    return int(tensor.untyped_storage()._cdata)  # noqa: SLF001


def _written_tensors(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
    """Return the tensors that an operation writes to; under a fake mode it does not write."""
    schema = getattr(func, "_schema", None)
    if schema is None or not schema.is_mutable:
        return []
    aliases = {argument.name: argument.alias_info for argument in schema.arguments}
    given = dict(zip(aliases, args, strict=False)) | dict(kwargs)
    written = [given.get(name) for name, alias in aliases.items() if alias and alias.is_write]
    return [x for x in tree_leaves(written) if isinstance(x, torch.Tensor)]


def _needs_values(func: Any, tensors: Sequence[Any]) -> bool:
    if _DATA_DEPENDENT_TAGS.isdisjoint(getattr(func, "tags", ())):
        return False
    # Indexing by numbers has the same shape for all values; indexing by a mask has not.
    by_mask = any(tensor.dtype in (torch.bool, torch.uint8) for tensor in tensors[1:])
    return func is not _aten.index.Tensor or by_mask


@contextmanager
def decomposed_recurrent_layers() -> Iterator[None]:
    """Keep recurrent layers from the fused kernel of oneDNN or cuDNN that hides their products."""
    backends = (torch.backends.mkldnn, torch.backends.cudnn)
    before = [backend.enabled for backend in backends]
    try:
        for backend in backends:
            backend.enabled = False
        yield
    finally:
        for backend, enabled in zip(backends, before, strict=True):
            backend.enabled = enabled


@contextmanager
def single_operation_attention() -> Iterator[None]:
    """Dispatch attention as one operation, as GPUs do.

    On the meta device torch decomposes it. The FLOPs of the forward are the same then, but
    the backward has four products instead of five, and there are a dozen operations.
    """
    # A torch function mode would see only the outermost function, and not attention called by
    # another one, such as the function behind `torch.nn.MultiheadAttention`.
    before = functional.scaled_dot_product_attention
    functional.scaled_dot_product_attention = _attention
    try:
        yield
    finally:
        functional.scaled_dot_product_attention = before


def _attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,  # noqa: FBT001, FBT002
    scale: float | None = None,
    enable_gqa: bool = False,  # noqa: FBT001, FBT002
) -> object:
    if enable_gqa:
        # Not in every version of torch has the operation below a backward for fewer key heads.
        key, value = (x.repeat_interleave(query.shape[-3] // x.shape[-3], -3) for x in (key, value))
    if not _is_fused_on_gpus(query, key, value, attn_mask):
        return _torch_attention(query, key, value, attn_mask, dropout_p, is_causal, scale=scale)
    # It has the same arguments and shapes as the operations of GPUs.
    output, _ = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(  # noqa: SLF001
        query, key, value, dropout_p, is_causal, attn_mask=attn_mask, scale=scale
    )
    return output


def _is_fused_on_gpus(query: Any, key: Any, value: Any, mask: Any) -> bool:
    same_heads = query.dim() == key.dim() == 4 and query.shape[:2] == key.shape[:2]
    same_width = key.shape == value.shape and query.shape[-1] == key.shape[-1]
    return same_heads and same_width and (mask is None or not mask.requires_grad)


def dataless_error(operation: object, error: RuntimeError) -> ParetoError | None:
    """Return an error that explains why an operation did not run for its shapes alone.

    Returns None where the error has another cause, such as shapes that do not fit.
    Call it while the operation is on the stack, since the message contains the user's line.
    """
    if isinstance(error, DataDependentOutputException | DynamicOutputShapeException):
        return ParetoError(
            f"work is counted without data, but the function asks for numbers{_user_location()} "
            f"({operation}): `.item()`, `if tensor:`, a mask as an index, `nonzero` and the like "
            "do. Pass what it asks for as Python numbers, or count the part of the model that "
            "does not ask"
        )
    unknown = isinstance(error, NotImplementedError | UnsupportedOperatorException)
    if unknown or "no fake impl" in str(error):
        return ParetoError(
            f"work is counted without data, and {operation} cannot run without{_user_location()}. "
            "Tell torch its shapes (torch.library.register_fake), or count the part of the model "
            "around it"
        )
    return None


def _user_location() -> str:
    """Return the line of the measured function that is being executed, as " at FILE:LINE"."""
    frame: FrameType | None = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename.startswith(_LIBRARY_FOLDERS):
        frame = frame.f_back
    return "" if frame is None else f" at {frame.f_code.co_filename}:{frame.f_lineno}"


@contextmanager
def restore_modules() -> Iterator[None]:
    """Restore, at the end, the grad mode and what a `forward` stored on its module.

    Modules keep caches of what they computed (positions, masks, past keys), which without
    data would break the next real call. The content of a container on a module is restored, one
    level deep.
    """
    modules: dict[int, tuple[Any, _SavedAttributes]] = {}

    def save(module: Any, _args: object) -> None:
        if id(module) not in modules:
            modules[id(module)] = (module, _attributes(module))

    hook = register_module_forward_pre_hook(save)
    try:
        with torch.set_grad_enabled(torch.is_grad_enabled()):
            yield
    finally:
        hook.remove()
        for module, saved in modules.values():
            _restore(module, saved)


def _attributes(module: Any) -> _SavedAttributes:
    """Return each attribute, with a copy of its content if it is a container."""
    return {
        name: (value, value.copy() if type(value) in _CONTAINERS else None)
        for name, value in vars(module).items()
    }


def _restore(module: Any, saved: _SavedAttributes) -> None:
    attributes = vars(module)
    for name in attributes.keys() - saved.keys():
        del attributes[name]
    for name, (value, content) in saved.items():
        attributes[name] = value
        if isinstance(value, list):
            value[:] = content
        elif content is not None:
            value.clear()
            value.update(content)
