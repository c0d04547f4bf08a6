"""Where a measurement stands, for who waits for it: told between calls, and never within one."""

from collections.abc import Callable
from dataclasses import dataclass

PAUSE_NS = 1_000_000_000
"""No more often than this is anything told between calls, whose costs are the machine's too."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What is being done, in words such as "warming up", and how far that is.

    ``done`` calls are made, of ``total`` where their number is fixed; the rest takes about
    ``rest_s`` seconds, where that can be told.
    """

    doing: str
    done: int = 0
    total: int | None = None
    rest_s: float | None = None


Tell = Callable[[Whereabouts], None]


class Telling:
    """Tells before the first call of each pass, and between calls if it is time.

    ``tell`` None is nobody.
    """

    def __init__(self, tell: Tell | None) -> None:
        self._tell = tell
        self._told_ns = 0
        self._ahead: str | None = None

    def border(self, doing: str) -> None:
        """Have it told that something else begins, as soon as a call is made for it."""
        self._ahead = doing

    def ahead(self) -> None:
        """Tell what the next call is made for, if that is something else; none is under way."""
        if self._ahead is not None:
            doing, self._ahead = self._ahead, None
            if self._tell is not None:
                self._tell(Whereabouts(doing))

    def between(self, now_ns: int, where: Callable[[], Whereabouts]) -> None:
        """Tell between two calls, if the latest ended (``now_ns``) long enough after the last time.

        Costs a comparison where it is not time, and no reading of a clock.
        """
        if self._tell is not None and now_ns - self._told_ns >= PAUSE_NS:
            self._told_ns = now_ns
            self._tell(where())
