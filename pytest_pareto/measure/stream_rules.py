"""What holds of every stream, called or awaited: it is fresh, and what it raises says where."""

import weakref
from collections.abc import Callable

from pytest_pareto.measure.unfinished import name_of
from pytest_pareto.model.errors import ParetoError


class FreshStreams:
    """Refuses a function that hands out the stream of its first call again."""

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function
        self._first: Callable[[], object] | None = None

    def require(self, stream: object) -> None:
        """Raise ParetoError where the second call's ``stream`` is the first call's."""
        if self._first is None:
            self._first = _reference(stream)
            return
        again = self._first() is stream
        # Not kept any longer than it takes: memory that it holds would be measured.
        self._first = _gone
        if again:
            same = f"the same {type(stream).__name__} when it was called again"
            raise consumed_before(self._function, same)


def _reference(stream: object) -> Callable[[], object]:
    try:
        return weakref.ref(stream)
    except TypeError:  # of built-in iterators there are none
        return lambda: stream


def _gone() -> None: ...


def consumed_before(function: Callable[..., object], returned: str) -> ParetoError:
    """Return the error of a function that ``returned`` a stream which it cannot give twice."""
    return ParetoError(
        f"{name_of(function)} returned {returned}; a stream can be consumed once: let the function "
        "make a new one for each call, or its arguments by setup="
    )


def note_item(error: BaseException, item: int) -> None:
    """Note on what a stream raised, or was stopped by, at which item: the first is 1."""
    error.add_note(f"pytest-pareto: at item {item} of the stream")


def note_closing(error: BaseException) -> None:
    """Note on what a stream raised that it was being closed: no further item was asked for."""
    note = "pytest-pareto: while the stream was closed, at its max_items"
    if note not in getattr(error, "__notes__", ()):  # an awaited one is closed within ours
        error.add_note(note)
