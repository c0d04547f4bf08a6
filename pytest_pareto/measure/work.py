"""FLOPs: what torch's counter says that one call computes."""

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from pytest_pareto.measure.device import loaded_torch
from pytest_pareto.measure.meter import Calls, absent, summary
from pytest_pareto.model.metric import FLOPS
from pytest_pareto.model.run import Measurement


class WorkMeter:
    """`flops` (count): FLOPs of one call by ``torch.utils.flop_counter.FlopCounterMode``.

    Matrix products, convolutions and attention are counted where torch dispatches them in
    the calling thread; custom kernels, replayed CUDA graphs and other threads are not
    seen. Compiled functions run eagerly for this one call, since what a compiler fuses is
    no longer dispatched. Nothing counted means unknown, so it is absent and never 0.
    """

    metrics = (FLOPS,)

    def absence(self) -> str | None:
        """Say that torch is not imported, if so."""
        if loaded_torch() is None:
            return "torch is not imported, and only its operations are counted"
        return None

    def measure(self, calls: Calls) -> Sequence[Measurement]:
        """Call once under the counter."""
        call = calls.prepare()
        try:
            flops = _count(call)
        except Exception as error:  # the counter's fault, or the function's: see below
            # The counter changes how torch dispatches, which some code does not survive.
            # A plain call tells: if it raises as well, the fault is the function's.
            calls.prepare()()
            return absent(self.metrics, f"counting raised {summary(error)}")
        if flops == 0:
            return absent(
                self.metrics,
                "0 FLOPs counted: the call dispatched no operation that torch can count",
            )
        return (Measurement(FLOPS, (float(flops),)),)


def _count(call: Callable[[], object]) -> int:
    from torch.utils.flop_counter import FlopCounterMode

    torch = loaded_torch()
    counter = FlopCounterMode(display=False)
    _count_attention_on_cpu(torch, counter)
    with _eagerly(torch), counter:
        call()
    return int(counter.get_total_flops())


def _eagerly(torch: Any) -> AbstractContextManager[object]:
    # Nothing is compiled in a process without dynamo, and loading it would take a second.
    if "torch._dynamo" not in sys.modules:
        return nullcontext()
    stance: AbstractContextManager[object] = torch.compiler.set_stance("force_eager")
    return stance


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
