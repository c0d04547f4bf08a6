from itertools import count, islice

import pytest

from pytest_pareto.measure.measurement import measure_call
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import LATENCY
from pytest_pareto.testing import ScriptedClock, ScriptedMeter


def _readings(meter: ScriptedMeter) -> tuple[float, ...]:
    _, (found,) = measure_call(lambda: 0, (), {}, meters=[meter])
    return found.values


def test_each_measured_case_gets_the_next_readings() -> None:
    meter = ScriptedMeter(LATENCY, [[1.0, 1.1], [2.0]])
    assert _readings(meter) == (1.0, 1.1)
    assert _readings(meter) == (2.0,)


def test_a_single_entry_is_for_every_case() -> None:
    meter = ScriptedMeter(LATENCY, [[1.0, 1.1]])
    assert [_readings(meter) for _ in range(3)] == [(1.0, 1.1)] * 3


def test_the_end_of_the_script_is_an_error() -> None:
    meter = ScriptedMeter(LATENCY, [[1.0], [2.0]])
    _readings(meter)
    _readings(meter)
    _, (found,) = measure_call(lambda: 0, (), {}, meters=[meter])
    assert found.absent == (
        "meter ScriptedMeter raised ParetoError: ScriptedMeter('latency') has readings for "
        "2 cases, and one more was measured"
    )


def test_the_function_is_called_once_however_it_is_scripted() -> None:
    called: list[int] = []
    measure_call(called.append, (1,), {}, meters=[ScriptedMeter(LATENCY, [[1.0]])])
    assert called == [1]


def test_an_absent_metric_is_scripted_too() -> None:
    meter = ScriptedMeter(LATENCY, absent="no GPU")
    _, (found,) = measure_call(lambda: 0, (), {}, meters=[meter])
    assert found.absent == "no GPU"


def test_a_meter_without_a_script_is_refused() -> None:
    with pytest.raises(ParetoError, match="needs readings or `absent`"):
        ScriptedMeter(LATENCY)


def test_the_clock_returns_its_ticks_and_then_raises() -> None:
    clock = ScriptedClock([5, 7])
    assert [clock(), clock()] == [5, 7]
    with pytest.raises(ParetoError, match="more often than its 2 ticks"):
        clock()


def test_ticks_may_be_endless() -> None:
    clock = ScriptedClock(count(step=1_000_000))
    assert list(islice(iter(clock, None), 3)) == [0, 1_000_000, 2_000_000]
    assert clock.readings == 3
