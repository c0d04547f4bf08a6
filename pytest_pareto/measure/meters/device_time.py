"""Device time: what the kernels of a call take together, however slowly the host launches them."""

from collections.abc import Callable, Sequence

from pytest_pareto.measure.device import CudaDevice
from pytest_pareto.measure.loop import call_for, one_round, warm_up
from pytest_pareto.measure.meter import Calls, absent
from pytest_pareto.measure.meters.conditions import Watch
from pytest_pareto.measure.meters.profiling import (
    profile_calls,
    profiles_itself,
    profiling_absence,
)
from pytest_pareto.measure.meters.trace import Activity, read_activity
from pytest_pareto.model.metric import DEVICE_TIME, HOST_COPIES, HOST_WAITS, KERNELS, Metric
from pytest_pareto.model.run import Measurement

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
