"""The long window: latency, the host reference beside it, and energy around both.

Latency: what the rounds of a window say, by the host's clock and by device events.

The host reference: a little loop of our own that feels the host's mood as a call does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_pareto.measure.call import active_tracer
from pytest_pareto.measure.device import NO_CUDA, CudaDevice, Device, loaded_torch
from pytest_pareto.measure.loop import Round, empty_round_s, steady_rounds, warm_up
from pytest_pareto.measure.meter import Calls, absent
from pytest_pareto.measure.meters.energy import EnergyWindow
from pytest_pareto.measure.meters.throttling import Watch
from pytest_pareto.measure.nvml import NvmlError
from pytest_pareto.model.formatting import percent
from pytest_pareto.model.metric import DEVICE_TIME, ENERGY, EVENT_TIME, HOST_REFERENCE, LATENCY
from pytest_pareto.model.run import Measurement

_MOST_READINGS = 1000
_WORTH_TELLING = 0.02
_REPEAT = "repeat the work inside the measured function"


def latency_of(rounds: Sequence[Round], first_s: float | None, empty_s: float = 0.0) -> Measurement:
    """Return `latency` (s): the wall time of each round, with the first call's apart.

    ``empty_s`` is what a round takes whose call does nothing. It is in every reading, and
    told where it is a part worth telling: a change by 10 % then reads as less.
    """
    wall = [each.wall_s for each in rounds]
    notes = []
    if zeros := wall.count(0.0):
        notes.append(
            f"{zeros} of {len(wall)} readings are 0 s: the clock cannot resolve this call; "
            f"{_REPEAT}"
        )
    elif empty_s > _WORTH_TELLING * (typical_s := sorted(wall)[len(wall) // 2]):
        notes.append(
            f"about {empty_s * 1e6:.1f} µs of each reading ({percent(empty_s / typical_s)}) is the "
            f"measuring itself; {_REPEAT}"
        )
    return Measurement(LATENCY, thinned(wall), first=first_s, notes=tuple(notes))


def event_time_of(rounds: Sequence[Round], device: Device) -> Measurement:
    """Return `event_time` (s): from each call's launch to the end of its work on the device.

    Of the current stream only. It waits for a slow host as well, unlike `device_time`. It is
    absent where there is no CUDA device.
    """
    readings = [each.event_s for each in rounds if each.event_s is not None]
    if not readings:
        return absent((EVENT_TIME,), NO_CUDA)[0]
    notes: tuple[str, ...] = ()
    if isinstance(device, CudaDevice) and len(device.indexes) > 1:
        notes = (f"events of the current device only, of {len(device.indexes)} in use",)
    return Measurement(EVENT_TIME, thinned(readings), notes=notes)


def thinned(readings: Sequence[float]) -> tuple[float, ...]:
    """Return at most a thousand readings, evenly over the window: a report carries them all."""
    return tuple(readings[:: -(-len(readings) // _MOST_READINGS)])


_LAUNCHES = 300
_SHARE = 0.02
_BUSY = 0.9


class HostReference:
    """Times launches of a small kernel between the calls of a window.

    Where the host launches slowly, latency mostly tells how slowly. Measured on an H200, the
    log median of this loop followed that of two pipelines over 9 processes with r = 0.93 and
    0.97; a loop of module forwards did no better for twice the time, one of plain Python worse.
    """

    def __init__(self, device: Device, clock: Callable[[], int]) -> None:
        torch: Any = loaded_torch()
        self._device = device
        self._clock = clock
        self._operand = torch.zeros(8, device="cuda")
        self._launch()  # the first pays for loading the kernel
        self._expected_s = self._launch()
        self._spent_s = 0.0
        self._readings: list[float] = []

    def catch_up(self, elapsed_s: float) -> None:
        """Run the loop as often as its share of ``elapsed_s`` seconds still allows."""
        while self._spent_s + self._expected_s <= _SHARE * elapsed_s:
            self._expected_s = self._launch()
            self._spent_s += self._expected_s
            self._readings.append(self._expected_s)

    def measurement(self) -> Measurement:
        """Return a reading (s) of each time that the loop ran."""
        if not self._readings:
            reason = f"the window was too short to spend {percent(_SHARE)} of it on the reference"
            return Measurement(HOST_REFERENCE, absent=reason)
        return Measurement(HOST_REFERENCE, tuple(self._readings))

    def _launch(self) -> float:
        self._device.synchronize()
        start_ns = self._clock()
        for _ in range(_LAUNCHES):
            self._operand.add_(1)
        self._device.synchronize()
        return (self._clock() - start_ns) / 1e9


def unless_gpu_bound(measurements: Sequence[Measurement], gpus: int) -> tuple[Measurement, ...]:
    """Drop the reference of a call that does not wait for its host.

    Where its ``gpus`` work through nearly the whole call, latency does not follow the reference,
    and adjusting it by one would add noise.
    """
    found = {each.metric.name: each for each in measurements}
    names = (LATENCY.name, DEVICE_TIME.name, HOST_REFERENCE.name)
    latency, device_time, reference = (found.get(name) for name in names)
    if not (latency and device_time and reference):
        return tuple(measurements)
    if not (latency.values and device_time.values and reference.values):
        return tuple(measurements)
    from statistics import median  # 4 ms, which tests that measure nothing are spared

    latency_s = median(latency.values)
    busy = median(device_time.values) / gpus / latency_s if latency_s else 0.0
    if busy < _BUSY:
        return tuple(measurements)
    (dropped,) = absent(
        (reference.metric,), f"kernels fill {percent(busy)} of the call: the host is no bottleneck"
    )
    return tuple(dropped if each is reference else each for each in measurements)


_NOT_WANTED = "not asked for"
_OF_THE_HOST = (LATENCY, EVENT_TIME, HOST_REFERENCE)


@dataclass(frozen=True, slots=True)
class _Window:
    rounds: tuple[Round, ...]
    reference: Measurement
    energy: Measurement


class SteadyMeter:
    """`latency`, `event_time`, `host_reference` (s) and `energy` (J) of synchronised calls.

    One window serves them all, so that they tell of the same calls. Where energy is measured
    it lasts fifty steps of the counter, 5 s on an H200, however few calls the plan asks for;
    latency then has more readings, unless the test fixes their number. Times of the host are
    absent while a tracer slows it down, everything while heat slows the GPU down.
    """

    metrics = (LATENCY, EVENT_TIME, HOST_REFERENCE, ENERGY)

    def __init__(self, tracer: Callable[[], str | None] = active_tracer) -> None:
        self._tracer = tracer

    def absence(self) -> str | None:
        """Return None: each of the metrics has its own reasons."""
        return None

    def measure(self, calls: Calls) -> Sequence[Measurement]:
        """Call in the steady state, again where heat slowed a GPU down."""
        traced = self._tracer()
        with Watch(calls) as watch:
            no_energy = _no_energy(calls, watch)
            if traced is not None and no_energy is not None:
                return (*absent(_OF_THE_HOST, traced), *absent((ENERGY,), no_energy))
            if no_energy is not None:
                calls.leave_out(ENERGY)
            if traced is not None:
                calls.leave_out(*_OF_THE_HOST)
            warm_up(calls)
            window = watch.unslowed(lambda: _measure_window(calls, watch))
        if watch.slowed is not None:
            return absent(self.metrics, watch.slowed)
        if traced is not None:
            return (*absent(_OF_THE_HOST, traced), _noted(watch, window.energy))
        # The last ones: before the window the GPU rested, and it takes a while to be as before.
        rounds = window.rounds[-(calls.plan.rounds or 0) :]
        calls.rounds = rounds
        return (
            _noted(watch, latency_of(rounds, calls.first_s, empty_round_s(calls))),
            event_time_of(rounds, calls.device),
            window.reference,
            _noted(watch, window.energy),
        )


def _noted(watch: Watch, measurement: Measurement) -> Measurement:
    return measurement if measurement.absent else watch.noted(measurement)


def _measure_window(calls: Calls, watch: Watch) -> _Window:
    reference = _reference(calls)
    energy = _energy_window(calls, watch)
    if not isinstance(energy, EnergyWindow):
        calls.leave_out(ENERGY)

    def between(elapsed_s: float) -> None:
        if isinstance(reference, HostReference):
            reference.catch_up(elapsed_s)
        if isinstance(energy, EnergyWindow):
            energy.between_calls()

    at_least_s = energy.long_enough_s if isinstance(energy, EnergyWindow) else 0.0
    with watch.calling():
        rounds = steady_rounds(calls, at_least_s=at_least_s, between=between)
    return _Window(
        rounds,
        reference.measurement() if isinstance(reference, HostReference) else reference,
        _energy(energy, rounds) if isinstance(energy, EnergyWindow) else energy,
    )


def _reference(calls: Calls) -> HostReference | Measurement:
    if not isinstance(calls.device, CudaDevice):
        return absent((HOST_REFERENCE,), NO_CUDA)[0]
    if HOST_REFERENCE.name not in calls.wanted:
        return absent((HOST_REFERENCE,), _NOT_WANTED)[0]
    return HostReference(calls.device, calls.clock)


def _energy_window(calls: Calls, watch: Watch) -> EnergyWindow | Measurement:
    reason = _no_energy(calls, watch)
    if reason is not None:
        return absent((ENERGY,), reason)[0]
    try:
        return EnergyWindow(watch.boards, calls.clock)
    except NvmlError as error:
        return absent((ENERGY,), str(error))[0]


def _no_energy(calls: Calls, watch: Watch) -> str | None:
    return watch.blind if ENERGY.name in calls.wanted else _NOT_WANTED


def _energy(window: EnergyWindow, rounds: Sequence[Round]) -> Measurement:
    try:
        return window.measurement(rounds)
    except NvmlError as error:
        return absent((ENERGY,), str(error))[0]
