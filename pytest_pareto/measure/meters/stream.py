"""Stream metrics: time to first item, time per item, items per second, number of items."""

from collections.abc import Callable, Sequence

from pytest_pareto.measure.call import active_tracer
from pytest_pareto.measure.loop import Round
from pytest_pareto.measure.meter import Calls, absent
from pytest_pareto.measure.meters.latency import SteadyMeter, thin
from pytest_pareto.measure.streams import Stream
from pytest_pareto.model.metric import (
    ITEMS,
    ITEMS_PER_SECOND,
    TIME_PER_ITEM,
    TIME_TO_FIRST_ITEM,
    Metric,
)
from pytest_pareto.model.run import Measurement

_NS_PER_S = 1_000_000_000


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
