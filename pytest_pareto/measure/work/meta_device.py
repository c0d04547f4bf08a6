"""Calls without data: operations run for their shapes. Imports torch: import it where used.

Torch's choice of kernels where no device makes it. Imports torch: import it where used.

What cannot run without data, and what to do then. Imports torch: import it where used.

What a call leaves behind, put back. Imports torch: import it where used.
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
    """Run what torch dispatches for its shapes alone, and leave no trace of it.

    Operations on meta tensors run as they are, all others on fake tensors, so that nothing
    is computed and no memory taken. ``arguments`` (any nesting) may hold fake tensors of
    the caller. Tensors, their gradients, modules, the grad mode and the global random
    state are at the end as before.

    Raises ParetoError where an operation needs numbers, or cannot run without.
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
    """Runs each operation on meta tensors as it is, and any other under ``fake_mode``.

    A tensor that exists keeps its values, and so do views of it and what is computed of
    single numbers: loops over time steps work. All else has a shape and no values.
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
        """Run one operation for its shapes."""
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
            # Left to itself, a mode that is given nothing but real tensors computes some
            # operations with them, in place too.
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
            # Fake tensors know what needs numbers, and can be copied off the meta device.
            return (device is None or to_meta) and not _needs_values(func, tensors)
        if to_meta or not tensors:
            return to_meta
        if any(x.requires_grad or _storage_id(x) in self._overwritten for x in tensors):
            return False
        return _keeps_values(func, tensors)

    def _to_fake(self, tensor: Any) -> object:
        return tensor if isinstance(tensor, FakeTensor) else self._fake_mode.from_tensor(tensor)

    def _save_gradients(self, tensors: Sequence[Any]) -> None:
        # Backward leaves gradients without data on parameters. (Those of fake tensors never
        # have any, and what somebody refers to cannot be moved by `Module.to`.)
        for tensor in tensors:
            if tensor.requires_grad and tensor.is_leaf and not isinstance(tensor, FakeTensor):
                self._gradients.setdefault(id(tensor), (tensor, tensor.grad))

    def restore_gradients(self) -> None:
        """Put back the gradients that tensors had when they were first seen."""
        for tensor, gradient in self._gradients.values():
            tensor.grad = gradient


def _keeps_values(func: Any, tensors: Sequence[Any]) -> bool:
    """Whether an operation on tensors that exist looks at them, or computes a single number."""
    if func is _aten._local_scalar_dense.default or getattr(func, "is_view", False):  # noqa: SLF001
        return True
    pointwise = torch.Tag.pointwise in getattr(func, "tags", ()) and not func._schema.is_mutable  # noqa: SLF001
    return pointwise and all(tensor.numel() == 1 for tensor in tensors)


def _storage_id(tensor: Any) -> int:
    """Return what tells memory apart, which views share."""
    return int(tensor.untyped_storage()._cdata)  # noqa: SLF001


def _written_tensors(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
    """Return the tensors that an operation should write to; under fakes it does not."""
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
    # Indexing by numbers has a shape whatever they are; by a mask it has not.
    by_mask = any(tensor.dtype in (torch.bool, torch.uint8) for tensor in tensors[1:])
    return func is not _aten.index.Tensor or by_mask


@contextmanager
def decomposed_recurrent_layers() -> Iterator[None]:
    """Keep recurrent layers from the one kernel of oneDNN or cuDNN, which hides its products."""
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

    On the meta device torch takes it apart. The FLOPs of its forward are the same then, but
    its backward has four products instead of five, and its operations are a dozen.
    """
    # A mode for torch's functions would be asked once, and not again inside of those that
    # call attention for the user, such as the one behind `torch.nn.MultiheadAttention`.
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
    if enable_gqa and query.dim() == 4:
        # Not every version of torch has a formula for fewer heads of keys than of queries.
        groups = query.shape[1] // key.shape[1]
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    if not _is_fused_on_gpus(query, key, value, attn_mask):
        return _torch_attention(query, key, value, attn_mask, dropout_p, is_causal, scale=scale)
    # Its arguments and its shapes are also those of the GPU's operations.
    output, _ = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(  # noqa: SLF001
        query, key, value, dropout_p, is_causal, attn_mask=attn_mask, scale=scale
    )
    return output


def _is_fused_on_gpus(query: Any, key: Any, value: Any, mask: Any) -> bool:
    same_heads = query.dim() == key.dim() == 4 and query.shape[:2] == key.shape[:2]
    same_width = key.shape == value.shape and query.shape[-1] == key.shape[-1]
    return same_heads and same_width and (mask is None or not mask.requires_grad)


def dataless_error(operation: object, error: RuntimeError) -> ParetoError | None:
    """Say in the user's terms why an operation did not run for its shapes alone.

    Returns None where the error is about something else, such as shapes that do not fit.
    To be called while the operation is on the stack, since the message names the line.
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
    """Name the line of the measured function that torch is working on."""
    frame: FrameType | None = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename.startswith(_LIBRARY_FOLDERS):
        frame = frame.f_back
    return "" if frame is None else f" at {frame.f_code.co_filename}:{frame.f_lineno}"


@contextmanager
def restore_modules() -> Iterator[None]:
    """Put back, at the end, the grad mode and what a `forward` stored on its module.

    Modules keep caches of what they computed (positions, masks, past keys), which without
    data would break the next real call. A container on a module gets its content back, one
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
    """Return each attribute, with a copy of what it contains if it is a container."""
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
