"""Count dispatched operations that launch kernels; imports torch, so import it where it is used."""

from collections import Counter
from typing import Any

import torch
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

_aten = torch.ops.aten
_COMPOSITE = torch._C.DispatchKey.CompositeImplicitAutograd  # noqa: SLF001  (it has no public name)
_WITHOUT_KERNEL = frozenset(
    # They alias memory, or return it uninitialised, and their schemas do not declare it.
    getattr(_aten, name)
    for name in (
        "_unsafe_view",
        "empty",
        "empty_like",
        "empty_permuted",
        "empty_strided",
        "new_empty",
        "new_empty_strided",
    )
)
_WITHOUT_FORMULA = frozenset(
    # Torch's own matrix products without a FLOP formula: whole layers in one kernel, integers,
    # groups. Not every version has all of them, and a later version may have a formula.
    getattr(_aten, name, None)
    for name in (
        "_addmm_activation",
        "_cslt_sparse_mm",
        "_cudnn_rnn",
        "_grouped_mm",
        "_int_mm",
        "_mixed_dtypes_linear",
        "_native_multi_head_attention",
        "_scaled_grouped_mm",
        "_transformer_encoder_layer_fwd",
        "_weight_int4pack_mm",
        "_weight_int8pack_mm",
        "miopen_rnn",
        "mkldnn_rnn_layer",
    )
)


class Operations(TorchDispatchMode):  # type: ignore[misc]  # torch is not read by mypy
    """Counts the operations that compute or move numbers.

    ``counts`` maps the name of an operation, such as "aten.mm", to how often it ran.
    ``formulas`` are the operations whose FLOPs are known. ``uncounted`` collects the names
    of those that have no formula and may do matrix products: those of other packages, and some of
    torch's.
    """

    supports_higher_order_operators = True

    def __init__(self, formulas: frozenset[object]) -> None:
        super().__init__()
        self._formulas = formulas
        self.counts: Counter[str] = Counter()
        self.uncounted: set[str] = set()

    def __torch_dispatch__(
        self,
        func: Any,
        types: object,
        args: Any = (),
        kwargs: Any = None,
    ) -> object:
        """Count one operation and run it; of a composite operation, count and run its parts."""
        kwargs = kwargs or {}
        if isinstance(func, OpOverload) and func.namespace == "prim":
            return func(*args, **kwargs)  # a query of a tensor's metadata
        if _is_composite(func):
            with self:
                return func._op_dk(_COMPOSITE, *args, **kwargs)  # noqa: SLF001
        packet = getattr(func, "overloadpacket", func)
        if not (_is_view(func) or packet in _WITHOUT_KERNEL):
            self.counts[str(packet)] += 1
        if packet not in self._formulas and (
            packet in _WITHOUT_FORMULA or not _is_torch_operation(func)
        ):
            self.uncounted.add(str(packet))
        return func(*args, **kwargs)


def _is_composite(func: Any) -> bool:
    """Return whether torch decomposes an operation on every device.

    Inference mode only delays the decomposition.
    """
    has_kernel = torch._C._dispatch_has_kernel_for_dispatch_key  # noqa: SLF001
    return isinstance(func, OpOverload) and has_kernel(func.name(), _COMPOSITE)


def _is_view(func: Any) -> bool:
    return getattr(func, "is_view", False) or torch.Tag.inplace_view in getattr(func, "tags", ())


def _is_torch_operation(func: Any) -> bool:
    return not isinstance(func, OpOverload) or func.namespace in ("aten", "prims", "profiler")
