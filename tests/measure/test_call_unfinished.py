import asyncio
import functools
from collections.abc import AsyncIterator, Iterator

import pytest

from pytest_pareto.measure.call import require_finished
from pytest_pareto.model.errors import ParetoError


def _generate() -> Iterator[int]:
    yield 1


async def _generate_async() -> AsyncIterator[int]:
    yield 1


async def _coroutine() -> int:
    return 1


def test_a_generator_is_closed_and_refused() -> None:
    result = _generate()
    with pytest.raises(ParetoError) as raised:
        require_finished(_generate, result)
    message = str(raised.value)
    assert message.startswith("_generate returned a generator, so none of its work has run yet")
    assert "pareto.measure(lambda: list(fn(...)))" in message
    assert "pareto.stream(fn, ...) consumes it" in message
    assert list(result) == []  # closed: nothing is left


def test_an_async_generator_is_refused() -> None:
    with pytest.raises(
        ParetoError, match=r"async generator.*`await pareto\.astream\(fn, \.\.\.\)`"
    ):
        require_finished(_generate_async, _generate_async())


def test_a_coroutine_is_closed_and_refused() -> None:
    # Not closed, Python would warn that it was never awaited; warnings are errors here.
    with pytest.raises(ParetoError, match=r"awaitable \(coroutine\).*`await pareto\.ameasure\(fn"):
        require_finished(_coroutine, _coroutine())


def test_another_awaitable_is_refused() -> None:
    loop = asyncio.new_event_loop()
    future = loop.create_future()
    loop.close()
    with pytest.raises(ParetoError, match=r"^partial returned an awaitable \(Future\)"):
        require_finished(functools.partial(int), future)


@pytest.mark.parametrize("result", [None, [1], iter([1]), zip([1], [2], strict=True), open])
def test_work_that_is_done_passes(result: object) -> None:
    require_finished(_generate, result)
