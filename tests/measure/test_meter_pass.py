from collections.abc import Callable, Sequence
from typing import Any

import pytest

from pytest_pareto.measure.meter import Calls, Meter, meter_pass
from pytest_pareto.model.metric import FLOPS, LATENCY, PEAK_MEMORY, Metric
from pytest_pareto.model.run import Measurement
from pytest_pareto.testing import ScriptedMeter

pytestmark = pytest.mark.usefixtures("without_torch")


class FunctionMeter:
    """A meter of one metric whose `measure` is a given function."""

    def __init__(
        self,
        measure: Callable[[Calls], Sequence[Measurement]],
        *,
        metrics: tuple[Metric, ...] = (FLOPS,),
    ) -> None:
        self.metrics = metrics
        self._measure = measure

    def absence(self) -> None:
        return None

    def measure(self, calls: Calls) -> Sequence[Measurement]:
        return self._measure(calls)


def _pass(
    meter: Meter, function: Callable[[], Any] = int, skip: frozenset[str] = frozenset()
) -> tuple[Measurement, ...]:
    calls = Calls(function, lambda: ((), {}), clock=int)
    return meter_pass(meter, calls, skip)


def _measured(calls: Calls) -> list[Measurement]:
    return [Measurement(FLOPS, (float(bool(calls.prepare()())),))]


def _wrapping(calls: Calls) -> list[Measurement]:
    try:
        calls.prepare()()
    except ZeroDivisionError as error:
        raise RuntimeError("meter failed") from error
    return []


def _failing_cleanup(calls: Calls) -> list[Measurement]:
    try:
        calls.prepare()()
    finally:
        raise RuntimeError("meter failed in cleaning up")


def _catching(calls: Calls) -> list[Measurement]:
    try:
        calls.prepare()()
    except ZeroDivisionError:
        return [Measurement(FLOPS, absent="the instrument broke the call")]
    return []


def _broken(calls: Calls) -> list[Measurement]:
    calls.prepare()()
    raise OSError("no permission\nand more")


class TestAnExceptionOfTheFunction:
    @pytest.mark.parametrize("measure", [_measured, _wrapping, _failing_cleanup])
    def test_it_is_raised_as_it_was_whatever_the_meter_made_of_it(
        self, measure: Callable[[Calls], list[Measurement]]
    ) -> None:
        error = ZeroDivisionError("mine")

        def function() -> None:
            raise error

        with pytest.raises(ZeroDivisionError, match="mine") as raised:
            _pass(FunctionMeter(measure), function)
        assert raised.value is error
        assert error.__cause__ is None
        assert error.__context__ is None

    def test_its_note_names_the_metrics_in_measuring(self) -> None:
        calls = Calls(lambda: 1 / 0, lambda: ((), {}), clock=int)
        calls.count = 6
        with pytest.raises(ZeroDivisionError) as raised:
            meter_pass(FunctionMeter(_measured), calls, frozenset())
        assert raised.value.__notes__ == ["pytest-pareto: raised on call 7 (measuring flops)"]

    def test_what_is_no_exception_passes_too(self) -> None:
        def function() -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            _pass(FunctionMeter(_measured), function)

    def test_a_meter_may_catch_what_its_instrument_broke(self) -> None:
        (flops,) = _pass(FunctionMeter(_catching), lambda: 1 / 0)
        assert flops.absent == "the instrument broke the call"

    def test_an_exception_that_one_meter_caught_is_reset_for_the_next(self) -> None:
        raises = iter([True, False])
        calls = Calls(lambda: 1 / 0 if next(raises) else 0, lambda: ((), {}), clock=int)
        meter_pass(FunctionMeter(_catching), calls, frozenset())
        (flops,) = meter_pass(FunctionMeter(_broken), calls, frozenset())
        assert flops.absent == "meter FunctionMeter raised OSError: no permission"


class TestAMeter:
    def test_one_that_raises_makes_its_metrics_absent(self) -> None:
        found = _pass(FunctionMeter(_broken, metrics=(FLOPS, PEAK_MEMORY)))
        assert [m.metric.name for m in found] == ["flops", "peak_memory"]
        assert {m.absent for m in found} == {"meter FunctionMeter raised OSError: no permission"}

    def test_so_does_one_whose_absence_raises(self) -> None:
        class Unsure(FunctionMeter):
            def absence(self) -> None:
                raise OSError("no library")

        (flops,) = _pass(Unsure(_measured))
        assert flops.absent == "meter Unsure raised OSError: no library"

    def test_an_absent_meter_does_not_measure(self) -> None:
        (flops,) = _pass(ScriptedMeter(FLOPS, absent="no torch"))
        assert flops.absent == "no torch"

    @pytest.mark.parametrize(
        ("found", "reason"),
        [
            ([], "meter FunctionMeter did not measure it"),
            (
                [Measurement(PEAK_MEMORY, (1.0,))],
                "meter FunctionMeter measured 'peak_memory', which it does not declare",
            ),
            (
                [Measurement(FLOPS, (1.0,))] * 2,
                "meter FunctionMeter measured 'flops' more than once",
            ),
        ],
    )
    def test_a_wrong_result_names_the_meter(self, found: list[Measurement], reason: str) -> None:
        (flops,) = _pass(FunctionMeter(lambda _: found))
        assert flops.metric is FLOPS
        assert flops.absent == reason

    def test_a_reading_that_is_no_number_is_absent(self) -> None:
        (latency,) = _pass(ScriptedMeter(LATENCY, [[float("nan")]]))
        assert latency.absent is not None
        assert "ParetoError: 'latency' is nan at reading 0" in latency.absent


class TestSkip:
    def test_a_meter_with_nothing_left_to_measure_does_not_run(self) -> None:
        called: list[int] = []
        meter = FunctionMeter(_measured)
        assert _pass(meter, lambda: called.append(1), skip=frozenset({"flops"})) == ()
        assert called == []
        _pass(meter, lambda: called.append(1))
        assert called == [1]

    def test_a_skipped_metric_is_left_out_of_its_meters(self) -> None:
        both = [Measurement(FLOPS, (1.0,)), Measurement(PEAK_MEMORY, (2.0,))]
        meter = FunctionMeter(lambda _: both, metrics=(FLOPS, PEAK_MEMORY))
        assert _pass(meter, skip=frozenset({"flops"})) == (both[1],)
