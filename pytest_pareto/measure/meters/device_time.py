"""Device time: the summed kernel time of a call, measured with ``torch.profiler``.

`DeviceTimeMeter` profiles a window of calls, and `read_activity` reads kernels, copies, waits and
launches from the trace. A slow host that launches kernels late does not change device time.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pytest_pareto.measure.device import CudaDevice
from pytest_pareto.measure.loop import call_for_seconds, one_round, warm_up
from pytest_pareto.measure.meter import Calls, absent
from pytest_pareto.measure.meters.throttling import ThrottlingMonitor
from pytest_pareto.measure.torch_profiler import (
    OWN_PROFILER,
    Profile,
    profile_calls,
    profiling_absence,
    runs_own_profiler,
)
from pytest_pareto.measure.trace import (
    ALLOCATION_CALLS,
    HOST_CALLS,
    HOST_COPY_NAMES,
    WAIT_CALLS,
    TraceEvent,
    correlation,
    is_launch,
    trace_events,
)
from pytest_pareto.model.metric import (
    ALLOCATIONS,
    DEVICE_TIME,
    HOST_COPIES,
    HOST_WAITS,
    KERNELS,
    LAUNCHES,
    Metric,
)
from pytest_pareto.model.run import Measurement

_BURST_S = 0.03
_REST_S = 0.15
"""The rest before each burst, in which a board that its power limit slows down recovers its clock.

On an H200 a ViT-L at batch 32 took 2.8 % longer back to back than in such bursts, and fresh
processes differed by up to 0.5 instead of 0.4 %; calls of 0.27 s took 5 % longer, and differed by
1.3 instead of 0.4 %.
"""
_BURSTS = 6
_WINDOW_S = 1.0
_MIN_CALLS = 3
_MAX_CALLS = 1200
"""Spread over all bursts. Reading a trace of 2,000 replays of a graph of 16 kernels took 1.1 s."""
_SYNCS_PER_ROUND = 2
_MAX_PROFILER_WAITS = 2
"""Waits that may not belong to the calls: the profiler makes one or two itself.

It makes them when it starts and stops.
"""


@dataclass(frozen=True, slots=True)
class Activity:
    """All host and GPU activity in a traced window.

    ``durations_s`` are of kernels, memsets and copies that stay on GPUs, in the order of their
    start, whether or not they overlapped; ``names`` are their names. ``host_copies`` counts copies
    between host and GPU. ``host_waits`` counts how often the host waited for a GPU,
    ``device_waits`` how often for all of its work. ``allocations`` counts how often the driver
    allocated memory of a GPU, or pinned memory of the host. ``launches`` were made by the host;
    ``lost`` of them have no event on a GPU. ``graphs`` of them launched CUDA graphs, whose kernels
    all share one correlation id, so that the loss of a single kernel goes unnoticed.
    """

    durations_s: tuple[float, ...]
    names: tuple[str, ...]
    kernels: int
    host_copies: int
    host_waits: int
    device_waits: int
    allocations: int
    launches: int
    lost: int
    graphs: int

    @property
    def device_s(self) -> float:
        """The sum of the durations, in seconds."""
        return sum(self.durations_s)

    def per_call(self, calls: int) -> tuple[float, ...] | None:
        """Return the summed duration (s) of each of ``calls`` calls, or None where they differ.

        The calls must not overlap. Calls that do the same run the same kernels, and are therefore
        separated by counting.
        """
        each, rest = divmod(len(self.names), calls)
        if rest or not each:
            return None
        starts = range(0, len(self.names), each)
        # Kernels of several streams may start in any order, so the order is ignored.
        first = Counter(self.names[:each])
        if any(Counter(self.names[start : start + each]) != first for start in starts):
            return None
        return tuple(sum(self.durations_s[start : start + each]) for start in starts)


def read_activity(trace: bytes) -> Activity:
    """Return the activity in the JSON of an exported trace.

    Raises msgspec.DecodeError where the JSON is not a trace.
    """
    events = [event for event in trace_events(trace) if event.ph == "X"]
    kernels = [event for event in events if event.cat == "kernel"]
    copies = [event for event in events if event.cat == "gpu_memcpy"]
    memsets = [event for event in events if event.cat == "gpu_memset"]
    calls = [event for event in events if event.cat in HOST_CALLS]
    launches = [call for call in calls if is_launch(call.name)]
    device_copies = [copy for copy in copies if not copy.name.startswith(HOST_COPY_NAMES)]
    device_events = sorted((*kernels, *device_copies, *memsets), key=lambda event: event.ts)
    traced = {correlation(event) for event in (*kernels, *copies, *memsets)}
    return Activity(
        durations_s=tuple(event.dur / 1e6 for event in device_events),
        names=tuple(event.name for event in device_events),
        kernels=len(kernels),
        host_copies=len(copies) - len(device_copies),
        host_waits=_count_endings(calls, WAIT_CALLS),
        device_waits=_count_endings(calls, ("DeviceSynchronize",)),
        allocations=sum(any(part in call.name for part in ALLOCATION_CALLS) for call in calls),
        launches=len(launches),
        lost=sum(correlation(launch) not in traced for launch in launches),
        graphs=sum("GraphLaunch" in launch.name for launch in launches),
    )


def _count_endings(calls: Sequence[TraceEvent], endings: tuple[str, ...]) -> int:
    return sum(call.name.endswith(endings) for call in calls)


class DeviceTimeMeter:
    """`device_time` (s), `kernels`, and calls of the CUDA runtime (counts) of one call.

    Profiles calls in the steady state, in six bursts of 30 ms or of one call, fewer where three
    calls take a second; before each the GPU rests for 0.15 s, unless the calls of `latency` were
    seen to draw far less than its power limit allows. At the limit it would lower its clock in
    calls that follow one another, by another amount in every process. The time
    is the sum over kernels, memsets and copies within GPUs, so it excludes the gaps between
    them: `latency` includes the delays of the host. Kernels that overlap both count in
    full. `host_copies` between host and GPU, `host_waits` for a GPU, `launches` and `allocations`
    explain a latency.

    Where the profiler dropped events, every metric is absent, since a sum over the rest is too
    small. Counts that differ from call to call are absent too: no single value describes a call.
    """

    metrics = (DEVICE_TIME, KERNELS, HOST_COPIES, HOST_WAITS, LAUNCHES, ALLOCATIONS)

    def __init__(
        self,
        profile: Profile = profile_calls,
        absence: Callable[[], str | None] = profiling_absence,
        runs_own_profiler: Callable[[Callable[[], object]], bool] = runs_own_profiler,
        rest: Callable[[float], None] = time.sleep,
    ) -> None:
        self._profile = profile
        self._absence = absence
        self._profiles_itself = runs_own_profiler
        self._rest = rest

    def absence(self) -> str | None:
        """Return why nothing can be profiled here, or None."""
        return self._absence()

    def measure(self, calls: Calls) -> Sequence[Measurement]:
        """Profile a window of calls, again if heat slowed the GPU down; return the measurements."""
        warm_up(calls)
        if calls.profiles_itself is None:
            calls.profiles_itself = self._profiles_itself(lambda: one_round(calls, None))
        if calls.profiles_itself:
            return absent(self.metrics, OWN_PROFILER)
        with ThrottlingMonitor(calls) as monitor:
            measurements = monitor.repeat_while_throttled(lambda: self._window(calls, monitor))
        if monitor.slowdown_reason is not None:
            return absent(self.metrics, monitor.slowdown_reason)
        return tuple(
            monitor.with_conditions(each) if each.metric is DEVICE_TIME else each
            for each in measurements
        )

    def _window(self, calls: Calls, monitor: ThrottlingMonitor) -> tuple[Measurement, ...]:
        done = 0

        def settle() -> None:
            call_for_seconds(calls, _BURST_S, max_calls=_MAX_CALLS)

        def window() -> None:
            nonlocal done
            with monitor.recording_conditions():
                done = self._bursts(calls, monitor.record_clocks)

        activity = read_activity(self._profile(settle, window))
        assert isinstance(calls.device, CudaDevice)
        loop_waits = _SYNCS_PER_ROUND * len(calls.device.indexes) * done
        reason = _unusable_reason(activity, loop_waits, done)
        if reason is not None:
            return absent(self.metrics, reason)
        waits = activity.host_waits - loop_waits
        return (
            *_kernel_measurements(activity, done),
            _count_per_call(HOST_COPIES, activity.host_copies, done),
            _count_per_call(HOST_WAITS, waits - min(_MAX_PROFILER_WAITS, waits % done), done),
            _count_per_call(LAUNCHES, activity.launches, done),
            _count_per_call(ALLOCATIONS, activity.allocations, done),
        )

    def _bursts(self, calls: Calls, after_burst: Callable[[], None]) -> int:
        """Make calls in bursts; return their number."""
        done, busy_s = 0, 0.0
        for _ in range(_BURSTS):
            if not calls.has_power_headroom:
                self._rest(_REST_S)
            made, seconds = call_for_seconds(calls, _BURST_S, max_calls=_MAX_CALLS // _BURSTS)
            after_burst()
            done, busy_s = done + made, busy_s + seconds
            if done >= _MIN_CALLS and busy_s >= _WINDOW_S:
                break
        return done


def _unusable_reason(activity: Activity, loop_waits: int, calls: int) -> str | None:
    # The loop's own waits must all be in the trace: one that was cut short ends before them.
    if activity.lost or activity.device_waits < loop_waits:
        return (
            f"the profiler dropped events ({activity.lost} of {activity.launches} launches left "
            f"no kernel, {max(0, loop_waits - activity.device_waits)} of {loop_waits} waits are "
            "missing), "
            "and a sum of the rest would be too small; measure less work in a call"
        )
    if not activity.kernels:
        return (
            "the profiler saw no kernel: the call runs none on the GPU, or another profiler "
            "(nsys, ncu) holds it"
        )
    # Where calls wait themselves, their waits can replace lost waits of the loop, and in a graph
    # one kernel can replace all: then only identical calls prove that nothing is missing.
    ambiguous = activity.graphs or activity.device_waits > loop_waits + _MAX_PROFILER_WAITS
    if ambiguous and activity.per_call(calls) is None:
        return (
            f"the kernels differ from call to call ({activity.kernels} in {calls} calls), or the "
            "profiler dropped some: with CUDA graphs, or calls that synchronise, that is unknown"
        )
    return None


def _kernel_measurements(activity: Activity, calls: int) -> tuple[Measurement, Measurement]:
    per_call_s = activity.per_call(calls)
    if per_call_s is None:
        reason = f"the kernels differ from call to call ({activity.kernels} in {calls} calls)"
        mean_s = activity.device_s / calls
        return (
            Measurement(DEVICE_TIME, (mean_s,), notes=(f"mean of {calls} calls: {reason}",)),
            Measurement(KERNELS, absent=reason),
        )
    return (
        Measurement(DEVICE_TIME, per_call_s, notes=(f"of {calls} calls",)),
        Measurement(KERNELS, (float(activity.kernels // calls),)),
    )


def _count_per_call(metric: Metric, total: int, calls: int) -> Measurement:
    if total % calls:
        reason = f"it differs from call to call ({total} in {calls} calls)"
        return Measurement(metric, absent=reason)
    return Measurement(metric, (float(total // calls),))
