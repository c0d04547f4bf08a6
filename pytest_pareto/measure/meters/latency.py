"""Latency, event time, the host reference, energy and a stream's times, in one window of calls.

`SteadyMeter` measures a call, and `StreamMeter` its stream. `HostReference` times a small loop of
kernel launches between the calls, which a slow host delays as it delays a call.
`drop_reference_if_gpu_bound` removes it where the host does not limit the call, and
`drop_energy_without_kernels` the energy of an idle GPU.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_pareto.measure.call import active_tracer
from pytest_pareto.measure.device import NO_CUDA, CudaDevice, Device, loaded_torch
from pytest_pareto.measure.loop import (
    Round,
    interleaved_rounds,
    round_overhead_s,
    steady_rounds,
    warm_up,
)
from pytest_pareto.measure.meter import Calls, absent
from pytest_pareto.measure.meters.contention import HostSnapshot
from pytest_pareto.measure.meters.energy import NEAR_IDLE, EnergyWindow
from pytest_pareto.measure.meters.throttling import ThrottlingMonitor
from pytest_pareto.measure.nvml import NvmlError
from pytest_pareto.measure.streams import Stream
from pytest_pareto.model.formatting import percent
from pytest_pareto.model.metric import (
    DEVICE_TIME,
    DYNAMIC_ENERGY,
    ENERGY,
    EVENT_TIME,
    HOST_REFERENCE,
    ITEMS,
    ITEMS_PER_SECOND,
    LATENCY,
    TIME_PER_ITEM,
    TIME_TO_FIRST_ITEM,
    Metric,
)
from pytest_pareto.model.run import Measurement

_NS_PER_S = 1_000_000_000
_MAX_READINGS = 1000
_MIN_REPORTED_OVERHEAD = 0.02
_ADVICE = "repeat the work inside the measured function"
_LAUNCHES = 300
_TIME_SHARE = 0.02
_GPU_BOUND_SHARE = 0.9
_HEADROOM = 0.8
"""Calls that draw less than this share of the boards' power limit leave their clocks alone."""
_NOT_REQUESTED = "not asked for"
_BY_TURNS = "not needed: the other code is measured by turns"
_HOST_TIMES = (LATENCY, EVENT_TIME, HOST_REFERENCE)
_ENERGIES = (ENERGY, DYNAMIC_ENERGY)


class SteadyMeter:
    """`latency`, `event_time`, `host_reference` (s) and energies (J) of synchronised calls.

    One window serves all of them, so that they describe the same calls. Where energy is measured
    the window lasts twenty steps of the counter, 2 s on an H200, however few calls the plan
    requests; latency then has more readings, unless the test fixes their number. Where another
    process measures the same case by turns, the window serves energy alone. Times of the host
    are absent while a tracer slows it down, and every metric while heat slows the GPU down. Each
    measurement has the share of the window that the process may have lost to others on the host.
    """

    metrics = (*_HOST_TIMES, *_ENERGIES)

    def __init__(
        self,
        tracer: Callable[[], str | None] = active_tracer,
        read_host: Callable[[], HostSnapshot] | None = None,
    ) -> None:
        self._tracer = tracer
        self._read_host = read_host

    def absence(self) -> str | None:
        """Return None: each metric is absent for a reason of its own."""
        return None

    def measure(self, calls: Calls) -> Sequence[Measurement]:
        """Call in the steady state, again if heat slowed a GPU down; return the measurements."""
        tracer_reason = self._tracer()
        with ThrottlingMonitor(calls, self._read_host) as monitor:
            energy_absence = _energy_absence(calls, monitor)
            if tracer_reason is not None and energy_absence is not None:
                return (*absent(_HOST_TIMES, tracer_reason), *absent(_ENERGIES, energy_absence))
            if energy_absence is not None:
                calls.exclude(*_ENERGIES)
            if tracer_reason is not None:
                calls.exclude(*_HOST_TIMES)
            warm_up(calls)
            by_turns = calls.turns is not None and calls.turns.together and tracer_reason is None
            if by_turns and energy_absence is not None:
                (reference,) = absent((HOST_REFERENCE,), _BY_TURNS)
                window = _Window((), reference, absent(_ENERGIES, _BY_TURNS))
            else:
                window = monitor.repeat_while_throttled(lambda: _measure_window(calls, monitor))
            if by_turns:  # whatever heat does to these rounds, it does to both sides
                window = replace(window, rounds=interleaved_rounds(calls))
        if monitor.slowdown_reason is not None:
            return absent(self.metrics, monitor.slowdown_reason)
        host = monitor.host
        calls.has_power_headroom = (
            window.power_share is not None
            and window.power_share < _HEADROOM
            and not monitor.is_power_capped
        )
        energy, dynamic = window.energies
        energies = _with_conditions(monitor, energy), dynamic
        calls.waited = None if host is None else host.waited
        if tracer_reason is not None:
            return (*absent(_HOST_TIMES, tracer_reason), *calls.with_waiting(energies))
        # The last rounds: the GPU was idle before the window, and its first rounds may differ.
        rounds = window.rounds[-(calls.plan.rounds or 0) :]
        calls.rounds = rounds
        latency = _with_conditions(
            monitor, latency_measurement(rounds, calls.first_s, round_overhead_s(calls))
        )
        if host is not None:
            latency = replace(latency, notes=(*latency.notes, host.note))
        event_time = event_time_measurement(rounds, calls.device)
        return calls.with_waiting((latency, event_time, window.reference, *energies))


def _with_conditions(monitor: ThrottlingMonitor, measurement: Measurement) -> Measurement:
    return measurement if measurement.absent else monitor.with_conditions(measurement)


@dataclass(frozen=True, slots=True)
class _Window:
    rounds: tuple[Round, ...]
    reference: Measurement
    energies: Sequence[Measurement]
    power_share: float | None = None


class HostReference:
    """Times launches of a small kernel between the calls of a window.

    Where the host launches slowly, latency mostly reflects the speed of launching. Measured on an
    H200, the log median of this loop followed that of two pipelines over 9 processes with r = 0.93
    and 0.97; a loop of module forwards did no better in twice the time, one of plain Python worse.
    """

    def __init__(self, device: Device, clock: Callable[[], int]) -> None:
        torch: Any = loaded_torch()
        self._device = device
        self._clock = clock
        self._operand = torch.zeros(8, device="cuda")
        self._launch()  # the first launch loads the kernel
        self._expected_s = self._launch()
        self._spent_s = 0.0
        self._readings: list[float] = []

    def catch_up(self, elapsed_s: float) -> None:
        """Run the loop as often as its share of ``elapsed_s`` seconds allows."""
        while self._spent_s + self._expected_s <= _TIME_SHARE * elapsed_s:
            self._expected_s = self._launch()
            self._spent_s += self._expected_s
            self._readings.append(self._expected_s)

    def measurement(self) -> Measurement:
        """Return the host reference, with a reading (s) of each run of the loop."""
        if not self._readings:
            reason = (
                f"the window was too short to spend {percent(_TIME_SHARE)} of it on the reference"
            )
            return Measurement(HOST_REFERENCE, absent=reason)
        return Measurement(HOST_REFERENCE, tuple(self._readings))

    def _launch(self) -> float:
        self._device.synchronize()
        start_ns = self._clock()
        for _ in range(_LAUNCHES):
            self._operand.add_(1)
        self._device.synchronize()
        return (self._clock() - start_ns) / 1e9


def _measure_window(calls: Calls, monitor: ThrottlingMonitor) -> _Window:
    reference = _host_reference(calls)
    energy = _energy_window(calls, monitor)
    if not isinstance(energy, EnergyWindow):
        calls.exclude(*_ENERGIES)

    def after_round(elapsed_s: float) -> None:
        if isinstance(reference, HostReference):
            reference.catch_up(elapsed_s)
        if isinstance(energy, EnergyWindow):
            energy.poll()

    min_duration_s = energy.min_duration_s if isinstance(energy, EnergyWindow) else 0.0
    with monitor.recording_conditions():
        rounds = steady_rounds(calls, min_duration_s=min_duration_s, after_round=after_round)
    measured_reference = (
        reference.measurement() if isinstance(reference, HostReference) else reference
    )
    if not isinstance(energy, EnergyWindow):
        return _Window(rounds, measured_reference, energy)
    energies = _energy_measurements(energy, rounds)
    return _Window(rounds, measured_reference, energies, energy.power_share)


def _host_reference(calls: Calls) -> HostReference | Measurement:
    if not isinstance(calls.device, CudaDevice):
        return absent((HOST_REFERENCE,), NO_CUDA)[0]
    if HOST_REFERENCE.name not in calls.wanted:
        return absent((HOST_REFERENCE,), _NOT_REQUESTED)[0]
    return HostReference(calls.device, calls.clock)


def _energy_window(
    calls: Calls, monitor: ThrottlingMonitor
) -> EnergyWindow | Sequence[Measurement]:
    reason = _energy_absence(calls, monitor)
    if reason is not None:
        return absent(_ENERGIES, reason)
    try:
        return EnergyWindow(monitor.boards, calls.clock)
    except NvmlError as error:
        return absent(_ENERGIES, str(error))


def _energy_absence(calls: Calls, monitor: ThrottlingMonitor) -> str | None:
    return monitor.nvml_absence if ENERGY.name in calls.wanted else _NOT_REQUESTED


def _energy_measurements(window: EnergyWindow, rounds: Sequence[Round]) -> Sequence[Measurement]:
    try:
        return window.measurements(rounds)
    except NvmlError as error:
        return absent(_ENERGIES, str(error))


def latency_measurement(
    rounds: Sequence[Round], first_s: float | None, overhead_s: float = 0.0
) -> Measurement:
    """Return `latency` (s): the wall time of each round, with the first call's apart.

    ``overhead_s`` is the time of a round whose call does nothing. It is part of every reading, and
    is noted where its share matters: a change of the call by 10 % then appears smaller.
    """
    wall_s = [each.wall_s for each in rounds]
    notes = []
    if zeros := wall_s.count(0.0):
        notes.append(
            f"{zeros} of {len(wall_s)} readings are 0 s: the clock cannot resolve this call; "
            f"{_ADVICE}"
        )
    elif overhead_s > _MIN_REPORTED_OVERHEAD * (typical_s := sorted(wall_s)[len(wall_s) // 2]):
        notes.append(
            f"about {overhead_s * 1e6:.1f} µs of each reading ({percent(overhead_s / typical_s)}) "
            f"is the measuring itself; {_ADVICE}"
        )
    return Measurement(LATENCY, thin(wall_s), first=first_s, notes=tuple(notes))


def event_time_measurement(rounds: Sequence[Round], device: Device) -> Measurement:
    """Return `event_time` (s): from each call's launch to the end of its work on the device.

    It covers the current stream only. A slow host delays it as well, unlike `device_time`. It is
    absent where there is no CUDA device.
    """
    readings = [each.event_s for each in rounds if each.event_s is not None]
    if not readings:
        return absent((EVENT_TIME,), NO_CUDA)[0]
    notes: tuple[str, ...] = ()
    if isinstance(device, CudaDevice) and len(device.indexes) > 1:
        notes = (f"events of the current device only, of {len(device.indexes)} in use",)
    return Measurement(EVENT_TIME, thin(readings), notes=notes)


def thin(readings: Sequence[float]) -> tuple[float, ...]:
    """Return at most a thousand readings, evenly spaced, since a report contains them all."""
    return tuple(readings[:: -(-len(readings) // _MAX_READINGS)])


def drop_reference_if_gpu_bound(
    measurements: Sequence[Measurement], gpus: int
) -> tuple[Measurement, ...]:
    """Make the host reference absent for a call that does not wait for its host.

    Where its ``gpus`` work through nearly the whole call, latency does not follow the reference,
    and adjusting latency by the reference would add noise.
    """
    by_name = {each.metric.name: each for each in measurements}
    names = (LATENCY.name, DEVICE_TIME.name, HOST_REFERENCE.name)
    latency, device_time, reference = (by_name.get(name) for name in names)
    if not (latency and device_time and reference):
        return tuple(measurements)
    if not (latency.values and device_time.values and reference.values):
        return tuple(measurements)
    from statistics import median  # 4 ms, saved in tests that measure nothing

    latency_s = median(latency.values)
    busy_share = median(device_time.values) / gpus / latency_s if latency_s else 0.0
    if busy_share < _GPU_BOUND_SHARE:
        return tuple(measurements)
    (dropped,) = absent(
        (reference.metric,),
        f"kernels fill {percent(busy_share)} of the call: the host is no bottleneck",
    )
    return tuple(dropped if each is reference else each for each in measurements)


def drop_energy_without_kernels(measurements: Sequence[Measurement]) -> tuple[Measurement, ...]:
    """Make the energy absent of calls that ran no kernel while the GPU drew no more than idle.

    The board of a call that works on the processor is in use where another test has used it. A
    call of few small kernels draws as little, but its energy would be missing in one session and
    there in the next if power alone decided.
    """
    by_name = {each.metric.name: each for each in measurements}
    dynamic, device_time = (by_name.get(each.name) for each in (DYNAMIC_ENERGY, DEVICE_TIME))
    if dynamic is None or dynamic.absent != NEAR_IDLE or (device_time and device_time.values):
        return tuple(measurements)
    reason = f"{NEAR_IDLE}, and no kernel of the call was seen"
    return tuple(
        Measurement(ENERGY, absent=reason) if each.metric.name == ENERGY.name else each
        for each in measurements
    )


class StreamMeter:
    """`time_to_first_item`, `time_per_item` (s), `items_per_second` and `items` of a `Stream`.

    Measured in the calls of the latency window, or in a window of the same kind if latency was not
    measured. The device is synchronised at a call's start, after its first item and at its end, and
    never in between, so that work may run ahead of the host: ``time_per_item`` is the mean from the
    first item to the end, and ``time_to_first_item + (items - 1) * time_per_item`` the latency.
    Absent for functions that are no streams, and where latency cannot be measured.
    """

    metrics = (TIME_TO_FIRST_ITEM, TIME_PER_ITEM, ITEMS_PER_SECOND, ITEMS)

    def __init__(self, tracer: Callable[[], str | None] = active_tracer) -> None:
        self._tracer = tracer

    def absence(self) -> str | None:
        """Return None: whether the function is a stream is known only in `measure`."""
        return None

    def measure(self, calls: Calls) -> Sequence[Measurement]:
        """Return the measurements of the latency window's rounds, or of a window made here."""
        if not isinstance(calls.function, Stream):
            return absent(self.metrics, "this is no stream; pareto.stream measures one")
        if not calls.rounds:
            latency, *_ = SteadyMeter(self._tracer).measure(calls)
            if latency.absent is not None:
                return absent(self.metrics, latency.absent)
        return calls.with_waiting(stream_measurements(calls.rounds))


def stream_measurements(rounds: Sequence[Round]) -> tuple[Measurement, ...]:
    """Return the measurements of `StreamMeter` from synchronised rounds that timed first items."""
    counts = [0 if each.stream is None else each.stream.items for each in rounds]
    count_range = (
        None if min(counts) == max(counts) else f"{min(counts)} to {max(counts)} items a call"
    )
    return (
        _readings(TIME_TO_FIRST_ITEM, rounds, counts, _time_to_first_item_s, min_items=1),
        _readings(TIME_PER_ITEM, rounds, counts, _time_per_item_s, min_items=2, note=count_range),
        _readings(
            ITEMS_PER_SECOND, rounds, counts, _items_per_second, min_items=1, note=count_range
        ),
        Measurement(ITEMS, (float(counts[0]),))
        if count_range is None
        else Measurement(ITEMS, absent=f"it differs from call to call ({count_range})"),
    )


def _readings(
    metric: Metric,
    rounds: Sequence[Round],
    counts: Sequence[int],
    read: Callable[[Round], float],
    *,
    min_items: int,
    note: str | None = None,
) -> Measurement:
    short_calls = sum(count < min_items for count in counts)
    if short_calls:
        shortage = "no item" if min_items == 1 else "fewer than two items"
        return Measurement(
            metric, absent=f"the stream had {shortage} in {short_calls} of {len(counts)} calls"
        )
    if not all(each.stop_ns > each.start_ns for each in rounds):
        return Measurement(metric, absent="the clock cannot resolve this call: it read 0 s")
    notes = () if note is None else (note,)
    return Measurement(metric, thin([read(each) for each in rounds]), notes=notes)


def _time_to_first_item_s(each: Round) -> float:
    return (_first_ns(each) - each.start_ns) / _NS_PER_S


def _time_per_item_s(each: Round) -> float:
    return (each.stop_ns - _first_ns(each)) / _NS_PER_S / (_items(each) - 1)


def _items_per_second(each: Round) -> float:
    return _items(each) / each.wall_s


def _first_ns(each: Round) -> int:
    assert each.stream is not None
    assert each.stream.first_ns is not None
    return each.stream.first_ns


def _items(each: Round) -> int:
    assert each.stream is not None
    return each.stream.items
