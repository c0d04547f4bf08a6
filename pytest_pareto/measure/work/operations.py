"""Count FLOPs and kernel launches of dispatched operations.

Imports torch, so import it where it is used.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch._ops import HigherOrderOperator, OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from pytest_pareto.measure.work.formulas import Formula

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


class _Kind(NamedTuple):
    """What is known of an operation before it runs, and the same each time that it does."""

    name: str
    formula: Formula | None
    composite: bool
    counts: bool


class Operations(TorchDispatchMode):  # type: ignore[misc]  # torch is not read by mypy
    """Counts the FLOPs and the operations that compute or move numbers.

    ``flops`` are those of operations in ``formulas``, which maps an operation to its formula; what
    branches and Triton kernels have, torch's own counter adds up. ``counts`` maps the name of an
    operation, such as "aten.mm", to how often it ran. ``uncounted`` collects the names of those
    that have no formula and may do matrix products: those of other packages, and torch's own whose
    names say so, which a later version may add to. ``where`` returns the module that is being
    called, and ``parts`` are the FLOPs by operation and module.

    Torch's counter takes three times as long: it tries to decompose each operation, and follows
    the modules that are called.
    """

    supports_higher_order_operators = True

    def __init__(
        self, formulas: Mapping[Any, Formula], where: Callable[[], str] = lambda: ""
    ) -> None:
        super().__init__()
        self._formulas = formulas
        self._kinds: dict[Any, _Kind] = {}
        self._where = where
        self.flops = 0
        self.parts: Counter[tuple[str, str]] = Counter()
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
        kind = self._kinds.get(func)
        if kind is None:
            kind = self._kinds[func] = self._kind(func)
        if kind.composite:
            with self:
                return func._op_dk(_COMPOSITE, *args, **kwargs)  # noqa: SLF001
        if kind.counts:
            self.counts[kind.name] += 1
        if isinstance(func, HigherOrderOperator):
            return self._run_with_parts(func, args, kwargs)
        result = func(*args, **kwargs)
        if kind.formula is not None:
            self._add(kind.name, int(kind.formula(*args, **kwargs, out_val=result)))
        return result

    def _add(self, name: str, flops: int) -> None:
        self.flops += flops
        # As a profile calls it: "aten::mm", and not "aten.mm".
        self.parts[name.replace(".", "::", 1), self._where()] += flops

    def _kind(self, func: Any) -> _Kind:
        packet = getattr(func, "overloadpacket", func)
        name = str(packet)
        if isinstance(func, OpOverload) and func.namespace == "prim":
            # A query of a tensor's metadata.
            return _Kind(name, None, composite=False, counts=False)
        composite = _is_composite(func)
        formula = self._formulas.get(packet)
        if not composite and formula is None and _may_be_a_product(func, name):
            self.uncounted.add(name)
        return _Kind(
            name, formula, composite, counts=not (_is_view(func) or packet in _WITHOUT_KERNEL)
        )

    def _run_with_parts(self, func: Any, args: Any, kwargs: Any) -> object:
        """Run an operation that calls others, such as a branch; torch counts what they do."""
        counter = FlopCounterMode(display=False)
        counter.flop_registry = dict(self._formulas)
        with counter:
            result = func(*args, **kwargs)
        self._add(str(func), int(counter.get_total_flops()))
        return result


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
