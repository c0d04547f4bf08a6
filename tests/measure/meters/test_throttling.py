from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pareto.measure.meter import Calls
from pytest_pareto.measure.meters.throttling import ThrottlingMonitor
from pytest_pareto.measure.nvml import board_name
from pytest_pareto.model.metric import ENERGY
from pytest_pareto.model.run import Measurement

if TYPE_CHECKING:
    from tests.measure.scripted_nvml import ScriptedBoard, ScriptedNvml

CallsOf = Callable[..., Calls]
THERMAL = "HwThermalSlowdown"
JOULES = Measurement(ENERGY, (40.0,), notes=("of 9 calls",))


@pytest.fixture
def board(nvml: "ScriptedNvml") -> "ScriptedBoard":
    return nvml.boards[0]


@pytest.fixture
def windows(clock: Any, calls_of: CallsOf) -> Callable[..., tuple[ThrottlingMonitor, int]]:
    """Monitor windows of two seconds; return the monitor and the number of windows."""

    def monitor() -> tuple[ThrottlingMonitor, int]:
        numbers: list[int] = []

        def window() -> int:
            with active.recording_conditions():
                clock.advance(2.0)
            numbers.append(len(numbers) + 1)
            return numbers[-1]

        with ThrottlingMonitor(calls_of(lambda: None)) as active:
            found = active.repeat_while_throttled(window)
        assert found == len(numbers)
        return active, found

    return monitor


Windows = Callable[[], tuple[ThrottlingMonitor, int]]


@pytest.mark.usefixtures("nvml")
def test_a_window_of_full_speed_has_the_conditions_at_its_end(windows: Windows) -> None:
    monitor, number = windows()
    assert (monitor.slowdown_reason, monitor.nvml_absence, number) == (None, None, 1)
    assert monitor.with_conditions(JOULES).notes == ("of 9 calls", "1980 MHz and 45 °C at the end")
    assert monitor.with_conditions(JOULES).values == JOULES.values


def test_a_power_cap_is_usual_and_only_noted(board: "ScriptedBoard", windows: Windows) -> None:
    board.slow("SwPowerCap", 0.5, 1.3)
    board.sm_clock_mhz = 1410
    monitor, number = windows()
    assert (monitor.slowdown_reason, number) == (None, 1)
    assert monitor.with_conditions(JOULES).notes[1:] == (
        "1410 MHz and 45 °C at the end",
        "software power cap for 40 % of the time",
    )


@pytest.mark.parametrize("reason", [THERMAL, "SwThermalSlowdown", "HwPowerBrakeSlowdown"])
def test_a_window_that_heat_slowed_is_repeated(
    board: "ScriptedBoard", windows: Windows, reason: str
) -> None:
    board.slow(reason, 1.0, 1.5)
    monitor, number = windows()
    assert (monitor.slowdown_reason, number) == (None, 2)


def test_three_slowed_windows_are_the_most_and_have_a_reason(
    board: "ScriptedBoard", windows: Windows
) -> None:
    board.slow(THERMAL, 0.0, 5.0)
    board.slow("SwThermalSlowdown", 3.0, 9.0)
    monitor, number = windows()
    assert number == 3
    assert monitor.slowdown_reason == (
        "the GPU was slowed down in each of 3 windows (hardware thermal slowdown 50 % and "
        "software thermal slowdown 100 % of the last one); let it cool, and see what heats it or "
        "limits its power"
    )


def test_the_third_window_may_be_the_first_good_one(
    board: "ScriptedBoard", windows: Windows
) -> None:
    board.slow(THERMAL, 0.0, 3.9)
    monitor, number = windows()
    assert (monitor.slowdown_reason, number) == (None, 3)


def test_less_than_a_hundredth_of_the_window_is_not_reported(
    board: "ScriptedBoard", windows: Windows
) -> None:
    board.slow(THERMAL, 1.0, 1.019)
    board.slow("SwPowerCap", 1.0, 1.019)
    monitor, number = windows()
    assert (monitor.slowdown_reason, number) == (None, 1)
    assert len(monitor.with_conditions(JOULES).notes) == 2


def test_a_hundredth_is(board: "ScriptedBoard", windows: Windows) -> None:
    board.slow(THERMAL, 1.0, 1.021)
    _, number = windows()
    assert number == 2


class TestWithoutCounters:
    @pytest.fixture(autouse=True)
    def _uncounted(self, board: "ScriptedBoard") -> None:
        board.counts_slowdowns = False

    @pytest.mark.parametrize("times", [(0.0, 0.1), (1.9, 2.1)])
    def test_being_slowed_at_an_edge_is_the_whole(
        self, board: "ScriptedBoard", windows: Windows, times: tuple[float, float]
    ) -> None:
        board.slow(THERMAL, *times)
        monitor, number = windows()
        assert (monitor.slowdown_reason, number) == (None, 3 if times[1] > 2.0 else 2)

    def test_the_cap_at_an_edge_is_noted_as_the_whole(
        self, board: "ScriptedBoard", windows: Windows
    ) -> None:
        board.slow("SwPowerCap", 1.9, 2.1)
        monitor, _ = windows()
        assert (
            monitor.with_conditions(JOULES).notes[-1] == "software power cap for 100 % of the time"
        )

    def test_what_happened_between_the_edges_is_not_seen(
        self, board: "ScriptedBoard", windows: Windows
    ) -> None:
        board.slow(THERMAL, 0.1, 1.9)
        assert windows()[1] == 1
        board.counts_slowdowns = True
        board.slow(THERMAL, 2.1, 3.9)
        assert windows()[1] == 2


class TestSeveralBoards:
    @pytest.fixture(autouse=True)
    def _two(self, fake_torch: Any) -> None:
        fake_torch.cuda.allocate(1, on=2)

    def test_the_notes_name_each(self, nvml: "ScriptedNvml", windows: Windows) -> None:
        nvml.boards[2].temperature_c = 60
        nvml.boards[2].slow("SwPowerCap", 0.0, 1.0)
        monitor, _ = windows()
        first, last = (board_name(nvml.boards[number].uuid) for number in (0, 2))
        assert monitor.with_conditions(JOULES).notes[1:] == (
            f"GPU {first}: 1980 MHz and 45 °C at the end",
            f"GPU {last}: 1980 MHz and 60 °C at the end",
            f"GPU {last}: software power cap for 50 % of the time",
        )

    def test_one_slowed_is_all_slowed(self, nvml: "ScriptedNvml", windows: Windows) -> None:
        nvml.boards[2].slow(THERMAL, 0.0, 99.0)
        monitor, number = windows()
        assert number == 3
        assert monitor.slowdown_reason is not None

    def test_a_board_that_is_not_used_does_not_matter(
        self, nvml: "ScriptedNvml", windows: Windows
    ) -> None:
        nvml.boards[1].slow(THERMAL, 0.0, 99.0)
        monitor, number = windows()
        assert (monitor.slowdown_reason, number) == (None, 1)


class TestWithoutNvml:
    def _check(self, windows: Windows, reason: str) -> None:
        monitor, number = windows()
        assert monitor.boards == ()
        assert monitor.nvml_absence is not None
        assert reason in monitor.nvml_absence
        assert (monitor.slowdown_reason, number) == (None, 1)
        assert monitor.with_conditions(JOULES) == JOULES

    @pytest.mark.usefixtures("without_torch")
    def test_there_is_no_gpu(self, windows: Windows) -> None:
        self._check(windows, "no CUDA device was used")

    def test_torch_has_no_uuids(
        self, nvml: "ScriptedNvml", fake_torch: Any, windows: Windows
    ) -> None:
        fake_torch.cuda.uuids = [None] * 3
        self._check(windows, "torch does not report the UUIDs of its devices")
        assert nvml.queries == []

    def test_there_is_no_nvml(self, nvml: "ScriptedNvml", windows: Windows) -> None:
        nvml.init_error = "Driver Not Loaded"
        self._check(windows, "NVML cannot be used here (NVMLError: Driver Not Loaded)")

    def test_nvml_does_not_know_the_board(self, nvml: "ScriptedNvml", windows: Windows) -> None:
        del nvml.boards[0]
        self._check(windows, "NVML does not know this GPU by its UUID (Not Found)")


def test_a_value_that_a_board_lacks_leaves_the_others(
    board: "ScriptedBoard", windows: Windows
) -> None:
    board.errors["nvmlDeviceGetTemperature"] = "Not Supported"
    monitor, _ = windows()
    assert monitor.with_conditions(JOULES).notes == (*JOULES.notes, "1980 MHz at the end")
    board.slow(THERMAL, 0.0, 99.0)
    monitor, number = windows()
    assert monitor.slowdown_reason is not None
    assert number == 3


def test_a_board_without_any_value_counts_as_not_slowed(
    board: "ScriptedBoard", windows: Windows
) -> None:
    for question in ("Temperature", "ClockInfo", "CurrentClocksEventReasons"):
        board.errors[f"nvmlDeviceGet{question}"] = "Not Supported"
    board.slow(THERMAL, 0.0, 99.0)
    monitor, number = windows()
    assert (monitor.slowdown_reason, monitor.nvml_absence, number) == (None, None, 1)
    assert monitor.with_conditions(JOULES) == JOULES


def test_what_happens_at_rest_is_not_the_windows(
    board: "ScriptedBoard", clock: Any, calls_of: CallsOf
) -> None:
    board.slow(THERMAL, 0.0, 5.0)
    with ThrottlingMonitor(calls_of(lambda: None)) as monitor:

        def window() -> None:
            clock.advance(6.0)
            with monitor.recording_conditions():
                clock.advance(2.0)
            board.sm_clock_mhz = 345

        monitor.repeat_while_throttled(window)
    assert monitor.slowdown_reason is None
    assert monitor.with_conditions(JOULES).notes[1:] == ("1980 MHz and 45 °C at the end",)


def test_nvml_is_open_while_watching_and_not_after(nvml: "ScriptedNvml", calls_of: CallsOf) -> None:
    with ThrottlingMonitor(calls_of(lambda: None)):
        assert nvml.sessions == 1
    assert nvml.sessions == 0
    with pytest.raises(ZeroDivisionError), ThrottlingMonitor(calls_of(lambda: None)) as monitor:
        monitor.repeat_while_throttled(lambda: 1 / 0)
    assert nvml.sessions == 0
