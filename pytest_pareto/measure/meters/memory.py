"""Memory of one case: what its call allocates, what it holds, and what lies beside it on a GPU.

Other tests of the process do not change the metrics that gate. A call is compared with the moment
before it, in bytes that were asked for, so that neither the tensors of earlier tests nor the gaps
they left count; what a case holds is found by reference and by use.
"""

import gc
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pareto.measure.call import eager_mode
from pytest_pareto.measure.device import (
    NO_CUDA,
    CudaDevice,
    cumulative_allocated_bytes,
    initialized_cuda,
    loaded_torch,
)
from pytest_pareto.measure.loop import warm_up
from pytest_pareto.measure.meter import Calls, absent, error_summary
from pytest_pareto.measure.meters.throttling import ThrottlingMonitor
from pytest_pareto.measure.nvml import NvmlError
from pytest_pareto.measure.torch_profiler import (
    OWN_PROFILER,
    PROFILER_ACTIVE,
    let_detach,
    runs_own_profiler,
    without_trace_messages,
)
from pytest_pareto.measure.trace import trace_events
from pytest_pareto.model.attribution import Breakdown, breakdown_of
from pytest_pareto.model.metric import (
    HOST_PEAK_MEMORY,
    OTHER_MEMORY,
    PEAK_MEMORY,
    RESERVED_MEMORY,
    RESIDENT_MEMORY,
)
from pytest_pareto.model.run import Measurement

if TYPE_CHECKING:
    from pytest_pareto.measure.storages import UsedStorages

_CUDA_METRICS = (PEAK_MEMORY, RESERVED_MEMORY, OTHER_MEMORY)
_NO_TORCH = "torch is not imported, and only its memory is measured"
_NO_OPERATION = "the call ran no operation of torch, and only torch's memory is measured"
_PACKED = "torch packs weights of this call, such as quantized ones, in objects of unknown size"
_MEASURED = "pytest-pareto: the measured call"
_CPU = 0  # torch's number of this type of device


@dataclass(frozen=True, slots=True)
class WatchedCall:
    """What a call holds on its device, found by watching its operations and following references.

    ``sizes`` are the bytes of tensors by the type of their device. ``device`` is the type of that
    on which the call works, None if it ran no operation of torch. ``profiled`` is whether the call
    ran a profiler of its own, ``packed`` whether it used tensors whose bytes are not known.
    ``breakdown`` has the tensors on the device by the names of parameters.
    """

    sizes: Mapping[str, int]
    device: str | None
    profiled: bool
    packed: bool = False
    notes: tuple[str, ...] = ()
    breakdown: Breakdown | None = None

    def resident(self) -> Measurement:
        """Return the bytes of the tensors on the device of the call."""
        if self.packed:
            return absent((RESIDENT_MEMORY,), _PACKED)[0]
        size = float(self.sizes.get(self.device or "", 0))
        return Measurement(RESIDENT_MEMORY, (size,), notes=self.notes, breakdown=self.breakdown)


def watch_call(calls: Calls) -> WatchedCall:
    """Call once; add up the storages that torch's operations use, and those that the test holds.

    Compiled functions run eagerly for this one call, since what a compiler fuses is no longer
    dispatched; replayed CUDA graphs, other threads and other packages' kernels are not seen.
    """
    from pytest_pareto.measure.module_scopes import ModuleScopes, parameter_names
    from pytest_pareto.measure.storages import UsedStorages, call_storages

    call = calls.prepare()
    held = call_storages(calls.function, call) if calls.held is None else calls.held
    calls.device.synchronize()
    allocated_before = cumulative_allocated_bytes()
    used, scopes = UsedStorages(), ModuleScopes()
    notes: tuple[str, ...] = ()

    def watched() -> None:
        with eager_mode(loaded_torch()), scopes, used:
            call()

    try:
        profiled = runs_own_profiler(watched)
    except Exception as error:  # of the watching or of the function: a plain call decides
        profiled = runs_own_profiler(calls.prepare())
        used.storages.merge(held)
        used.operated = True
        notes = (f"what the test refers to; watching the call raised {error_summary(error)}",)
    allocated = cumulative_allocated_bytes() != allocated_before
    # What is alive now, while ``call`` holds its arguments, is not of the call's own making.
    gc.collect()
    device = _device_type(used, allocated=allocated, graphs=bool(held.graph_pools))
    used.storages.merge(held)
    parts = used.storages.parts(device or "", parameter_names(scopes.roots))
    return WatchedCall(
        used.storages.sizes(), device, profiled, used.packed, notes, breakdown_of(parts)
    )


def _device_type(used: "UsedStorages", *, allocated: bool, graphs: bool) -> str | None:
    """Return the type of the device on which a watched call works, or None if it is not torch's."""
    devices = used.storages.sizes().keys() - {"cpu", "meta"}
    if allocated or "cuda" in devices:
        return "cuda"
    if devices:
        return min(devices)
    if used.operated:
        return "cpu"
    return "cuda" if graphs else None


def trace_host_peak(prepare: Callable[[], Callable[[], object]]) -> int:
    """Make two calls; return the bytes that torch held on the processor at the second one's peak.

    What was there before it is subtracted. Torch reports what the calling thread allocates and
    frees. Of what was allocated before the trace it does not know the size, which is why one call
    goes ahead: what it leaves behind may be freed by the next.
    """
    torch: Any = loaded_torch()
    profiler = torch.autograd.profiler
    with without_trace_messages(), profiler.profile(profile_memory=True) as trace:
        prepare()()
        call = prepare()
        with profiler.record_function(_MEASURED):
            result = call()
    del result
    with tempfile.TemporaryDirectory(prefix="pytest-pareto-") as folder:
        trace_file = Path(folder, "trace.json")
        trace.export_chrome_trace(str(trace_file))
        let_detach()
        return read_host_peak(trace_file.read_bytes())


def read_host_peak(trace: bytes) -> int:
    """Return the peak of the allocations in an exported trace, above the start of the second call.

    Raises msgspec.DecodeError where the JSON is not a trace.
    """
    events = trace_events(trace)
    (start_us,) = [each.ts for each in events if each.name == _MEASURED and each.ph == "X"]
    changes = [
        (each.ts, each.args)
        for each in events
        if each.name == "[memory]" and each.args is not None and each.args.device_type == _CPU
    ]
    sizes: dict[int | str, int] = {}
    held = before = peak = 0
    for time_us, change in sorted(changes, key=lambda each: (each[0], each[1].number)):
        if change.size > 0:
            sizes[change.address] = change.size
            held += change.size
        else:
            # The size that torch reports may be that of an earlier trace, at the same address.
            held -= sizes.pop(change.address, 0)
        if time_us < start_us:
            before = peak = held
        peak = max(peak, held)
    return peak - before


class MemoryMeter:
    """The memory that one call in the steady state needs, and what lies beside it (B).

    - `peak_memory`: what torch's allocator was asked for on the GPUs at the call's peak, less what
      was there before it: activations, workspaces, the result. `host_peak_memory` is the same on
      the processor, of a call that uses no GPU.
    - `resident_memory`: the tensors on the device of the call that it refers to or uses, and those
      of the test's fixtures and local variables: weights, buffers, inputs. A CUDA graph counts with
      all the memory that it keeps.
    - `reserved_memory`: what torch's allocator held on the GPUs at its peak, with the tensors of
      other tests and the gaps that they left. `other_memory` is what this process holds beside
      that, by NVML after the call: the CUDA context, and libraries with allocators of their own.

    A call that allocates nothing, such as a replayed graph, has a peak of 0.
    """

    metrics = (PEAK_MEMORY, RESIDENT_MEMORY, HOST_PEAK_MEMORY, RESERVED_MEMORY, OTHER_MEMORY)

    def __init__(
        self,
        watch: Callable[[Calls], WatchedCall] = watch_call,
        host_peak: Callable[[Callable[[], Callable[[], object]]], int] = trace_host_peak,
    ) -> None:
        self._watch = watch
        self._trace_host_peak = host_peak

    def absence(self) -> str | None:
        """Return None: what is absent has reasons of its own."""
        return None

    def measure(self, calls: Calls) -> Sequence[Measurement]:
        """Watch one call, add up what it and its test hold, and measure the peak of another."""
        if loaded_torch() is None:
            return (
                *absent(_CUDA_METRICS, NO_CUDA),
                *absent((RESIDENT_MEMORY, HOST_PEAK_MEMORY), _NO_TORCH),
            )
        warm_up(calls)
        watched = self._watch(calls)
        device = watched.device
        if device is None:
            return (
                *absent(_CUDA_METRICS, NO_CUDA),
                *absent((RESIDENT_MEMORY, HOST_PEAK_MEMORY), _NO_OPERATION),
            )
        if device == "cuda":
            elsewhere = absent((HOST_PEAK_MEMORY,), "the call works on a GPU")
            return (*_cuda_memory(calls), *elsewhere, watched.resident())
        host_peak = self._host_peak(calls, watched)
        return (*absent(_CUDA_METRICS, NO_CUDA), host_peak, watched.resident())

    def _host_peak(self, calls: Calls, watched: WatchedCall) -> Measurement:
        reason = _untraceable_reason(watched)
        if reason is not None:
            return absent((HOST_PEAK_MEMORY,), reason)[0]
        with _without_collections():
            peak = self._trace_host_peak(calls.prepare)
        return Measurement(HOST_PEAK_MEMORY, (float(peak),))


def _untraceable_reason(watched: WatchedCall) -> str | None:
    """Return why the processor's memory cannot be traced during a call, or None."""
    torch: Any = loaded_torch()
    if watched.device != "cpu":
        return f"the call works on {watched.device}"
    if torch.autograd._profiler_enabled():  # noqa: SLF001  (torch has no public query)
        return PROFILER_ACTIVE
    return OWN_PROFILER if watched.profiled else None


@contextmanager
def _without_collections() -> Iterator[None]:
    """Collect no garbage within the block.

    When the collector runs depends on all that the process did before, and so would the memory
    that garbage in cycles holds.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _cuda_memory(calls: Calls) -> Sequence[Measurement]:
    """Call once, and return the peak, and what the allocator and the process then hold."""
    cuda = initialized_cuda()
    assert cuda is not None
    reason = _uncounted_reason(cuda)
    if reason is not None:
        return absent(_CUDA_METRICS, reason)
    # On a device that the call does not use nothing is added to what was there.
    assert isinstance(calls.device, CudaDevice)
    indexes, own_indexes = calls.device.indexes, calls.device.own_indexes
    call = calls.prepare()
    calls.device.synchronize()
    with _without_collections():
        _settle_frees(indexes)
        before = sum(_requested(cuda, index, "current") for index in indexes)
        for index in indexes:
            cuda.reset_peak_memory_stats(index)
        result = call()
        calls.device.synchronize()
    peak = sum(_requested(cuda, index, "peak") for index in indexes) - before
    reserved = sum(cuda.max_memory_reserved(index) for index in own_indexes)
    other = _other_memory(calls, sum(cuda.memory_reserved(index) for index in own_indexes))
    del result
    return (
        Measurement(PEAK_MEMORY, (float(peak),)),
        Measurement(RESERVED_MEMORY, (float(reserved),)),
        other,
    )


def _uncounted_reason(cuda: Any) -> str | None:
    """Return why the bytes that tensors ask for are not counted, or None."""
    backend = cuda.get_allocator_backend()
    if backend != "native":
        return f"the allocator {backend} does not count what tensors ask for; use torch's own"
    if not any(cumulative_allocated_bytes().values()):
        return "torch's allocator counts nothing here (PYTORCH_NO_CUDA_MEMORY_CACHING is set)"
    return None


def _settle_frees(indexes: Sequence[int]) -> None:
    """Let the allocator take back what was freed while another stream still used it.

    It does so at its next allocation, which would otherwise be that of the call.
    """
    torch: Any = loaded_torch()
    for index in indexes:
        torch.zeros(1, device=f"cuda:{index}")


def _requested(cuda: Any, index: int, which: str) -> int:
    """Return the bytes that tensors on one device asked for, without what rounding adds."""
    return int(cuda.memory_stats(index).get(f"requested_bytes.all.{which}", 0))


def _other_memory(calls: Calls, reserved: int) -> Measurement:
    with ThrottlingMonitor(calls) as monitor:
        if monitor.nvml_absence is not None:
            return absent((OTHER_MEMORY,), monitor.nvml_absence)[0]
        try:
            held_sizes = [board.compute_processes().get(os.getpid()) for board in monitor.boards]
        except NvmlError as error:
            return absent((OTHER_MEMORY,), str(error))[0]
    if None in held_sizes:
        reason = "NVML does not report this process's memory (in a container, pids may differ)"
        return absent((OTHER_MEMORY,), reason)[0]
    other = sum(size for size in held_sizes if size is not None) - reserved
    if other < 0:
        reason = "NVML counts less for this process than torch has reserved"
        return absent((OTHER_MEMORY,), reason)[0]
    return Measurement(OTHER_MEMORY, (float(other),))
