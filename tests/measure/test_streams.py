from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext
from typing import Any

import pytest

from pytest_pareto.measure.streams import ConsumedStream, Stream
from pytest_pareto.model.errors import ParetoError


def _numbers(count: int) -> Iterator[int]:
    yield from range(count)


def test_the_first_calls_items_come_back_and_later_ones_are_dropped() -> None:
    stream = Stream(_numbers)
    assert stream(3) == [0, 1, 2]
    assert stream.consumed == ConsumedStream(3)
    assert stream(5) == []
    assert stream.consumed == ConsumedStream(5)


def test_a_later_item_is_dropped_before_the_one_after_the_next_is_made() -> None:
    alive = 0

    class Item:
        def __init__(self) -> None:
            nonlocal alive
            alive += 1
            most.append(alive)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def items() -> Iterator[Item]:
        for _ in range(4):
            yield Item()

    stream = Stream(items)
    most: list[int] = []
    stream()
    assert max(most) == 4  # the test receives those of the first call
    most.clear()
    stream()
    assert max(most) == 2


def test_first_items_are_timed_on_request() -> None:
    journal: list[str] = []

    def items() -> Iterator[int]:
        for number in range(3):
            journal.append(f"made {number}")
            yield number

    def now() -> int:
        journal.append("now")
        return 7

    stream = Stream(items)
    with stream.time_first_items(now):
        stream()
    assert journal == ["made 0", "now", "made 1", "made 2"]
    assert stream.consumed == ConsumedStream(3, 7)
    stream()
    assert stream.consumed == ConsumedStream(3, None)


def test_an_endless_stream_can_be_ended_and_is_closed_within_the_call() -> None:
    closed: list[int] = []

    def endless() -> Iterator[int]:
        number = 0
        try:
            while True:
                yield number
                number += 1
        finally:
            closed.append(number)

    stream = Stream(endless, most=3)
    assert stream() == [0, 1, 2]
    assert closed == [2]  # a fourth item was never made


def test_what_it_raises_is_unchanged_with_the_item_named() -> None:
    error = RuntimeError("out of memory")

    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise error

    with pytest.raises(RuntimeError) as raised:
        Stream(items)()
    assert raised.value is error
    assert error.__notes__ == ["pytest-pareto: at item 3 of the stream"]


def test_an_exception_of_closing_names_no_item() -> None:
    def endless() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine") as raised:
        Stream(endless, most=2)()
    assert raised.value.__notes__ == [
        "pytest-pareto: while the stream was closed, at its max_items"
    ]


def test_an_empty_stream_has_no_first_item() -> None:
    stream = Stream(_numbers)
    with stream.time_first_items(lambda: 7):
        assert stream(0) == []
        assert stream(0) == []
    assert stream.consumed == ConsumedStream(0, None)


def test_a_stream_that_was_consumed_before_is_a_mistake() -> None:
    same = iter([1, 2])
    stream = Stream(lambda: (item for item in same))
    assert stream() == [1, 2]
    with pytest.raises(ParetoError, match=r"empty stream, and one of 2 items.*new one for each"):
        stream()


@pytest.mark.parametrize(
    ("steady", "message"),
    [
        ((2, 2), "the first call gave 22 items and later ones 2:"),
        ((23, 23), "later ones 23:"),
        ((9, 2), "later ones 2 to 9:"),
        ((22, 22), None),
        ((2, 22), None),
        ((21, 30), None),  # random lengths
    ],
)
def test_what_is_measured_is_the_stream_that_the_test_was_handed(
    steady: tuple[int, ...], message: str | None
) -> None:
    stream = Stream(_numbers)
    stream(22)
    stream.require_same_length()
    with pytest.raises(ParetoError, match=message) if message else nullcontext():
        stream.require_same_length(steady)
    for count in steady:
        stream(count)
    with pytest.raises(ParetoError, match=message) if message else nullcontext():
        stream.require_same_length()


async def _async_numbers() -> AsyncIterator[int]:
    yield 1


async def _coroutine() -> int:
    return 1


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda: [1, 2], r"returned a list, which is no iterator.*pareto\.measure\(fn, \.\.\.\)"),
        (lambda: None, "returned a NoneType, which is no iterator"),
        (_async_numbers, r"_async_numbers returned an async iterator.*await pareto\.astream"),
        # Not closed, Python would warn that it was never awaited; warnings are errors here.
        (_coroutine, r"_coroutine returned an awaitable \(coroutine\).*await pareto\.ameasure"),
    ],
)
def test_what_is_no_stream_is_refused(function: Any, message: str) -> None:
    with pytest.raises(ParetoError, match=message):
        Stream(function)()
