"""The loops that call: warm-up, and rounds in the steady state."""

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pytest_pareto.measure.device import EventPair
from pytest_pareto.measure.meter import Calls
from pytest_pareto.measure.stages import NoStagesError, stages_of

_NS_PER_S = 1_000_000_000
_EMPTY_ROUNDS = 21


@dataclass(frozen=True, slots=True)
class Round:
    """One synchronised call: readings of the host's clock, and seconds by device events.

    ``stages`` is what the function says of its own parts, if it is `Staged`.
    """

    start_ns: int
    stop_ns: int
    event_s: float | None
    stages: Mapping[str, float] | NoStagesError | None = None

    @property
    def wall_s(self) -> float:
        """Wall time from launching the call to the end of all its work."""
        return (self.stop_ns - self.start_ns) / _NS_PER_S


def warm_up(calls: Calls) -> None:
    """Bring the function into its steady state, once for all meters that need it.

    Clocks rise, caches fill, autotuning and graph capture end: a peak of memory needs
    that no less than a time does, so every meter of the steady state asks for it.
    """
    if calls.warm:
        return
    stage, calls.stage = calls.stage, "warm-up"
    done, elapsed_s, began_ns = 0, 0.0, None
    while calls.plan.wants_warmup(done, elapsed_s):
        latest = one_round(calls, None)
        began_ns = latest.start_ns if began_ns is None else began_ns
        done += 1
        elapsed_s = (latest.stop_ns - began_ns) / _NS_PER_S
    calls.stage, calls.warm = stage, True


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
    elapsed_s = 0.0
    while calls.plan.wants_round(len(rounds), elapsed_s) or elapsed_s < at_least_s:
        rounds.append(one_round(calls, events))
        elapsed_s = (rounds[-1].stop_ns - rounds[0].start_ns) / _NS_PER_S
        between(elapsed_s)
    calls.stage = stage
    return tuple(rounds)


def empty_round_s(calls: Calls) -> float:
    """Return the seconds that a round takes where the call does nothing: what measuring costs."""
    nothing = Calls(lambda: None, lambda: ((), {}), clock=calls.clock)
    nothing.device = calls.device
    events = calls.device.event_pair()
    return sorted(one_round(nothing, events).wall_s for _ in range(_EMPTY_ROUNDS))[
        _EMPTY_ROUNDS // 2
    ]


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
    return Round(start_ns, stop_ns, event_s, stages_of(calls.function))
