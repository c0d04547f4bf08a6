import itertools
from collections.abc import Callable
from statistics import mean
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pareto.measure.meter import Calls, meter_pass
from pytest_pareto.measure.meters.device_time import DeviceTimeMeter
from pytest_pareto.model.run import Measurement

if TYPE_CHECKING:
    from tests.measure.chrome_trace import ChromeTrace
    from tests.measure.conftest import FakeCuda
    from tests.measure.scripted_nvml import ScriptedNvml

CallsOf = Callable[..., Calls]
NAMES = ["device_time", "kernels", "host_copies", "host_waits", "launches", "allocations"]


class ScriptedProfiler:
    """Traces the synchronisations of a `FakeCuda`, and the kernels that a test adds.

    It makes ``own_waits`` at its end. Launches for whose number ``loses`` returns true leave no
    kernel. ``cut`` events are removed from the end.
    """

    def __init__(self, cuda: "FakeCuda", trace: "ChromeTrace") -> None:
        self._cuda = cuda
        self._trace = trace
        self._recording = False
        self._launches = 0
        self.own_waits = 1
        self.loses: Callable[[int], bool] = lambda number: False
        self.cut = 0
        self.windows = 0
        self.true_s = 0.0
        self.settled_s: list[float] = []
        self.rests: list[float] = []
        self.calls_at_rests: list[int] = []

    def meter(self, *, profiles_itself: bool = False) -> DeviceTimeMeter:
        """Return a meter that this profiler serves, and that rests in no time."""
        return DeviceTimeMeter(self, lambda: None, lambda call: profiles_itself, self._rest)

    def _rest(self, seconds: float) -> None:
        if self._recording:
            self.rests.append(seconds)
            self.calls_at_rests.append(self._launches)

    def __call__(self, settle: Callable[[], None], window: Callable[[], None]) -> bytes:
        began_ns = self._cuda.clock()
        settle()
        self.settled_s.append((self._cuda.clock() - began_ns) / 1e9)
        self.windows += 1
        self._trace = type(self._trace)()
        self._recording, self.true_s = True, 0.0
        synchronize = self._cuda.synchronize

        def traced(index: int) -> None:
            synchronize(index)
            self.call("cudaDeviceSynchronize")

        self._cuda.synchronize = traced  # type: ignore[method-assign]  # for one profile
        window()
        self._cuda.synchronize = synchronize  # type: ignore[method-assign]  # back again
        for _ in range(self.own_waits):
            self.call("cudaDeviceSynchronize")
        self._recording = False
        del self._trace.events[len(self._trace.events) - self.cut :]
        return self._trace.json()

    def graph(self, seconds: float, *, kernels: int) -> None:
        """Replay a graph of a measured function."""
        self._cuda.launch(seconds * kernels)
        if self._recording:
            self._trace.launch(*[seconds * 1e6] * kernels, by="cudaGraphLaunch")

    def kernel(self, seconds: float, *, times: int = 1, name: str = "gemm") -> None:
        """Run kernels of a measured function."""
        for _ in range(times):
            self._cuda.launch(seconds)
            if self._recording:
                lost = self.loses(self._launches)
                self._trace.launch(*[seconds * 1e6] * (not lost), name=name)
                self._launches += 1
                self.true_s += seconds

    def copy(self, way: str, seconds: float) -> None:
        self._cuda.launch(seconds)
        if self._recording:
            self._trace.copy(way, seconds * 1e6)

    def call(self, name: str) -> None:
        if self._recording:
            self._trace.call(name)


@pytest.fixture
def profiler(fake_torch: Any, trace: "ChromeTrace", nvml: "ScriptedNvml") -> ScriptedProfiler:
    return ScriptedProfiler(fake_torch.cuda, trace)


@pytest.fixture
def measure(profiler: ScriptedProfiler, calls_of: CallsOf) -> Callable[..., list[Measurement]]:
    def found(function: Callable[[], object]) -> list[Measurement]:
        measured = meter_pass(profiler.meter(), calls_of(function, warmup=1), frozenset())
        assert [each.metric.name for each in measured] == NAMES
        return list(measured)

    return found


Measure = Callable[..., list[Measurement]]


class TestTheFigures:
    def test_kernels_are_summed_for_each_call(
        self, profiler: ScriptedProfiler, measure: Measure
    ) -> None:
        device_time, kernels, *_ = measure(lambda: profiler.kernel(0.002, times=50))
        assert device_time.values == pytest.approx((0.1,) * 6)
        assert device_time.notes[0] == "of 6 calls"
        assert kernels.values == (50.0,)

    def test_a_slow_host_between_them_does_not_count(
        self, profiler: ScriptedProfiler, measure: Measure, clock: Any
    ) -> None:
        def function() -> None:
            for _ in range(4):
                clock.advance(0.1)
                profiler.kernel(0.01)

        device_time, kernels, *_ = measure(function)
        assert device_time.values == pytest.approx((0.04,) * 3)
        assert kernels.values == (4.0,)

    def test_a_tenth_more_work_is_a_tenth_more(
        self, profiler: ScriptedProfiler, measure: Measure
    ) -> None:
        (once,) = set(measure(lambda: profiler.kernel(0.01, times=10))[0].values)
        (more,) = set(measure(lambda: profiler.kernel(0.01, times=11))[0].values)
        assert more / once == pytest.approx(1.1)

    def test_copies_and_waits_of_the_call_are_counted(
        self, profiler: ScriptedProfiler, measure: Measure
    ) -> None:
        def function() -> None:
            profiler.copy("HtoD", 0.02)
            profiler.kernel(0.05)
            profiler.copy("DtoD", 0.01)
            profiler.copy("DtoH", 0.02)
            for _ in range(3):
                profiler.call("cudaStreamSynchronize")

        device_time, kernels, host_copies, host_waits, *_ = measure(function)
        assert device_time.values[0] == pytest.approx(0.06)
        assert (kernels.values, host_copies.values, host_waits.values) == ((1.0,), (2.0,), (3.0,))

    def test_a_call_may_wait_for_the_whole_device_itself(
        self, profiler: ScriptedProfiler, measure: Measure, fake_torch: Any
    ) -> None:
        def function() -> None:
            profiler.kernel(0.1)
            fake_torch.cuda.synchronize(0)

        *_, host_waits, _, _ = measure(function)
        assert host_waits.values == (1.0,)

    @pytest.mark.parametrize("call_s", [0.02, 0.1, 0.9])
    @pytest.mark.parametrize("own", [0, 1, 2])
    @pytest.mark.parametrize("waits", [0, 1])
    def test_waits_of_the_profiler_are_not_the_calls(
        self, profiler: ScriptedProfiler, measure: Measure, call_s: float, own: int, waits: int
    ) -> None:
        def function() -> None:
            profiler.kernel(call_s)
            for _ in range(waits):
                profiler.call("cudaStreamSynchronize")

        profiler.own_waits = own
        *_, host_waits, _, _ = measure(function)
        assert host_waits.values == (float(waits),)

    def test_more_of_them_than_known_are_reported(
        self, profiler: ScriptedProfiler, measure: Measure
    ) -> None:
        profiler.own_waits = 5
        *_, host_waits, _, _ = measure(lambda: profiler.kernel(0.1))
        assert host_waits.absent == "it differs from call to call (3 in 6 calls)"

    def test_waits_for_each_of_several_devices_are_ours(
        self, profiler: ScriptedProfiler, measure: Measure, fake_torch: Any
    ) -> None:
        fake_torch.cuda.allocate(1, on=2)
        device_time, _, _, host_waits, *_ = measure(lambda: profiler.kernel(0.1))
        assert device_time.values == pytest.approx((0.1,) * 6)
        assert host_waits.values == (0.0,)


class TestTheWindow:
    @pytest.mark.parametrize(
        ("call_s", "calls"),
        [
            (1e-6, 1200),
            (1e-4, 1200),
            (0.01, 18),
            (0.02, 12),
            (0.1, 6),
            (0.3, 4),
            (0.5, 3),
            (7.0, 3),
        ],
    )
    def test_it_has_six_bursts_or_three_calls_and_a_second(
        self, profiler: ScriptedProfiler, measure: Measure, call_s: float, calls: int
    ) -> None:
        device_time, *_ = measure(lambda: profiler.kernel(call_s))
        assert device_time.notes[0] == f"of {calls} calls"
        assert len(device_time.values) in (calls, 1)
        assert profiler.settled_s[0] >= min(0.03, 1200 * call_s)

    def test_the_gpu_rests_before_each_burst(
        self, profiler: ScriptedProfiler, measure: Measure
    ) -> None:
        measure(lambda: profiler.kernel(0.01))
        assert profiler.rests == [0.15] * 6
        assert profiler.calls_at_rests == [0, 3, 6, 9, 12, 15]

    def test_it_does_not_where_calls_draw_far_less_than_its_limit(
        self, profiler: ScriptedProfiler, calls_of: CallsOf
    ) -> None:
        calls = calls_of(lambda: profiler.kernel(0.01), warmup=1)
        calls.has_power_headroom = True
        device_time, *_ = profiler.meter().measure(calls)
        assert profiler.rests == []
        assert device_time.notes[0] == "of 18 calls"

    def test_it_follows_the_warm_up(self, profiler: ScriptedProfiler, calls_of: CallsOf) -> None:
        calls = calls_of(lambda: profiler.kernel(0.5), warmup=4)
        profiler.meter().measure(calls)
        assert calls.warm
        assert calls.count == 4 + 1 + 3

    def test_conditions_are_noted_with_the_time(
        self, profiler: ScriptedProfiler, measure: Measure, nvml: "ScriptedNvml"
    ) -> None:
        nvml.boards[0].slow("SwPowerCap", 0.0, 99.0)
        device_time, kernels, *_ = measure(lambda: profiler.kernel(0.1))
        assert device_time.notes == (
            "of 6 calls",
            "1980 MHz and 45 °C at the end",
            "software power cap for 100 % of the time",
        )
        assert kernels.notes == ()
        assert nvml.sessions == 0

    def test_clocks_after_the_bursts_are_noted(
        self, profiler: ScriptedProfiler, measure: Measure, nvml: "ScriptedNvml"
    ) -> None:
        clocks = itertools.cycle([1980, 1950, 1965])

        def function() -> None:
            profiler.kernel(0.1)
            nvml.boards[0].sm_clock_mhz = next(clocks)

        device_time, *_ = measure(function)
        assert device_time.notes[1] == "1950 to 1980 MHz, 45 °C at the end"

    @pytest.mark.parametrize(("until_s", "windows"), [(0.8, 2), (99.0, 3)])
    def test_heat_repeats_it_and_in_the_end_forbids_it(
        self,
        profiler: ScriptedProfiler,
        measure: Measure,
        nvml: "ScriptedNvml",
        until_s: float,
        windows: int,
    ) -> None:
        nvml.boards[0].slow("SwThermalSlowdown", 0.0, until_s)
        found = measure(lambda: profiler.kernel(0.1))
        assert profiler.windows == windows
        slowed = "the GPU was slowed down in each of 3 windows"
        for each in found:
            assert (each.absent or "").startswith(slowed) is (windows == 3)


class TestDroppedEvents:
    def _check_absent(self, found: list[Measurement], *parts: str) -> None:
        (reason,) = {each.absent for each in found}
        assert reason is not None
        assert all(part in reason for part in ("the profiler dropped events", *parts)), reason
        assert "a sum of the rest would be too small; measure less work in a call" in reason

    @pytest.mark.parametrize("every", [1, 7, 300])
    def test_a_lost_kernel_takes_everything_away(
        self, profiler: ScriptedProfiler, measure: Measure, every: int
    ) -> None:
        profiler.loses = lambda number: number % every == every - 1
        found = measure(lambda: profiler.kernel(0.002, times=50))
        self._check_absent(found, f"{300 // every} of 300 launches left no kernel")

    @pytest.mark.parametrize("cut", range(1, 40, 3))
    def test_a_trace_that_was_cut_short_is_never_a_smaller_figure(
        self, profiler: ScriptedProfiler, measure: Measure, cut: int
    ) -> None:
        profiler.cut = cut
        found = measure(lambda: profiler.kernel(0.02, times=5))
        if cut <= 2:  # the profiler's own wait, and the flow event that belongs to it
            assert sum(found[0].values) == pytest.approx(profiler.true_s)
        else:
            self._check_absent(found)

    def test_missing_waits_are_counted(self, profiler: ScriptedProfiler, measure: Measure) -> None:
        profiler.own_waits, profiler.cut = 0, 2
        found = measure(lambda: profiler.kernel(0.1))
        self._check_absent(found, "(0 of 6 launches left no kernel, 1 of 12 waits are missing)")

    def test_without_these_checks_the_figure_would_be_smaller(
        self, profiler: ScriptedProfiler, measure: Measure, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from pytest_pareto.measure.meters import device_time

        monkeypatch.setattr(device_time, "_unusable_reason", lambda *_: None)
        profiler.loses = lambda number: number % 7 == 6
        found, *_ = measure(lambda: profiler.kernel(0.002, times=50))
        assert mean(found.values) < 0.9 * profiler.true_s / 6

    def test_what_is_no_trace_is_the_reason(
        self, profiler: ScriptedProfiler, calls_of: CallsOf
    ) -> None:
        def profile(settle: Callable[[], None], window: Callable[[], None]) -> bytes:
            window()
            return b"{"

        meter = DeviceTimeMeter(profile, lambda: None, lambda call: False, lambda _: None)
        calls = calls_of(lambda: profiler.kernel(0.1))
        (reason,) = {each.absent for each in meter_pass(meter, calls, frozenset())}
        assert reason is not None
        assert reason.startswith("meter DeviceTimeMeter raised DecodeError: ")


class TestAmbiguousTraces:
    def test_waits_of_the_calls_can_replace_lost_waits_of_the_loop(
        self, profiler: ScriptedProfiler, measure: Measure
    ) -> None:
        def function() -> None:
            for name in ("a", "b", "c"):
                profiler.kernel(0.03, name=name)
                profiler.call("cudaDeviceSynchronize")

        whole, *_ = measure(function)
        assert mean(whole.values) == pytest.approx(0.09)
        for profiler.cut in range(20, 60):
            assert all(each.absent for each in measure(function)), profiler.cut

    def test_one_kernel_of_a_graph_can_replace_all(
        self, profiler: ScriptedProfiler, measure: Measure
    ) -> None:
        numbers = itertools.cycle([3, 3, 3, 2])

        def function() -> None:
            profiler.graph(0.03, kernels=next(numbers))

        (reason,) = {each.absent for each in measure(function)}
        assert "with CUDA graphs" in str(reason)

    def test_a_function_that_profiles_itself(
        self, profiler: ScriptedProfiler, calls_of: CallsOf
    ) -> None:
        meter = profiler.meter(profiles_itself=True)
        calls = calls_of(lambda: profiler.kernel(0.1))
        (reason,) = {each.absent for each in meter_pass(meter, calls, frozenset())}
        assert reason == "the function runs a torch profiler of its own"
        assert profiler.windows == 0


class TestCallsThatDiffer:
    def test_counts_that_vary_are_absent_and_the_time_is_not(
        self, profiler: ScriptedProfiler, measure: Measure
    ) -> None:
        numbers = itertools.cycle([3, 4, 4])
        found = measure(lambda: profiler.kernel(0.02, times=next(numbers)))
        device_time, kernels, host_copies, host_waits, *_ = found
        assert device_time.values == pytest.approx((profiler.true_s / 6,))
        assert kernels.absent == "the kernels differ from call to call (22 in 6 calls)"
        (note,) = device_time.notes[:1]
        assert note == f"mean of 6 calls: {kernels.absent}"
        assert (host_copies.values, host_waits.values) == ((0.0,), (0.0,))

    def test_so_are_copies_that_vary(self, profiler: ScriptedProfiler, measure: Measure) -> None:
        numbers = itertools.cycle([0, 1, 1])

        def function() -> None:
            profiler.kernel(0.1)
            for _ in range(next(numbers)):
                profiler.copy("HtoD", 1e-6)

        device_time, kernels, host_copies, *_ = measure(function)
        assert device_time.values == pytest.approx((0.1,) * 6)
        assert kernels.values == (1.0,)
        assert host_copies.absent is not None
        assert host_copies.absent.startswith("it differs from call to call (")


class TestNothingToSee:
    def test_a_call_without_a_kernel(self, profiler: ScriptedProfiler, measure: Measure) -> None:
        (reason,) = {each.absent for each in measure(lambda: profiler.copy("HtoD", 0.1))}
        assert reason == (
            "the profiler saw no kernel: the call runs none on the GPU, or another profiler "
            "(nsys, ncu) holds it"
        )

    def test_where_nothing_can_be_profiled_nothing_is_called(
        self, profiler: ScriptedProfiler, calls_of: CallsOf
    ) -> None:
        calls = calls_of(lambda: profiler.kernel(0.1))
        meter = DeviceTimeMeter(profiler, lambda: "no CUDA device was used")
        found = meter_pass(meter, calls, frozenset())
        assert {each.absent for each in found} == {"no CUDA device was used"}
        assert (calls.count, profiler.windows) == (0, 0)

    def test_the_default_absence_is_that_of_profiling(self, fake_torch: Any) -> None:
        assert DeviceTimeMeter().absence() is None
        fake_torch.autograd._profiler_enabled = lambda: True
        assert DeviceTimeMeter().absence() is not None


def test_an_exception_of_the_call_is_the_tests_own(
    profiler: ScriptedProfiler, calls_of: CallsOf
) -> None:
    numbers = itertools.count()

    def function() -> None:
        profiler.kernel(0.1)
        if next(numbers) == 5:
            raise KeyError("mine")

    calls = calls_of(function, warmup=1)
    with pytest.raises(KeyError, match="mine") as raised:
        meter_pass(profiler.meter(), calls, frozenset())
    assert raised.value.__notes__ == [
        f"pytest-pareto: raised on call 6 (measuring {', '.join(NAMES)})"
    ]
