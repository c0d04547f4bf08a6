"""Torch's profiler: where it can run, and the passes of calls that it traces.

`profile_calls` traces the GPUs during a window of calls. `CallProfiler` traces a few calls with
their operations and modules in a pass of its own, and adds to measurements what they consist of.
"""

import hashlib
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from pytest_pareto.measure.device import NO_CUDA, CudaDevice, initialized_cuda, loaded_torch
from pytest_pareto.measure.meter import Calls
from pytest_pareto.measure.streams import Stream
from pytest_pareto.measure.trace import CALL, END, FIRST_ITEM, MODULE, read_profile
from pytest_pareto.model.attribution import Breakdown, Part, breakdown_of
from pytest_pareto.model.metric import (
    DEVICE_TIME,
    DISPATCHES,
    FLOPS,
    HOST_COPIES,
    HOST_PEAK_MEMORY,
    RESIDENT_MEMORY,
)
from pytest_pareto.model.run import Measurement
from pytest_pareto.stats.scale import summarise_run

PROFILER_ACTIVE = "a torch profiler is active already; run without it"
OWN_PROFILER = "the function runs a torch profiler of its own"
_DETACH_VARIABLE = "TEARDOWN_CUPTI"
_SAFE_DETACH_CUDA = (12, 6)
_DETACH_S = 0.02
_LOG_LEVEL = "KINETO_LOG_LEVEL"
_TRACED_S = 0.01
_CALLS = 3, 20
"""The fewest and the most calls of a profile; long ones are traced once."""
_LONG_S = 0.5
_OF_TORCH = {
    metric.name for metric in (DEVICE_TIME, DISPATCHES, FLOPS, HOST_PEAK_MEMORY, RESIDENT_MEMORY)
}
"""What is measured of torch alone, and above 0 where a call works with it."""
Profile = Callable[[Callable[[], None], Callable[[], None]], bytes]


def profiling_absence() -> str | None:
    """Return why nothing can be profiled in this process, or None.

    After a profile the driver's tracing library stays attached unless it is asked to detach: on an
    H200 every launch of the process was 36 to 90 % slower from then on, and so was the
    latency of each later test. Detaching was unsafe together with CUDA graphs before CUDA 12.6.
    """
    torch = loaded_torch()
    if torch is None or initialized_cuda() is None:
        return NO_CUDA
    if torch.version.hip is not None:
        return "on ROCm torch's traces were never tried: their copies have no direction"
    if torch.autograd._profiler_enabled():  # noqa: SLF001  (torch has no public query)
        return PROFILER_ACTIVE
    if not _can_detach(torch.version.cuda):
        user_choice = os.environ.get(_DETACH_VARIABLE)
        cause = (
            f"torch built for CUDA {torch.version.cuda}"
            if user_choice is None
            else f"{_DETACH_VARIABLE}={user_choice}"
        )
        return (
            f"{cause} leaves the profiler attached, which would slow down the tests that follow; "
            f"use torch for CUDA 12.6 or later without {_DETACH_VARIABLE}, or set "
            f"{_DETACH_VARIABLE}=1 if nothing here uses CUDA graphs"
        )
    return None


def _can_detach(cuda: str) -> bool:
    # Set by the user, or to "0" by torch itself with CUDA graphs.
    user_choice = os.environ.get(_DETACH_VARIABLE)
    if user_choice is not None:
        return user_choice == "1"
    return tuple(int(part) for part in cuda.split(".")[:2]) >= _SAFE_DETACH_CUDA


def profile_calls(settle: Callable[[], None], window: Callable[[], None]) -> bytes:
    """Trace what the GPUs do during ``window``, and return the trace as Chrome's JSON.

    ``settle`` runs before it; it is traced as well but dropped, so that the GPU is not idle before
    the window while the profiler starts. Both must leave no work unfinished.
    """
    torch: Any = loaded_torch()
    profiler = torch.profiler
    os.environ.setdefault(_DETACH_VARIABLE, "1")
    with tempfile.TemporaryDirectory(prefix="pytest-pareto-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about events of other cycles; there is only one
        trace_file = Path(folder, "trace.json")
        with profiler.profile(
            activities=[profiler.ProfilerActivity.CUDA],
            schedule=profiler.schedule(wait=0, warmup=1, active=1, repeat=1),
            on_trace_ready=lambda trace: trace.export_chrome_trace(str(trace_file)),
        ) as active:
            settle()
            active.step()
            window()
            active.step()
        let_detach()
        return trace_file.read_bytes()


def let_detach() -> None:
    """Make calls of CUDA, at one of which the driver's tracing library detaches.

    Otherwise it would within the next window: on an H200 every second one in a row saw no kernel.
    """
    cuda = initialized_cuda()
    if cuda is not None:
        for _ in range(2):
            cuda.synchronize()
            time.sleep(_DETACH_S)


def runs_own_profiler(call: Callable[[], object]) -> bool:
    """Make a call, and return whether it ran a torch profiler of its own.

    A profiler within another ends the process (observed with torch 2.13), and nothing shows
    beforehand that a call starts one.
    """
    torch: Any = loaded_torch()
    autograd = torch.autograd.profiler
    entered_profiles = []
    enter, prepare = autograd.profile.__enter__, autograd.profile._prepare_trace  # noqa: SLF001

    def record_enter(profile: Any) -> object:
        entered_profiles.append(profile)
        return enter(profile)

    def record_prepare(profile: Any) -> object:
        entered_profiles.append(profile)
        return prepare(profile)

    autograd.profile.__enter__, autograd.profile._prepare_trace = record_enter, record_prepare  # noqa: SLF001
    try:
        call()
    finally:
        autograd.profile.__enter__, autograd.profile._prepare_trace = enter, prepare  # noqa: SLF001
    return bool(entered_profiles)


@contextmanager
def without_trace_messages() -> Iterator[None]:
    """Keep torch's tracing library from writing to stderr, as some versions do at each trace."""
    if _LOG_LEVEL in os.environ:
        yield
        return
    os.environ[_LOG_LEVEL] = "99"
    try:
        yield
    finally:
        del os.environ[_LOG_LEVEL]


class CallProfiler:
    """Profiles calls after they were measured, and adds what their measurements consist of.

    ``traces`` is the folder for a trace of each case, in Chrome's format; None for none.
    """

    def __init__(self, traces: Path | None = None) -> None:
        self._traces = traces

    def explain(self, calls: Calls, measurements: Sequence[Measurement]) -> tuple[Measurement, ...]:
        """Return the measurements with breakdowns, as far as a trace of further calls has them.

        They are returned as they are where no measurement shows that the call works with torch, and
        where torch's profiler cannot run or fails. An exception of the function is raised as it is.
        """
        calls.stage = "profiling"
        torch = loaded_torch()
        shows_torch = any(m.metric.name in _OF_TORCH and any(m.values) for m in measurements)
        if torch is None or not shows_torch or not _can_profile(torch, calls):
            return tuple(measurements)
        turns = calls.turns
        calls.raised = None
        try:
            with nullcontext() if turns is None else turns.meeting():
                trace = trace_calls(torch, calls)
            breakdowns = read_profile(trace, stream_items(calls.function))
        except Exception:  # of the profiler: what was measured stands; of the function: raised
            if calls.raised is not None:
                raise
            return tuple(measurements)
        if self._traces is not None:
            self._traces.mkdir(parents=True, exist_ok=True)
            (self._traces / trace_name(calls.case_id)).write_bytes(trace)
        return tuple(_explained(each, breakdowns) for each in measurements)


def trace_name(case_id: str) -> str:
    """Return the name of the file of a case's trace."""
    readable = "".join(c if c.isalnum() or c in "-_." else "_" for c in case_id.rpartition("/")[2])
    return f"{readable[:80]}-{hashlib.sha256(case_id.encode()).hexdigest()[:8]}.json"


def _can_profile(torch: Any, calls: Calls) -> bool:
    if torch.autograd._profiler_enabled():  # noqa: SLF001  (torch has no public query)
        return False
    # A profile of the processor attaches the driver's tracing library too.
    if initialized_cuda() is not None and profiling_absence() is not None:
        return False
    if calls.profiles_itself is None:
        calls.profiles_itself = runs_own_profiler(calls.prepare())
    return not calls.profiles_itself


def _explained(measurement: Measurement, breakdowns: Mapping[str, Breakdown]) -> Measurement:
    """Return a measurement with its breakdown; a count has one only where it is complete.

    The parts of a host's time are scaled to its level, since the profiler lengthens them.
    """
    metric = measurement.metric
    found = breakdowns.get(metric.name)
    if found is None or not measurement.values:
        return measurement
    if metric.unit == "count":
        complete = found.total == measurement.values[0]
        return replace(measurement, breakdown=found) if complete else measurement
    if not found.parts:
        return measurement
    if metric.is_host_time:
        level = summarise_run(measurement.values, relative=metric.relative)
        on_gpus = (breakdowns[each.name].parts for each in (DEVICE_TIME, HOST_COPIES))
        found = scaled_to(level, found, breakdown_of(chain.from_iterable(on_gpus)))
    return replace(measurement, breakdown=found)


def scaled_to(level: float, time: Breakdown, device: Breakdown) -> Breakdown:
    """Return the parts of a time so that they add up to its level, measured without a profile.

    The profiler lengthens what the host does, and not what a GPU does: the parts of ``device`` keep
    their time as long as the level leaves room for the others.
    """
    kernels = {part.name for part in device.parts}
    kept = sum(part.value for part in time.parts if part.name in kernels)
    rest = time.total - kept
    fixed = rest > 0 and level > kept
    scale = (level - kept) / rest if fixed else level / (time.total or 1.0)
    return breakdown_of(
        part if fixed and part.name in kernels else Part(part.name, scale * part.value, part.count)
        for part in time.parts
    )


def stream_items(function: object) -> int | None:
    """Return the number of items of a stream's last call, None of other functions."""
    consumed = function.consumed if isinstance(function, Stream) else None
    return None if consumed is None else consumed.items


def trace_calls(torch: Any, calls: Calls) -> bytes:
    """Trace calls of the steady state with their modules; return the trace as Chrome's JSON.

    One call more goes ahead, in which the profiler starts, unless it is long.
    """
    from pytest_pareto.measure.module_scopes import ModuleScopes

    profiler, autograd = torch.profiler, torch.autograd
    activities = [profiler.ProfilerActivity.CPU]
    if isinstance(calls.device, CudaDevice):
        activities.append(profiler.ProfilerActivity.CUDA)
    scopes = ModuleScopes(
        lambda path: autograd._record_function_with_args_enter(f"{MODULE}{path}"),  # noqa: SLF001
        autograd._record_function_with_args_exit,  # noqa: SLF001  (a tenth of the public one's time)
    )
    if initialized_cuda() is not None:
        os.environ.setdefault(_DETACH_VARIABLE, "1")
    with (
        tempfile.TemporaryDirectory(prefix="pytest-pareto-") as folder,
        warnings.catch_warnings(),
        without_trace_messages(),
    ):
        warnings.simplefilter("ignore")
        with scopes, profiler.profile(activities=activities, profile_memory=True) as active:
            for named in _planned_calls(calls.pace.call_s):
                _traced_call(profiler, calls, named=named)
        file = Path(folder, "trace.json")
        active.export_chrome_trace(str(file))
        let_detach()
        return file.read_bytes()


def _planned_calls(call_s: float) -> list[bool]:
    """Return the calls of a profile: whether each has a name in the trace, and counts."""
    if call_s > _LONG_S:
        return [True]
    fewest, most = _CALLS
    return [False] + [True] * max(fewest, min(most, int(_TRACED_S / max(call_s, 1e-9))))


def _traced_call(profiler: Any, calls: Calls, *, named: bool) -> None:
    """Make a call, in the trace under a name of its own if it is ``named``."""

    def scope(name: str) -> AbstractContextManager[object]:
        return profiler.record_function(name) if named else nullcontext()

    def mark_first_item() -> int:
        with scope(FIRST_ITEM):
            calls.device.synchronize()
        return 0

    call = calls.prepare()
    calls.device.synchronize()
    stream = calls.function
    items = (
        stream.time_first_items(mark_first_item) if isinstance(stream, Stream) else nullcontext()
    )
    with items:
        with scope(CALL):
            result = call()
        with scope(END):
            calls.device.synchronize()
    del result
