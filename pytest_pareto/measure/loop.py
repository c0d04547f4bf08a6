"""The loops that call: the first call, warm-up, and rounds in the steady state."""

import gc
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial

from pytest_pareto.measure.asynchronous import Awaited
from pytest_pareto.measure.device import EventPair, ever_allocated, find_device
from pytest_pareto.measure.meter import Calls
from pytest_pareto.measure.plan import Whereabouts
from pytest_pareto.measure.stages import NoStagesError, stages_of
from pytest_pareto.measure.streams import Consumed, Stream, consumed_of

_NS_PER_S = 1_000_000_000
_EMPTY_ROUNDS = 21
_WARMING = "warming up"


@dataclass(frozen=True, slots=True)
class Round:
    """One synchronised call: readings of the host's clock, and seconds by device events.

    ``stages`` is what the function says of its own parts, if it is `Staged`; ``stream`` is how
    its stream went, if it is a `Stream`.
    """

    start_ns: int
    stop_ns: int
    event_s: float | None
    stages: Mapping[str, float] | NoStagesError | None = None
    stream: Consumed | None = None

    @property
    def wall_s(self) -> float:
        """Wall time from launching the call to the end of all its work."""
        return (self.stop_ns - self.start_ns) / _NS_PER_S


def first_call(calls: Calls) -> object:
    """Make the first call, by which `Calls` learns its device and ``first_s``; return its result.

    An exception of the function is raised unchanged.
    """
    __tracebackhide__ = True
    call = calls.prepare()
    calls.device.synchronize()
    before = ever_allocated()
    start_ns = calls.clock()
    result = call()
    # Only now is it known what the function runs on.
    calls.device = find_device(before)
    calls.device.synchronize()
    calls.first_s = (calls.clock() - start_ns) / _NS_PER_S
    return result


def warm_up(calls: Calls) -> None:
    """Bring the function into its steady state, once for all meters that need it.

    Clocks rise, caches fill, autotuning and graph capture end: a peak of memory needs
    that no less than a time does, so every meter of the steady state asks for it.
    """
    if calls.warm:
        return
    stage, calls.stage = calls.stage, "warm-up"
    calls.telling.border(_WARMING)
    for done, (latest, _) in enumerate(_timed(calls, calls.plan.wants_warmup), start=1):
        calls.telling.between(
            latest.stop_ns,
            partial(Whereabouts, _WARMING, done, calls.plan.warmup),
        )
    calls.stage, calls.warm = stage, True
    calls.telling.border(calls.doing)


def call_for(
    calls: Calls, seconds: float, *, at_least: int = 1, at_most: float = math.inf
) -> tuple[int, float]:
    """Make synchronised calls until so many seconds have passed; return how many, and seconds.

    At least one, and ``at_least`` so many; no more than ``at_most``.
    """

    def wanted(done: int, so_far_s: float) -> bool:
        return done < at_least or (so_far_s < seconds and done < at_most)

    done, elapsed_s = 0, 0.0
    for done, (_, elapsed_s) in enumerate(_timed(calls, wanted), start=1):  # noqa: B007
        pass  # the last of them is returned: of millions of short calls nothing else is kept
    return done, elapsed_s


def steady_rounds(
    calls: Calls,
    *,
    at_least_s: float = 0.0,
    between: Callable[[float], None] = lambda _: None,
) -> tuple[Round, ...]:
    """Call in the steady state for as long as the plan asks, timing each call.

    It goes on until ``at_least_s`` seconds have passed, whatever the plan says. After each
    round ``between`` is called with the seconds since the first began, untimed.
    """
    events = calls.device.event_pair()
    stage, calls.stage = calls.stage, "steady state"
    # What earlier code left behind is collected now rather than within some timed call.
    gc.collect()
    rounds: list[Round] = []

    def wanted(done: int, so_far_s: float) -> bool:
        return calls.plan.wants_round(done, so_far_s) or so_far_s < at_least_s

    def stands(done: int, elapsed_s: float) -> Whereabouts:
        rest_s = calls.plan.rest_s(done, elapsed_s, at_least_s)
        return Whereabouts(calls.doing, done, calls.plan.rounds, rest_s)

    with _first_items_timed(calls):
        for latest, elapsed_s in _timed(calls, wanted, events):
            rounds.append(latest)
            between(elapsed_s)
            calls.telling.between(latest.stop_ns, partial(stands, len(rounds), elapsed_s))
    calls.stage = stage
    return tuple(rounds)


def empty_round_s(calls: Calls) -> float:
    """Return the seconds that a round takes where the call does nothing: what measuring costs."""
    empty = calls.function.empty() if isinstance(calls.function, Awaited) else lambda: None
    nothing = Calls(empty, lambda: ((), {}), clock=calls.clock)
    nothing.device = calls.device
    events = calls.device.event_pair()
    return sorted(one_round(nothing, events).wall_s for _ in range(_EMPTY_ROUNDS))[
        _EMPTY_ROUNDS // 2
    ]


def _first_items_timed(calls: Calls) -> AbstractContextManager[None]:
    """Have the first item of each stream timed: in these rounds only, since it waits for it.

    What an iterator has handed out may not be computed yet.
    """

    def done_ns() -> int:
        calls.device.synchronize()
        return calls.clock()

    stream = calls.function
    return stream.first_items_timed(done_ns) if isinstance(stream, Stream) else nullcontext()


def _timed(
    calls: Calls, wanted: Callable[[int, float], bool], events: EventPair | None = None
) -> Iterator[tuple[Round, float]]:
    """Make rounds while ``wanted(done, seconds)``, each with the seconds since the first began."""
    done, elapsed_s, began_ns = 0, 0.0, None
    while wanted(done, elapsed_s):
        latest = one_round(calls, events)
        began_ns = latest.start_ns if began_ns is None else began_ns
        elapsed_s = (latest.stop_ns - began_ns) / _NS_PER_S
        done += 1
        yield latest, elapsed_s


def one_round(calls: Calls, events: EventPair | None) -> Round:
    """Make one synchronised call: sync, start, call, sync, stop.

    Its arguments and its result live in this function alone: they are gone before the
    next round starts, and freeing them is not timed.
    """
    call = calls.prepare()
    calls.device.synchronize()
    if events is not None:
        events.start()
    start_ns = calls.clock()
    result = call()
    if events is not None:
        events.stop()
    calls.device.synchronize()
    stop_ns = calls.clock()
    del result
    event_s = None if events is None else events.elapsed_s()
    function = calls.function
    return Round(start_ns, stop_ns, event_s, stages_of(function), consumed_of(function))
