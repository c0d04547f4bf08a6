"""The ``pareto`` fixture: what a test says to us."""

from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
)
from typing import Any, ParamSpec, TypeVar

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.plugin import calling
from pytest_pareto.plugin.scores import Scores

P = ParamSpec("P")
T = TypeVar("T")


class Pareto(Scores):
    """Measures calls and records scores for one test.

    ``pareto(fn, ...)`` is ``pareto.measure(fn, ...)``. A test may measure several things
    under names of their own: ``pareto.configure(name="decode").measure(fn, ...)``.
    """

    def __call__(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Measure a call; see `measure`."""
        __tracebackhide__ = True
        return self.measure(fn, *args, **kwargs)

    def measure(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call ``fn`` once, then under ``--pareto`` again for each metric's readings.

        Returns what the first call returned. The global random state (Python, NumPy,
        torch) is left as after that one call. Every argument goes to ``fn``; options go
        through `configure`.
        """
        __tracebackhide__ = True  # a failing test should show the user's lines, not ours
        try:
            return calling.measure(self._recorder, fn, args, kwargs, self._options)
        except ParetoError as error:
            raise error.with_traceback(None) from None

    def stream(self, fn: Callable[P, Iterator[T]], /, *args: P.args, **kwargs: P.kwargs) -> list[T]:
        """Measure a function that returns an iterator, such as a generator of tokens.

        As `measure` does, where a call ends with the iterator's last item; also the time to the
        first item and from item to item. Returns the items of the first call, in a list.
        """
        __tracebackhide__ = True
        try:
            return calling.stream(self._recorder, fn, args, kwargs, self._options)
        except ParetoError as error:
            raise error.with_traceback(None) from None

    def ameasure(
        self, fn: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, T]:
        """Measure as `measure` does what has to be awaited, such as a coroutine function.

        Each call is awaited in the running event loop, in the task of the test.
        """
        __tracebackhide__ = True
        try:
            return calling.ameasure(self._recorder, fn, args, kwargs, self._options)
        except ParetoError as error:
            raise error.with_traceback(None) from None

    def astream(
        self,
        fn: Callable[P, AsyncIterator[T] | Awaitable[AsyncIterator[T]]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Coroutine[Any, Any, list[T]]:
        """Measure as `stream` does an async iterator, in the running event loop."""
        __tracebackhide__ = True
        try:
            return calling.astream(self._recorder, fn, args, kwargs, self._options)
        except ParetoError as error:
            raise error.with_traceback(None) from None

    def configure(
        self,
        *,
        name: str | None = None,
        setup: Callable[[], object] | None = None,
        items: int | None = None,
        rounds: int | None = None,
        warmup: int | None = None,
        metrics: Iterable[str] | None = None,
        max_items: int | None = None,
    ) -> "Pareto":
        """Return a `Pareto` with other options; what is not given stays as it is.

        ``name`` makes a case of its own, ``nodeid#name``. ``setup`` makes fresh arguments
        for each call, untimed. ``items`` is how many items one call works through.
        ``rounds`` and ``warmup`` fix the number of calls. ``metrics`` limits what is
        measured. ``max_items`` ends a stream after so many items.
        """
        options = self._options.changed(
            name=name,
            setup=setup,
            items=items,
            rounds=rounds,
            warmup=warmup,
            metrics=None if metrics is None else self._recorder.known(metrics),
            max_items=max_items,
        )
        return Pareto(self._recorder, options)
