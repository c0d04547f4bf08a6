import os
import re
from collections.abc import Callable
from statistics import mean
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pareto.measure.loop import Round, steady_rounds, warm_up
from pytest_pareto.measure.meter import Calls
from pytest_pareto.measure.meters import energy
from pytest_pareto.measure.meters.energy import EnergyWindow
from pytest_pareto.measure.meters.latency import drop_energy_without_kernels
from pytest_pareto.measure.nvml import NvmlError, board_name, open_nvml
from pytest_pareto.model.metric import DEVICE_TIME, ENERGY, LATENCY
from pytest_pareto.model.run import Measurement

if TYPE_CHECKING:
    from tests.measure.scripted_nvml import ScriptedBoard, ScriptedNvml

CallsOf = Callable[..., Calls]
COUNTER = "nvmlDeviceGetTotalEnergyConsumption"
PARENT, OTHER, THIRD = os.getppid(), 4711, 4712

MeasureEnergies = Callable[..., tuple[tuple[Measurement, Measurement], tuple[Round, ...]]]
MeasureEnergy = Callable[..., tuple[Measurement, tuple[Round, ...]]]


@pytest.fixture
def board(nvml: "ScriptedNvml") -> "ScriptedBoard":
    return nvml.boards[0]


@pytest.fixture
def measure_energies(nvml: "ScriptedNvml", calls_of: CallsOf) -> MeasureEnergies:
    """Measure energies of calls on boards by their numbers; return the rounds as well."""

    def measure(
        function: Callable[[], object], *on: int, rounds: int = 3
    ) -> tuple[tuple[Measurement, Measurement], tuple[Round, ...]]:
        calls = calls_of(function, rounds=rounds, warmup=1)
        warm_up(calls)
        with open_nvml() as found:
            boards = [found.board(nvml.boards[number].uuid) for number in on or (0,)]
            window = EnergyWindow(boards, calls.clock)
            done = steady_rounds(
                calls,
                min_duration_s=window.min_duration_s,
                after_round=lambda _: window.poll(),
            )
            return window.measurements(done), done

    return measure


@pytest.fixture
def measure_energy(measure_energies: MeasureEnergies) -> MeasureEnergy:
    """Measure the whole energy."""

    def measure(
        function: Callable[[], object], *on: int, rounds: int = 3
    ) -> tuple[Measurement, tuple[Round, ...]]:
        (energy, _), done = measure_energies(function, *on, rounds=rounds)
        return energy, done

    return measure


def _true_energy_j(board: "ScriptedBoard", rounds: tuple[Round, ...]) -> float:
    return sum(board.drawn_j(each.start_ns, each.stop_ns) for each in rounds) / len(rounds)


class TestTheFigure:
    @pytest.mark.parametrize("call_s", [0.001, 0.08, 0.7])
    @pytest.mark.parametrize("phase_s", [0.0, 0.013, 0.05, 0.0871])
    @pytest.mark.parametrize("lag_s", [0.0, 0.03, 0.099])
    def test_it_is_the_energy_of_one_call(
        self,
        board: "ScriptedBoard",
        fake_torch: Any,
        measure_energy: MeasureEnergy,
        call_s: float,
        phase_s: float,
        lag_s: float,
    ) -> None:
        board.phase_s, board.lag_s = phase_s, lag_s
        measured, rounds = measure_energy(lambda: fake_torch.cuda.launch(call_s))
        assert measured.metric is ENERGY
        (found,) = measured.values
        assert found == pytest.approx(_true_energy_j(board, rounds), rel=0.005)
        assert found == pytest.approx(600.0 * call_s, rel=0.005)

    @pytest.mark.parametrize("settled", [1, 2])
    def test_a_counter_that_lags_is_read_when_it_has_seen_all_work(
        self,
        board: "ScriptedBoard",
        fake_torch: Any,
        measure_energy: MeasureEnergy,
        monkeypatch: pytest.MonkeyPatch,
        settled: int,
    ) -> None:
        monkeypatch.setattr(energy, "_SETTLED_STEP", settled)
        errors = []
        for phase_s in (0.01, 0.03, 0.05, 0.07, 0.09):
            board.phase_s, board.lag_s = phase_s, 0.099
            measured, rounds = measure_energy(lambda: fake_torch.cuda.launch(0.08))
            errors.append(abs(measured.values[0] / _true_energy_j(board, rounds) - 1))
        # The same check fails where the first step after the work is used.
        assert (max(errors) < 0.002) is (settled == 2)

    def test_a_lag_of_more_than_a_step_would_be_seen_by_these_tests(
        self, board: "ScriptedBoard", fake_torch: Any, measure_energy: MeasureEnergy
    ) -> None:
        board.lag_s = 0.25
        measured, rounds = measure_energy(lambda: fake_torch.cuda.launch(0.08))
        assert measured.values[0] != pytest.approx(_true_energy_j(board, rounds), rel=0.005)

    def test_twice_the_work_is_twice_the_energy(
        self, fake_torch: Any, measure_energy: MeasureEnergy
    ) -> None:
        (once,), _ = measure_energy(lambda: fake_torch.cuda.launch(0.083))[0].values, None
        (twice,), _ = measure_energy(lambda: fake_torch.cuda.launch(0.166))[0].values, None
        assert twice / once == pytest.approx(2.0, rel=0.005)

    def test_a_few_calls_between_two_readings_would_not_be(
        self, nvml: "ScriptedNvml", board: "ScriptedBoard", fake_torch: Any
    ) -> None:
        def naively(call_s: float) -> float:
            with open_nvml() as found:
                counter = found.board(board.uuid)
                before_j = counter.energy_j()
                for _ in range(3):
                    fake_torch.cuda.launch(call_s)
                    fake_torch.cuda.synchronize(0)
                return (counter.energy_j() - before_j) / 3

        ratios = [naively(0.166) / naively(0.083) for _ in range(4)]
        assert not any(ratio == pytest.approx(2.0, rel=0.05) for ratio in ratios)

    @pytest.mark.parametrize("taken_off", [True, False])
    def test_idling_outside_of_the_calls_is_taken_off(
        self,
        board: "ScriptedBoard",
        fake_torch: Any,
        measure_energy: MeasureEnergy,
        monkeypatch: pytest.MonkeyPatch,
        taken_off: bool,
    ) -> None:
        if not taken_off:
            monkeypatch.setattr(energy, "_power_w", lambda first, last: 0.0)
        board.idle_w, board.busy_w = 150.0, 400.0
        measured, rounds = measure_energy(lambda: fake_torch.cuda.launch(0.08))
        right = measured.values[0] == pytest.approx(_true_energy_j(board, rounds), rel=0.005)
        assert right is taken_off

    def test_idling_within_the_calls_is_theirs(
        self, fake_torch: Any, measure_energy: MeasureEnergy, clock: Any
    ) -> None:
        def function() -> None:
            clock.advance(0.03)  # the host's own work, while the GPU waits
            fake_torch.cuda.launch(0.05)

        measured, _ = measure_energy(function)
        assert measured.values[0] == pytest.approx(100.0 * 0.03 + 600.0 * 0.05, rel=0.005)


class TestTheWindow:
    @pytest.mark.parametrize("step_s", [0.02, 0.1, 1.0])
    @pytest.mark.parametrize("rounds", [1, 10])
    def test_it_lasts_twenty_steps_however_few_rounds_are_planned(
        self,
        board: "ScriptedBoard",
        fake_torch: Any,
        measure_energy: MeasureEnergy,
        step_s: float,
        rounds: int,
    ) -> None:
        board.step_s = step_s
        _, done = measure_energy(lambda: fake_torch.cuda.launch(0.02), rounds=rounds)
        seconds = (done[-1].stop_ns - done[0].start_ns) / 1e9
        # A step is timed to 3 ms, the time of a reading, and several short steps are merged.
        long_s = max(step_s, 0.06)
        assert 19 * long_s <= seconds <= 23 * long_s + 0.2
        assert len(done) > rounds

    def test_more_rounds_than_that_are_all_in_it(
        self, fake_torch: Any, measure_energy: MeasureEnergy
    ) -> None:
        _, done = measure_energy(lambda: fake_torch.cuda.launch(0.08), rounds=100)
        assert len(done) == 100

    def test_the_slowest_of_several_counters_sets_it(
        self, nvml: "ScriptedNvml", fake_torch: Any, measure_energy: MeasureEnergy
    ) -> None:
        nvml.boards[1].step_s = 0.2
        _, done = measure_energy(lambda: fake_torch.cuda.launch(0.02), 0, 1)
        assert (done[-1].stop_ns - done[0].start_ns) / 1e9 >= 19 * 0.2

    def test_the_counter_is_read_outside_of_it_only(
        self, nvml: "ScriptedNvml", fake_torch: Any, measure_energy: MeasureEnergy
    ) -> None:
        _, done = measure_energy(lambda: fake_torch.cuda.launch(0.02))
        read = [at_ns for at_ns, question in nvml.queries if question == COUNTER]
        assert not any(done[0].start_ns <= at_ns <= done[-1].stop_ns for at_ns in read)
        assert min(read) < done[0].start_ns < done[-1].stop_ns < max(read)

    def test_no_call_is_lengthened(self, fake_torch: Any, measure_energy: MeasureEnergy) -> None:
        _, done = measure_energy(lambda: fake_torch.cuda.launch(0.02))
        assert {each.wall_s for each in done} == {0.02}


class TestSeveralBoards:
    @pytest.fixture
    def both(self, fake_torch: Any) -> Callable[[], None]:
        def function() -> None:
            fake_torch.cuda.launch(0.08, on=0)
            fake_torch.cuda.launch(0.04, on=2)

        fake_torch.cuda.allocate(1, on=2)
        return function

    def test_their_energies_are_summed_and_noted_separately(
        self, nvml: "ScriptedNvml", both: Callable[[], None], measure_energy: MeasureEnergy
    ) -> None:
        nvml.boards[2].phase_s, nvml.boards[2].lag_s = 0.06, 0.09
        measured, rounds = measure_energy(both, 0, 2)
        first, last = (nvml.boards[number] for number in (0, 2))
        each = [_true_energy_j(board, rounds) for board in (first, last)]
        assert each == pytest.approx([48.0, 28.0], rel=0.005)
        assert measured.values[0] == pytest.approx(sum(each), rel=0.005)
        noted = [re.fullmatch(r"GPU (\w+): (.*) J", note) for note in measured.notes]
        reported = {found[1]: float(found[2]) for found in noted if found}
        assert reported == {
            board_name(board.uuid): pytest.approx(joules_, rel=0.005)
            for board, joules_ in zip((first, last), each, strict=True)
        }

    def test_one_that_only_waits_still_draws(
        self, nvml: "ScriptedNvml", fake_torch: Any, measure_energy: MeasureEnergy
    ) -> None:
        measured, _ = measure_energy(lambda: fake_torch.cuda.launch(0.08), 0, 1)
        assert measured.values[0] == pytest.approx(0.08 * (600 + 100), rel=0.005)

    def test_a_single_one_has_no_note_of_its_own(
        self, fake_torch: Any, measure_energy: MeasureEnergy
    ) -> None:
        measured, _ = measure_energy(lambda: fake_torch.cuda.launch(0.08))
        assert not any(note.startswith("GPU ") for note in measured.notes)


class TestNotes:
    def test_the_window_is_described(self, fake_torch: Any, measure_energy: MeasureEnergy) -> None:
        measured, rounds = measure_energy(lambda: fake_torch.cuda.launch(0.08))
        reported = re.fullmatch(
            r"(\d+) calls in ([\d.]+) s at (\d+) W, of which (\d+) W idle", measured.notes[0]
        )
        assert reported is not None
        assert int(reported[1]) == len(rounds)
        assert float(reported[2]) == pytest.approx(0.08 * len(rounds), abs=0.06)
        assert float(reported[3]) == pytest.approx(600, abs=4)
        assert float(reported[4]) == pytest.approx(100, abs=4)

    @pytest.mark.parametrize(("by", "reported"), [(1.0, 0.0), (1.05, 5.0), (0.9, -10.0)])
    def test_integrated_power_is_noted_beside_the_counter(
        self,
        board: "ScriptedBoard",
        fake_torch: Any,
        measure_energy: MeasureEnergy,
        by: float,
        reported: float,
    ) -> None:
        board.samples_by = by
        measured, _ = measure_energy(lambda: fake_torch.cuda.launch(0.08))
        found = re.fullmatch(r"integrated power: ([+−][\d.]+) %", measured.notes[-1])
        assert found is not None
        assert float(found[1].replace("−", "-")) == pytest.approx(reported, abs=0.3)

    def test_a_call_longer_than_the_drivers_memory_is_not_cross_checked(
        self, board: "ScriptedBoard", fake_torch: Any, measure_energy: MeasureEnergy
    ) -> None:
        measured, rounds = measure_energy(lambda: fake_torch.cuda.launch(3.0))
        assert measured.values[0] == pytest.approx(_true_energy_j(board, rounds), rel=0.005)
        assert len(measured.notes) == 1

    def test_a_driver_without_a_record_is_no_hindrance(
        self, board: "ScriptedBoard", fake_torch: Any, measure_energy: MeasureEnergy
    ) -> None:
        board.errors["nvmlDeviceGetSamples"] = "Not Supported"
        measured, rounds = measure_energy(lambda: fake_torch.cuda.launch(0.08))
        assert measured.values[0] == pytest.approx(_true_energy_j(board, rounds), rel=0.005)
        assert len(measured.notes) == 1


class TestProcessesOnTheGpu:
    @pytest.mark.parametrize(
        "processes",
        [
            {os.getpid(): 1},
            {os.getpid(): 1, PARENT: 1},  # pytest itself, which waits for this process
            {os.getpid(): None},
            {OTHER: 1},  # in a container: the pid of this process on the host
            {},
        ],
    )
    def test_this_process_and_its_parent_may(
        self,
        board: "ScriptedBoard",
        fake_torch: Any,
        measure_energy: MeasureEnergy,
        processes: dict[int, int | None],
    ) -> None:
        board.processes = processes
        assert measure_energy(lambda: fake_torch.cuda.launch(0.08))[0].values

    @pytest.mark.parametrize(
        ("processes", "named"),
        [
            ([os.getpid(), OTHER], "4711"),
            ([os.getpid(), PARENT, THIRD, OTHER], "4711, 4712"),
            ([OTHER, THIRD], "4711, 4712"),  # in a container: one of them is this one
        ],
    )
    def test_any_other_may_not(
        self,
        board: "ScriptedBoard",
        fake_torch: Any,
        measure_energy: MeasureEnergy,
        processes: list[int],
        named: str,
    ) -> None:
        board.processes = dict.fromkeys(processes, 1)
        calls: list[None] = []
        message = rf"another process uses the GPU \({named}\).*skip_metrics=\['energy'\]"
        with pytest.raises(NvmlError, match=message):
            measure_energy(lambda: calls.append(fake_torch.cuda.launch(0.08)))
        assert len(calls) == 1  # before the window

    def test_one_that_started_meanwhile_is_detected(
        self, board: "ScriptedBoard", fake_torch: Any, measure_energy: MeasureEnergy
    ) -> None:
        def function() -> None:
            fake_torch.cuda.launch(0.08)
            if fake_torch.cuda.clock() > 2e9:
                board.processes[OTHER] = 1

        with pytest.raises(NvmlError, match=r"another process uses the GPU \(4711\)"):
            measure_energy(function)

    def test_on_another_board_it_does_not_matter(
        self, nvml: "ScriptedNvml", fake_torch: Any, measure_energy: MeasureEnergy
    ) -> None:
        nvml.boards[1].processes[OTHER] = 1
        assert measure_energy(lambda: fake_torch.cuda.launch(0.08), 0, 2)[0].values
        with pytest.raises(NvmlError, match="another process"):
            measure_energy(lambda: fake_torch.cuda.launch(0.08), 0, 1)


class TestEnergyThatTheCounterCannotMeasure:
    def _refused(
        self, measure_energy: MeasureEnergy, fake_torch: Any, message: str, *on: int
    ) -> None:
        with pytest.raises(NvmlError, match=message):
            measure_energy(lambda: fake_torch.cuda.launch(0.08), *on)

    def test_a_slice_of_a_board(
        self, nvml: "ScriptedNvml", board: "ScriptedBoard", clock: Any
    ) -> None:
        nvml.slices["11111111"] = board
        with open_nvml() as found:
            slice_ = found.board("11111111")
            with pytest.raises(NvmlError, match="MIG slice, and the counter is of the whole"):
                EnergyWindow([slice_], clock)
            EnergyWindow([found.board(board.uuid)], clock)

    @pytest.mark.parametrize("nvml_error", ["Not Supported", "Insufficient Permissions"])
    def test_a_missing_or_forbidden_counter(
        self,
        board: "ScriptedBoard",
        fake_torch: Any,
        measure_energy: MeasureEnergy,
        nvml_error: str,
    ) -> None:
        board.errors[COUNTER] = nvml_error
        self._refused(measure_energy, fake_torch, rf"no answer to {COUNTER} \({nvml_error}\)")

    def test_unknown_processes(
        self, board: "ScriptedBoard", fake_torch: Any, measure_energy: MeasureEnergy
    ) -> None:
        board.errors["nvmlDeviceGetComputeRunningProcesses"] = "Not Supported"
        self._refused(measure_energy, fake_torch, r"RunningProcesses \(Not Supported\)")

    @pytest.mark.parametrize("from_s", [0.0, 1.5])
    def test_one_that_stalls(
        self,
        board: "ScriptedBoard",
        fake_torch: Any,
        measure_energy: MeasureEnergy,
        from_s: float,
        clock: Any,
    ) -> None:
        board.shown = lambda energy_j, now_s: energy_j if now_s < from_s else 9e4
        self._refused(measure_energy, fake_torch, "the energy counter stood still for 2 s")
        assert clock() < 12e9

    def test_one_of_several_that_stalls(
        self, nvml: "ScriptedNvml", fake_torch: Any, measure_energy: MeasureEnergy
    ) -> None:
        nvml.boards[1].shown = lambda *_: 9e4
        self._refused(measure_energy, fake_torch, "the energy counter stood still for 2 s", 0, 1)

    @pytest.mark.parametrize("at_s", [0.3, 1.5, 2.45, 2.5, 2.55, 2.6])
    def test_one_that_falls_back(
        self, board: "ScriptedBoard", fake_torch: Any, measure_energy: MeasureEnergy, at_s: float
    ) -> None:
        board.shown = lambda energy_j, now_s: energy_j - (0.0 if now_s < at_s else 49_000.0)
        reason = (
            "the energy counter fell back" if at_s != 1.5 else "by less than the idle GPU draws"
        )
        self._refused(measure_energy, fake_torch, reason)

    def test_calls_that_give_the_gpu_nothing_to_do(
        self, fake_torch: Any, clock: Any, nvml: "ScriptedNvml", calls_of: CallsOf
    ) -> None:
        # An earlier test started CUDA; this one's function works on the processor.
        calls = calls_of(lambda: clock.advance(0.05), rounds=3, warmup=1)
        warm_up(calls)
        with open_nvml() as found:
            window = EnergyWindow([found.board(nvml.boards[0].uuid)], calls.clock)
            done = steady_rounds(calls, min_duration_s=window.min_duration_s)
            energy, dynamic = window.measurements(done)
        assert energy.values == pytest.approx((0.05 * nvml.boards[0].idle_w,), rel=0.02)
        assert dynamic.absent == "the GPU drew no more than when it idles"
        latency = Measurement(LATENCY, (0.05,))
        without = Measurement(DEVICE_TIME, absent="the profiler saw no kernel")
        kept, dropped, *_ = drop_energy_without_kernels([latency, energy, dynamic, without])
        assert kept is latency
        assert dropped.metric is ENERGY
        assert dropped.absent == f"{dynamic.absent}, and no kernel of the call was seen"
        # Nothing shows kernels where there is no profiler.
        _, dropped, _ = drop_energy_without_kernels([latency, energy, dynamic])
        assert dropped.absent is not None

    def test_calls_of_few_kernels_draw_little_and_keep_their_energy(
        self, fake_torch: Any, board: "ScriptedBoard", measure_energies: MeasureEnergies
    ) -> None:
        board.busy_w = 1.04 * board.idle_w
        (energy, dynamic), _ = measure_energies(lambda: fake_torch.cuda.launch(0.05))
        assert dynamic.absent == "the GPU drew no more than when it idles"
        device_time = Measurement(DEVICE_TIME, (0.05,))
        found = [energy, dynamic, device_time]
        assert drop_energy_without_kernels(found) == tuple(found)

    def test_a_load_that_is_seen_has_both(
        self, fake_torch: Any, board: "ScriptedBoard", measure_energies: MeasureEnergies
    ) -> None:
        board.busy_w = 1.1 * board.idle_w
        found, _ = measure_energies(lambda: fake_torch.cuda.launch(0.05))
        assert all(each.values for each in found)
        assert drop_energy_without_kernels(found) == tuple(found)

    def test_one_that_advances_by_less_than_idling_takes(
        self, board: "ScriptedBoard", fake_torch: Any, measure_energy: MeasureEnergy
    ) -> None:
        board.shown = lambda energy_j, now_s: energy_j - (0.0 if now_s < 1.5 else 1_250.0)
        self._refused(measure_energy, fake_torch, "by less than the idle GPU draws")


def test_the_figures_scatter_by_less_than_a_tolerance_over_phases(
    board: "ScriptedBoard", fake_torch: Any, measure_energy: MeasureEnergy
) -> None:
    found = []
    for phase in range(10):
        board.phase_s, board.lag_s = phase / 100, 0.05
        found.append(measure_energy(lambda: fake_torch.cuda.launch(0.037))[0].values[0])
    assert max(found) / min(found) - 1 < 0.003
    assert mean(found) == pytest.approx(0.037 * 600, rel=0.002)
