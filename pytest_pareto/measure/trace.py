"""Exported traces of torch's profiler: their events, and what a call in them consists of.

`trace_events` reads a trace: it is in Chrome's format, whose categories torch has kept since 1.8,
and is parsed here without torch's own event objects, which took twelve times as long.
`read_profile` returns a `Breakdown` for each metric of a call that the trace explains.

A call's time is divided among what ran at each moment: a kernel while a GPU works, else the host's
operation, else the Python code between operations. So the parts of a latency add up.
"""

import bisect
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from statistics import median
from typing import NamedTuple

import msgspec

from pytest_pareto.model.attribution import Breakdown, Part, breakdown_of, placed
from pytest_pareto.model.metric import (
    ALLOCATIONS,
    DEVICE_TIME,
    DISPATCHES,
    HOST_COPIES,
    HOST_PEAK_MEMORY,
    HOST_WAITS,
    KERNELS,
    LATENCY,
    LAUNCHES,
    PEAK_MEMORY,
    TIME_PER_ITEM,
    TIME_TO_FIRST_ITEM,
)

HOST_CALLS = ("cuda_runtime", "cuda_driver")
WAIT_CALLS = ("StreamSynchronize", "DeviceSynchronize", "EventSynchronize")
ALLOCATION_CALLS = ("Malloc", "HostAlloc", "MemAlloc", "MemCreate")
HOST_COPY_NAMES = ("Memcpy HtoD", "Memcpy DtoH")
NO_OPERATIONS = ("autograd::", "torch::")  # how torch's events about its own engine begin
CALL = "pytest-pareto: the call"
END = "pytest-pareto: waiting for its end"
FIRST_ITEM = "pytest-pareto: the first item"
MODULE = "module "
"""What the names of scopes are in a trace of named calls; a module's has its path as well."""
_OWN = (CALL, END, FIRST_ITEM)
_ALLOCATORS = ("aten::empty", "aten::new_empty", "aten::resize_")
_PYTHON = "Python"
_WAITING = "waiting for the GPU"
_DEVICE_EVENTS = ("kernel", "gpu_memcpy", "gpu_memset")
_HOST_EVENTS = ("cpu_op", "user_annotation", *HOST_CALLS)
_S_PER_US = 1e-6
_TEMPLATE = re.compile(r"[<>(),&*\s]+")
_FUNCTION = re.compile(r"Functor|_functor$|Ops?$|(?<!gpu)_kernel(_cuda|_impl)?$|^cutlass_")
_CPU, _CUDA = 0, 1  # torch's numbers of types of devices


class _Arguments(msgspec.Struct):
    correlation: int | None = None
    device_type: int = msgspec.field(name="Device Type", default=0)
    address: int | str = msgspec.field(name="Addr", default=0)
    size: int = msgspec.field(name="Bytes", default=0)
    number: int = msgspec.field(name="Ev Idx", default=0)


class TraceEvent(msgspec.Struct):
    """An event of an exported trace; ``ts`` and ``dur`` are in microseconds, ``tid`` a thread."""

    ph: str = ""
    cat: str = ""
    name: str = ""
    ts: float = 0.0
    dur: float = 0.0
    tid: int | str = 0
    args: _Arguments | None = None


class _Trace(msgspec.Struct):
    events: list[TraceEvent] = msgspec.field(name="traceEvents")


def trace_events(trace: bytes) -> list[TraceEvent]:
    """Return the events in the JSON of an exported trace.

    Raises msgspec.DecodeError where the JSON is not a trace.
    """
    return msgspec.json.decode(trace, type=_Trace).events


def is_launch(name: str) -> bool:
    """Return whether a call of the runtime or driver launches a kernel or a graph of kernels."""
    return "Launch" in name and "HostFunc" not in name


def correlation(event: TraceEvent) -> int | None:
    """Return the id that a launch shares with the work that it launched."""
    return None if event.args is None else event.args.correlation


class _Segment(NamedTuple):
    """A stretch of time (µs) and what it was spent on."""

    start: float
    stop: float
    label: str


class _HostEvent(NamedTuple):
    """An event of the host, with the operation and the module in which it is."""

    event: TraceEvent
    operation: str
    module: str

    @property
    def stop(self) -> float:
        """The time at which it ends (µs)."""
        return self.event.ts + self.event.dur

    @property
    def place(self) -> str:
        """The operation and where it is, such as ``aten::mm in Net.fc``."""
        return placed(self.operation or self.event.name, self.module)

    @property
    def label(self) -> str:
        """What the time of this event itself was spent on."""
        name = self.event.name
        if self.event.cat in HOST_CALLS and self.operation != _WAITING and not is_launch(name):
            return placed(f"{name} of {self.operation}" if self.operation else name, self.module)
        named = self.operation or self.event.cat in HOST_CALLS
        return self.place if named else placed(_PYTHON, self.module)

    @property
    def working(self) -> bool:
        """Whether it is part of an operation or a call of CUDA, and not of a profile's own wait."""
        in_one = bool(self.operation) or self.event.cat in HOST_CALLS
        return in_one and self.operation != _WAITING


class _Windows:
    """Windows of time (µs), in order and apart, of which each is one call or a part of one."""

    def __init__(self, spans: Sequence[tuple[float, float]]) -> None:
        self.spans = spans
        self._starts = [start for start, _ in spans]

    def number(self, moment: float) -> int | None:
        """Return which window a moment is in, None for none."""
        at = bisect.bisect_right(self._starts, moment) - 1
        return at if at >= 0 and moment < self.spans[at][1] else None


def read_profile(trace: bytes, items: int | None = None) -> dict[str, Breakdown]:
    """Return what the named calls of a trace consist of, by the name of the metric.

    ``items`` is the number of items of a call that is a stream. Raises msgspec.DecodeError where
    the JSON is not a trace.
    """
    events = trace_events(trace)
    spans = [each for each in events if each.ph == "X" and each.cat in _HOST_EVENTS]
    own: dict[str, list[TraceEvent]] = {name: [] for name in _OWN}
    for each in spans:
        if each.name in own:
            own[each.name].append(each)
    calls, ends, firsts = (sorted(found, key=lambda each: each.ts) for found in own.values())
    if not calls:
        return {}
    asked = _Windows([(call.ts, call.ts + call.dur) for call in calls])
    whole = [(call.ts, end.ts + end.dur) for call, end in zip(calls, ends, strict=True)]
    threads: dict[int | str, list[TraceEvent]] = {}
    for each in spans:
        threads.setdefault(each.tid, []).append(each)
    profile = _Profile(
        {thread: _nested(found) for thread, found in threads.items()},
        calls[0].tid,
        [each for each in events if each.ph == "X" and each.cat in _DEVICE_EVENTS],
    )
    found = {
        LATENCY.name: profile.time(_Windows(whole)),
        **profile.device_parts(asked),
        **profile.host_counts(asked),
        **profile.peaks([each for each in events if each.name == "[memory]"], whole[-1]),
    }
    if items is not None and len(firsts) == len(calls):
        marks = [each.ts + each.dur for each in firsts]
        starts = [(start, mark) for (start, _), mark in zip(whole, marks, strict=True)]
        found[TIME_TO_FIRST_ITEM.name] = profile.time(_Windows(starts))
        rests = [(mark, stop) for (_, stop), mark in zip(whole, marks, strict=True)]
        if items > 1:
            found[TIME_PER_ITEM.name] = profile.time(_Windows(rests), shares=items - 1)
    return found


def _nested(events: Iterable[TraceEvent]) -> list[_HostEvent]:
    """Return the events of one thread in order, each with the operation and module around it."""
    found: list[_HostEvent] = []
    stack: list[tuple[float, str, str]] = []
    for event in sorted(events, key=lambda each: (each.ts, -each.dur)):
        while stack and stack[-1][0] <= event.ts:
            stack.pop()
        operation, module = stack[-1][1:] if stack else ("", "")
        if event.name.startswith(MODULE):
            operation, module = "", event.name.removeprefix(MODULE)
        elif event.name in (END, FIRST_ITEM):
            operation, module = _WAITING, ""
        elif event.cat not in HOST_CALLS and event.name != CALL:
            operation = event.name
        found.append(_HostEvent(event, operation, module))
        stack.append((event.ts + event.dur, operation, module))
    return found


def _self_times(events: Sequence[_HostEvent]) -> Iterator[tuple[_Segment, bool]]:
    """Yield when a thread was in each event and in none within it, and whether in an operation."""
    stack: list[_HostEvent] = []
    since = 0.0

    def until(moment: float) -> Iterator[tuple[_Segment, bool]]:
        if stack and moment > since:
            yield _Segment(since, moment, stack[-1].label), stack[-1].working

    for each in events:
        while stack and stack[-1].stop <= each.event.ts:
            yield from until(stack[-1].stop)
            since = max(since, stack.pop().stop)
        yield from until(each.event.ts)
        since = each.event.ts
        stack.append(each)
    while stack:
        yield from until(stack[-1].stop)
        since = max(since, stack.pop().stop)


def _overlaid(upper: Sequence[_Segment], lower: Sequence[_Segment]) -> list[_Segment]:
    """Return two layers of segments as one: those of the lower fill the gaps of the upper.

    Both are in order, and the segments of each do not overlap.
    """
    filled = list(upper)
    first = 0
    for start, stop, label in lower:
        while first < len(upper) and upper[first].stop <= start:
            first += 1
        at, done = first, start
        while done < stop:
            above = upper[at] if at < len(upper) else None
            end = stop if above is None else min(stop, above.start)
            if end > done:
                filled.append(_Segment(done, end, label))
            done = stop if above is None else max(done, above.stop)
            at += 1
    return sorted(filled)


class _Profile:
    """The events of a trace, from which the breakdowns of a call are computed.

    ``threads`` are the events of the host, of which ``own`` is the thread that calls. ``device``
    are those of GPUs.
    """

    def __init__(
        self,
        threads: Mapping[int | str, Sequence[_HostEvent]],
        own: int | str,
        device: Iterable[TraceEvent],
    ) -> None:
        self._threads = threads
        launches = {
            correlation(each.event): each
            for events in threads.values()
            for each in events
            if each.event.cat in HOST_CALLS
        }
        self._work = [
            (event, launches.get(correlation(event)))
            for event in sorted(device, key=lambda each: each.ts)
        ]
        self._layers = self._overlay(own)

    def _overlay(self, own: int | str) -> list[_Segment]:
        """Return what each moment was spent on: GPUs first, then operations, then Python code."""
        layers: list[_Segment] = []
        done = 0.0
        for event, launch in self._work:
            stop = event.ts + event.dur
            if stop > done:
                layers.append(_Segment(max(event.ts, done), stop, _device_label(event, launch)))
                done = stop
        of_thread = {thread: [*_self_times(found)] for thread, found in self._threads.items()}
        for thread in sorted(of_thread, key=lambda each: each != own):
            layers = _overlaid(layers, [each for each, working in of_thread[thread] if working])
        return _overlaid(layers, [each for each, working in of_thread[own] if not working])

    def time(self, windows: _Windows, shares: int = 1) -> Breakdown:
        """Return the parts (s) of the time of one of ``shares`` of a window, medians over them."""
        spent: dict[str, list[float]] = {}
        starts = [segment.start for segment in self._layers]
        for number, (start, stop) in enumerate(windows.spans):
            first = max(0, bisect.bisect_right(starts, start) - 1)
            for segment in self._layers[first : bisect.bisect_left(starts, stop)]:
                inside = min(stop, segment.stop) - max(start, segment.start)
                if inside > 0:
                    spent.setdefault(segment.label, [0.0] * len(windows.spans))[number] += inside
        times = Counter(self._occurrences(windows))
        each = len(windows.spans) * shares
        return breakdown_of(
            Part(
                label,
                median(values) * _S_PER_US / shares,
                times[label] / each if times[label] else None,
            )
            for label, values in spent.items()
        )

    def _occurrences(self, windows: _Windows) -> Iterator[str]:
        """Yield the label of each operation, call of CUDA and kernel of windows, as it begins."""
        for each in self._host_events(windows):
            # A launch within an operation is part of what that does.
            if each.working and not (each.operation and is_launch(each.event.name)):
                yield each.label
        for event, launch in self._launched(windows):
            yield _device_label(event, launch)

    def _host_events(self, windows: _Windows) -> Iterator[_HostEvent]:
        for events in self._threads.values():
            yield from (each for each in events if windows.number(each.event.ts) is not None)

    def _launched(self, windows: _Windows) -> Iterator[tuple[TraceEvent, _HostEvent | None]]:
        """Yield the work of GPUs that was launched within windows."""
        for event, launch in self._work:
            if windows.number((event if launch is None else launch.event).ts) is not None:
                yield event, launch

    def device_parts(self, windows: _Windows) -> dict[str, Breakdown]:
        """Return the kernels of a call, by time and by count, and its copies to and from a GPU."""
        calls = len(windows.spans)
        times: list[Part] = []
        kernels: Counter[str] = Counter()
        copies: Counter[str] = Counter()
        for event, launch in self._launched(windows):
            label = _device_label(event, launch)
            if event.cat == "gpu_memcpy" and event.name.startswith(HOST_COPY_NAMES):
                copies[label] += 1
            else:
                times.append(Part(label, event.dur * _S_PER_US / calls, 1 / calls))
                kernels[label] += event.cat == "kernel"
        return {
            DEVICE_TIME.name: breakdown_of(times),
            KERNELS.name: _per_call(kernels, calls),
            HOST_COPIES.name: _per_call(copies, calls),
        }

    def host_counts(self, windows: _Windows) -> dict[str, Breakdown]:
        """Return the operations, launches, waits and allocations of a call."""
        counted = (DISPATCHES, LAUNCHES, HOST_WAITS, ALLOCATIONS)
        found: dict[str, Counter[str]] = {metric.name: Counter() for metric in counted}
        for each in self._host_events(windows):
            metric = _counted_as(each.event)
            if metric is not None and each.working:
                found[metric][each.label] += 1
        return {metric: _per_call(counts, len(windows.spans)) for metric, counts in found.items()}

    def peaks(
        self, changes: Iterable[TraceEvent], window: tuple[float, float]
    ) -> dict[str, Breakdown]:
        """Return the tensors at the peak of a window, on the processor and on GPUs."""
        of_device: dict[int, list[tuple[float, int, TraceEvent]]] = {}
        for change in changes:
            if change.args is not None:
                entry = (change.ts, change.args.number, change)
                of_device.setdefault(change.args.device_type, []).append(entry)
        return {
            name: self._peak([change for *_, change in sorted(found, key=itemgetter(0, 1))], window)
            for device, name in ((_CPU, HOST_PEAK_MEMORY.name), (_CUDA, PEAK_MEMORY.name))
            if (found := of_device.get(device))
        }

    def _peak(self, changes: Sequence[TraceEvent], window: tuple[float, float]) -> Breakdown:
        """Return the parts (B) of the peak that the allocations on one type of device reach."""
        start, stop = window
        held: dict[object, tuple[int, str]] = {}
        live: Counter[str] = Counter()
        size = most = 0
        peak: Counter[str] = Counter()
        for change in changes:
            assert change.args is not None
            if change.ts > stop:
                break
            if change.args.size > 0:
                moved, label = change.args.size, self._allocating(change)
                held[change.args.address] = -moved, label
            else:
                moved, label = held.pop(change.args.address, (0, ""))
            if change.ts >= start:
                size += moved
                live[label] += moved
                if size > most:
                    most, peak = size, live.copy()
        return breakdown_of(Part(label, float(value)) for label, value in peak.items())

    def _allocating(self, change: TraceEvent) -> str:
        """Return the operation and module in which memory was allocated."""
        events = self._threads.get(change.tid, ())
        at = bisect.bisect_right(events, change.ts, key=lambda each: each.event.ts) - 1
        around = (events[n] for n in range(at, -1, -1) if events[n].stop >= change.ts)
        if (found := next(around, None)) is None:
            return _PYTHON
        if found.event.name.startswith(_ALLOCATORS):  # for the operation around it, if any
            user = next((e for e in around if not e.event.name.startswith(_ALLOCATORS)), found)
            found = user if user.operation else found
        return found.place if found.operation else found.label


def _counted_as(event: TraceEvent) -> str | None:
    """Return the name of the metric that counts an event of the host, or None."""
    name = event.name
    if event.cat == "cpu_op":
        return DISPATCHES.name if "::" in name and not name.startswith(NO_OPERATIONS) else None
    if event.cat not in HOST_CALLS:
        return None
    if is_launch(name):
        return LAUNCHES.name
    if name.endswith(WAIT_CALLS):
        return HOST_WAITS.name
    return ALLOCATIONS.name if any(part in name for part in ALLOCATION_CALLS) else None


def _per_call(counted: Counter[str], calls: int) -> Breakdown:
    return breakdown_of(Part(label, count / calls) for label, count in counted.items())


def _device_label(event: TraceEvent, launch: _HostEvent | None) -> str:
    return placed(kernel_name(event.name), "" if launch is None else launch.module)


def kernel_name(name: str) -> str:
    """Return the name of a kernel without its return type, namespaces and arguments.

    Of templates that only run another function, the name of the innermost one is kept.
    """
    if name.startswith(("Memcpy", "Memset")):
        return name
    plain = name.replace("(anonymous namespace)::", "").removeprefix("void ")
    base, *arguments = _TEMPLATE.split(plain.partition("(")[0] if "<" not in plain else plain)
    base, *names = (each.rpartition("::")[2] for each in (base, *arguments))
    run = next((each for each in reversed(names) if _FUNCTION.search(each)), base)
    return base if run == base else f"{base}<{run}>"
