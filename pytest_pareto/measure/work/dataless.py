"""Calls without data: operations run for their shapes. Imports torch: import it where used."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch._guards import detect_fake_mode
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from pytest_pareto.measure.randomness import random_state_kept
from pytest_pareto.measure.work.kernels import (
    attention_in_one_operation,
    recurrent_layers_in_parts,
)
from pytest_pareto.measure.work.refusals import refusal
from pytest_pareto.measure.work.traces import traces_removed

_aten = torch.ops.aten
_READERS = frozenset((torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape))


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
    dataless = Dataless(mode)
    with ExitStack() as stack:
        stack.enter_context(random_state_kept())
        stack.enter_context(traces_removed())
        stack.callback(dataless.restore_gradients)
        stack.enter_context(attention_in_one_operation())
        stack.enter_context(recurrent_layers_in_parts())
        stack.enter_context(dataless)
        yield


class Dataless(TorchDispatchMode):  # type: ignore[misc]  # torch is not read by mypy
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
        self._remember_gradients(tensors)
        try:
            if self._runs_as_it_is(func, tensors, kwargs.get("device")):
                return func(*args, **kwargs)
            written = (x for x in _written_by(func, args, kwargs) if not isinstance(x, FakeTensor))
            self._overwritten |= {_storage(x): x for x in written}
            # Left to itself, a mode that is given nothing but real tensors computes some
            # operations with them, in place too.
            args, kwargs = tree_map_only(torch.Tensor, self._without_data, (args, kwargs))
            with self._fake_mode:
                return func(*args, **kwargs)
        except RuntimeError as error:
            told = refusal(func, error)
            if told is None:
                raise
            raise told from error

    def _runs_as_it_is(self, func: Any, tensors: Sequence[Any], device: Any) -> bool:
        to_meta = device is not None and device.type == "meta"
        if any(isinstance(tensor, FakeTensor) for tensor in tensors):
            return False
        if any(tensor.is_meta for tensor in tensors):
            # Fake tensors know what needs numbers, and can be copied off the meta device.
            return (device is None or to_meta) and not _reads_numbers(func, tensors)
        if to_meta or not tensors:
            return to_meta
        if any(x.requires_grad or _storage(x) in self._overwritten for x in tensors):
            return False
        return _keeps_values(func, tensors)

    def _without_data(self, tensor: Any) -> object:
        return tensor if isinstance(tensor, FakeTensor) else self._fake_mode.from_tensor(tensor)

    def _remember_gradients(self, tensors: Sequence[Any]) -> None:
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


def _storage(tensor: Any) -> int:
    """Return what tells memory apart, which views share."""
    return int(tensor.untyped_storage()._cdata)  # noqa: SLF001


def _written_by(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
    """Return the tensors that an operation should write to; under fakes it does not."""
    schema = getattr(func, "_schema", None)
    if schema is None or not schema.is_mutable:
        return []
    aliases = {argument.name: argument.alias_info for argument in schema.arguments}
    given = dict(zip(aliases, args, strict=False)) | dict(kwargs)
    written = [given.get(name) for name, alias in aliases.items() if alias and alias.is_write]
    return [x for x in tree_leaves(written) if isinstance(x, torch.Tensor)]


def _reads_numbers(func: Any, tensors: Sequence[Any]) -> bool:
    if _READERS.isdisjoint(getattr(func, "tags", ())):
        return False
    # Indexing by numbers has a shape whatever they are; by a mask it has not.
    by_mask = any(tensor.dtype in (torch.bool, torch.uint8) for tensor in tensors[1:])
    return func is not _aten.index.Tensor or by_mask
