"""Two ends of a connection in two threads, as two processes have them."""

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from pytest_pareto.measure.loop import first_call, interleaved_rounds, warm_up
from pytest_pareto.measure.measurement import measure_call
from pytest_pareto.measure.meter import Calls
from pytest_pareto.measure.plan import LoopPlan
from pytest_pareto.measure.turns import Turns
from pytest_pareto.model.metric import DEVICE_TIME, FLOPS, LATENCY, PEAK_MEMORY, Metric
from pytest_pareto.model.run import Measurement

ORDER = ["a", "b", "c"]


@dataclass
class Log:
    """What both sides did: (side, test, start, stop) of each call, in order of their ends."""

    calls: list[tuple[str, str, float, float]] = field(default_factory=list)
    rounds: dict[tuple[str, str], int] = field(default_factory=dict)
    raised: list[tuple[str, str]] = field(default_factory=list)

    def order(self, test: str) -> str:
        return "".join(side for side, at, *_ in self.calls if at == test)


Script = Callable[[str, int], None]


def measure(
    end: socket.socket, side: str, tests: str, log: Log, script: Script, plan: LoopPlan
) -> None:
    turns = Turns(end, first=side == "A", seed=1, order=ORDER)
    for test in tests:
        count = 0

        def call(test: str = test) -> None:
            nonlocal count
            count += 1
            start = time.perf_counter()
            script(f"{side}{test}", count)
            log.calls.append((side, test, start, time.perf_counter()))

        try:
            turns.begin(test)
            with turns.meeting():
                calls = Calls(
                    call, lambda: ((), {}), clock=time.perf_counter_ns, plan=plan, turns=turns
                )
                first_call(calls)
                warm_up(calls)
                log.rounds[side, test] = len(interleaved_rounds(calls))
        except ValueError:
            log.raised.append((side, test))
    turns.close()


def run(
    first: str,
    second: str,
    script: Script = lambda *_: time.sleep(0.001),
    plan: LoopPlan | None = None,
) -> Log:
    plan = plan or LoopPlan(rounds=6, warmup=1)
    log, ends = Log(), socket.socketpair()
    threads = [
        threading.Thread(target=measure, args=(end, side, tests, log, script, plan), daemon=True)
        for end, side, tests in zip(ends, "AB", (first, second), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive(), "it waits for ever"
    return log


def test_one_works_at_a_time() -> None:
    log = run("abc", "abc")
    assert log.rounds == dict.fromkeys([(side, test) for side in "AB" for test in ORDER], 6)
    assert all(
        stop <= start for (*_, stop), (*_, start, _) in zip(log.calls, log.calls[1:], strict=False)
    )


def test_a_round_has_one_call_of_each_and_two_rounds_mirror_each_other() -> None:
    order = run("a", "a", plan=LoopPlan(rounds=40, warmup=1)).order("a")
    assert order.startswith("AABB")  # the first call and the warm-up
    blocks = [order[start : start + 4] for start in range(4, len(order), 4)]
    assert set(blocks) == {"ABBA", "BAAB"}
    assert len(blocks) == 20


def test_short_calls_share_a_slice() -> None:
    log = run("a", "a", lambda *_: None, plan=LoopPlan(warmup=2, min_rounds=2))
    counts = set(log.rounds.values())
    assert len(counts) == 1
    assert counts.pop() >= 2 * 50


@pytest.mark.parametrize(("first", "second"), [("abc", "ac"), ("bc", "ab"), ("a", "bc"), ("", "a")])
def test_what_one_side_lacks_is_measured_while_the_other_waits(first: str, second: str) -> None:
    log = run(first, second)
    assert set(log.rounds) == {("A", test) for test in first} | {("B", test) for test in second}
    assert all(
        stop <= start for (*_, stop), (*_, start, _) in zip(log.calls, log.calls[1:], strict=False)
    )


@pytest.mark.parametrize("side", "AB")
@pytest.mark.parametrize("number", [1, 2, 5])
def test_a_call_that_raises_stops_its_own_side_alone(side: str, number: int) -> None:
    def script(where: str, count: int) -> None:
        if (where, count) == (f"{side}b", number):
            raise ValueError

    log = run("abc", "abc", script)
    other = "AB".replace(side, "")
    assert log.raised == [(side, "b")]
    assert log.rounds[other, "b"] > 0
    assert log.rounds["A", "c"] == log.rounds["B", "c"] == 6


def test_a_side_that_ends_leaves_the_other_one_to_measure() -> None:
    first, second = socket.socketpair()
    first.close()
    log = Log()
    measure(second, "B", "ab", log, lambda *_: None, LoopPlan(rounds=4, warmup=1))
    assert log.rounds == {("B", "a"): 4, ("B", "b"): 4}


class PassMeter:
    """A meter of one metric that runs ``during`` and notes when."""

    def __init__(self, metric: Metric, spans: list[tuple[float, float]], during: Callable[[], Any]):
        self.metrics = (metric,)
        self._spans, self._during = spans, during

    def absence(self) -> None:
        return None

    def measure(self, calls: Calls) -> list[Measurement]:
        start = time.perf_counter()
        self._during()
        self._spans.append((start, time.perf_counter()))
        return [Measurement(self.metrics[0], (1.0,))]


def test_noisy_passes_are_made_alone_and_the_others_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=10)  # fails unless both sides are there at once
    noisy: list[tuple[float, float]] = []
    found: list[int] = []

    def side(end: socket.socket, first: bool) -> None:
        turns = Turns(end, first=first, seed=1, order=ORDER)
        for test in "ab":
            turns.begin(test)
            meters = [
                PassMeter(DEVICE_TIME, noisy, lambda: time.sleep(0.03)),
                PassMeter(PEAK_MEMORY, [], both.wait),
                PassMeter(LATENCY, noisy, lambda: time.sleep(0.03)),
                PassMeter(FLOPS, [], both.wait),
            ]
            plan = LoopPlan(rounds=2, warmup=1)
            calls = iter(range(99))

            def call(calls: Iterator[int] = calls) -> None:
                if next(calls) < 2:  # the first call, and the warm-up
                    both.wait()

            _, measured = measure_call(call, (), {}, meters=meters, plan=plan, turns=turns)
            found.append(len(measured))
        turns.close()

    ends = socket.socketpair()
    sides = zip(ends, (True, False), strict=True)
    threads = [threading.Thread(target=side, args=each, daemon=True) for each in sides]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [4] * 4
    assert len(noisy) == 8
    spans = sorted(noisy)
    assert all(stop <= start for (_, stop), (start, _) in itertools.pairwise(spans))
