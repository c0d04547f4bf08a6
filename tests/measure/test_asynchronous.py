import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import pytest

from pytest_pareto.measure.asynchronous import (
    AwaitedFunction,
    AwaitedStream,
    Wait,
    await_once,
    consume_async_stream,
    run_in_greenlet,
)
from pytest_pareto.measure.loop import round_overhead_s
from pytest_pareto.measure.measurement import measure_call
from pytest_pareto.measure.meter import Calls
from pytest_pareto.measure.meters.latency import SteadyMeter
from pytest_pareto.measure.plan import LoopPlan
from pytest_pareto.measure.streams import Stream
from pytest_pareto.model.errors import ParetoError

PLAN = LoopPlan(rounds=3, warmup=2)


def _run(work: Callable[[Wait], Any]) -> Any:
    return asyncio.run(run_in_greenlet(work))


async def _double(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


class _Counted:
    """Counts its live instances."""

    alive = 0

    def __init__(self) -> None:
        _Counted.alive += 1

    def __del__(self) -> None:
        _Counted.alive -= 1


def test_arguments_and_results_are_gone_when_the_round_lets_go_of_them() -> None:
    async def call(_: _Counted) -> _Counted:
        await asyncio.sleep(0)
        return _Counted()

    def work(wait: Wait) -> list[int]:
        awaited, alive = AwaitedFunction(call, wait), []
        for _ in range(3):
            argument = _Counted()
            result = awaited(argument)
            alive.append(_Counted.alive)
            del argument, result
            alive.append(_Counted.alive)
        return alive

    assert _run(work) == [2, 0] * 3


class TestMeasuring:
    def test_calls_are_timed_and_the_first_result_comes_back(self, clock: Any) -> None:
        durations = iter([7.0, 5.0, 5.0, 0.1, 0.2, 0.3])
        results: list[object] = []

        async def call() -> object:
            clock.advance(next(durations))
            await asyncio.sleep(0)
            results.append(object())
            return results[-1]

        def work(wait: Wait) -> Any:
            return measure_call(
                AwaitedFunction(call, wait),
                (),
                {},
                meters=[SteadyMeter(lambda: None)],
                plan=PLAN,
                clock=clock,
            )

        result, (latency, *_) = _run(work)
        assert result is results[0]
        assert latency.first == pytest.approx(7.0)
        assert latency.values == pytest.approx((0.1, 0.2, 0.3))

    def test_an_exception_names_the_call(self) -> None:
        calls: list[int] = []

        async def call() -> None:
            calls.append(1)
            if len(calls) == 5:
                raise RuntimeError("out of memory")

        def work(wait: Wait) -> Any:
            awaited = AwaitedFunction(call, wait)
            return measure_call(awaited, (), {}, meters=[SteadyMeter(lambda: None)], plan=PLAN)

        with pytest.raises(RuntimeError) as raised:
            _run(work)
        assert raised.value.__notes__ == ["pytest-pareto: raised on call 5 (steady state)"]

    def test_what_measuring_costs_is_that_of_an_awaited_call(self, clock: Any) -> None:
        def work(wait: Wait) -> float:
            def costly(call: Callable[[], Awaitable[Any]]) -> Any:
                clock.advance(1e-3)
                return wait(call)

            calls = Calls(AwaitedFunction(_double, costly), lambda: ((), {}), clock=clock)
            return round_overhead_s(calls)

        assert _run(work) == pytest.approx(1e-3)

    def test_torch_is_counted_in_the_tests_own_thread(self) -> None:
        torch: Any = pytest.importorskip("torch")
        from pytest_pareto.measure.work.flops import WorkMeter

        a = torch.ones(4, 4)

        async def call() -> Any:
            await asyncio.sleep(0)
            return a @ a

        def work(wait: Wait) -> Any:
            return measure_call(
                AwaitedFunction(call, wait), (), {}, meters=[WorkMeter()], plan=PLAN
            )

        _, (flops,) = _run(work)
        assert flops.values == (2 * 4**3,)


async def _numbers(count: int) -> AsyncIterator[int]:
    for number in range(count):
        await asyncio.sleep(0)
        yield number


async def _answered(count: int) -> AsyncIterator[int]:
    await asyncio.sleep(0)
    return _numbers(count)


class TestStreams:
    @pytest.mark.parametrize("function", [_numbers, _answered])
    def test_an_awaited_stream_is_an_ordinary_one(self, function: Any) -> None:
        def work(wait: Wait) -> list[int]:
            return Stream(AwaitedStream(function, wait))(3)

        assert _run(work) == [0, 1, 2]
        assert asyncio.run(consume_async_stream(function, (3,), {}, None, None)) == [0, 1, 2]

    def test_one_that_was_handed_out_before_is_a_mistake(self) -> None:
        class Shared:
            def __aiter__(self) -> AsyncIterator[int]:
                return self

            async def __anext__(self) -> int:
                return 1

        def work(wait: Wait) -> None:
            shared = Shared()
            stream = Stream(AwaitedStream(lambda: shared, wait), most=2)
            assert stream() == [1, 1]
            stream()

        with pytest.raises(ParetoError, match=r"the same Shared.*new one for each call"):
            _run(work)

    @pytest.mark.parametrize("measured", [True, False])
    def test_it_can_be_ended_and_is_closed(self, measured: bool) -> None:
        closed: list[bool] = []

        async def endless() -> AsyncIterator[int]:
            try:
                while True:
                    await asyncio.sleep(0)
                    yield 1
            finally:
                await asyncio.sleep(0)
                closed.append(True)

        async def test() -> list[int]:
            if not measured:
                return await consume_async_stream(endless, (), {}, None, 3)
            return await run_in_greenlet(
                lambda wait: Stream(AwaitedStream(endless, wait), most=3)()
            )

        assert asyncio.run(test()) == [1, 1, 1]
        assert closed == [True]

    @pytest.mark.parametrize("measured", [True, False])
    def test_its_exceptions_name_the_item(self, measured: bool) -> None:
        async def breaks() -> AsyncIterator[int]:
            yield 1
            raise ValueError("mine")

        async def test() -> list[int]:
            if not measured:
                return await consume_async_stream(breaks, (), {}, None, None)
            return await run_in_greenlet(lambda wait: Stream(AwaitedStream(breaks, wait))())

        with pytest.raises(ValueError, match="mine") as raised:
            asyncio.run(test())
        assert raised.value.__notes__ == ["pytest-pareto: at item 2 of the stream"]

    @pytest.mark.parametrize("measured", [True, False])
    def test_an_exception_of_closing_names_no_item(self, measured: bool) -> None:
        async def endless() -> AsyncIterator[int]:
            try:
                while True:
                    yield 1
            finally:
                raise ValueError("mine")

        async def test() -> list[int]:
            if not measured:
                return await consume_async_stream(endless, (), {}, None, 2)
            return await run_in_greenlet(
                lambda wait: Stream(AwaitedStream(endless, wait), most=2)()
            )

        with pytest.raises(ValueError, match="mine") as raised:
            asyncio.run(test())
        assert raised.value.__notes__ == [
            "pytest-pareto: while the stream was closed, at its max_items"
        ]


class TestWithoutMeasuring:
    def test_a_call_is_awaited_once(self) -> None:
        assert asyncio.run(await_once(_double, (4,), {}, None)) == 8
        assert asyncio.run(await_once(_double, (), {}, lambda: (5,))) == 10

    def test_greenlet_is_not_needed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "greenlet", None)
        assert asyncio.run(await_once(_double, (4,), {}, None)) == 8
        assert asyncio.run(consume_async_stream(_numbers, (2,), {}, None, None)) == [0, 1]


def _generator() -> Any:
    yield 1


@pytest.mark.parametrize("measured", [True, False])
@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda: 3, r"returned a int, which cannot be awaited.*pareto\.measure\(fn, \.\.\.\)"),
        (_generator, "_generator returned a generator, which cannot be awaited"),
        (lambda: _numbers(1), r"returned an async iterator.*await pareto\.astream"),
    ],
)
def test_what_cannot_be_awaited_is_refused(function: Any, message: str, measured: bool) -> None:
    call: Coroutine[Any, Any, Any] = (
        run_in_greenlet(lambda wait: AwaitedFunction(function, wait)())
        if measured
        else await_once(function, (), {}, None)
    )
    with pytest.raises(ParetoError, match=message):
        asyncio.run(call)


@pytest.mark.parametrize("function", [_generator, lambda: _double(1)])
def test_what_is_no_async_stream_is_refused(function: Any) -> None:
    with pytest.raises(ParetoError, match=r"came to a (generator|int), which is no async iterator"):
        asyncio.run(consume_async_stream(function, (), {}, None, None))
