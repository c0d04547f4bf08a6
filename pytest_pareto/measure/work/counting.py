"""Counting: the FLOPs and the operations that torch dispatches in one call."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

from pytest_pareto.measure.device import loaded_torch

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Work:
    """What one call asks of a device.

    ``flops`` are those of matrix products, convolutions and attention. ``operations`` are
    the ATen operations that compute or move numbers; views, questions about a shape and
    uninitialised memory are none, since they launch nothing. ``uncounted`` names custom
    operations that were called and whose FLOPs nobody told torch: ``flops`` misses them.
    """

    flops: int
    operations: int
    uncounted: tuple[str, ...] = ()


def counted(call: Callable[[], T]) -> tuple[T, Work]:
    """Call once, and return the result with the work that torch dispatched for it.

    Needs torch to be imported. Counted is what the calling thread dispatches (and what
    ``backward`` dispatches for it), before a device chooses its kernels. An exception of
    the call is raised unchanged.
    """
    from torch.utils.flop_counter import FlopCounterMode

    from pytest_pareto.measure.work.operations import Operations

    torch = loaded_torch()
    counter = FlopCounterMode(display=False)
    _count_attention_on_cpu(torch, counter)
    # The innermost mode is asked first: composite operations have been taken apart by the
    # counter of FLOPs before the other one sees them.
    with ExitStack() as modes:
        modes.enter_context(_eagerly(torch))
        modes.enter_context(_layer_by_layer(torch))
        modes.enter_context(counter)
        operations = modes.enter_context(Operations(frozenset(counter.flop_registry)))
        result = call()
    flops = int(counter.get_total_flops())
    return result, Work(flops, operations.count, tuple(sorted(operations.uncounted)))


def _eagerly(torch: Any) -> AbstractContextManager[object]:
    # Nothing is compiled in a process without dynamo, and loading it would take a second.
    if "torch._dynamo" not in sys.modules:
        return nullcontext()
    stance: AbstractContextManager[object] = torch.compiler.set_stance("force_eager")
    return stance


@contextmanager
def _layer_by_layer(torch: Any) -> Iterator[None]:
    """Keep torch's transformer layers from their one fused kernel, of which nothing is counted.

    They take it in inference, on processors and GPUs and not on the meta device.
    """
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def _count_attention_on_cpu(torch: Any, counter: Any) -> None:
    """Count the CPU's attention operators as CUDA's, whose arguments they share.

    torch counts only the latter, and a count that holds anywhere must not depend on
    where the call ran.
    """
    for suffix in ("", "_backward"):
        name = "_scaled_dot_product_flash_attention"
        here = getattr(torch.ops.aten, f"{name}_for_cpu{suffix}", None)
        formula = counter.flop_registry.get(getattr(torch.ops.aten, f"{name}{suffix}", None))
        if here is not None and formula is not None:
            counter.flop_registry.setdefault(here, formula)
