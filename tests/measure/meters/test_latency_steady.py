import itertools
import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pareto.measure.meter import Calls, meter_pass
from pytest_pareto.measure.meters.latency import SteadyMeter
from pytest_pareto.measure.plan import LoopProgress, ProgressReporter
from pytest_pareto.model.run import Measurement

if TYPE_CHECKING:
    from tests.measure.scripted_nvml import ScriptedBoard, ScriptedNvml

CallsOf = Callable[..., Calls]
Found = Mapping[str, Measurement]
TRACED = "a tracer is active"
COUNTER = "nvmlDeviceGetTotalEnergyConsumption"
ENERGIES = ["energy", "dynamic_energy"]
WITH_OURS = 0.01
"""The host reference also draws energy, for a fiftieth of the window."""


def _measure(calls: Calls, *skip: str, traced: str | None = None) -> Found:
    """Measure without the metrics to ``skip``; dynamic energy goes with energy, as in a session."""
    both = {"energy", "dynamic_energy"} if "energy" in skip else set()
    found = meter_pass(SteadyMeter(lambda: traced), calls, frozenset(skip) | both)
    return {each.metric.name: each for each in found}


def _absent(found: Found) -> dict[str, str]:
    return {name: each.absent for name, each in found.items() if each.absent is not None}


@pytest.fixture
def board(nvml: "ScriptedNvml") -> "ScriptedBoard":
    return nvml.boards[0]


class TestOnTheProcessor:
    pytestmark = pytest.mark.usefixtures("without_torch")

    def test_latency_alone_is_measured_by_the_plan(self, clock: Any, calls_of: CallsOf) -> None:
        durations = iter([9.0, 8.0, 0.1, 0.2, 0.3])
        calls = calls_of(lambda: clock.advance(next(durations)), warmup=2, rounds=3)
        calls.first_s = 30.0
        found = _measure(calls)
        assert found["latency"].values == pytest.approx((0.1, 0.2, 0.3))
        assert found["latency"].first == 30.0
        assert found["latency"].notes == ()
        assert _absent(found) == dict.fromkeys(
            ("event_time", "host_reference", *ENERGIES), "no CUDA device was used"
        )

    def test_there_is_no_long_window(self, clock: Any, calls_of: CallsOf) -> None:
        calls = calls_of(lambda: clock.advance(0.001))
        found = _measure(calls)
        assert len(found["latency"].values) == 100
        assert calls.count == 20 + 100

    @pytest.mark.parametrize("skip", [(), ("energy",)])
    def test_a_tracer_leaves_nothing_to_call_for(
        self, clock: Any, calls_of: CallsOf, skip: tuple[str, ...]
    ) -> None:
        calls = calls_of(lambda: clock.advance(0.1))
        found = _measure(calls, *skip, traced=TRACED)
        assert calls.count == 0
        reasons = _absent(found)
        for name in ENERGIES:
            assert reasons.pop(name, "no CUDA device was used") == "no CUDA device was used"
        assert set(reasons.values()) == {TRACED}
        assert len(reasons) == 3


@pytest.mark.usefixtures("nvml")
class TestOneWindowForAll:
    def test_everything_is_measured(self, fake_torch: Any, clock: Any, calls_of: CallsOf) -> None:
        def function() -> None:
            clock.advance(0.01)
            fake_torch.cuda.launch(0.07)

        found = _measure(calls_of(function, warmup=1, rounds=5))
        assert list(found) == ["latency", "event_time", "host_reference", *ENERGIES]
        assert _absent(found) == {}
        assert found["latency"].values == pytest.approx((0.08,) * 5)
        assert found["event_time"].values == pytest.approx((0.08,) * 5)
        reference = found["host_reference"].values
        assert reference == pytest.approx([300 * 5e-6] * len(reference), rel=0.01)
        assert found["energy"].values == pytest.approx((100 * 0.01 + 600 * 0.07,), rel=WITH_OURS)
        assert found["dynamic_energy"].values == pytest.approx((500 * 0.07,), rel=WITH_OURS)
        assert any(note.startswith("integrated power: ") for note in found["energy"].notes)

    @pytest.mark.parametrize("rounds", [1, 7])
    def test_a_fixed_number_of_rounds_is_kept_while_energy_goes_on(
        self, fake_torch: Any, calls_of: CallsOf, rounds: int
    ) -> None:
        calls = calls_of(lambda: fake_torch.cuda.launch(0.08), warmup=2, rounds=rounds)
        found = _measure(calls)
        assert len(found["latency"].values) == len(found["event_time"].values) == rounds
        assert calls.count > 2 + 20
        assert found["energy"].notes[0].startswith(f"{calls.count - 2} calls in 2.0 s")

    def test_the_fixed_number_are_the_last_ones(self, fake_torch: Any, calls_of: CallsOf) -> None:
        # The GPU was idle before the window: its first calls differ from the rest.
        durations = itertools.chain([0.08] * 2, [0.04] * 20, itertools.repeat(0.08))
        calls = calls_of(lambda: fake_torch.cuda.launch(next(durations)), warmup=1, rounds=5)
        assert _measure(calls)["latency"].values == pytest.approx((0.08,) * 5)

    def test_without_a_fixed_number_all_readings_of_the_window_count(
        self, fake_torch: Any, calls_of: CallsOf
    ) -> None:
        calls = calls_of(lambda: fake_torch.cuda.launch(0.08), warmup=2)
        found = _measure(calls)
        assert len(found["latency"].values) == calls.count - 2 > 20

    def test_short_calls_are_thinned_for_the_report_only(
        self, fake_torch: Any, calls_of: CallsOf
    ) -> None:
        calls = calls_of(lambda: fake_torch.cuda.launch(0.002), warmup=0)
        found = _measure(calls)
        assert calls.count > 900
        assert 400 < len(found["latency"].values) <= 1000
        assert found["energy"].notes[0].startswith(f"{calls.count} calls in 1.9 s")

    def test_twice_the_work_is_twice_the_energy(self, fake_torch: Any, calls_of: CallsOf) -> None:
        def measure_energy(call_s: float) -> float:
            calls = calls_of(lambda: fake_torch.cuda.launch(call_s), warmup=1, rounds=3)
            return _measure(calls)["energy"].values[0]

        assert measure_energy(0.166) / measure_energy(0.083) == pytest.approx(2.0, rel=0.005)

    @pytest.mark.parametrize(
        ("busy_w", "limit_w", "headroom"),
        [(600.0, 700, False), (600.0, 800, True), (400.0, 0, False)],
    )
    def test_headroom_is_what_a_power_limit_leaves_to_the_calls(
        self,
        board: "ScriptedBoard",
        fake_torch: Any,
        calls_of: CallsOf,
        busy_w: float,
        limit_w: int,
        headroom: bool,
    ) -> None:
        board.busy_w, board.limit_mw = busy_w, limit_w * 1000
        calls = calls_of(lambda: fake_torch.cuda.launch(0.08), warmup=1)
        _measure(calls)
        assert calls.has_power_headroom is headroom

    @pytest.mark.parametrize("skip", [(), ("energy",)])
    def test_there_is_none_where_nothing_shows_it(
        self, board: "ScriptedBoard", fake_torch: Any, calls_of: CallsOf, skip: tuple[str, ...]
    ) -> None:
        board.limit_mw = 900_000
        if not skip:
            board.slow("SwPowerCap", 0.0, 99.0)
        calls = calls_of(lambda: fake_torch.cuda.launch(0.08), warmup=1)
        _measure(calls, *skip)
        assert not calls.has_power_headroom

    def test_the_conditions_are_noted_with_latency_and_energy(
        self, board: "ScriptedBoard", fake_torch: Any, calls_of: CallsOf
    ) -> None:
        board.slow("SwPowerCap", 0.0, 99.0)
        found = _measure(calls_of(lambda: fake_torch.cuda.launch(0.08), warmup=1, rounds=3))
        noted = ("1980 MHz and 45 °C at the end", "software power cap for 100 % of the time")
        assert found["latency"].notes == noted
        assert found["energy"].notes[-2:] == noted
        assert found["event_time"].notes == found["host_reference"].notes == ()

    def test_nvml_is_left_as_it_was_found(
        self, nvml: "ScriptedNvml", fake_torch: Any, calls_of: CallsOf
    ) -> None:
        _measure(calls_of(lambda: fake_torch.cuda.launch(0.08), warmup=0, rounds=1))
        assert nvml.sessions == 0


class TestEnergyThatIsNotWanted:
    def test_there_is_no_long_window_and_no_question(
        self, nvml: "ScriptedNvml", fake_torch: Any, calls_of: CallsOf
    ) -> None:
        calls = calls_of(lambda: fake_torch.cuda.launch(0.08), warmup=2, rounds=7)
        found = _measure(calls, "energy")
        assert calls.count == 2 + 7
        assert list(found) == ["latency", "event_time", "host_reference"]
        assert COUNTER not in {question for _, question in nvml.queries}

    def test_energy_alone_takes_no_reference(
        self, nvml: Any, fake_torch: Any, calls_of: Any
    ) -> None:
        calls = calls_of(lambda: fake_torch.cuda.launch(0.08), warmup=0, rounds=1)
        fake_torch.zeros = None
        found = _measure(calls, "latency", "event_time", "host_reference")
        assert found["energy"].values == pytest.approx((48.0,), rel=0.005)


class TestProgress:
    """The progress text must not name energy where no value follows."""

    def reported(self, fake_torch: Any, calls_of: CallsOf, traced: str | None = None) -> list[str]:
        reported: list[LoopProgress] = []
        calls = calls_of(lambda: fake_torch.cuda.launch(0.08), warmup=1, rounds=1)
        calls.progress_reporter = ProgressReporter(reported.append)
        _measure(calls, traced=traced)
        return list(dict.fromkeys(each.doing for each in reported))

    def test_where_all_is_measured(self, nvml: Any, fake_torch: Any, calls_of: CallsOf) -> None:
        both = ["warming up", "measuring latency and energy"]
        assert self.reported(fake_torch, calls_of) == both

    def test_without_a_meter_of_energy(self, nvml: Any, fake_torch: Any, calls_of: CallsOf) -> None:
        nvml.init_error = "Driver Not Loaded"
        assert self.reported(fake_torch, calls_of) == ["warming up", "measuring latency"]

    def test_with_another_process_on_the_board(
        self, board: "ScriptedBoard", fake_torch: Any, calls_of: CallsOf
    ) -> None:
        board.processes = {os.getpid(): None, 999_999: None}
        assert self.reported(fake_torch, calls_of) == ["warming up", "measuring latency"]

    def test_under_a_tracer(self, nvml: Any, fake_torch: Any, calls_of: CallsOf) -> None:
        reported = self.reported(fake_torch, calls_of, traced=TRACED)
        assert reported == ["warming up", "measuring energy"]


class TestATracer:
    def test_times_of_the_host_are_absent_and_energy_is_there(
        self, nvml: "ScriptedNvml", fake_torch: Any, calls_of: CallsOf
    ) -> None:
        calls = calls_of(lambda: fake_torch.cuda.launch(0.08), warmup=0, rounds=1)
        found = _measure(calls, traced=TRACED)
        assert _absent(found) == dict.fromkeys(("latency", "event_time", "host_reference"), TRACED)
        assert found["energy"].values == pytest.approx((48.0,), rel=WITH_OURS)

    @pytest.mark.parametrize("why", ["skipped", "no NVML"])
    def test_without_energy_nothing_is_called(
        self, nvml: "ScriptedNvml", fake_torch: Any, calls_of: CallsOf, why: str
    ) -> None:
        calls = calls_of(lambda: fake_torch.cuda.launch(0.08))
        nvml.init_error = None if why == "skipped" else "Driver Not Loaded"
        found = _measure(calls, *["energy"] * (why == "skipped"), traced=TRACED)
        assert calls.count == 0
        assert found["latency"].absent == TRACED

    def test_the_default_tracer_is_the_active_one(
        self, fake_torch: Any, calls_of: CallsOf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tracer = sys.gettrace()
        calls = calls_of(lambda: fake_torch.cuda.launch(0.08), rounds=1)
        calls.begin(SteadyMeter.metrics)
        sys.settrace(lambda *_: None)
        try:
            latency, *_ = SteadyMeter().measure(calls)
        finally:
            sys.settrace(tracer)
        assert latency.absent is not None
        assert "a tracer is active" in latency.absent


class TestHeat:
    def test_one_slowed_window_is_measured_again(
        self, board: "ScriptedBoard", fake_torch: Any, calls_of: CallsOf
    ) -> None:
        board.slow("HwThermalSlowdown", 0.0, 1.5)
        calls = calls_of(lambda: fake_torch.cuda.launch(0.08), warmup=0, rounds=3)
        found = _measure(calls)
        assert _absent(found) == {}
        assert len(found["latency"].values) == 3
        assert calls.count > 2 * 20
        assert found["energy"].values == pytest.approx((48.0,), rel=WITH_OURS)

    def test_three_slowed_windows_make_everything_absent(
        self, board: "ScriptedBoard", fake_torch: Any, calls_of: CallsOf
    ) -> None:
        board.slow("HwThermalSlowdown", 0.0, 999.0)
        calls = calls_of(lambda: fake_torch.cuda.launch(0.08), warmup=0, rounds=3)
        found = _measure(calls)
        assert len(_absent(found)) == len(found) == 5
        (reason,) = set(_absent(found).values())
        assert reason.startswith("the GPU was slowed down in each of 3 windows (hardware thermal")
        assert calls.count > 3 * 20

    def test_so_it_is_where_energy_is_not_wanted(
        self, board: "ScriptedBoard", fake_torch: Any, calls_of: CallsOf
    ) -> None:
        board.slow("HwThermalSlowdown", 0.0, 999.0)
        calls = calls_of(lambda: fake_torch.cuda.launch(0.08), warmup=0, rounds=3)
        assert len(_absent(_measure(calls, "energy"))) == 3
        assert calls.count == 3 * 3


class TestEnergyThatCannotBeMeasured:
    """It is absent with its reason, and the other metrics of the window stay."""

    @pytest.fixture
    def reason(self, fake_torch: Any, calls_of: CallsOf) -> Callable[[], str]:
        def find() -> str:
            calls = calls_of(lambda: fake_torch.cuda.launch(0.08), warmup=1, rounds=3)
            found = _measure(calls)
            assert list(_absent(found)) == ENERGIES
            assert found["latency"].values == pytest.approx((0.08,) * 3)
            assert found["host_reference"].values
            return _absent(found)["energy"]

        return find

    def test_nothing_is_wrong_without_a_reason(
        self, nvml: "ScriptedNvml", reason: Callable[[], str]
    ) -> None:
        with pytest.raises(AssertionError):
            reason()

    def test_a_slice(
        self, nvml: "ScriptedNvml", fake_torch: Any, reason: Callable[[], str]
    ) -> None:
        fake_torch.cuda.uuids = ["11111111"]
        nvml.slices["11111111"] = nvml.boards[0]
        assert reason() == "this is a MIG slice, and the counter is of the whole board"

    @pytest.mark.parametrize("nvml_error", ["Driver Not Loaded", "Insufficient Permissions"])
    def test_no_driver_or_none_for_us(
        self, nvml: "ScriptedNvml", reason: Callable[[], str], nvml_error: str
    ) -> None:
        nvml.init_error = nvml_error
        assert reason() == f"NVML cannot be used here (NVMLError: {nvml_error})"

    def test_no_library(
        self, nvml: "ScriptedNvml", reason: Callable[[], str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "pynvml", None)
        assert reason().startswith("NVML cannot be used here (ModuleNotFoundError: ")

    def test_a_torch_without_uuids(
        self, nvml: "ScriptedNvml", fake_torch: Any, reason: Callable[[], str]
    ) -> None:
        fake_torch.cuda.uuids = [None]
        assert reason().startswith("torch does not report the UUIDs of its devices")

    def test_an_unknown_board(self, nvml: "ScriptedNvml", reason: Callable[[], str]) -> None:
        nvml.boards.clear()
        assert reason() == "NVML does not know this GPU by its UUID (Not Found)"

    @pytest.mark.parametrize("nvml_error", ["Not Supported", "Insufficient Permissions"])
    def test_no_counter_or_none_for_us(
        self, board: "ScriptedBoard", reason: Callable[[], str], nvml_error: str
    ) -> None:
        board.errors[COUNTER] = nvml_error
        assert reason() == f"NVML has no answer to {COUNTER} ({nvml_error})"

    @pytest.mark.parametrize("from_s", [0.0, 1.5])
    def test_a_stalled_counter(
        self, board: "ScriptedBoard", reason: Callable[[], str], from_s: float
    ) -> None:
        board.shown = lambda energy_j, now_s: energy_j if now_s < from_s else 9e4
        assert reason() == "the energy counter stood still for 2 s"

    def test_a_counter_that_falls_back(
        self, board: "ScriptedBoard", reason: Callable[[], str]
    ) -> None:
        board.shown = lambda energy_j, now_s: energy_j - (0.0 if now_s < 1.5 else 49_000.0)
        assert reason() == "the energy counter advanced by less than the idle GPU draws"

    def test_another_process(self, board: "ScriptedBoard", reason: Callable[[], str]) -> None:
        board.processes = {os.getpid(): 1, os.getppid(): 1, 4711: 1}
        assert reason().startswith("another process uses the GPU (4711), and the counter is of")
