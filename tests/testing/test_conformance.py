"""`check_meter` passes correct meters, and names the problems of broken ones."""

import gc
import random
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from unittest import SkipTest

import pytest

from pytest_pareto.measure.meter import Calls, Meter, absent
from pytest_pareto.measure.meters.latency import SteadyMeter
from pytest_pareto.measure.meters.memory import MemoryMeter
from pytest_pareto.measure.work.flops import WorkMeter
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Better, Kind, Metric, Scope
from pytest_pareto.model.run import Measurement
from pytest_pareto.testing import BrokenMeter, CheckedMeter, ScriptedMeter, check_meter

if TYPE_CHECKING:
    from tests.testing.conftest import Bench


def cost(name: str, unit: str, kind: Kind = Kind.RUN) -> Metric:
    return Metric(name, unit, Better.LOWER, kind, Scope.HOST, 0.05, relative=True)


TIME, ENERGY = cost("own_time", "s"), cost("own_energy", "J")
BYTES, STEPS = cost("own_bytes", "B", Kind.EXACT), cost("own_steps", "count", Kind.EXACT)
WATTS = 300.0

Reading = Callable[[float], float]


class TimingMeter:
    """A meter of one metric, which returns ``reading`` of the seconds of a call."""

    def __init__(self, metric: Metric = TIME, reading: Reading = float) -> None:
        self.metrics: tuple[Metric, ...] = (metric,)
        self.reading = reading

    def absence(self) -> str | None:
        return None

    def measure(self, calls: Calls) -> Sequence[Measurement]:
        (metric,) = self.metrics
        return [Measurement(metric, (self.reading(self.seconds(calls)),))]

    def seconds(self, calls: Calls) -> float:
        call = calls.prepare()
        start_ns = calls.clock()
        call()
        return (calls.clock() - start_ns) / 1e9


class CpuTimeMeter:
    """The minimal meter in the documentation of `Meter`."""

    metrics = (TIME,)

    def absence(self) -> None:
        return None

    def measure(self, calls: Calls) -> Sequence[Measurement]:
        call = calls.prepare()
        start = time.process_time()
        call()
        return [Measurement(TIME, (time.process_time() - start,))]


def checked(meter: Meter, bench: "Bench", **options: Any) -> CheckedMeter:
    return check_meter(meter, **{"work": bench.work, "clock": bench.clock} | options)


def problem(meter: Any, bench: "Bench", **options: Any) -> str:
    """Return the only problem of a meter."""
    with pytest.raises(BrokenMeter) as raised:
        checked(meter, bench, **options)
    (only,) = raised.value.problems
    assert f"- {only}" in str(raised.value)
    assert f"meter {type(meter).__name__} cannot be trusted" in str(raised.value)
    return only


class TestAMeterThatIsRight:
    @pytest.mark.parametrize(
        ("metric", "reading", "of_one_unit"),
        [
            (TIME, float, 0.02),
            (TIME, lambda s: 2.5 * s, 0.05),  # work that overlaps, as streams do
            (TIME, lambda s: 0.02 * s, 0.0004),  # a device that mostly waits for its host
            (ENERGY, lambda s: s * WATTS, 6.0),
            (ENERGY, lambda s: s * 0.5, 0.01),  # a small core
            (BYTES, lambda s: round(s * 1e3) * 4096.0, 20 * 4096.0),
            (STEPS, lambda s: float(round(s * 1e3)), 20.0),
            (cost("score", ""), lambda s: 0.0, 0.0),  # a bare score may be anything
            (Metric("rate", "count", Better.HIGHER, Kind.RUN, Scope.HOST, 0.1, relative=True),
             lambda s: 7.0, 7.0),  # not a cost
        ],
    )  # fmt: skip
    def test_it_passes_and_its_readings_are_returned(
        self, bench: "Bench", metric: Metric, reading: Reading, of_one_unit: float
    ) -> None:
        found = checked(TimingMeter(metric, reading), bench)
        assert found.readings == {metric.name: pytest.approx(of_one_unit, rel=0.01)}
        assert found.absent == {}

    def test_the_example_in_the_documentation_passes_on_real_work(self) -> None:
        found = check_meter(CpuTimeMeter(), passes=1)
        assert found.readings["own_time"] == pytest.approx(0.02, rel=0.5)

    def test_our_own_of_the_steady_state_passes(self, bench: "Bench") -> None:
        found = checked(SteadyMeter(tracer=lambda: None), bench)
        assert found.readings == {"latency": pytest.approx(0.02, rel=0.01)}
        assert found.absent["event_time"] == "no CUDA device was used"
        assert found.absent.keys() == {"event_time", "host_reference", "energy", "dynamic_energy"}

    def test_our_own_counter_of_flops_passes(self) -> None:
        torch: Any = pytest.importorskip("torch")
        a = torch.ones(8, 8)

        def work(units: int) -> Callable[[], None]:
            return lambda: deque((torch.mm(a, a) for _ in range(units)), maxlen=0).clear()

        exactly = {"flops": (2.0 * 8**3, 2.0 * 8**3)}
        found = check_meter(WorkMeter(), work=work, unseen=lambda: sum([1]), expected=exactly)
        assert found.readings == {"flops": 2.0 * 8**3}

    def test_passes_sets_how_often_the_work_is_measured(self, bench: "Bench") -> None:
        checked(TimingMeter(), bench, passes=2)
        # Each pass has a first call in addition to that of the meter.
        assert bench.done_units == 2 * (2 * 1 + 2 * 4)


class TestAMeterThatIsAbsent:
    def test_it_is_no_pass(self) -> None:
        with pytest.raises(SkipTest, match=r"meter MemoryMeter was not .* no CUDA"):
            check_meter(MemoryMeter(), work=lambda units: int)

    def test_pytest_shows_it_as_skipped(self, pytester: pytest.Pytester) -> None:
        pytester.makepyfile(
            """
            from pytest_pareto.measure.meters.memory import MemoryMeter
            from pytest_pareto.testing import check_meter

            def test_it():
                check_meter(MemoryMeter(), work=lambda units: int)
            """
        )
        result = pytester.runpytest_inprocess("-rs", "-p", "no:cacheprovider", "-p", "no:cov")
        result.assert_outcomes(skipped=1)
        result.stdout.fnmatch_lines(["SKIPPED*absent here: no CUDA device was used; *"])

    def test_where_it_must_measure_it_fails(self, bench: "Bench") -> None:
        meter = ScriptedMeter(TIME, absent="no permission")
        assert problem(meter, bench, must_measure=True) == "'own_time' is absent: no permission"

    def test_what_is_absent_in_some_passes_is_not_checked(self, bench: "Bench") -> None:
        class SometimesAbsent(TimingMeter):
            def measure(self, calls: Calls) -> Sequence[Measurement]:
                seconds = self.seconds(calls)
                if seconds > 0.05:
                    return absent(self.metrics, "events were dropped")
                return [Measurement(TIME, (seconds,))]

        with pytest.raises(SkipTest, match="events were dropped"):
            checked(SometimesAbsent(), bench)

    def test_what_is_skipped_is_not_checked(self, bench: "Bench") -> None:
        class Two(TimingMeter):
            def measure(self, calls: Calls) -> Sequence[Measurement]:
                assert calls.wanted == {"own_time"}
                return [Measurement(TIME, (self.seconds(calls),)), Measurement(STEPS, (0.0,))]

        meter = Two()
        meter.metrics = (TIME, STEPS)
        assert checked(meter, bench, skip=["own_steps"]).readings.keys() == {"own_time"}


class TestAUnitThatIsWrong:
    @pytest.mark.parametrize("factor", [1e3, 1e6, 1e9])
    def test_fractions_of_a_second(self, bench: "Bench", factor: float) -> None:
        text = problem(TimingMeter(TIME, lambda s: s * factor), bench)
        assert "is it in ms, µs or ns? Readings are in seconds" in text
        assert f"'own_time' reads {0.020003 * factor:g} s for a call of 0.02 s" in text

    def test_thousands_of_seconds(self, bench: "Bench") -> None:
        assert "is it in minutes" in problem(TimingMeter(TIME, lambda s: s / 1e3), bench)

    def test_minutes_are_seen_where_the_work_is_known(self) -> None:
        class Minutes(CpuTimeMeter):
            def measure(self, calls: Calls) -> list[Measurement]:
                (found,) = super().measure(calls)
                return [Measurement(TIME, (found.values[0] / 60,))]

        with pytest.raises(BrokenMeter, match="is it in minutes"):
            check_meter(Minutes(), passes=1)

    @pytest.mark.parametrize(("factor", "unit"), [(1e3, "mJ"), (1e-3 / 3.6, "kJ or Wh")])
    def test_other_units_of_energy(self, bench: "Bench", factor: float, unit: str) -> None:
        text = problem(TimingMeter(ENERGY, lambda s: s * WATTS * factor), bench)
        assert f"is it in {unit}" in text

    def test_a_unit_that_is_not_si(self, bench: "Bench") -> None:
        text = problem(TimingMeter(cost("own_time", "ms")), bench)
        assert text.startswith("'own_time' is in 'ms'; units are SI: s, J, B, count")

    @pytest.mark.parametrize("metric", [cost("own_bytes", "B"), cost("own_steps", "count")])
    def test_parts_of_a_whole(self, bench: "Bench", metric: Metric) -> None:
        assert "are whole numbers" in problem(TimingMeter(metric, lambda s: s * 1e2), bench)

    def test_an_expected_range_is_closer(self, bench: "Bench") -> None:
        meter = TimingMeter(TIME, lambda s: 2 * s)
        checked(meter, bench)
        text = problem(meter, bench, expected={"own_time": (0.019, 0.021)})
        assert text.startswith("'own_time' reads 0.040006 s for one unit of work, outside")

    def test_an_expected_range_takes_the_place_of_the_guess(self, bench: "Bench") -> None:
        meter = TimingMeter(TIME, lambda s: 50 * s)
        checked(meter, bench, expected={"own_time": (0.9, 1.1)})


class TestAMeterThatIsNotMonotonic:
    @pytest.mark.parametrize("metric", [TIME, ENERGY])
    def test_a_cost_that_does_not_grow_with_the_work(self, bench: "Bench", metric: Metric) -> None:
        text = problem(TimingMeter(metric, lambda s: 0.02), bench)
        assert "0.02" in text
        assert "for 1 unit of work" in text
        assert "a cost must grow with the work" in text

    def test_one_that_hardly_grows(self, bench: "Bench") -> None:
        text = problem(TimingMeter(TIME, lambda s: 0.02 + 0.1 * s), bench)
        assert "'own_time' reads 0.0220003 s for 1 unit of work, 0.0280003 for 4" in text

    def test_an_exact_one_that_falls(self, bench: "Bench") -> None:
        meter = TimingMeter(STEPS, lambda s: 100.0 - round(s * 1e3))
        assert "more work cannot cost less" in problem(meter, bench)

    def test_an_exact_one_may_stay(self, bench: "Bench") -> None:
        assert checked(TimingMeter(BYTES, lambda s: 4096.0), bench).readings == {"own_bytes": 4096}

    def test_an_exact_one_that_does_not_repeat(self, bench: "Bench") -> None:
        drift = iter(range(100, 200, 10))
        meter = TimingMeter(STEPS, lambda s: float(next(drift)))
        assert "exact, but read 100, 120, 140 for the same work" in problem(meter, bench)


class TestZeroWhereUnknown:
    def test_zero_for_the_work(self, bench: "Bench") -> None:
        text = problem(TimingMeter(STEPS, lambda s: 0.0), bench)
        assert text.startswith("'own_steps' reads 0 count for the work")
        assert "absent with a reason, never 0" in text

    def test_zero_for_what_it_cannot_see(self, bench: "Bench") -> None:
        meter = TimingMeter(BYTES, lambda s: 4096.0 if s > 0.01 else 0.0)
        checked(meter, bench)  # a call that does nothing may use 0 bytes
        text = problem(meter, bench, unseen=int)
        assert text.startswith("'own_bytes' reads 0 B for work that it cannot see")

    def test_a_figure_for_what_it_cannot_see(self, bench: "Bench") -> None:
        idle = TimingMeter(ENERGY, lambda s: max(s, 0.02) * WATTS)
        assert "'own_energy' reads 6 J for work that it" in problem(idle, bench, unseen=int)

    @pytest.mark.parametrize("metric", [TIME, ENERGY])
    def test_zero_for_nothing(self, bench: "Bench", metric: Metric) -> None:
        meter = TimingMeter(metric, lambda s: s if s > 0.01 else 0.0)
        assert "for a call that does nothing; what is too small" in problem(meter, bench)

    def test_absent_is_the_right_answer(self, bench: "Bench") -> None:
        class Seeing(TimingMeter):
            def measure(self, calls: Calls) -> Sequence[Measurement]:
                seconds = self.seconds(calls)
                if seconds < 0.01:
                    return absent(self.metrics, "the call launched nothing")
                return [Measurement(TIME, (seconds,))]

        checked(Seeing(), bench)
        checked(Seeing(), bench, unseen=int)


class MeasuringTwice(TimingMeter):
    def measure(self, calls: Calls) -> Sequence[Measurement]:
        return [*super().measure(calls), *super().measure(calls)]


class MeasuringUndeclared(TimingMeter):
    def measure(self, calls: Calls) -> Sequence[Measurement]:
        return [*super().measure(calls), Measurement(STEPS, (1.0,))]


class Redefined(TimingMeter):
    def measure(self, calls: Calls) -> Sequence[Measurement]:
        return [Measurement(cost("own_time", "J"), (self.seconds(calls),))]


class MeasuringNothing(TimingMeter):
    def measure(self, calls: Calls) -> Sequence[Measurement]:
        self.seconds(calls)
        return []


class ReturningNumber(TimingMeter):
    def measure(self, calls: Calls) -> Any:
        return self.seconds(calls)


class Failing(TimingMeter):
    def measure(self, calls: Calls) -> Sequence[Measurement]:
        raise OSError("no device\nand more")


class Nan(TimingMeter):
    def measure(self, calls: Calls) -> Sequence[Measurement]:
        return [Measurement(TIME, (self.seconds(calls) * float("nan"),))]


class WorkingOnce(TimingMeter):
    def measure(self, calls: Calls) -> Sequence[Measurement]:
        found = super().measure(calls)
        self.reading = None  # type: ignore[assignment]  # what is tested
        return found


class Swallowing(TimingMeter):
    def measure(self, calls: Calls) -> Sequence[Measurement]:
        with suppress(Exception):
            return super().measure(calls)
        return absent(self.metrics, "it did not work")


class BypassingPrepare(TimingMeter):
    def measure(self, calls: Calls) -> Sequence[Measurement]:
        calls._function()
        return super().measure(calls)


class CallingTwice(TimingMeter):
    def measure(self, calls: Calls) -> Sequence[Measurement]:
        call = calls.prepare()
        call()
        call()
        return super().measure(calls)


class PreparingAhead(TimingMeter):
    def measure(self, calls: Calls) -> Sequence[Measurement]:
        first, second = calls.prepare(), calls.prepare()
        first()
        second()
        return super().measure(calls)


class EmptyReason(TimingMeter):
    def absence(self) -> str:
        return ""


class RaisingAbsence(TimingMeter):
    def absence(self) -> str | None:
        raise OSError("no library")


class InconsistentAbsence(TimingMeter):
    calls = 0

    def absence(self) -> str | None:
        self.calls += 1
        return None if self.calls % 2 else "asked already"


class TestTheProtocol:
    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: CpuTimeMeter, "this is a class; give a meter made of it"),
            (object, "it has no method 'absence'"),
            (MeasuringTwice, "'own_time' is measured more than once"),
            (MeasuringUndeclared, "'own_steps' is measured, and not declared in metrics"),
            (Redefined, "'own_time' is declared as Metric.*unit='s'.*measured as .*unit='J'"),
            (MeasuringNothing, "'own_time' is declared, and not measured"),
            (ReturningNumber, "measure returned 0.02.*; it returns a sequence of Measurement"),
            (Failing, "measure raised OSError: no device$"),
            (Nan, "measure raised ParetoError: 'own_time' is nan at reading 0"),
            (WorkingOnce, "measure raised TypeError"),
            (Swallowing, "swallows what the measured function raises"),
            (BypassingPrepare, r"calls the function itself: use calls.prepare\(\)"),
            (CallingTwice, "makes a prepared call twice"),
            (PreparingAhead, "prepares a call before it made the one prepared earlier"),
            (lambda: ScriptedMeter(STEPS, [[2.0]]), "never calls the function"),
            (EmptyReason, "absence.. returned ''; it returns a reason in words, or None"),
            (RaisingAbsence, "absence.. raised OSError: no library"),
            (InconsistentAbsence, "absence.. returned None, and asked again 'asked already'"),
        ],
    )
    def test_what_breaks_it_is_named(
        self, bench: "Bench", make: Callable[[], Any], message: str
    ) -> None:
        with pytest.raises(BrokenMeter, match=rf"(?m)^- {message}"):
            checked(make(), bench)

    @pytest.mark.parametrize(
        ("metrics", "message"),
        [
            ([TIME], r"metrics is \[Metric.*it is a tuple of Metric"),
            ((), "metrics is empty"),
            (("own_time",), "it is a tuple of Metric"),
            ((TIME, TIME), "'own_time' is declared more than once"),
        ],
    )
    def test_a_declaration_that_cannot_be_used(
        self, bench: "Bench", metrics: Any, message: str
    ) -> None:
        meter = TimingMeter()
        meter.metrics = metrics
        with pytest.raises(BrokenMeter, match=message):
            checked(meter, bench)

    def test_all_problems_are_reported_together(self, bench: "Bench") -> None:
        meter = MeasuringUndeclared(TIME, lambda s: 20.0)
        with pytest.raises(BrokenMeter) as raised:
            checked(meter, bench)
        assert [text.split()[1] for text in raised.value.problems] == ["is", "reads", "reads"]

    def test_what_the_work_itself_raises_is_the_callers(self, bench: "Bench") -> None:
        calls = iter([False, True])

        def work() -> None:
            if next(calls):
                raise KeyError("weights")

        with pytest.raises(KeyError, match="weights"):
            checked(TimingMeter(), bench, work=lambda units: work)

    @pytest.mark.parametrize(
        "options", [{"expected": {"latency": (0.0, 1.0)}}, {"skip": ["latency"]}]
    )
    def test_an_option_for_a_metric_that_is_not_there(
        self, bench: "Bench", options: dict[str, Any]
    ) -> None:
        with pytest.raises(ParetoError, match="does not have 'latency'; it has own_time"):
            checked(TimingMeter(), bench, **options)

    def test_no_passes_are_no_test(self, bench: "Bench") -> None:
        with pytest.raises(ParetoError, match="passes must be 1 or more"):
            checked(TimingMeter(), bench, passes=0)


class LeavingMeter(TimingMeter):
    """A meter that changes the state of the process, and may restore it."""

    def __init__(self, change: Callable[[], None], undo: Callable[[], None]) -> None:
        super().__init__()
        self._change = change
        self._undo = undo

    def measure(self, calls: Calls) -> Sequence[Measurement]:
        self._change()
        found = super().measure(calls)
        self._undo()
        return found


def _profile() -> None:
    sys.setprofile(lambda *_: None)


class TestWhatIsLeftBehind:
    @pytest.mark.parametrize(
        ("change", "undo", "message"),
        [
            (_profile, lambda: sys.setprofile(None), "leaves a profiler behind"),
            (gc.disable, gc.enable, "leaves garbage collection changed"),
        ],
    )
    def test_it_is_seen_also_where_only_the_call_that_raises_leaves_it(
        self,
        bench: "Bench",
        change: Callable[[], None],
        undo: Callable[[], None],
        message: str,
    ) -> None:
        try:
            for kept in (lambda: None, undo):
                assert problem(LeavingMeter(change, kept), bench).startswith(message)
                undo()
        finally:
            undo()

    def test_a_tracer(self, bench: "Bench") -> None:
        before = sys.gettrace()
        meter = LeavingMeter(lambda: sys.settrace(lambda *_: None), lambda: None)
        try:
            assert "leaves a tracer behind" in problem(meter, bench)
        finally:
            sys.settrace(before)

    def test_a_thread(self, bench: "Bench") -> None:
        done = threading.Event()
        threads: list[threading.Thread] = []

        def poll() -> None:
            threads.append(threading.Thread(target=done.wait, name="poll-power"))
            threads[-1].start()

        try:
            text = problem(LeavingMeter(poll, lambda: None), bench)
        finally:
            done.set()
            for thread in threads:
                thread.join()
        assert text.startswith("leaves the thread 'poll-power' running")

    def test_the_random_state(self, bench: "Bench") -> None:
        state = random.getstate()
        try:
            text = problem(LeavingMeter(lambda: random.seed(0), lambda: None), bench)
        finally:
            random.setstate(state)
        assert text.startswith("changes Python's global random state")

    def test_a_meter_may_undo_what_it_does(self, bench: "Bench") -> None:
        class Careful(TimingMeter):
            def measure(self, calls: Calls) -> Sequence[Measurement]:
                gc.disable()
                try:
                    return super().measure(calls)
                finally:
                    gc.enable()

        checked(Careful(), bench)
