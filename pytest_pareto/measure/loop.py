"""The calling loop: first call, warm-up, and timed rounds in the steady state.

`first_call`, `warm_up` and `steady_rounds` are called in this order; `interleaved_rounds` replaces
the last where another live process measures the same case. `call_for_seconds` makes calls without
keeping their times. `one_round` times one synchronised call.
"""

import gc
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial

from pytest_pareto.measure.asynchronous import AwaitedFunction
from pytest_pareto.measure.device import EventPair, cumulative_allocated_bytes, find_device
from pytest_pareto.measure.meter import Calls, Pace
from pytest_pareto.measure.plan import LoopProgress
from pytest_pareto.measure.stages import NoStagesError, stages_of
from pytest_pareto.measure.streams import ConsumedStream, Stream
from pytest_pareto.measure.turns import Partner, Turns
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.stats.scale import trimmed_mean_error

_NS_PER_S = 1_000_000_000
_OVERHEAD_ROUNDS = 21
_WARMING_UP = "warming up"
_SLICE_S = 0.01
"""The speed of a core wanders within 0.1 s, so a turn is one call, or as many as fill this time."""
_MAX_SLICE_CALLS = 50
_MAX_SECONDS, _MAX_ROUNDS = 15.0, 300
_PRECISION = 0.004
"""The standard error of a log ratio at which another pair tells more than another round."""
_DWELL_S = 2.0
_MOST_BUSY_CORES = 1.2


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
    walls_s: list[float] = []
    start_s, cpu_s = time.perf_counter(), time.process_time()
    for done, (current_round, _) in enumerate(
        _timed_rounds(calls, calls.plan.wants_warmup), start=1
    ):
        walls_s.append(current_round.wall_s)
        calls.progress_reporter.between(
            current_round.stop_ns,
            partial(LoopProgress, _WARMING_UP, done, calls.plan.warmup),
        )
    elapsed_s, busy_s = time.perf_counter() - start_s, time.process_time() - cpu_s
    if walls_s:
        # The measuring of a short call costs more than the call.
        call_s = max(min(walls_s), elapsed_s / len(walls_s))
        calls.pace = Pace(call_s, busy_s / elapsed_s)
    else:
        calls.pace = Pace(calls.first_s or 0.0, None)
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
    collect_young_garbage()
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


def collect_young_garbage() -> None:
    """Collect the garbage that earlier code has just left, and not within a timed call.

    The rest of the heap is left alone: with transformers imported, that took 0.25 s for each case.
    Python collects it only where a quarter more objects have outlived other collections.
    """
    gc.collect(1)


def interleaved_rounds(calls: Calls) -> tuple[Round, ...]:
    """Make timed rounds by turns with the other process; return this one's, in order.

    A round is a slice of either process: one call, or as many as fill 10 ms. Of two rounds each
    process begins one, in random order, so that a linear drift cancels. Both processes know all
    times, and end after the same round: when the error of the trimmed log ratio is 0.4 %, or after
    15 s or 300 rounds. Where no call needs more than one core, both run on the same one, and change
    it every two seconds: on cores of the scheduler identical ones differed by up to 8 % in 50 s.
    Where the other process makes no rounds, `steady_rounds` replaces them.
    """
    turns = calls.turns
    assert turns is not None
    partner = turns.exchange(Partner(calls.pace.call_s, _cores_for(calls.pace)))
    if partner is None:
        return steady_rounds(calls)
    events = calls.device.event_pair()
    stage, calls.stage = calls.stage, "steady state, by turns"
    collect_young_garbage()
    loop = _Interleaving(calls, turns, partner)
    with _timing_first_items(calls), loop.on_shared_cores():
        while loop.wants_slice():
            loop.slice(events)
    calls.stage = stage
    return tuple(loop.rounds)


def _cores_for(pace: Pace) -> tuple[int, ...]:
    """Return the cores that a call with this pace can run on, one at a time; empty for none."""
    if not hasattr(os, "sched_setaffinity"):
        return ()
    single = pace.busy_cores is not None and pace.busy_cores <= _MOST_BUSY_CORES
    return tuple(sorted(os.sched_getaffinity(0))) if single else ()


class _Interleaving:
    """The rounds of one of two processes that take turns at a case."""

    def __init__(self, calls: Calls, turns: Turns, partner: Partner) -> None:
        self._calls = calls
        self._turns = turns
        self._rng = turns.rng()
        common = sorted({*_cores_for(calls.pace)} & {*partner.cores})
        self._cores = self._rng.sample(common, len(common)) if len(common) > 1 else []
        self._core: int | None = None
        call_s = max(calls.pace.call_s, partner.call_s)
        self._size = 1
        if calls.plan.rounds is None and call_s > 0:
            self._size = min(max(1, round(_SLICE_S / call_s)), _MAX_SLICE_CALLS)
        self._order: list[bool] = []
        self._done = 0
        self._theirs: list[float] = []
        self._slices: list[tuple[float, float]] = []
        self._elapsed_s = 0.0
        self.rounds: list[Round] = []

    @contextmanager
    def on_shared_cores(self) -> Iterator[None]:
        """Restore the cores of this thread at the end."""
        if not self._cores:
            yield
            return
        before = os.sched_getaffinity(0)
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)

    def wants_slice(self) -> bool:
        """Wait until this process's next slice; return False where the rounds have ended."""
        turns = self._turns
        # Each round has one slice of either process, and this process's may be the later one.
        first_begins = self._first_begins()
        if first_begins != turns.first and turns.holds:
            turns.hand_over()
        if not turns.holds:
            self._theirs += turns.wait_for_times()
        return turns.together and not self._ended()

    def slice(self, events: EventPair | None) -> None:
        """Make the calls of one slice; give the turn away where the other process is next."""
        self._move()
        for _ in range(self._size):
            current_round = one_round(self._calls, events)
            self.rounds.append(current_round)
            self._turns.add(current_round.wall_s)
        own_came_first = self._first_begins() == self._turns.first
        self._done += 1
        if own_came_first:
            self._turns.hand_over()
        self._calls.progress_reporter.between(
            current_round.stop_ns,
            lambda: LoopProgress(f"{self._calls.doing} by turns", len(self.rounds)),
        )

    def _first_begins(self) -> bool:
        """Return whether the process that is ``first`` begins the present round."""
        while len(self._order) <= self._done:
            begins = self._rng.random() < 0.5
            self._order += [begins, not begins]
        return self._order[self._done]

    def _ended(self) -> bool:
        """Return whether the rounds that both have made are enough; the same in both processes."""
        self._add_up()
        plan = self._calls.plan
        if plan.rounds is not None:
            return self._done * self._size >= plan.rounds
        if self._done < plan.min_rounds or self._done % 2:
            return False
        if self._done >= _MAX_ROUNDS or self._elapsed_s >= _MAX_SECONDS:
            return True
        if not all(a > 0 and b > 0 for a, b in self._slices):
            return False
        return trimmed_mean_error([math.log(a / b) for a, b in self._slices]) <= _PRECISION

    def _add_up(self) -> None:
        """Add up the slices of each round that both have made, as far as that is not done yet."""
        for number in range(len(self._slices), self._done):
            start, stop = number * self._size, (number + 1) * self._size
            own = math.fsum(each.wall_s for each in self.rounds[start:stop])
            theirs = math.fsum(self._theirs[start:stop])
            # In the same order in both processes, so that they end after the same round.
            self._slices.append((own, theirs) if self._turns.first else (theirs, own))
            self._elapsed_s += own + theirs

    def _move(self) -> None:
        """Bind this thread to the core of the present round."""
        if not self._cores:
            return
        core = self._cores[int(self._elapsed_s / _DWELL_S) % len(self._cores)]
        if core != self._core:
            os.sched_setaffinity(0, {core})
            self._core = core


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
        if elapsed_s < 0:  # the loop would not end
            raise ParetoError("the clock runs backwards: is time.perf_counter_ns replaced?")
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
