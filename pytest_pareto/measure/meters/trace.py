"""What a GPU did, read from the trace that ``torch.profiler`` exports.

The trace is Chrome's format, whose categories torch has kept since 1.8; it is read here without
torch's own event objects, which took twelve times as long for 50,000 kernels.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

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
