"""Measure one function: its first call, then one pass of each meter.

`measure_call` is the entry point of the package; `built_in_meters` returns the default meters.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import groupby
from typing import TYPE_CHECKING, Any

from pytest_pareto.measure.call import argument_source, preserve_random_state, require_finished
from pytest_pareto.measure.device import CudaDevice
from pytest_pareto.measure.loop import first_call, warm_up
from pytest_pareto.measure.meter import Calls, Meter, meter_pass
from pytest_pareto.measure.meters.latency import (
    drop_energy_without_kernels,
    drop_reference_if_gpu_bound,
)
from pytest_pareto.measure.plan import DEFAULT_PLAN, LoopPlan, ProgressCallback
from pytest_pareto.measure.stages import NoStagesError, stage_measurements, stages_of
from pytest_pareto.measure.streams import Stream
from pytest_pareto.measure.turns import Turns
from pytest_pareto.model.metric import DYNAMIC_ENERGY, ENERGY, STREAMED, Kind
from pytest_pareto.model.run import Measurement

if TYPE_CHECKING:
    from pytest_pareto.measure.torch_profiler import CallProfiler


def built_in_meters() -> tuple[Meter, ...]:
    """Return a meter for every built-in metric, in the order in which they should run."""
    # Imported here, since a test that is not measured needs none of them.
    from pytest_pareto.measure.meters.device_time import DeviceTimeMeter
    from pytest_pareto.measure.meters.host_work import HostWorkMeter
    from pytest_pareto.measure.meters.latency import SteadyMeter, StreamMeter
    from pytest_pareto.measure.meters.memory import MemoryMeter
    from pytest_pareto.measure.work.flops import WorkMeter

    # Kernels are timed right after the long window, while the GPU is still warm. Counting slows the
    # host down, and the counter of FLOPs changes how torch dispatches, so it runs last.
    return (
        SteadyMeter(),
        StreamMeter(),
        DeviceTimeMeter(),
        MemoryMeter(),
        HostWorkMeter(),
        WorkMeter(),
    )


def measure_call(  # noqa: PLR0913  (each sets one aspect of the measurement)
    function: Callable[..., Any],
    args: Sequence[object],
    kwargs: Mapping[str, object],
    *,
    meters: Sequence[Meter],
    setup: Callable[[], object] | None = None,
    plan: LoopPlan = DEFAULT_PLAN,
    skip: frozenset[str] = frozenset(),
    clock: Callable[[], int] = time.perf_counter_ns,
    case_id: str = "",
    on_progress: ProgressCallback | None = None,
    turns: Turns | None = None,
    held: Any = None,
    profiler: "CallProfiler | None" = None,
) -> tuple[Any, tuple[Measurement, ...]]:
    """Call ``function`` once, then as often as the meters need; return result and measurements.

    The result is that of the first call, the object itself. The measurements cover every metric of
    ``meters`` that is not in ``skip`` (names; dynamic energy goes with energy), absent ones with
    their reason, and the stages that a `Staged` function reports; metrics of streams only for a
    `Stream`. Later calls leave the global random state as the first one left it. Their results are
    dropped; a function that returns the same object each time overwrites it in these calls.
    ``setup`` makes the arguments of each call instead of ``args`` and ``kwargs``: see
    `argument_source`. ``clock`` returns monotonic nanoseconds. ``case_id`` names the case for
    meters that need it. ``on_progress`` receives the progress, between calls and at most once a
    second. ``turns`` are those with another live process: the two meet for the meters that are
    noisy, and make the first calls, the warm-up and what is exact at the same time.
    ``held`` are the `Storages` of what the test holds before the first call, if known.
    ``profiler`` adds what the measurements consist of, in further calls.

    An exception of the function is raised unchanged, with a note naming the call unless it was
    the first one. Raises ParetoError if the first call returns a generator or an awaitable, if
    ``setup`` returns the wrong form, and if later calls of a `Stream` have other numbers of items
    than the first.
    """
    __tracebackhide__ = True  # pytest shows the user's frames of a failing test, not these
    source = argument_source(args, kwargs, setup)
    calls = Calls(
        function,
        source,
        clock=clock,
        plan=plan,
        case_id=case_id,
        on_progress=on_progress,
        turns=turns,
        held=held,
    )
    result = first_call(calls)
    require_finished(function, result)
    if not meters:
        return result, ()
    skip |= frozenset() if isinstance(function, Stream) else STREAMED
    if ENERGY.name in skip:
        skip |= {DYNAMIC_ENERGY.name}
    first = stages_of(function)
    with preserve_random_state():
        measurements = list(_passes(meters, calls, skip))
        if profiler is not None:
            measurements = list(profiler.explain(calls, measurements))
    if isinstance(function, Stream):
        function.require_same_length([each.stream.items for each in calls.rounds if each.stream])
    gpus = len(calls.device.own_indexes) if isinstance(calls.device, CudaDevice) else 1
    stages = _stage_measurements_of(
        first, calls, skip | {each.metric.name for each in measurements}
    )
    kept = drop_energy_without_kernels(drop_reference_if_gpu_bound(measurements, gpus))
    return result, (*kept, *stages)


def _passes(meters: Sequence[Meter], calls: Calls, skip: frozenset[str]) -> Iterator[Measurement]:
    """Yield the measurements of one pass of each meter.

    Where another process measures the same, noisy passes are made by turns, and the others at once.
    """
    for noisy, group in groupby(meters, lambda meter: _is_noisy(meter, skip)):
        if noisy and calls.turns is not None:
            warm_up(calls)
            meeting: AbstractContextManager[None] = calls.turns.meeting()
        else:
            meeting = nullcontext()
        with meeting:
            for meter in group:
                yield from meter_pass(meter, calls, skip)


def _is_noisy(meter: Meter, skip: frozenset[str]) -> bool:
    """Return whether a meter measures what another process that works would disturb."""
    return any(each.kind is Kind.RUN and each.name not in skip for each in meter.metrics)


def _stage_measurements_of(
    first: Mapping[str, float] | NoStagesError | None, calls: Calls, skip: frozenset[str]
) -> tuple[Measurement, ...]:
    """Return the stages of the steady state; they are absent where latency was not measured."""
    if first is None:
        return ()
    names = first.names if isinstance(first, NoStagesError) else tuple(first)
    missing = (NoStagesError("latency was not measured", names),)
    stage_times = tuple(each.stages for each in calls.rounds) or missing
    stages = calls.with_waiting(stage_measurements(stage_times))
    return tuple(each for each in stages if each.metric.name not in skip)
