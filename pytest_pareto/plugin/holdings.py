"""Tensors that a test holds while it measures: by its call, its fixtures and its local variables.

`Holdings` finds them before the first call, and gives the same whichever tests ran before, and
whichever of them set a shared fixture up.
"""

import inspect
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import pytest

if TYPE_CHECKING:
    from pytest_pareto.measure.storages import Storages


class Holdings:
    """Finds the storages that tests hold, and records what shared fixtures and calls have made.

    What a fixture of a wider scope than a test holds is recorded when it is set up. Later that
    depends on the tests before: where it returns a dict of models, they may have added some.
    What a call adds to an object that it refers to, such as a cache, is recorded as well. For other
    tests that use the object it counts only if their calls use it too.
    """

    def __init__(self) -> None:
        self._fixtures: WeakKeyDictionary[pytest.FixtureDef[Any], Storages | None] = (
            WeakKeyDictionary()
        )
        self._made_by_calls: Storages | None = None

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any]
    ) -> Generator[None, object, object]:
        """Record what a shared fixture holds, once it has been set up."""
        __tracebackhide__ = True
        value = yield
        if fixturedef.scope != "function":
            self._fixtures[fixturedef] = None
            if "torch" in sys.modules:
                from pytest_pareto.measure.storages import variable_storages

                own = _fixture_values(fixturedef)
                apart = self._shared_values() - {id(value)}
                self._fixtures[fixturedef] = variable_storages(own, apart=apart)
        return value

    @contextmanager
    def during(
        self,
        call: tuple[Callable[..., object], object],
        request: pytest.FixtureRequest,
        frames: Sequence[FrameType],
    ) -> "Iterator[Storages | None]":
        """Return a context of calls of a function: what the test holds before them.

        ``call`` is the function and its arguments, ``request`` that of the test, whose frames are
        ``frames``. The context is None where torch is not imported, so that nothing can be held.
        """
        __tracebackhide__ = True
        if "torch" not in sys.modules:
            yield None
            return
        from pytest_pareto.measure.storages import Storages, call_storages

        if self._made_by_calls is None:
            self._made_by_calls = Storages()
        before = call_storages(*call)
        held = before.without(self._made_by_calls)
        held.merge(self._variables(request, frames))
        try:
            yield held
        finally:
            self._made_by_calls.merge(call_storages(*call).without(before))

    def _variables(self, request: pytest.FixtureRequest, frames: Iterable[FrameType]) -> "Storages":
        """Return the storages in a test's fixtures and in the local variables of its frames."""
        from pytest_pareto.measure.storages import Storages, variable_storages

        held, values = Storages(), [value for frame in frames for value in _local_values(frame)]
        values += getattr(request.instance, "__dict__", {}).values()
        # By the name of each fixture that the test has used so far; there is no public list.
        fixturedefs: dict[str, pytest.FixtureDef[Any]] = getattr(request, "_fixture_defs", {})
        for fixturedef in fixturedefs.values():
            if fixturedef.scope == "function":
                values += _fixture_values(fixturedef)
            elif (recorded := self._fixtures.get(fixturedef)) is not None:
                held.merge(recorded)
        held.merge(variable_storages(values, apart=self._shared_values()))
        return held

    def _shared_values(self) -> frozenset[int]:
        """Return the ids of the values of all shared fixtures that are set up."""
        caches = (fixturedef.cached_result for fixturedef in self._fixtures)
        return frozenset(id(cache[0]) for cache in caches if cache is not None)


HOLDINGS = pytest.StashKey[Holdings]()
"""Present in the config's stash while this process measures."""


def _fixture_values(fixturedef: pytest.FixtureDef[Any]) -> list[object]:
    """Return the value of a fixture that is set up, and the variables of its generator."""
    values = [] if fixturedef.cached_result is None else [fixturedef.cached_result[0]]
    # Pytest keeps the generator in the finalizer that will resume it, and nowhere else.
    for finalizer in getattr(fixturedef, "_finalizers", ()):
        for argument in getattr(finalizer, "args", ()):
            if inspect.isgenerator(argument) and argument.gi_frame is not None:
                values += _local_values(argument.gi_frame)
    return values


def test_frames(item: pytest.Item) -> list[FrameType]:
    """Return the frames of the test that calls, the innermost first, without pytest's and ours."""
    code = getattr(inspect.unwrap(getattr(item, "obj", None)), "__code__", None)  # type: ignore[arg-type]
    frames: list[FrameType] = []
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  (inspect reads sources as well)
    while frame is not None:
        package = str(frame.f_globals.get("__name__")).partition(".")[0]
        if package in ("_pytest", "pluggy", "asyncio"):
            break
        if package != "pytest_pareto":
            frames.append(frame)
        if frame.f_code is code:
            break
        frame = frame.f_back
    return frames


def _local_values(frame: FrameType) -> Sequence[object]:
    variables = frame.f_locals
    values = tuple(variables.values())
    if sys.version_info < (3, 13) and frame.f_code.co_flags & inspect.CO_OPTIMIZED:
        variables.clear()  # a copy, which would hold the values as long as the function runs
    return values
