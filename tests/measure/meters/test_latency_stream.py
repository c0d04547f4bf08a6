from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from pytest_pareto.measure.device import CudaDevice
from pytest_pareto.measure.loop import Round
from pytest_pareto.measure.measurement import measure_call
from pytest_pareto.measure.meter import Calls, meter_pass
from pytest_pareto.measure.meters.latency import SteadyMeter, StreamMeter, stream_measurements
from pytest_pareto.measure.plan import LoopPlan
from pytest_pareto.measure.streams import ConsumedStream, Stream
from pytest_pareto.model.run import Measurement

CallsOf = Callable[..., Calls]
Found = Mapping[str, Measurement]


def _measure(calls: Calls, *skip: str, traced: str | None = None) -> Found:
    found = meter_pass(StreamMeter(lambda: traced), calls, frozenset(skip))
    return {each.metric.name: each for each in found}


def _tokens(clock: Any, prefill_s: float, step_s: float, count: int) -> Stream:
    def tokens() -> Iterator[int]:
        clock.advance(prefill_s)
        for number in range(count):
            if number:
                clock.advance(step_s)
            yield number
        clock.advance(0.001)  # work after the last item belongs to the call

    return Stream(tokens)


@pytest.mark.usefixtures("without_torch")
class TestOnTheProcessor:
    def test_first_item_rate_and_count(self, clock: Any, calls_of: CallsOf) -> None:
        found = _measure(calls_of(_tokens(clock, 0.5, 0.02, 11), rounds=3))
        assert found["time_to_first_item"].values == pytest.approx((0.5,) * 3)
        assert found["time_per_item"].values == pytest.approx((0.0201,) * 3)
        assert found["items_per_second"].values == pytest.approx((11 / 0.701,) * 3)
        assert found["items"].values == (11.0,)

    def test_they_are_of_the_calls_that_latency_was_measured_in(
        self, clock: Any, calls_of: CallsOf
    ) -> None:
        durations = iter(range(1, 100))
        calls = calls_of(
            Stream(lambda: (clock.advance(next(durations)) for _ in range(2))), rounds=3, warmup=1
        )
        (latency, *_) = meter_pass(SteadyMeter(lambda: None), calls, frozenset())
        made = calls.count
        found = _measure(calls)
        assert calls.count == made
        pairs = zip(found["time_to_first_item"].values, found["time_per_item"].values, strict=True)
        assert [first + each for first, each in pairs] == pytest.approx(list(latency.values))
        assert found["time_to_first_item"].values == pytest.approx((3, 5, 7))

    def test_without_latency_they_have_a_window_of_their_own(
        self, clock: Any, calls_of: CallsOf
    ) -> None:
        calls = calls_of(_tokens(clock, 0.5, 0.02, 3), rounds=4, warmup=2)
        assert len(_measure(calls, "items")["time_per_item"].values) == 4
        assert calls.count == 6

    def test_under_a_tracer_they_are_absent(self, clock: Any, calls_of: CallsOf) -> None:
        found = _measure(calls_of(_tokens(clock, 0.5, 0.02, 3)), traced="a tracer is active")
        assert {each.absent for each in found.values()} == {"a tracer is active"}

    def test_what_is_no_stream_has_none(self, clock: Any, calls_of: CallsOf) -> None:
        found = _measure(calls_of(lambda: clock.advance(1)))
        assert {each.absent for each in found.values()} == {
            "this is no stream; pareto.stream measures one"
        }


class TestOnCuda:
    def _stream(self, fake_torch: Any, clock: Any) -> Stream:
        """Return a stream whose launches take the host a millisecond, the device much longer."""

        def tokens() -> Iterator[int]:
            fake_torch.cuda.allocate(1)
            for number in range(5):
                clock.advance(0.001)
                fake_torch.cuda.launch(0.5 if number == 0 else 0.1)
                yield number

        return Stream(tokens)

    def test_the_first_item_and_the_last_are_waited_for(
        self, fake_torch: Any, clock: Any, calls_of: CallsOf
    ) -> None:
        calls = calls_of(self._stream(fake_torch, clock), rounds=2, warmup=1)
        calls.device = CudaDevice(fake_torch.cuda, (0,))
        found = _measure(calls)
        # Without synchronising at the item it would be 0.001.
        assert found["time_to_first_item"].values == pytest.approx((0.501,) * 2)
        assert found["time_per_item"].values == pytest.approx((0.401 / 4,) * 2)

    def test_nothing_is_waited_for_in_between_nor_in_other_meters_calls(
        self, fake_torch: Any, clock: Any, calls_of: CallsOf
    ) -> None:
        calls = calls_of(self._stream(fake_torch, clock), rounds=1, warmup=0)
        calls.device = CudaDevice(fake_torch.cuda, (0,))
        fake_torch.cuda.journal.clear()
        meter_pass(SteadyMeter(lambda: None), calls, frozenset({"host_reference", "energy"}))
        (window,) = calls.rounds
        waits = fake_torch.cuda.journal
        # Before the call, at its first item and after it; what follows is the overhead round.
        assert waits[:5] == ["sync 0", "event", "sync 0", "event", "sync 0"]
        assert window.stream == ConsumedStream(5, window.start_ns + 501_000_000)
        fake_torch.cuda.journal.clear()
        calls.prepare()()
        assert fake_torch.cuda.journal == []


def _rounds(*counts: int, first_s: float = 0.5, end_s: float = 1.5) -> list[Round]:
    return [
        Round(
            0,
            round(end_s * 1e9),
            None,
            None,
            ConsumedStream(n, round(first_s * 1e9) if n else None),
        )
        for n in counts
    ]


def _of(*counts: int, **times: float) -> dict[str, Measurement]:
    return {each.metric.name: each for each in stream_measurements(_rounds(*counts, **times))}


class TestOddStreams:
    def test_one_item_has_nothing_between(self) -> None:
        found = _of(1, 1)
        assert found["time_to_first_item"].values == (0.5, 0.5)
        assert (
            found["time_per_item"].absent == "the stream had fewer than two items in 2 of 2 calls"
        )
        assert found["items_per_second"].values == pytest.approx((1 / 1.5,) * 2)
        assert found["items"].values == (1.0,)

    def test_an_empty_stream_is_absent_and_never_zero(self) -> None:
        found = _of(0, 0)
        reason = "the stream had no item in 2 of 2 calls"
        assert found["time_to_first_item"].absent == found["items_per_second"].absent == reason
        assert found["items"].values == (0.0,)

    def test_differing_numbers_of_items_are_noted(self) -> None:
        found = _of(3, 11, 6)
        assert found["items"].absent == "it differs from call to call (3 to 11 items a call)"
        assert found["time_per_item"].values == pytest.approx((0.5, 0.1, 0.2))
        assert found["time_per_item"].notes == ("3 to 11 items a call",)
        assert found["items_per_second"].notes == ("3 to 11 items a call",)
        assert found["time_to_first_item"].notes == ()

    def test_one_call_without_items_makes_the_window_absent(self) -> None:
        assert _of(3, 0, 3)["time_to_first_item"].absent == "the stream had no item in 1 of 3 calls"

    def test_a_stopped_clock_gives_no_rate(self) -> None:
        found = _of(3, first_s=0.0, end_s=0.0)
        assert "cannot resolve" in (found["items_per_second"].absent or "")


def test_many_readings_are_thinned_as_those_of_latency_are() -> None:
    found = _of(*[3] * 5000)
    assert len(found["time_per_item"].values) == 1000


def test_only_streams_are_measured(clock: Any) -> None:
    def measured(function: Callable[..., Any]) -> set[str]:
        meters = [StreamMeter(lambda: None)]
        plan = LoopPlan(rounds=1, warmup=0)
        _, found = measure_call(function, (), {}, meters=meters, plan=plan, clock=clock)
        return {each.metric.name for each in found}

    assert measured(lambda: clock.advance(1)) == set()
    assert measured(_tokens(clock, 0.5, 0.1, 3)) == {m.name for m in StreamMeter.metrics}
