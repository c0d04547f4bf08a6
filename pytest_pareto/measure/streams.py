"""Streams: functions that return an iterator, which every call consumes to its end.

`Stream` makes such a function measurable. `FreshStreamCheck` and the ``add_..._note`` functions
apply to awaited streams as well: each call needs a fresh stream, and exceptions name the item.
"""

import inspect
import weakref
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pytest_pareto.measure.call import function_name
from pytest_pareto.measure.stages import StagesForwarder
from pytest_pareto.model.errors import ParetoError


@dataclass(frozen=True, slots=True)
class ConsumedStream:
    """One consumed stream: its number of items, and when the first was done, if that was timed.

    ``first_ns`` is a reading of the host's clock, after the device had finished the first item's
    work.
    """

    items: int
    first_ns: int | None = None


class Stream(StagesForwarder):
    """Wrapper of a function that returns an iterator; a call ends with the iterator's last item.

    The first call returns its items in a list. Later ones drop each item when the next is there,
    as a loop over the stream does, so that a long one (the frames of a video) is not all in memory
    at once. ``most`` ends a stream after so many items, and closes it.

    Every call needs an iterator of its own. Raises ParetoError where the function returns
    anything else, returns the first call's iterator again, or returns an empty one although the
    first call's had items: it was consumed before. `require_same_length` rejects streams that were
    only partly consumed before. An exception of the stream is raised unchanged, with a note that
    names the item.
    """

    def __init__(self, function: Callable[..., object], *, most: int | None = None) -> None:
        self._function = self.__wrapped__ = function
        self._most = most
        self._first_item_clock: Callable[[], int] | None = None
        self._first_stream: ConsumedStream | None = None
        self._fresh_check = FreshStreamCheck(function)
        self._later_counts: set[int] = set()
        self.consumed: ConsumedStream | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> list[Any]:
        """Consume one stream; return its items if it is the first, else an empty list."""
        __tracebackhide__ = True
        iterator = _iterator(self._function, self._function(*args, **kwargs))
        self._fresh_check.require(iterator)
        items: list[Any] = []
        keep_items = self._first_stream is None
        count, first_ns = 0, None
        try:
            for item in islice(iterator, self._most):
                if not count and self._first_item_clock is not None:
                    first_ns = self._first_item_clock()
                count += 1
                if keep_items:
                    items.append(item)
        except BaseException as error:
            add_item_note(error, count + 1)
            raise
        if self._most is not None:
            _close(iterator)
        self._record(ConsumedStream(count, first_ns))
        return items

    @contextmanager
    def time_first_items(self, now: Callable[[], int]) -> Iterator[None]:
        """Within the block, call ``now()`` when the first item of a stream has been returned."""
        self._first_item_clock = now
        try:
            yield
        finally:
            self._first_item_clock = None

    def require_same_length(self, steady: Collection[int] = ()) -> None:
        """Raise ParetoError if the first call's number of items is outside that of later calls.

        The measured stream then differs from the one that the test received. (Streams of random
        length vary around that of the first one.) ``steady`` are the numbers of items of the timed
        calls; without them those of all later calls count.
        """
        later_counts = steady or self._later_counts
        if self._first_stream is None or not later_counts:
            return
        fewest, most = min(later_counts), max(later_counts)
        if fewest <= self._first_stream.items <= most:
            return
        later = f"{fewest}" if fewest == most else f"{fewest} to {most}"
        raise ParetoError(
            f"{function_name(self._function)}: the first call gave {self._first_stream.items} "
            f"items and later ones {later}: what is measured is another stream than the test was "
            "handed. Make a new stream in each call, and by setup= what a call uses up (an "
            "iterator, a cache); where its length is drawn, fix it"
        )

    def _record(self, consumed: ConsumedStream) -> None:
        if self._first_stream is None:
            self._first_stream = consumed
        elif self._first_stream.items and not consumed.items:
            first_items = self._first_stream.items
            returned = f"an empty stream, and one of {first_items} items when it was first called"
            raise already_consumed_error(self._function, returned)
        else:
            self._later_counts.add(consumed.items)
        self.consumed = consumed


def _iterator(function: Callable[..., object], result: object) -> Iterator[Any]:
    if isinstance(result, Iterator):
        return result
    name = function_name(function)
    if isinstance(result, AsyncIterator):
        # An iterator that never started needs no closing.
        raise ParetoError(
            f"{name} returned an async iterator ({type(result).__name__}), which only a running "
            f"event loop can consume: await pareto.astream(fn, ...)"
        )
    if inspect.isawaitable(result):
        if inspect.iscoroutine(result):
            result.close()  # else Python would warn about it as well
        raise ParetoError(
            f"{name} returned an awaitable ({type(result).__name__}) and no iterator: "
            "await pareto.astream(fn, ...) where it comes to a stream, "
            "await pareto.ameasure(fn, ...) where it does not"
        )
    raise ParetoError(
        f"{name} returned a {type(result).__name__}, which is no iterator: what it holds is there "
        "when the call ends, and pareto.measure(fn, ...) measures that. If it makes its items when "
        "they are asked for, hand out its iterator: pareto.stream(lambda: iter(fn(...)))"
    )


def _close(iterator: object) -> None:
    close = getattr(iterator, "close", None)
    if not callable(close):
        return
    try:
        close()
    except BaseException as error:
        add_closing_note(error)
        raise


class FreshStreamCheck:
    """Checks that a function does not return the stream of its first call again."""

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function
        self._first_stream: Callable[[], object] | None = None

    def require(self, stream: object) -> None:
        """Raise ParetoError if the second call's ``stream`` is that of the first call."""
        if self._first_stream is None:
            self._first_stream = _weak_reference(stream)
            return
        same_stream = self._first_stream() is stream
        # The reference is dropped at once: memory that the stream holds would be measured.
        self._first_stream = _no_stream
        if same_stream:
            description = f"the same {type(stream).__name__} when it was called again"
            raise already_consumed_error(self._function, description)


def _weak_reference(stream: object) -> Callable[[], object]:
    try:
        return weakref.ref(stream)
    except TypeError:  # built-in iterators have no weak references
        return lambda: stream


def _no_stream() -> None: ...


def already_consumed_error(function: Callable[..., object], returned: str) -> ParetoError:
    """Return the error for a function that ``returned`` a stream consumed before."""
    return ParetoError(
        f"{function_name(function)} returned {returned}; a stream can be consumed once: let the "
        "function make a new one for each call, or its arguments by setup="
    )


def add_item_note(error: BaseException, item: int) -> None:
    """Add a note to an exception of a stream, or one that stopped it: the item's number, from 1."""
    error.add_note(f"pytest-pareto: at item {item} of the stream")


def add_closing_note(error: BaseException) -> None:
    """Add a note to an exception of a stream: it was raised while closing, after the last item."""
    note = "pytest-pareto: while the stream was closed, at its max_items"
    if note not in getattr(error, "__notes__", ()):  # an awaited stream is closed within this one
        error.add_note(note)
