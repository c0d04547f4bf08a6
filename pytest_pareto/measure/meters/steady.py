"""The long window: latency, the host reference beside it, and energy around both."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pytest_pareto.measure.device import NO_CUDA, CudaDevice
from pytest_pareto.measure.loop import Round, empty_round_s, steady_rounds, warm_up
from pytest_pareto.measure.machine.nvml import NvmlError
from pytest_pareto.measure.meter import Calls, absent
from pytest_pareto.measure.meters.conditions import Watch
from pytest_pareto.measure.meters.energy import EnergyWindow
from pytest_pareto.measure.meters.latency import event_time_of, latency_of
from pytest_pareto.measure.meters.reference import HostReference
from pytest_pareto.measure.tracer import active_tracer
from pytest_pareto.model.metric import ENERGY, EVENT_TIME, HOST_REFERENCE, LATENCY
from pytest_pareto.model.run import Measurement

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
