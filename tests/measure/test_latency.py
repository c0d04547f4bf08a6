from collections.abc import Callable
from typing import Any

import pytest

from pytest_pareto.measure.latency import LatencyMeter
from pytest_pareto.measure.meter import Calls
from pytest_pareto.model.metric import EVENT_TIME, LATENCY

CallsOf = Callable[..., Calls]


def _untraced() -> None:
    return None


@pytest.mark.usefixtures("without_torch")
def test_readings_are_the_rounds_and_the_first_call_stands_apart(
    clock: Any, calls_of: CallsOf
) -> None:
    durations = iter([9.0, 8.0, 0.1, 0.2, 0.3])
    calls = calls_of(lambda: clock.advance(next(durations)), warmup=2, rounds=3)
    calls.first_s = 30.0
    latency, event_time = LatencyMeter(_untraced).measure(calls)
    assert latency.metric is LATENCY
    assert latency.values == pytest.approx((0.1, 0.2, 0.3))
    assert latency.first == 30.0
    assert latency.notes == ()
    assert event_time.metric is EVENT_TIME
    assert event_time.absent == "no CUDA device was used"


@pytest.mark.usefixtures("without_torch")
def test_readings_of_zero_carry_a_note(clock: Any, calls_of: CallsOf) -> None:
    durations = iter([0.0, 0.1, 0.0, 0.1])
    calls = calls_of(lambda: clock.advance(next(durations)), warmup=0, rounds=4)
    latency, _ = LatencyMeter(_untraced).measure(calls)
    (note,) = latency.notes
    assert note.startswith("2 of 4 readings are 0 s: the clock cannot resolve this call")


def test_device_events_stand_beside(fake_torch: Any, clock: Any, calls_of: CallsOf) -> None:
    def function() -> None:
        fake_torch.cuda.launch(0.2)
        clock.advance(0.05)

    calls = calls_of(function, warmup=1, rounds=2)
    latency, event_time = LatencyMeter(_untraced).measure(calls)
    assert latency.values == pytest.approx((0.2, 0.2))
    assert event_time.values == pytest.approx((0.2, 0.2))
    assert event_time.first is None
    assert event_time.notes == ()


def test_events_of_one_device_among_several_say_so(
    fake_torch: Any, clock: Any, calls_of: CallsOf
) -> None:
    fake_torch.cuda.allocate(1, on=2)
    calls = calls_of(lambda: clock.advance(0.1), warmup=0, rounds=1)
    _, event_time = LatencyMeter(_untraced).measure(calls)
    assert event_time.notes == ("events of the current device only, of 2 in use",)


def test_a_tracer_takes_both_host_metrics_away() -> None:
    assert LatencyMeter(_untraced).absence() is None
    assert LatencyMeter(lambda: "a tracer is active").absence() == "a tracer is active"
