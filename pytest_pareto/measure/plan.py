"""How many calls a measurement makes, and the progress that it reports in between.

`LoopPlan` bounds warm-up and the steady-state loop. `ProgressReporter` reports a `LoopProgress`
between calls, never within one.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from pytest_pareto.model.errors import ParetoError

MIN_REPORT_INTERVAL_NS = 1_000_000_000
"""The minimum time between two progress reports of one pass, since a report costs machine time."""


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
        """Return whether another warm-up call follows after ``done`` calls in ``elapsed_s``."""
        if self.warmup is not None:
            return done < self.warmup
        in_time = elapsed_s < self.warmup_seconds
        return done < self.min_warmup or (done < self.max_warmup and in_time)

    def wants_round(self, done: int, elapsed_s: float) -> bool:
        """Return whether another timed round follows after ``done`` rounds in ``elapsed_s``."""
        if self.rounds is not None:
            return done < self.rounds
        in_time = elapsed_s < self.max_seconds
        return done < self.min_rounds or (done < self.max_rounds and in_time)

    def rest_s(self, done: int, elapsed_s: float, min_duration_s: float = 0.0) -> float:
        """Return the estimated seconds of the remaining rounds, from the mean of those done.

        The loop goes on for at least ``min_duration_s``, whatever this plan asks for.
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
    # A bool is an int in Python, but "rounds=True" never means one round.
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        raise ParetoError(f"{name} must be a whole number >= {minimum}, not {value!r}")


DEFAULT_PLAN = LoopPlan()
"""The plan of a test that sets neither rounds nor warm-up."""


@dataclass(frozen=True, slots=True)
class LoopProgress:
    """The progress of a measurement: the activity, such as "warming up", and how far it is.

    ``done`` calls are made, of ``total`` where their number is fixed; the remaining ones take about
    ``rest_s`` seconds, where that can be estimated.
    """

    doing: str
    done: int = 0
    total: int | None = None
    rest_s: float | None = None


ProgressCallback = Callable[[LoopProgress], None]


class ProgressReporter:
    """Reports progress before the first call of each pass, and between calls at most once a second.

    With ``on_progress`` None nothing is reported.
    """

    def __init__(self, on_progress: ProgressCallback | None) -> None:
        self._on_progress = on_progress
        self._last_report_ns = 0
        self._pending: str | None = None

    def border(self, doing: str) -> None:
        """Start another activity; it is reported when a call is made for it."""
        self._pending = doing

    def ahead(self) -> None:
        """Report the activity of the next call if it is a new one, while no call is running."""
        if self._pending is not None:
            doing, self._pending = self._pending, None
            if self._on_progress is not None:
                self._on_progress(LoopProgress(doing))

    def between(self, now_ns: int, where: Callable[[], LoopProgress]) -> None:
        """Report progress between two calls, if the last report was long enough before ``now_ns``.

        ``now_ns`` is the end of the latest call. Without a report this costs one comparison, and it
        never reads a clock.
        """
        if (
            self._on_progress is not None
            and now_ns - self._last_report_ns >= MIN_REPORT_INTERVAL_NS
        ):
            self._last_report_ns = now_ns
            self._on_progress(where())
