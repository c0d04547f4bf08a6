"""Work: what one call asks of a device, counted beside it or without any device at all."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any

from pytest_pareto.measure.arguments import argument_source
from pytest_pareto.measure.device import loaded_torch
from pytest_pareto.measure.meter import Calls, absent, summary
from pytest_pareto.measure.unfinished import refuse_unfinished
from pytest_pareto.measure.work.counting import Work, counted
from pytest_pareto.model.errors import ParetoError, pip_install
from pytest_pareto.model.metric import FLOPS, OPERATIONS
from pytest_pareto.model.run import Measurement


class WorkMeter:
    """`flops` (count): FLOPs of one call, as `counted` counts them.

    Matrix products, convolutions and attention are counted where torch dispatches them in
    the calling thread; custom kernels, replayed CUDA graphs and other threads are not
    seen. Compiled functions run eagerly for this one call, since what a compiler fuses is
    no longer dispatched. Nothing counted means unknown, so it is absent and never 0.
    """

    # Not `operations`: which of them a call dispatches depends on the device's choice of
    # kernels, and a metric of scope "anywhere" must not. Without data there is no choice.
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
            _, work = counted(call)
        except Exception as error:  # the counter's fault, or the function's: see below
            # The counter changes how torch dispatches, which some code does not survive.
            # A plain call tells: if it raises as well, the fault is the function's.
            calls.prepare()()
            return absent(self.metrics, f"counting raised {summary(error)}")
        if work.flops == 0:
            return absent(self.metrics, _nothing(work))
        return (Measurement(FLOPS, (float(work.flops),), notes=_lower_bound(work)),)


def count_work(fn: Callable[..., object], /, *args: object, **kwargs: object) -> Work:
    """Count the work of ``fn(*args, **kwargs)`` without doing it, on any machine.

    Nothing is computed: operations on meta tensors (of a model that was built under
    ``with torch.device("meta"):``) run as they are, all others on fake tensors, so that
    neither weights nor activations take memory, and no GPU is needed. The count is the
    same for a model on the meta device, with real weights, and with fake ones.

    Afterwards tensors, their gradients, the modules whose `forward` ran, the grad mode and
    the global random state are as before. What ``fn`` stores elsewhere (in a global, in an
    optimizer) stays there, without data.

    Raises ParetoError without torch; where the function asks for numbers (``.item()``,
    ``if tensor:``), or calls an operation that cannot run without data; where it returns
    a generator or an awaitable; and where no FLOPs were counted, since that means unknown.
    Any other exception of ``fn`` is raised unchanged, with a note.
    """
    __tracebackhide__ = True
    _, work = _without_data(fn, args, kwargs)
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
    `flops` and `operations`, of those that are not in ``skip`` (names of metrics).
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
    result, work = _without_data(function, made_args, made_kwargs)
    if FLOPS in wanted:
        _require_flops(work, "; skip_metrics=['flops'] counts operations alone")
    found = {FLOPS: work.flops, OPERATIONS: work.operations}
    notes = {FLOPS: _lower_bound(work)}
    return result, tuple(
        Measurement(metric, (float(found[metric]),), notes=notes.get(metric, ()))
        for metric in wanted
    )


def _without_data(
    function: Callable[..., Any], args: Sequence[object], kwargs: Mapping[str, object]
) -> tuple[Any, Work]:
    __tracebackhide__ = True
    if not callable(function):
        raise ParetoError(f"work is counted of a function to call, not of {function!r}")
    try:
        import_module("torch")
    except ImportError as error:
        raise ParetoError(
            f"torch cannot be imported ({summary(error)}), and only its operations are "
            "counted; install it: " + pip_install("torch")
        ) from error
    from pytest_pareto.measure.work.dataless import without_data

    try:
        with without_data((args, kwargs)):
            result, work = counted(partial(function, *args, **kwargs))
    except ParetoError:
        raise
    except Exception as error:  # of the model: it is raised again, with a note
        error.add_note(
            "pytest-pareto: raised while work was counted without data, on meta and fake tensors: "
            "there are no numbers to take out (`.numpy()`), and a model on the meta device needs "
            "its arguments there"
        )
        raise
    refuse_unfinished(function, result)
    return result, work


def _require_flops(work: Work, otherwise: str) -> None:
    if work.flops == 0:
        raise ParetoError(f"{_nothing(work)}{otherwise}")


def _nothing(work: Work) -> str:
    unseen = f", and {', '.join(work.uncounted)}, which it cannot" if work.uncounted else ""
    return f"0 FLOPs counted: the call dispatched no operation that torch can count{unseen}"


def _lower_bound(work: Work) -> tuple[str, ...]:
    if not work.uncounted:
        return ()
    return (f"without the FLOPs of {', '.join(work.uncounted)}, which torch cannot count",)
