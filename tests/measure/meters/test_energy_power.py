from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pareto.measure.meters.energy import PowerLog
from pytest_pareto.measure.nvml import Board, open_nvml

if TYPE_CHECKING:
    from tests.measure.scripted_nvml import ScriptedNvml

Boards = tuple[Board, ...]
SAMPLES = "nvmlDeviceGetSamples"


@pytest.fixture
def boards(nvml: "ScriptedNvml") -> Iterator[Boards]:
    with open_nvml() as found:
        yield tuple(found.board(board.uuid) for board in nvml.boards)


@pytest.fixture
def advance(clock: Any) -> Callable[..., None]:
    """Let time pass in small steps, and poll the log after each of them."""

    def wait(seconds: float, log: PowerLog | None = None) -> None:
        until_ns = clock() + round(seconds * 1e9)
        while clock() < until_ns:
            clock.advance(0.01)
            if log is not None:
                log.poll()

    return wait


def test_power_is_integrated_over_the_window_alone(
    boards: Boards, nvml: "ScriptedNvml", fake_torch: Any, clock: Any, advance: Callable[..., None]
) -> None:
    advance(1.234)
    log = PowerLog(boards[:1], clock)
    fake_torch.cuda.launch(0.5)
    advance(1.0, log)
    began_ns = clock()
    fake_torch.cuda.launch(3.0)
    advance(5.0, log)
    ended_ns = clock()
    fake_torch.cuda.launch(0.5)
    advance(1.0, log)
    log.fetch()
    true_j = nvml.boards[0].drawn_j(began_ns, ended_ns)
    assert true_j == pytest.approx(600 * 3 + 100 * 2, rel=0.01)
    assert log.energy_j(began_ns, ended_ns) == pytest.approx(true_j, rel=0.01)
    # The same check on a window that is shifted by the pause before it.
    assert log.energy_j(began_ns - 10**9, ended_ns - 10**9) != pytest.approx(true_j, rel=0.01)


def test_the_boards_are_summed(
    boards: Boards, fake_torch: Any, clock: Any, advance: Callable[..., None]
) -> None:
    log = PowerLog((boards[0], boards[2]), clock)
    began_ns = clock()
    fake_torch.cuda.launch(9.0, on=2)
    advance(2.0, log)
    log.fetch()
    assert log.energy_j(began_ns, clock()) == pytest.approx(700 * 2.0, rel=0.01)


@pytest.mark.usefixtures("nvml")
def test_the_record_is_longer_than_the_drivers_memory(
    boards: Boards, clock: Any, advance: Callable[..., None]
) -> None:
    log = PowerLog(boards[:1], clock)
    began_ns = clock()
    advance(10.0, log)
    log.fetch()
    assert log.energy_j(began_ns, clock()) == pytest.approx(1000.0, rel=0.01)


@pytest.mark.usefixtures("nvml")
def test_without_keeping_it_there_are_gaps_and_no_figure(
    boards: Boards, clock: Any, advance: Callable[..., None]
) -> None:
    log = PowerLog(boards[:1], clock)
    began_ns = clock()
    advance(10.0)
    log.fetch()
    assert log.energy_j(began_ns, clock()) is None
    assert log.energy_j(clock() - 2 * 10**9, clock()) == pytest.approx(200.0, rel=0.01)


def test_the_driver_is_queried_about_once_a_second(
    boards: Boards, nvml: "ScriptedNvml", clock: Any, advance: Callable[..., None]
) -> None:
    log = PowerLog(boards[:1], clock)
    advance(10.0, log)
    queries = [at_ns for at_ns, question in nvml.queries if question == SAMPLES]
    assert 9 <= len(queries) <= 10


def test_a_gap_of_one_board_is_a_gap_of_all(
    boards: Boards, nvml: "ScriptedNvml", clock: Any, advance: Callable[..., None]
) -> None:
    log = PowerLog(boards[:2], clock)
    began_ns = clock()
    advance(2.0, log)
    nvml.boards[1].errors[SAMPLES] = "Unknown Error"
    advance(3.0, log)
    del nvml.boards[1].errors[SAMPLES]
    advance(2.0, log)
    log.fetch()
    assert log.energy_j(began_ns, began_ns + 10**9) is not None
    assert log.energy_j(began_ns, clock()) is None


def test_a_board_that_keeps_no_record_has_no_figure(
    boards: Boards, nvml: "ScriptedNvml", clock: Any, advance: Callable[..., None]
) -> None:
    nvml.boards[0].errors[SAMPLES] = "Not Supported"
    log = PowerLog(boards[:1], clock)
    advance(2.0, log)
    log.fetch()
    assert log.energy_j(0, clock()) is None


def test_samples_are_found_by_the_time_of_day(
    boards: Boards, fake_torch: Any, clock: Any, advance: Callable[..., None]
) -> None:
    log = PowerLog(boards[:1], clock)
    slow_log = PowerLog(boards[:1], clock, now_us=lambda: log._now_us() - 500_000)
    fake_torch.cuda.launch(1.0)
    advance(2.0)
    for each in (log, slow_log):
        each.fetch()
    assert log.energy_j(0, 10**9) == pytest.approx(600.0, rel=0.02)
    # A clock half a second behind that of the driver selects the wrong half.
    assert slow_log.energy_j(10**9, 2 * 10**9) == pytest.approx(350.0, rel=0.02)
