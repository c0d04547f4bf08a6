import asyncio
import contextvars
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pytest_pareto.measure.asynchronous import AwaitedFunction, Wait, run_in_greenlet
from pytest_pareto.model.errors import ParetoError


def _run(work: Callable[[Wait], Any]) -> Any:
    return asyncio.run(run_in_greenlet(work))


def _called(function: Callable[..., Awaitable[Any]], *args: object) -> Any:
    return _run(lambda wait: AwaitedFunction(function, wait)(*args))


async def _double(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


def test_synchronous_work_awaits_as_often_as_it_likes() -> None:
    def work(wait: Wait) -> list[int]:
        double = AwaitedFunction(_double, wait)
        return [double(1), double(2), double(3)]

    assert _run(work) == [2, 4, 6]
    assert _run(lambda _: "nothing awaited") == "nothing awaited"


def test_the_call_runs_in_the_task_the_thread_and_the_context_of_the_test() -> None:
    name = contextvars.ContextVar("name", default="")
    seen: list[object] = []

    async def call() -> None:
        seen.append((asyncio.current_task(), threading.get_ident(), name.get()))
        name.set("the call's")

    async def test() -> None:
        name.set("the test's")
        await run_in_greenlet(lambda wait: AwaitedFunction(call, wait)())
        assert seen == [(asyncio.current_task(), threading.get_ident(), "the test's")]
        assert name.get() == "the call's"  # as after `await call()`

    asyncio.run(test())


def test_setup_and_meters_see_the_tests_context_too() -> None:
    name = contextvars.ContextVar("name", default="")

    async def test() -> str:
        name.set("the test's")
        return await run_in_greenlet(lambda _: name.get())

    assert asyncio.run(test()) == "the test's"


def test_other_tasks_go_on_while_a_call_is_awaited() -> None:
    async def test() -> int:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        async def call() -> None:
            for _ in range(10):
                await asyncio.sleep(0)

        other = asyncio.create_task(tick())
        await run_in_greenlet(lambda wait: AwaitedFunction(call, wait)())
        other.cancel()
        return ticks

    assert asyncio.run(test()) >= 9


def test_an_exception_reaches_the_work_and_the_test_with_its_traceback() -> None:
    error = ValueError("mine")
    reported: list[BaseException] = []

    async def users_function() -> None:
        await asyncio.sleep(0)
        raise error

    def work(wait: Wait) -> None:
        try:
            AwaitedFunction(users_function, wait)()
        except ValueError as caught:
            reported.append(caught)
            raise

    with pytest.raises(ValueError, match="mine") as raised:
        _run(work)
    assert raised.value is error
    assert reported == [error]
    assert error.__context__ is None
    names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    assert names[-1] == "users_function"


def test_an_exception_of_the_work_itself_ends_it() -> None:
    def work(wait: Wait) -> None:
        AwaitedFunction(_double, wait)(1)
        raise KeyError("meter")

    with pytest.raises(KeyError, match="meter"):
        _run(work)


@pytest.mark.parametrize("late", [False, True])
def test_a_cancelled_test_unwinds_the_work(late: bool) -> None:
    unwound: list[bool] = []

    async def forever() -> None:
        await asyncio.Event().wait()

    def work(wait: Wait) -> None:
        try:
            if late:
                AwaitedFunction(_double, wait)(1)
            AwaitedFunction(forever, wait)()
        finally:
            unwound.append(True)

    async def test() -> None:
        task = asyncio.create_task(run_in_greenlet(work))
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await run_in_greenlet(work)

    asyncio.run(test())
    assert unwound == [True, True]


def test_without_greenlet_the_error_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "greenlet", None)
    with pytest.raises(ParetoError, match=r"install it: pip install '?greenlet"):
        _called(_double, 1)
