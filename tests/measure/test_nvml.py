import hashlib
import os
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pareto.measure.nvml import Board, NvmlError, Slowdown, board_name, open_nvml
from pytest_pareto.model.errors import ParetoError

if TYPE_CHECKING:
    from tests.measure.scripted_nvml import ScriptedNvml

UUID = "00000000-0000-0000-0000-00000000000a"
NOT_SLOWED = Slowdown(total_ns=0, now=False)


@pytest.fixture
def board(nvml: "ScriptedNvml") -> Iterator[Board]:
    with open_nvml() as found:
        yield found.board(UUID)


def test_the_script_has_the_interface_of_the_library(nvml: "ScriptedNvml") -> None:
    sys.modules.pop("pynvml")
    import pynvml

    names = [name for name in dir(nvml) if name.lower().startswith("nvml")]
    assert len(names) > 20
    assert [name for name in names if not hasattr(pynvml, name)] == []
    numbers = {name: getattr(nvml, name) for name in names}
    for name, number in numbers.items():
        assert not isinstance(number, int) or number == getattr(pynvml, name), name


class TestTheConnection:
    def test_it_is_closed_however_its_use_ends(self, nvml: "ScriptedNvml") -> None:
        with open_nvml() as found:
            assert nvml.sessions == 1
            assert found.driver() == "580.159.04"
        assert nvml.sessions == 0
        with pytest.raises(KeyError), open_nvml():
            raise KeyError
        assert nvml.sessions == 0

    @pytest.mark.parametrize("nvml_error", ["Driver Not Loaded", "Insufficient Permissions"])
    def test_a_refusing_driver_is_reported_in_its_own_text(
        self, nvml: "ScriptedNvml", nvml_error: str
    ) -> None:
        nvml.init_error = nvml_error
        message = rf"^NVML cannot be used here \(NVMLError: {nvml_error}\)$"
        with pytest.raises(NvmlError, match=message) as raised, open_nvml():
            pass
        assert isinstance(raised.value, ParetoError)
        assert nvml.sessions == 0

    def test_a_missing_library_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "pynvml", None)
        with pytest.raises(NvmlError, match="NVML cannot be used here"), open_nvml():
            pass

    def test_so_is_one_that_cannot_be_loaded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def load() -> None:
            raise OSError("libnvidia-ml.so.1: cannot open shared object file")

        monkeypatch.setitem(sys.modules, "pynvml", SimpleNamespace(nvmlInit=load))
        with pytest.raises(NvmlError, match=r"\(OSError: libnvidia-ml"), open_nvml():
            pass


class TestFindingABoard:
    def test_it_is_found_by_its_uuid_and_named_without_it(self, nvml: "ScriptedNvml") -> None:
        nvml.boards.reverse()
        with open_nvml() as found:
            board = found.board(UUID)
        assert board.handle.uuid == UUID
        assert board.name == board_name(UUID) == hashlib.sha256(UUID.encode()).hexdigest()[:8]
        assert not board.is_mig_slice

    def test_a_slice_is_its_whole_board_and_marked(self, nvml: "ScriptedNvml") -> None:
        nvml.slices["11111111"] = nvml.boards[1]
        with open_nvml() as found:
            board = found.board("11111111")
        assert board.handle is nvml.boards[1]
        assert board.is_mig_slice

    def test_an_unknown_one_is_an_error_without_the_uuid(self, nvml: "ScriptedNvml") -> None:
        message = r"^NVML does not know this GPU by its UUID \(Not Found\)$"
        with open_nvml() as found, pytest.raises(NvmlError, match=message):
            found.board("22222222")


class TestABoard:
    def test_its_figures_are_in_si_units(self, nvml: "ScriptedNvml", board: Board) -> None:
        script = nvml.boards[0]
        script.limit_mw, script.sm_clock_mhz, script.temperature_c = 350_500, 1410, 81
        assert board.power_limit_w() == 350.5
        assert board.sm_clock_mhz() == 1410
        assert board.temperature_c() == 81

    def test_its_energy_is_in_joules(
        self, nvml: "ScriptedNvml", board: Board, fake_torch: Any, clock: Any
    ) -> None:
        before = board.energy_j()
        fake_torch.cuda.launch(1.0)
        clock.advance(2.0)
        drawn = board.energy_j() - before
        assert drawn == pytest.approx(600.0 * 1.0 + 100.0 * 1.0, abs=0.1 * 600.0)

    def test_its_record_of_power_is_in_watts_and_goes_on_from_the_last_sample(
        self, board: Board, fake_torch: Any, clock: Any
    ) -> None:
        fake_torch.cuda.launch(0.06)
        clock.advance(0.105)
        samples = board.power_samples_w(0)
        assert [power_w for _, power_w in samples] == [600.0, 600.0, 600.0, 100.0, 100.0]
        clock.advance(0.02)
        ((at_us, _),) = board.power_samples_w(samples[-1][0])
        assert at_us == samples[-1][0] + 20_000

    def test_nothing_new_in_its_record_is_an_error(self, board: Board, clock: Any) -> None:
        clock.advance(0.1)
        ((last_us, _), *_) = reversed(board.power_samples_w(0))
        with pytest.raises(NvmlError, match=r"nvmlDeviceGetSamples \(Not Found\)"):
            board.power_samples_w(last_us)

    @pytest.mark.parametrize(
        ("reason", "name"),
        [
            ("HwThermalSlowdown", "hardware thermal slowdown"),
            ("HwPowerBrakeSlowdown", "hardware power brake"),
            ("SwThermalSlowdown", "software thermal slowdown"),
            ("SwPowerCap", "software power cap"),
        ],
    )
    def test_slowdowns_are_reported_with_their_time(
        self, nvml: "ScriptedNvml", board: Board, clock: Any, reason: str, name: str
    ) -> None:
        nvml.boards[0].slow(reason, 1.0, 3.0)
        clock.advance(1.5)
        others = {other: NOT_SLOWED for other in board.slowdowns() if other != name}
        assert len(others) == 3
        assert board.slowdowns() == others | {name: Slowdown(500_000_000, now=True)}
        clock.advance(9.0)
        assert board.slowdowns() == others | {name: Slowdown(2_000_000_000, now=False)}

    @pytest.mark.parametrize("field_values", ["refused", "unsupported", "unknown to the library"])
    def test_a_driver_that_does_not_count_reports_the_moment_only(
        self,
        nvml: "ScriptedNvml",
        board: Board,
        clock: Any,
        field_values: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        nvml.boards[0].slow("SwThermalSlowdown", 0.0, 9.0)
        clock.advance(1.0)
        assert board.slowdowns()["software thermal slowdown"].total_ns == 1_000_000_000
        if field_values == "refused":
            nvml.boards[0].errors["nvmlDeviceGetFieldValues"] = "Not Supported"
        elif field_values == "unsupported":
            nvml.boards[0].counts_slowdowns = False
        else:
            for name in [each for each in dir(type(nvml)) if each.startswith("NVML_FI_DEV_")]:
                monkeypatch.delattr(type(nvml), name)
        found = board.slowdowns()
        assert found["software thermal slowdown"] == Slowdown(total_ns=None, now=True)
        assert {each.total_ns for each in found.values()} == {None}

    def test_its_processes_are_reported_with_their_memory(
        self, nvml: "ScriptedNvml", board: Board
    ) -> None:
        nvml.boards[0].processes = {os.getpid(): 512, 4711: None}
        assert board.compute_processes() == {os.getpid(): 512, 4711: None}

    @pytest.mark.parametrize(
        ("question", "ask"),
        [
            ("nvmlDeviceGetTotalEnergyConsumption", Board.energy_j),
            ("nvmlDeviceGetPowerManagementLimit", Board.power_limit_w),
            ("nvmlDeviceGetClockInfo", Board.sm_clock_mhz),
            ("nvmlDeviceGetTemperature", Board.temperature_c),
            ("nvmlDeviceGetCurrentClocksEventReasons", Board.slowdowns),
            ("nvmlDeviceGetComputeRunningProcesses", Board.compute_processes),
        ],
    )
    def test_a_function_without_a_value_is_named(
        self, nvml: "ScriptedNvml", board: Board, question: str, ask: Any
    ) -> None:
        ask(board)
        nvml.boards[0].errors[question] = "Not Supported"
        with pytest.raises(NvmlError, match=rf"no answer to {question} \(Not Supported\)"):
            ask(board)

    def test_so_is_one_that_the_library_is_too_old_for(
        self, nvml: "ScriptedNvml", board: Board, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delattr(type(nvml), "nvmlDeviceGetClockInfo")
        with pytest.raises(NvmlError, match="no answer to nvmlDeviceGetClockInfo"):
            board.sm_clock_mhz()
