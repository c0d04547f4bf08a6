import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

import pytest

from pytest_pareto.measure.measurement import built_in_meters, measure_call
from pytest_pareto.measure.meter import Calls, Meter
from pytest_pareto.measure.meters.latency import SteadyMeter
from pytest_pareto.measure.plan import LoopPlan
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import (
    BUILT_IN,
    COUNTED_WITHOUT_DATA,
    DEVICE_TIME,
    HOST_REFERENCE,
    LATENCY,
    PEAK_MEMORY,
    STREAMED,
)
from pytest_pareto.model.run import Measurement
from pytest_pareto.testing import ScriptedMeter

pytestmark = pytest.mark.usefixtures("without_torch")

PLAN = LoopPlan(rounds=3, warmup=2)


def _latency() -> SteadyMeter:
    return SteadyMeter(lambda: None)


def _measure(function: Callable[..., Any], *meters: Meter, **options: Any) -> Any:
    return measure_call(function, (), {}, meters=meters, plan=PLAN, **options)


class TestTheFirstCall:
    def test_its_result_itself_is_returned(self) -> None:
        results: list[object] = []

        def function(*args: int, **kwargs: int) -> object:
            assert (args, kwargs) == ((1,), {"a": 2})
            results.append(object())
            return results[-1]

        result, _ = measure_call(function, (1,), {"a": 2}, meters=[_latency()], plan=PLAN)
        assert result is results[0]
        assert len(results) == 1 + 2 + 3

    def test_its_time_is_kept_apart(self, clock: Any) -> None:
        durations = iter([7.0, 5.0, 5.0, 0.1, 0.2, 0.3])
        _, (latency, *_) = _measure(lambda: clock.advance(next(durations)), _latency(), clock=clock)
        assert latency.first == pytest.approx(7.0)
        assert latency.values == pytest.approx((0.1, 0.2, 0.3))

    def test_its_exception_is_the_tests_own(self) -> None:
        def function() -> None:
            raise ValueError("mine")

        with pytest.raises(ValueError, match="mine") as raised:
            _measure(function, _latency())
        assert not hasattr(raised.value, "__notes__")

    def test_it_waits_for_a_device_that_it_is_the_first_to_use(
        self, fake_torch: Any, clock: Any
    ) -> None:
        fake_torch.cuda.initialized = False

        def function() -> None:
            fake_torch.cuda.initialized = True
            fake_torch.cuda.launch(0.5)

        _, (latency, event_time, *_) = _measure(function, _latency(), clock=clock)
        assert latency.first == pytest.approx(0.5)
        assert event_time.values == pytest.approx((0.5,) * 3)

    def test_earlier_work_is_not_counted_as_its(self, fake_torch: Any, clock: Any) -> None:
        fake_torch.cuda.launch(3.0)  # left running by the test before
        _, (latency, *_) = _measure(lambda: fake_torch.cuda.launch(0.5), _latency(), clock=clock)
        assert latency.first == pytest.approx(0.5)

    def test_a_generator_is_refused_before_any_meter_runs(self) -> None:
        called = []

        def function() -> Iterator[int]:
            called.append(1)
            yield 1

        meter = ScriptedMeter(LATENCY, [[1.0]])
        with pytest.raises(ParetoError, match=r"function returned a generator.*pareto\.stream"):
            _measure(function, meter)
        assert called == []

    def test_a_coroutine_is_refused(self) -> None:
        async def function() -> None: ...

        with pytest.raises(ParetoError, match=r"await pareto\.ameasure"):
            _measure(function, _latency())


class TestStages:
    class Staged:
        def __init__(self, clock: Any) -> None:
            self.clock = clock
            self.calls = 0

        def __call__(self) -> None:
            self.calls += 1
            self.clock.advance(0.5)

        def stages(self) -> dict[str, float]:
            return {"encode": 0.1, "step": 0.01 * self.calls}

    def test_they_are_measured_in_the_steady_state(self, clock: Any) -> None:
        _, measured = _measure(self.Staged(clock), SteadyMeter(lambda: None), clock=clock)
        found = {each.metric.name: each for each in measured}
        assert found["encode_time"].values == (0.1, 0.1, 0.1)
        assert found["step_time"].values == pytest.approx((0.04, 0.05, 0.06))
        assert not found["step_time"].metric.gates

    def test_without_a_latency_they_are_absent(self, clock: Any) -> None:
        traced = SteadyMeter(lambda: "a tracer is active")
        _, measured = _measure(self.Staged(clock), traced, clock=clock)
        found = {each.metric.name: each.absent for each in measured}
        assert found["step_time"] == found["encode_time"] == "latency was not measured"

    def test_they_can_be_skipped(self, clock: Any) -> None:
        _, measured = _measure(
            self.Staged(clock),
            SteadyMeter(lambda: None),
            clock=clock,
            skip=frozenset({"step_time"}),
        )
        assert {"encode_time"} == {m.metric.name for m in measured} & {"encode_time", "step_time"}

    def test_other_functions_have_none(self, clock: Any) -> None:
        _, measured = _measure(lambda: clock.advance(0.5), SteadyMeter(lambda: None), clock=clock)
        assert not any(each.metric.name.endswith("_time") for each in measured if each.values)


class TestSetup:
    def test_it_makes_the_arguments_of_every_call_the_first_included(self) -> None:
        numbers, seen = count(), list[int]()

        def function(x: int, *, y: str) -> tuple[int, str]:
            seen.append(x)
            return x, y

        result, _ = _measure(function, _latency(), setup=lambda: ((next(numbers),), {"y": "y"}))
        assert result == (0, "y")
        assert seen == [0, 1, 2, 3, 4, 5]

    def test_it_is_not_timed(self, clock: Any) -> None:
        def setup() -> tuple[()]:
            clock.advance(9.0)
            return ()

        _, (latency, *_) = _measure(
            lambda: clock.advance(0.1), _latency(), setup=setup, clock=clock
        )
        assert latency.first == pytest.approx(0.1)
        assert latency.values == pytest.approx((0.1,) * 3)

    def test_beside_arguments_it_is_refused_before_any_call(self) -> None:
        called: list[int] = []
        with pytest.raises(ParetoError, match="setup makes the arguments"):
            measure_call(called.append, (1,), {}, meters=[], setup=lambda: (1,))
        assert called == []

    def test_a_wrong_form_is_the_users_mistake_and_no_absent_metric(self) -> None:
        forms = iter([(1,), (1,), [1]])
        with pytest.raises(ParetoError, match="setup returned a list"):
            _measure(lambda x: x, _latency(), setup=lambda: next(forms))


@pytest.mark.parametrize(
    ("at", "note"),
    [
        (2, "pytest-pareto: raised on call 2 (warm-up)"),
        (5, "pytest-pareto: raised on call 5 (steady state)"),
    ],
)
def test_a_later_call_raises_unchanged_with_a_note_and_restores(at: int, note: str) -> None:
    error = RuntimeError("out of memory")
    calls = count(1)

    def function() -> None:
        random.random()
        if next(calls) == at:
            raise error

    random.seed(0)
    random.random()
    expected = random.random()
    random.seed(0)
    with pytest.raises(RuntimeError, match="out of memory") as raised:
        _measure(function, _latency())
    assert raised.value is error
    assert error.__notes__ == [note]
    assert random.random() == expected


def test_metrics_are_those_of_the_meters_less_the_skipped() -> None:
    meters = [ScriptedMeter(LATENCY, [[1.0]]), ScriptedMeter(PEAK_MEMORY, absent="no CUDA")]
    _, found = _measure(lambda: 0, *meters)
    assert [m.metric.name for m in found] == ["latency", "peak_memory"]
    _, found = _measure(lambda: 0, *meters, skip=frozenset({"latency"}))
    assert [m.metric.name for m in found] == ["peak_memory"]


def test_without_energy_there_is_no_dynamic_energy() -> None:
    _, found = _measure(lambda: 0, _latency(), skip=frozenset({"energy"}))
    assert [m.metric.name for m in found] == ["latency", "event_time", "host_reference"]
    _, found = _measure(lambda: 0, _latency(), skip=frozenset({"latency"}))
    assert [m.metric.name for m in found][-2:] == ["energy", "dynamic_energy"]


def test_the_built_in_meters_measure_the_built_in_metrics() -> None:
    names = [metric.name for meter in built_in_meters() for metric in meter.metrics]
    # What is counted without data is counted by no meter.
    assert names == [name for name in BUILT_IN if name not in COUNTED_WITHOUT_DATA]


def test_every_built_in_metric_is_measured_or_absent_with_its_reason() -> None:
    _, found = _measure(lambda: sum(range(100)), *built_in_meters())
    # Metrics of streams are not even absent for other functions.
    assert {each.metric.name for each in found} == set(BUILT_IN) - STREAMED - COUNTED_WITHOUT_DATA
    on_the_processor = {"latency", "python_calls", "c_calls"}
    for measurement in found:
        assert (measurement.absent is None) == (measurement.metric.name in on_the_processor)


def test_a_call_that_fills_the_gpu_loses_its_reference() -> None:
    def measured(device_s: float) -> str | None:
        meters = [
            ScriptedMeter(metric, [[seconds]])
            for metric, seconds in (
                (LATENCY, 1.0),
                (HOST_REFERENCE, 0.002),
                (DEVICE_TIME, device_s),
            )
        ]
        _, (_, reference, _) = _measure(lambda: 0, *meters)
        absent: str | None = reference.absent
        return absent

    assert measured(0.5) is None
    assert "the host is no bottleneck" in (measured(0.95) or "")


def test_meters_know_the_case_and_the_wanted_metrics() -> None:
    reported: list[tuple[str, frozenset[str]]] = []

    class RecordingMeter(ScriptedMeter):
        def measure(self, calls: Calls) -> Sequence[Measurement]:
            reported.append((calls.case_id, calls.wanted))
            return super().measure(calls)

    meters = [RecordingMeter(LATENCY, [[1.0]]), RecordingMeter(PEAK_MEMORY, [[1.0]])]
    _measure(lambda: 0, *meters, case_id="test_a.py::test_b", skip=frozenset({"peak_memory"}))
    assert reported == [("test_a.py::test_b", frozenset({"latency"}))]


def test_measuring_imports_no_device_library() -> None:
    code = (
        "import sys, pytest_pareto.measure.measurement as m\n"
        "import pytest_pareto.measure.machine as e\n"
        "m.measure_call(lambda: 0, (), {}, meters=m.built_in_meters(),"
        " plan=m.LoopPlan(rounds=1, warmup=0))\n"
        "e.probe_environment()\n"
        "print(sorted({'torch', 'numpy', 'scipy', 'pynvml', 'pytest'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
