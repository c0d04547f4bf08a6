"""How many calls are made: bounds on warm-up and on the steady-state loop.

Where a measurement stands, for who waits for it: told between calls, and never within one.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from pytest_pareto.model.errors import ParetoError


@dataclass(frozen=True, slots=True)
class LoopPlan:
    """Bounds on the calls that follow the first one.

    With ``warmup`` or ``rounds`` exactly so many calls are made. Without, warm-up makes
    ``min_warmup`` calls and goes on until ``warmup_seconds`` have passed or ``max_warmup``
    calls are made; the loop makes ``min_rounds`` calls and goes on until ``max_seconds``
    have passed or ``max_rounds`` calls are made. Time is wall time, `setup` included.
    Raises ParetoError where a bound is not a count or not a time.
    """

    rounds: int | None = None
    warmup: int | None = None
    min_rounds: int = 5
    max_rounds: int = 100
    max_seconds: float = 2.0
    min_warmup: int = 2
    max_warmup: int = 20
    warmup_seconds: float = 0.5

    def __post_init__(self) -> None:
        _check_count("rounds", self.rounds, minimum=1)
        _check_count("warmup", self.warmup, minimum=0)
        _check_count("min_rounds", self.min_rounds, minimum=1)
        _check_count("max_rounds", self.max_rounds, minimum=self.min_rounds)
        _check_count("min_warmup", self.min_warmup, minimum=0)
        _check_count("max_warmup", self.max_warmup, minimum=self.min_warmup)
        for name, seconds in (
            ("max_seconds", self.max_seconds),
            ("warmup_seconds", self.warmup_seconds),
        ):
            if math.isnan(seconds) or seconds < 0:
                raise ParetoError(f"{name} must be a time in seconds >= 0, not {seconds!r}")

    def wants_warmup(self, done: int, elapsed_s: float) -> bool:
        """Whether another warm-up call follows after ``done`` calls in ``elapsed_s``."""
        if self.warmup is not None:
            return done < self.warmup
        in_time = elapsed_s < self.warmup_seconds
        return done < self.min_warmup or (done < self.max_warmup and in_time)

    def wants_round(self, done: int, elapsed_s: float) -> bool:
        """Whether another timed round follows after ``done`` rounds in ``elapsed_s``."""
        if self.rounds is not None:
            return done < self.rounds
        in_time = elapsed_s < self.max_seconds
        return done < self.min_rounds or (done < self.max_rounds and in_time)

    def rest_s(self, done: int, elapsed_s: float, min_duration_s: float = 0.0) -> float:
        """Return the seconds that the other timed rounds will take, if they go on like the first.

        ``at_least_s`` is how long the loop goes on whatever this plan says.
        """
        round_s = elapsed_s / done
        if self.rounds is not None:
            planned_s = (self.rounds - done) * round_s
        else:
            min_s, max_s = ((n - done) * round_s for n in (self.min_rounds, self.max_rounds))
            planned_s = max(min_s, min(max_s, self.max_seconds - elapsed_s))
        return max(0.0, planned_s, min_duration_s - elapsed_s)


def _check_count(name: str, value: object, *, minimum: int) -> None:
    if value is None:
        return
    # A bool is an int to Python, and "rounds=True" is never meant as one round.
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        raise ParetoError(f"{name} must be a whole number >= {minimum}, not {value!r}")


DEFAULT_PLAN = LoopPlan()
"""What is done for a test that says nothing about rounds or warm-up."""


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
        self._last_report_ns = 0
        self._pending: str | None = None

    def border(self, doing: str) -> None:
        """Have it told that something else begins, as soon as a call is made for it."""
        self._pending = doing

    def ahead(self) -> None:
        """Tell what the next call is made for, if that is something else; none is under way."""
        if self._pending is not None:
            doing, self._pending = self._pending, None
            if self._tell is not None:
                self._tell(Whereabouts(doing))

    def between(self, now_ns: int, where: Callable[[], Whereabouts]) -> None:
        """Tell between two calls, if the latest ended (``now_ns``) long enough after the last time.

        Costs a comparison where it is not time, and no reading of a clock.
        """
        if self._tell is not None and now_ns - self._last_report_ns >= PAUSE_NS:
            self._last_report_ns = now_ns
            self._tell(where())
