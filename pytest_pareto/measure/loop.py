"""The calling loop: first call, warm-up, and timed rounds in the steady state.

`first_call`, `warm_up` and `steady_rounds` are called in this order; `call_for_seconds` makes calls
without keeping their times. `one_round` times one synchronised call.
"""

import gc
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial

from pytest_pareto.measure.asynchronous import AwaitedFunction
from pytest_pareto.measure.device import EventPair, cumulative_allocated_bytes, find_device
from pytest_pareto.measure.meter import Calls
from pytest_pareto.measure.plan import LoopProgress
from pytest_pareto.measure.stages import NoStagesError, stages_of
from pytest_pareto.measure.streams import ConsumedStream, Stream

_NS_PER_S = 1_000_000_000
_OVERHEAD_ROUNDS = 21
_WARMING_UP = "warming up"


@dataclass(frozen=True, slots=True)
class Round:
    """The times of one synchronised call: readings of the host's clock, and device event time (s).

    ``stages`` are the stage times that the function reports, if it is `Staged`; ``stream`` is the
    stream that the call consumed, if the function is a `Stream`.
    """

    start_ns: int
    stop_ns: int
    event_s: float | None
    stages: Mapping[str, float] | NoStagesError | None = None
    stream: ConsumedStream | None = None

    @property
    def wall_s(self) -> float:
        """The wall time in seconds, from the launch of the call to the end of all its work."""
        return (self.stop_ns - self.start_ns) / _NS_PER_S


def first_call(calls: Calls) -> object:
    """Make the first call and return its result; set ``calls.device`` and ``calls.first_s``.

    An exception of the function is raised unchanged.
    """
    __tracebackhide__ = True
    call = calls.prepare()
    calls.device.synchronize()
    allocated_before = cumulative_allocated_bytes()
    start_ns = calls.clock()
    result = call()
    # The device of the function is known only now.
    calls.device = find_device(allocated_before)
    calls.device.synchronize()
    calls.first_s = (calls.clock() - start_ns) / _NS_PER_S
    return result


def warm_up(calls: Calls) -> None:
    """Call the function until it is in its steady state, once for all meters that need it.

    Clocks rise, caches fill, autotuning and graph capture end. A peak of memory needs this as
    much as a time does, so every meter of the steady state calls this function.
    """
    if calls.warm:
        return
    stage, calls.stage = calls.stage, "warm-up"
    calls.progress_reporter.border(_WARMING_UP)
    for done, (current_round, _) in enumerate(
        _timed_rounds(calls, calls.plan.wants_warmup), start=1
    ):
        calls.progress_reporter.between(
            current_round.stop_ns,
            partial(LoopProgress, _WARMING_UP, done, calls.plan.warmup),
        )
    calls.stage, calls.warm = stage, True
    calls.progress_reporter.border(calls.doing)


def call_for_seconds(
    calls: Calls, seconds: float, *, min_calls: int = 1, max_calls: float = math.inf
) -> tuple[int, float]:
    """Make synchronised calls for so many seconds; return their number and the seconds they took.

    At least one call is made, at least ``min_calls`` and at most ``max_calls``.
    """

    def wants_another(done: int, so_far_s: float) -> bool:
        return done < min_calls or (so_far_s < seconds and done < max_calls)

    done, elapsed_s = 0, 0.0
    for done, (_, elapsed_s) in enumerate(_timed_rounds(calls, wants_another), start=1):  # noqa: B007
        pass  # only the latest values are kept: there may be millions of short calls
    return done, elapsed_s


def steady_rounds(
    calls: Calls,
    *,
    min_duration_s: float = 0.0,
    after_round: Callable[[float], None] = lambda _: None,
) -> tuple[Round, ...]:
    """Make timed rounds in the steady state, as many as the plan requests; return them in order.

    The loop goes on until ``min_duration_s`` seconds have passed, whatever the plan asks for. After
    each round ``after_round`` is called, untimed, with the seconds since the first round began.
    """
    events = calls.device.event_pair()
    stage, calls.stage = calls.stage, "steady state"
    # Collect the garbage of earlier code now, and not within a timed call.
    gc.collect()
    rounds: list[Round] = []

    def wants_another(done: int, so_far_s: float) -> bool:
        return calls.plan.wants_round(done, so_far_s) or so_far_s < min_duration_s

    def progress(done: int, elapsed_s: float) -> LoopProgress:
        rest_s = calls.plan.rest_s(done, elapsed_s, min_duration_s)
        return LoopProgress(calls.doing, done, calls.plan.rounds, rest_s)

    with _timing_first_items(calls):
        for current_round, elapsed_s in _timed_rounds(calls, wants_another, events):
            rounds.append(current_round)
            after_round(elapsed_s)
            calls.progress_reporter.between(
                current_round.stop_ns, partial(progress, len(rounds), elapsed_s)
            )
    calls.stage = stage
    return tuple(rounds)


def round_overhead_s(calls: Calls) -> float:
    """Return the median seconds of a round whose call does nothing: the cost of measuring."""
    function = (
        calls.function.empty() if isinstance(calls.function, AwaitedFunction) else lambda: None
    )
    empty_calls = Calls(function, lambda: ((), {}), clock=calls.clock)
    empty_calls.device = calls.device
    events = calls.device.event_pair()
    return sorted(one_round(empty_calls, events).wall_s for _ in range(_OVERHEAD_ROUNDS))[
        _OVERHEAD_ROUNDS // 2
    ]


def _timing_first_items(calls: Calls) -> AbstractContextManager[None]:
    """Return a context in which the first item of each stream is timed.

    Only `steady_rounds` uses it, since it synchronises the device at that item: an item that
    an iterator has returned may not be computed yet.
    """

    def done_ns() -> int:
        calls.device.synchronize()
        return calls.clock()

    stream = calls.function
    return stream.time_first_items(done_ns) if isinstance(stream, Stream) else nullcontext()


def _timed_rounds(
    calls: Calls, wants_another: Callable[[int, float], bool], events: EventPair | None = None
) -> Iterator[tuple[Round, float]]:
    """Yield rounds while ``wants_another(done, elapsed_s)``, each with the elapsed seconds.

    The seconds count from the start of the first round.
    """
    done, elapsed_s, first_start_ns = 0, 0.0, None
    while wants_another(done, elapsed_s):
        current_round = one_round(calls, events)
        first_start_ns = current_round.start_ns if first_start_ns is None else first_start_ns
        elapsed_s = (current_round.stop_ns - first_start_ns) / _NS_PER_S
        done += 1
        yield current_round, elapsed_s


def one_round(calls: Calls, events: EventPair | None) -> Round:
    """Time one synchronised call: synchronise, start, call, synchronise, stop.

    The arguments and the result are local to this function: they are gone before the next
    round starts, and freeing them is not timed.
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
    stream = function.consumed if isinstance(function, Stream) else None
    return Round(start_ns, stop_ns, event_s, stages_of(function), stream)
