"""Latency: synchronised calls by the host's monotonic clock, with device events beside."""

from collections.abc import Callable, Sequence

from pytest_pareto.measure.device import CudaDevice
from pytest_pareto.measure.loop import Round, steady_rounds
from pytest_pareto.measure.meter import Calls, absent
from pytest_pareto.measure.tracer import active_tracer
from pytest_pareto.model.metric import EVENT_TIME, LATENCY
from pytest_pareto.model.run import Measurement


class LatencyMeter:
    """`latency` (s) by the host's clock and `event_time` (s) by device events.

    Both are of the same calls. `event_time` runs from the call's launch to the end of its
    work in the current stream, so it too waits for a slow host; it is absent where there
    is no CUDA device. Both are absent while a tracer slows the host down.
    """

    metrics = (LATENCY, EVENT_TIME)

    def __init__(self, tracer: Callable[[], str | None] = active_tracer) -> None:
        self._tracer = tracer

    def absence(self) -> str | None:
        """Name the tracer, debugger or profiler that is active, if one is."""
        return self._tracer()

    def measure(self, calls: Calls) -> Sequence[Measurement]:
        """Call in the steady state and return a reading of each round."""
        rounds = steady_rounds(calls)
        wall = tuple(each.wall_s for each in rounds)
        latency = Measurement(LATENCY, wall, first=calls.first_s, notes=_zero_readings(wall))
        return (latency, *_event_time(rounds, calls))


def _zero_readings(wall: Sequence[float]) -> tuple[str, ...]:
    zeros = sum(reading == 0 for reading in wall)
    if not zeros:
        return ()
    note = (
        f"{zeros} of {len(wall)} readings are 0 s: the clock cannot resolve this call; "
        "repeat the work inside the measured function"
    )
    return (note,)


def _event_time(rounds: Sequence[Round], calls: Calls) -> tuple[Measurement, ...]:
    readings = tuple(each.event_s for each in rounds if each.event_s is not None)
    if not readings:
        return absent((EVENT_TIME,), "no CUDA device was used")
    notes: tuple[str, ...] = ()
    if isinstance(calls.device, CudaDevice) and len(calls.device.indexes) > 1:
        notes = (f"events of the current device only, of {len(calls.device.indexes)} in use",)
    return (Measurement(EVENT_TIME, readings, notes=notes),)
