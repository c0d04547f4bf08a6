"""Latency: what the rounds of a window say, by the host's clock and by device events."""

from collections.abc import Sequence

from pytest_pareto.measure.device import NO_CUDA, CudaDevice, Device
from pytest_pareto.measure.loop import Round
from pytest_pareto.measure.meter import absent
from pytest_pareto.model.formatting import percent
from pytest_pareto.model.metric import EVENT_TIME, LATENCY
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
