"""Count dispatched operations that launch kernels; imports torch, so import it where it is used."""

import re
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
_TORCHS_NAMESPACES = frozenset(
    (
        *("aten", "prims", "profiler", "higher_order", "inductor", "rngprims", "torchvision"),
        *("quantized", "_quantized", "quantized_decomposed", "quantization", "sparse"),
        *("onednn", "mkl", "mkldnn", "mkldnn_prepacked", "prepacked"),
        *("c10d", "_c10d_functional", "_c10d_functional_autograd", "symm_mem", "_dtensor"),
    )
)
_PRODUCT = re.compile(
    # As words of a name: "bmm", "addmm_", "conv2d", but no "gamma", "convert" or "linear1d".
    r"(?<!co)mm(?![a-z])"
    r"|(?<![a-z])q?(matmul|linear|conv(olution)?(\d?d)?|attention|rnn|lstm|gru|transformer)(?![a-z\d])"
)
_NO_PRODUCT = re.compile(
    # Cells whose products are operations of their own, and weights that are only rearranged.
    r"_thnn_fused_|(prepack|unpack|pack\w*_(weight|matrix)|flatten_weight|reorder\w*_weight|_search)\w*$"
)


class Operations(TorchDispatchMode):  # type: ignore[misc]  # torch is not read by mypy
    """Counts the operations that compute or move numbers.

    ``counts`` maps the name of an operation, such as "aten.mm", to how often it ran.
    ``formulas`` are the operations whose FLOPs are known. ``uncounted`` collects the names
    of those that have no formula and may do matrix products: those of other packages, and
    torch's own whose names say so, which a later version may add to.
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
        if packet not in self._formulas and _may_be_a_product(func, str(packet)):
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


def _may_be_a_product(func: Any, packet: str) -> bool:
    if func.namespace not in _TORCHS_NAMESPACES:
        return True
    name = packet.rpartition(".")[2]
    return bool(_PRODUCT.search(name)) and not _NO_PRODUCT.search(name)
