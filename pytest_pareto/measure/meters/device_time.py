"""Device time: what the kernels of a call take together, however slowly the host launches them.

A window of calls under ``torch.profiler``, which sees every kernel that a GPU ran.

What a GPU did, read from the trace that ``torch.profiler`` exports.

The trace is Chrome's format, whose categories torch has kept since 1.8; it is read here without
torch's own event objects, which took twelve times as long for 50,000 kernels.
"""

import os
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from pytest_pareto.measure.device import NO_CUDA, CudaDevice, initialized_cuda, loaded_torch
from pytest_pareto.measure.loop import call_for, one_round, warm_up
from pytest_pareto.measure.meter import Calls, absent
from pytest_pareto.measure.meters.throttling import Watch
from pytest_pareto.model.metric import DEVICE_TIME, HOST_COPIES, HOST_WAITS, KERNELS, Metric
from pytest_pareto.model.run import Measurement

_DETACH = "TEARDOWN_CUPTI"
_DETACHES_SAFELY = (12, 6)


def profiling_absence() -> str | None:
    """Say why nothing can be profiled in this process, or None.

    After a profile the driver's tracing library stays attached unless told otherwise: on an
    H200 every launch of the process was 36 to 90 % slower from then on, and with it the
    latency of each later test. Detaching was unsafe beside CUDA graphs before CUDA 12.6.
    """
    torch = loaded_torch()
    if torch is None or initialized_cuda() is None:
        return NO_CUDA
    if torch.version.hip is not None:
        return "on ROCm torch's traces were never tried: their copies have no direction"
    if torch.autograd._profiler_enabled():  # noqa: SLF001  (torch offers no other way to ask)
        return "a torch profiler is active already; run without it"
    if not _can_detach(torch.version.cuda):
        chosen = os.environ.get(_DETACH)
        who = (
            f"torch built for CUDA {torch.version.cuda}"
            if chosen is None
            else f"{_DETACH}={chosen}"
        )
        return (
            f"{who} leaves the profiler attached, which would slow down the tests that follow; "
            f"use torch for CUDA 12.6 or later without {_DETACH}, or set {_DETACH}=1 if nothing "
            "here uses CUDA graphs"
        )
    return None


def _can_detach(cuda: str) -> bool:
    chosen = os.environ.get(_DETACH)  # by the user, or "0" by torch itself beside CUDA graphs
    if chosen is not None:
        return chosen == "1"
    return tuple(int(part) for part in cuda.split(".")[:2]) >= _DETACHES_SAFELY


def profile_calls(settle: Callable[[], None], window: Callable[[], None]) -> bytes:
    """Trace what the GPUs do during ``window``, and return the trace as Chrome's JSON.

    ``settle`` runs before it, traced as well but dropped, so that starting the profiler does
    not let the GPU rest before the window. Both must leave no work unfinished.
    """
    torch: Any = loaded_torch()
    profiler = torch.profiler
    os.environ.setdefault(_DETACH, "1")
    with tempfile.TemporaryDirectory(prefix="pytest-pareto-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about events of other cycles; there is one
        file = Path(folder, "trace.json")
        with profiler.profile(
            activities=[profiler.ProfilerActivity.CUDA],
            schedule=profiler.schedule(wait=0, warmup=1, active=1, repeat=1),
            on_trace_ready=lambda done: done.export_chrome_trace(str(file)),
        ) as active:
            settle()
            active.step()
            window()
            active.step()
        return file.read_bytes()


def profiles_itself(call: Callable[[], object]) -> bool:
    """Make a call, and return whether it ran a profiler of torch.

    One within another ends the process (seen with torch 2.13), and it is not to be seen before.
    """
    torch: Any = loaded_torch()
    autograd = torch.autograd.profiler
    seen = []
    enter, prepare = autograd.profile.__enter__, autograd.profile._prepare_trace  # noqa: SLF001

    def entered(profile: Any) -> object:
        seen.append(profile)
        return enter(profile)

    def prepared(profile: Any) -> object:
        seen.append(profile)
        return prepare(profile)

    autograd.profile.__enter__, autograd.profile._prepare_trace = entered, prepared  # noqa: SLF001
    try:
        call()
    finally:
        autograd.profile.__enter__, autograd.profile._prepare_trace = enter, prepare  # noqa: SLF001
    return bool(seen)


_HOST_CALLS = ("cuda_runtime", "cuda_driver")
_WAITS = ("StreamSynchronize", "DeviceSynchronize", "EventSynchronize")
_BETWEEN_HOST_AND_DEVICE = ("Memcpy HtoD", "Memcpy DtoH")


class _Arguments(msgspec.Struct):
    correlation: int | None = None


class _Event(msgspec.Struct):
    ph: str = ""
    cat: str = ""
    name: str = ""
    ts: float = 0.0
    dur: float = 0.0
    args: _Arguments | None = None


class _Trace(msgspec.Struct):
    events: list[_Event] = msgspec.field(name="traceEvents")


@dataclass(frozen=True, slots=True)
class Activity:
    """Everything that happened in a traced window.

    ``durations_s`` are of kernels, memsets and copies that stay on GPUs, in the order of their
    start, whether or not they overlapped; ``names`` say what each was. ``host_copies`` cross
    between host and GPU. ``host_waits`` is how often the host waited for a GPU,
    ``device_waits`` how often for all of its work. ``launches`` were made by the host;
    ``lost`` of them left no trace on a GPU. ``graphs`` of them were of CUDA graphs, whose kernels
    all share one correlation, so that one of them can be lost unseen.
    """

    durations_s: tuple[float, ...]
    names: tuple[str, ...]
    kernels: int
    host_copies: int
    host_waits: int
    device_waits: int
    launches: int
    lost: int
    graphs: int

    @property
    def device_s(self) -> float:
        """The durations, summed."""
        return sum(self.durations_s)

    def per_call(self, calls: int) -> tuple[float, ...] | None:
        """Return the summed duration (s) of each of so many calls that did not overlap.

        Calls that do the same run the same kernels, and so are told apart by counting.
        None where they have not done the same.
        """
        each, rest = divmod(len(self.names), calls)
        if rest or not each:
            return None
        starts = range(0, len(self.names), each)
        # Kernels of several streams may start in another order, so it does not count.
        first = Counter(self.names[:each])
        if any(Counter(self.names[start : start + each]) != first for start in starts):
            return None
        return tuple(sum(self.durations_s[start : start + each]) for start in starts)


def read_activity(trace: bytes) -> Activity:
    """Read the JSON of an exported trace.

    Raises msgspec.DecodeError where it is not one.
    """
    events = [event for event in msgspec.json.decode(trace, type=_Trace).events if event.ph == "X"]
    kernels = [event for event in events if event.cat == "kernel"]
    copies = [event for event in events if event.cat == "gpu_memcpy"]
    sets = [event for event in events if event.cat == "gpu_memset"]
    calls = [event for event in events if event.cat in _HOST_CALLS]
    launches = [call for call in calls if _is_launch(call.name)]
    within = [copy for copy in copies if not copy.name.startswith(_BETWEEN_HOST_AND_DEVICE)]
    on_gpu = sorted((*kernels, *within, *sets), key=lambda event: event.ts)
    seen = {_correlation(event) for event in (*kernels, *copies, *sets)}
    return Activity(
        durations_s=tuple(event.dur / 1e6 for event in on_gpu),
        names=tuple(event.name for event in on_gpu),
        kernels=len(kernels),
        host_copies=len(copies) - len(within),
        host_waits=_count(calls, _WAITS),
        device_waits=_count(calls, ("DeviceSynchronize",)),
        launches=len(launches),
        lost=sum(_correlation(launch) not in seen for launch in launches),
        graphs=sum("GraphLaunch" in launch.name for launch in launches),
    )


def _is_launch(name: str) -> bool:
    """Whether a call of the runtime or driver puts kernels on a GPU, one or a graph of them."""
    return "Launch" in name and "HostFunc" not in name


def _correlation(event: _Event) -> int | None:
    return None if event.args is None else event.args.correlation


def _count(calls: Sequence[_Event], endings: tuple[str, ...]) -> int:
    return sum(call.name.endswith(endings) for call in calls)


_SETTLE_S = 0.5
_WINDOW_S = 1.0
_FEW_CALLS = 3
_MOST_CALLS = 2000
"""So many calls of a microsecond and a kernel each are enough, and a small trace."""
_SYNCS_PER_ROUND = 2
_PROFILERS_OWN = 2
"""Waits that may not be the calls': the profiler makes one or two when it starts and stops."""

Profile = Callable[[Callable[[], None], Callable[[], None]], bytes]


class DeviceTimeMeter:
    """`device_time` (s), `kernels`, `host_copies` and `host_waits` (counts) of one call.

    At least three calls and a second of them, in the steady state, under torch's profiler. The
    time is summed over kernels, memsets and copies within GPUs, so it does not see the gaps
    between them: what the host makes of it is `latency`. Kernels that overlap both count in
    full. Copies between host and GPU, and waits of the host for a GPU, explain a latency.

    Where events were dropped everything is absent, since a sum over the rest is too small.
    Counts that differ from call to call are absent too: they are no figure of a call.
    """

    metrics = (DEVICE_TIME, KERNELS, HOST_COPIES, HOST_WAITS)

    def __init__(
        self,
        profile: Profile = profile_calls,
        absence: Callable[[], str | None] = profiling_absence,
        profiles_itself: Callable[[Callable[[], object]], bool] = profiles_itself,
    ) -> None:
        self._profile = profile
        self._absence = absence
        self._profiles_itself = profiles_itself

    def absence(self) -> str | None:
        """Say why nothing can be profiled here, if so."""
        return self._absence()

    def measure(self, calls: Calls) -> Sequence[Measurement]:
        """Profile a window of calls, and again where heat slowed the GPU down."""
        warm_up(calls)
        if self._profiles_itself(lambda: one_round(calls, None)):
            return absent(self.metrics, "the function runs a torch profiler of its own")
        with Watch(calls) as watch:
            found = watch.unslowed(lambda: self._window(calls, watch))
        if watch.slowed is not None:
            return absent(self.metrics, watch.slowed)
        return tuple(watch.noted(each) if each.metric is DEVICE_TIME else each for each in found)

    def _window(self, calls: Calls, watch: Watch) -> tuple[Measurement, ...]:
        done = 0

        def settle() -> None:
            call_for(calls, _SETTLE_S)

        def window() -> None:
            nonlocal done
            with watch.calling():
                done, _ = call_for(calls, _WINDOW_S, at_least=_FEW_CALLS, at_most=_MOST_CALLS)

        activity = read_activity(self._profile(settle, window))
        assert isinstance(calls.device, CudaDevice)
        ours = _SYNCS_PER_ROUND * len(calls.device.indexes) * done
        reason = _unusable(activity, ours, done)
        if reason is not None:
            return absent(self.metrics, reason)
        waits = activity.host_waits - ours
        return (
            *_kernels(activity, done),
            _each(HOST_COPIES, activity.host_copies, done),
            _each(HOST_WAITS, waits - min(_PROFILERS_OWN, waits % done), done),
        )


def _unusable(activity: Activity, ours: int, calls: int) -> str | None:
    # Each of our own waits must be there as well: a trace that was cut short ends before them.
    if activity.lost or activity.device_waits < ours:
        return (
            f"the profiler dropped events ({activity.lost} of {activity.launches} launches left "
            f"no kernel, {max(0, ours - activity.device_waits)} of {ours} waits are missing), "
            "and a sum of the rest would be too small; measure less work in a call"
        )
    if not activity.kernels:
        return (
            "the profiler saw no kernel: the call runs none on the GPU, or another profiler "
            "(nsys, ncu) holds it"
        )
    # Where calls wait themselves, their waits can stand for ours that were lost, and of a graph
    # one kernel stands for all: then only calls that are alike show that nothing is missing.
    unsure = activity.graphs or activity.device_waits > ours + _PROFILERS_OWN
    if unsure and activity.per_call(calls) is None:
        return (
            f"the kernels differ from call to call ({activity.kernels} in {calls} calls), or the "
            "profiler dropped some: with CUDA graphs, or calls that synchronise, it cannot be told"
        )
    return None


def _kernels(activity: Activity, calls: int) -> tuple[Measurement, Measurement]:
    apart = activity.per_call(calls)
    if apart is None:
        differ = f"the kernels differ from call to call ({activity.kernels} in {calls} calls)"
        mean_s = activity.device_s / calls
        return (
            Measurement(DEVICE_TIME, (mean_s,), notes=(f"mean of {calls} calls: {differ}",)),
            Measurement(KERNELS, absent=differ),
        )
    return (
        Measurement(DEVICE_TIME, apart, notes=(f"of {calls} calls",)),
        Measurement(KERNELS, (float(activity.kernels // calls),)),
    )


def _each(metric: Metric, total: int, calls: int) -> Measurement:
    if total % calls:
        reason = f"it differs from call to call ({total} in {calls} calls)"
        return Measurement(metric, absent=reason)
    return Measurement(metric, (float(total // calls),))
