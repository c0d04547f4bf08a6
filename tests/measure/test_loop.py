import gc
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from pytest_pareto.measure.loop import round_overhead_s, steady_rounds, warm_up
from pytest_pareto.measure.meter import Calls
from pytest_pareto.measure.plan import LoopPlan
from pytest_pareto.model.errors import ParetoError

CallsOf = Callable[..., Calls]


@pytest.mark.usefixtures("without_torch")
class TestOnTheProcessor:
    @pytest.mark.parametrize(
        ("call_s", "warmups", "rounds"),
        [
            (0.001, 20, 100),  # quick: the greatest numbers
            (0.100, 5, 20),  # the time bounds: 0.5 s and 2 s
            (0.030, 17, 67),
            (10.00, 2, 5),  # slow: the least numbers
        ],
    )
    def test_calls_are_bounded_by_number_and_time(
        self, clock: Any, calls_of: CallsOf, call_s: float, warmups: int, rounds: int
    ) -> None:
        calls = calls_of(lambda: clock.advance(call_s))
        warm_up(calls)
        assert calls.count == warmups
        found = steady_rounds(calls)
        assert len(found) == rounds
        assert calls.count == warmups + rounds
        assert [each.wall_s for each in found] == pytest.approx([call_s] * rounds)
        assert {each.event_s for each in found} == {None}

    def test_a_clock_that_runs_backwards_is_refused(self, clock: Any, calls_of: CallsOf) -> None:
        with pytest.raises(ParetoError, match="the clock runs backwards"):
            steady_rounds(calls_of(lambda: clock.advance(-1.0)))

    def test_exact_numbers_are_kept_to_the_call(self, clock: Any, calls_of: CallsOf) -> None:
        calls = calls_of(lambda: clock.advance(60.0), warmup=1, rounds=7)
        warm_up(calls)
        assert len(steady_rounds(calls)) == 7
        assert calls.count == 8

    @pytest.mark.parametrize(("call_s", "rounds"), [(0.001, 5000), (0.7, 8), (60.0, 3)])
    def test_a_long_window_goes_on_beyond_the_plan(
        self, clock: Any, calls_of: CallsOf, call_s: float, rounds: int
    ) -> None:
        calls = calls_of(lambda: clock.advance(call_s), rounds=3)
        found = steady_rounds(calls, min_duration_s=5.0)
        assert len(found) == rounds
        assert found[-1].stop_ns - found[0].start_ns >= 5e9

    def test_what_is_done_between_rounds_knows_the_time_and_is_not_timed(
        self, clock: Any, calls_of: CallsOf
    ) -> None:
        reported: list[float] = []

        def after_round(elapsed_s: float) -> None:
            reported.append(elapsed_s)
            clock.advance(0.4)

        calls = calls_of(lambda: clock.advance(0.1), rounds=3)
        found = steady_rounds(calls, after_round=after_round)
        assert [each.wall_s for each in found] == pytest.approx([0.1] * 3)
        assert reported == pytest.approx([0.1, 0.6, 1.1])

    def test_warm_up_is_done_once_for_all_meters(self, clock: Any, calls_of: CallsOf) -> None:
        calls = calls_of(lambda: clock.advance(0.1), warmup=3, rounds=2)
        for _ in range(2):
            warm_up(calls)
            steady_rounds(calls)
        assert calls.count == 3 + 2 + 2

    def test_setup_is_not_timed_but_bounds_the_loop(self, clock: Any) -> None:
        def arguments() -> tuple[tuple[()], dict[str, object]]:
            clock.advance(0.9)
            return (), {}

        calls = Calls(
            lambda: clock.advance(0.1), arguments, clock=clock, plan=LoopPlan(min_rounds=1)
        )
        found = steady_rounds(calls)
        assert [each.wall_s for each in found] == pytest.approx([0.1] * 3)  # 0.1 + 1 + 1 s

    def test_results_and_arguments_are_dropped_untimed_before_the_next_round(
        self, clock: Any
    ) -> None:
        journal: list[str] = []

        class Slow:
            def __init__(self, name: str) -> None:
                self.name = name

            def __del__(self) -> None:
                clock.advance(5.0)
                journal.append(f"{self.name} gone")

        def function(argument: object) -> Slow:
            journal.append("call")
            clock.advance(0.1)
            return Slow("result")

        calls = Calls(
            function,
            lambda: ((Slow("argument"),), {}),
            clock=clock,
            plan=LoopPlan(rounds=3, warmup=1),
        )
        warm_up(calls)
        found = steady_rounds(calls)
        assert [each.wall_s for each in found] == pytest.approx([0.1] * 3)
        one = ["call", "result gone", "argument gone"]
        assert sorted(journal[:3]) == sorted(one)
        assert journal[::3] == ["call"] * 4

    def test_garbage_is_collected_before_the_window_and_not_in_it(
        self, monkeypatch: pytest.MonkeyPatch, calls_of: CallsOf
    ) -> None:
        journal: list[str] = []
        monkeypatch.setattr(gc, "collect", lambda oldest: journal.append(f"collect to {oldest}"))
        calls = calls_of(lambda: journal.append("call"), rounds=2, warmup=1)
        warm_up(calls)
        steady_rounds(calls)
        assert journal == ["call", "collect to 1", "call", "call"]

    def test_the_stage_names_the_loop_and_is_given_back(self, calls_of: CallsOf) -> None:
        stages: list[str] = []
        calls: Calls = calls_of(lambda: stages.append(calls.stage), rounds=1, warmup=1)
        calls.stage = "measuring latency"
        warm_up(calls)
        steady_rounds(calls)
        assert stages == ["warm-up", "steady state"]
        assert calls.stage == "measuring latency"


class TestOnCuda:
    def test_a_round_synchronises_before_and_after_the_call(
        self, fake_torch: Any, calls_of: CallsOf
    ) -> None:
        journal = fake_torch.cuda.journal
        calls = calls_of(lambda: journal.append("call"), rounds=2, warmup=1)
        warm_up(calls)
        steady_rounds(calls)
        warm, timed = ["sync 0", "call", "sync 0"], ["sync 0", "event", "call", "event", "sync 0"]
        assert journal == warm + timed + timed

    def test_readings_hold_the_kernels_and_not_only_their_launch(
        self, fake_torch: Any, clock: Any, calls_of: CallsOf
    ) -> None:
        def function() -> None:
            clock.advance(0.001)
            fake_torch.cuda.launch(0.2)

        found = steady_rounds(calls_of(function, rounds=3, warmup=1))
        assert [each.wall_s for each in found] == pytest.approx([0.201] * 3)
        assert [each.event_s for each in found] == pytest.approx([0.201] * 3)
        assert all(b.start_ns >= a.stop_ns for a, b in pairwise(found))

    def test_the_same_check_fails_without_synchronising(
        self, fake_torch: Any, clock: Any, calls_of: CallsOf
    ) -> None:
        from pytest_pareto.measure.device import CpuDevice

        def function() -> None:
            clock.advance(0.001)
            fake_torch.cuda.launch(0.2)

        calls = calls_of(function, rounds=3, warmup=1)
        calls.device = CpuDevice()
        assert [each.wall_s for each in steady_rounds(calls)] == pytest.approx([0.001] * 3)


def test_an_empty_round_costs_what_measuring_does(
    fake_torch: Any, clock: Any, calls_of: CallsOf
) -> None:
    calls = calls_of(lambda: clock.advance(9.0))
    assert round_overhead_s(calls) == 0.0
    synchronize = fake_torch.cuda.synchronize

    def slowly(index: int) -> None:
        clock.advance(1e-5)
        synchronize(index)

    fake_torch.cuda.synchronize = slowly
    assert round_overhead_s(calls) == pytest.approx(1e-5)
    assert calls.count == 0
