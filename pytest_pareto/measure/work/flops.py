"""Count the FLOPs and operations that torch dispatches in one call.

`WorkMeter` counts during a real call; `count_work` and `measure_work` count without data, on any
machine. `call_and_count` is the counter that all of them use.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import Any, TypeVar

from pytest_pareto.measure.call import argument_source, eager_mode, require_finished
from pytest_pareto.measure.device import loaded_torch
from pytest_pareto.measure.meter import Calls, absent, error_summary
from pytest_pareto.model.attribution import Breakdown, Part, breakdown_of
from pytest_pareto.model.errors import ParetoError, pip_install
from pytest_pareto.model.metric import FLOPS, OPERATIONS
from pytest_pareto.model.run import Measurement

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Work:
    """The FLOPs and operations of one call.

    ``flops`` are those of matrix products, convolutions and attention. ``operations`` are
    the ATen operations that compute or move numbers; views, shape queries and
    uninitialised memory do not count, since they launch nothing. ``uncounted`` names the
    operations that were called and may have FLOPs for which there is no formula: ``flops`` is then
    a lower bound. ``breakdown`` has the FLOPs by operation and module.
    """

    flops: int
    operations: int
    uncounted: tuple[str, ...] = ()
    breakdown: Breakdown = field(default=Breakdown(()), repr=False, compare=False)


def call_and_count(call: Callable[[], T]) -> tuple[T, Work]:
    """Call once, and return the result with the work that torch dispatched for it.

    Requires torch to be imported. Counts what the calling thread dispatches (and what
    ``backward`` dispatches for it), before a device chooses its kernels. An exception of
    the call is raised unchanged.
    """
    from torch.utils.flop_counter import flop_registry

    from pytest_pareto.measure.module_scopes import ModuleScopes
    from pytest_pareto.measure.work.formulas import formulas_of
    from pytest_pareto.measure.work.operations import Operations

    torch = loaded_torch()
    failed: set[str] = set()
    scopes = ModuleScopes()
    with (
        scopes,
        eager_mode(torch),
        _without_fast_path(torch),
        Operations(formulas_of(flop_registry, failed), lambda: scopes.path) as operations,
    ):
        result = call()
    uncounted = tuple(sorted(operations.uncounted | failed))
    parts = (
        Part(f"{name} in {module}" if module else name, float(flops))
        for (name, module), flops in operations.parts.items()
    )
    work = Work(operations.flops, operations.counts.total(), uncounted, breakdown_of(parts))
    return result, work


@contextmanager
def _without_fast_path(torch: Any) -> Iterator[None]:
    """Keep torch's transformer layers from their single fused kernel, in which nothing is counted.

    Torch uses it in inference, on processors and GPUs but not on the meta device.
    """
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


class WorkMeter:
    """`flops` (count): FLOPs of one call, as `call_and_count` counts them.

    Matrix products, convolutions and attention are counted where torch dispatches them in
    the calling thread; custom kernels, replayed CUDA graphs and other threads are not
    counted. Compiled functions run eagerly for this one call, since what a compiler fuses is
    no longer dispatched. A count of 0 means unknown, so the metric is then absent and never 0.
    """

    # Not `operations`: which of them a call dispatches depends on the device's choice of
    # kernels, and a metric of scope "anywhere" must not. Without data no device chooses.
    metrics = (FLOPS,)

    def absence(self) -> str | None:
        """Return that torch is not imported, or None."""
        if loaded_torch() is None:
            return "torch is not imported, and only its operations are counted"
        return None

    def measure(self, calls: Calls) -> Sequence[Measurement]:
        """Call once under the counter, and return the FLOPs."""
        call = calls.prepare()
        try:
            _, work = call_and_count(call)
        except Exception as error:  # of the counter or of the function: see below
            # The counter changes how torch dispatches, which breaks some code. A plain call
            # decides: if it raises as well, the exception is the function's own.
            calls.prepare()()
            return absent(self.metrics, f"counting raised {error_summary(error)}")
        if work.flops == 0:
            return absent(self.metrics, _zero_flops_reason(work))
        return (_measured_flops(work),)


def count_work(fn: Callable[..., object], /, *args: object, **kwargs: object) -> Work:
    """Count the work of ``fn(*args, **kwargs)`` without doing it, on any machine.

    Nothing is computed: operations on meta tensors (of a model that was built under
    ``with torch.device("meta"):``) run unchanged, all others on fake tensors, so that
    neither weights nor activations take memory, and no GPU is needed. The count is the
    same for a model on the meta device, with real weights, and with fake ones.

    Afterwards tensors, their gradients, the modules whose `forward` ran, the grad mode and
    the global random state are as before. What ``fn`` stores elsewhere (in a global, in an
    optimizer) stays there, without data.

    Raises ParetoError without torch; where the function needs values of tensors (``.item()``,
    ``if tensor:``), or calls an operation that cannot run without data; where it returns
    a generator or an awaitable; and where no FLOPs were counted, since that means unknown.
    Any other exception of ``fn`` is raised unchanged, with a note.
    """
    __tracebackhide__ = True
    _, work = _count_without_data(fn, args, kwargs)
    _require_flops(work, "")
    return work


def measure_work(
    function: Callable[..., Any],
    args: Sequence[object],
    kwargs: Mapping[str, object],
    *,
    setup: Callable[[], object] | None = None,
    skip: frozenset[str] = frozenset(),
) -> tuple[Any, tuple[Measurement, ...]]:
    """Call ``function`` once as `count_work` does, for a test that measures nothing else.

    Returns the call's result, whose tensors are meta or fake ones, and measurements of
    `flops` and `operations`, without those in ``skip`` (names of metrics).
    ``setup`` makes the arguments instead: see `argument_source`; its work is not counted.

    Raises ParetoError as `count_work` does, and where ``skip`` leaves nothing.
    """
    __tracebackhide__ = True
    wanted = [metric for metric in (FLOPS, OPERATIONS) if metric.name not in skip]
    if not wanted:
        raise ParetoError(
            "a test with work_only=True measures flops and operations, and here both are left "
            "out by metrics= or skip_metrics; ask for one of them, or leave work_only away"
        )
    made_args, made_kwargs = argument_source(args, kwargs, setup)()
    result, work = _count_without_data(function, made_args, made_kwargs)
    if FLOPS in wanted:
        _require_flops(work, "; skip_metrics=['flops'] counts operations alone")
    found = {
        FLOPS: _measured_flops(work),
        OPERATIONS: Measurement(OPERATIONS, (float(work.operations),)),
    }
    return result, tuple(found[metric] for metric in wanted)


def _count_without_data(
    function: Callable[..., Any], args: Sequence[object], kwargs: Mapping[str, object]
) -> tuple[Any, Work]:
    __tracebackhide__ = True
    if not callable(function):
        raise ParetoError(f"work is counted of a function to call, not of {function!r}")
    try:
        import_module("torch")
    except ImportError as error:
        raise ParetoError(
            f"torch cannot be imported ({error_summary(error)}), and only its operations are "
            "counted; install it: " + pip_install("torch")
        ) from error
    from pytest_pareto.measure.work.meta_device import without_data

    try:
        with without_data((args, kwargs)):
            result, work = call_and_count(partial(function, *args, **kwargs))
    except ParetoError:
        raise
    except Exception as error:  # of the model: raised again, with a note
        error.add_note(
            "pytest-pareto: raised while work was counted without data, on meta and fake tensors: "
            "there are no numbers to take out (`.numpy()`), and a model on the meta device needs "
            "its arguments there"
        )
        raise
    require_finished(function, result)
    return result, work


def _require_flops(work: Work, hint: str) -> None:
    if work.flops == 0:
        raise ParetoError(f"{_zero_flops_reason(work)}{hint}")


def _zero_flops_reason(work: Work) -> str:
    uncounted_part = f", and {', '.join(work.uncounted)}, which it cannot" if work.uncounted else ""
    return f"0 FLOPs counted: the call dispatched no operation that torch can count{uncounted_part}"


def _measured_flops(work: Work) -> Measurement:
    return Measurement(
        FLOPS, (float(work.flops),), lower_bound=_left_out(work), breakdown=work.breakdown
    )


def _left_out(work: Work) -> str | None:
    if not work.uncounted:
        return None
    return (
        f"without the FLOPs of {', '.join(work.uncounted)}, for which torch has no formula "
        "(torch.utils.flop_counter.register_flop_formula adds one)"
    )
