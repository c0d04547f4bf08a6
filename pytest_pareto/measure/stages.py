"""Stages: parts of a measured call that the callable times itself, and their measurements.

Clocks for the stages of a call, which it marks itself while its device is at work.

The moment at which the first of some torch modules begins to work.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from inspect import signature
from typing import Any, Protocol

from pytest_pareto.measure.device import loaded_torch
from pytest_pareto.measure.meter import absent
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import BUILT_IN, Better, Kind, Metric, Scope
from pytest_pareto.model.run import Measurement


class NoStagesError(ParetoError):
    """The latest call has no stage times, for a ``reason`` that follows "absent:".

    ``names`` are the stages that it would have had, as far as they are known.
    """

    def __init__(self, reason: str, names: Sequence[str] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.names = tuple(names)


class Staged(Protocol):
    """A callable that can say how long the stages of its latest call took."""

    def stages(self) -> Mapping[str, float]:
        """Return seconds by the name of the stage; synchronise the device before asking.

        Raises NoStagesError where the latest call has none.
        """
        ...


def stages_of(function: object) -> Mapping[str, float] | NoStagesError | None:
    """Return the stages of the latest call of ``function``, or why there are none.

    None if it is not `Staged`: its class has no method ``stages``, or one that wants arguments
    or returns no mapping. (What an instance holds under that name does not count: vision
    models keep their layers there.)
    """
    stages = getattr(type(function), "stages", None)
    if not callable(stages) or len(signature(stages).parameters) != 1:
        return None
    try:
        reported = stages(function)
    except NoStagesError as error:
        # Without its traceback, which would keep alive what the frames hold.
        return error.with_traceback(None)
    return reported if isinstance(reported, Mapping) else None


class StagesForwarder:
    """A base of ours for what stands around a function of the test: its stages are those."""

    _function: Callable[..., object]

    def stages(self) -> Mapping[str, float] | None:
        """Return the function's stages, None where it is not `Staged`."""
        reported = stages_of(self._function)
        if isinstance(reported, NoStagesError):
            raise reported
        return reported


def stage_measurements(
    rounds: Iterable[Mapping[str, float] | NoStagesError | None],
) -> tuple[Measurement, ...]:
    """Return a measurement of `stage_metric` of every stage, with a reading of each round.

    ``rounds`` holds what `stages_of` returned after each call of the steady state; nothing
    is returned for a function that is not staged. If any call had no stages, or other ones
    than the call before, every stage is absent with that reason.
    Raises ParetoError where a stage's metric would have the name of a built-in one.
    """
    reported = [each for each in rounds if each is not None]
    names = dict.fromkeys(name for each in reported for name in _names(each))
    metrics = tuple(stage_metric(name) for name in names)
    reasons = [each.reason for each in reported if isinstance(each, NoStagesError)]
    times = [each for each in reported if not isinstance(each, NoStagesError)]
    if reasons:
        return absent(metrics, reasons[0])
    different = next((each for each in times if set(each) != set(times[0])), None)
    if different is not None:
        return absent(
            metrics, f"calls differ in their stages: {_joined(times[0])}; {_joined(different)}"
        )
    readings = [tuple(each[name] for each in times) for name in names]
    return tuple(map(_stage_measurement, metrics, readings))


def stage_metric(stage: str) -> Metric:
    """Return the metric ``<stage>_time``, in seconds: a diagnostic, comparable on one host.

    Events wait for a slow host as `event_time` does, so stages on a GPU are the host's too.
    Raises ParetoError if that is the name of a built-in metric.
    """
    name = f"{stage}_time"
    if name in BUILT_IN:
        raise ParetoError(f"a stage cannot be called {stage!r}: {name!r} is a metric of its own")
    return Metric(
        name, "s", Better.LOWER, Kind.RUN, Scope.HOST, tolerance=0.05, relative=True, gates=False
    )


def _names(reported: Mapping[str, float] | NoStagesError) -> Iterable[str]:
    return reported.names if isinstance(reported, NoStagesError) else reported


def _joined(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _stage_measurement(metric: Metric, readings: tuple[float, ...]) -> Measurement:
    try:
        return Measurement(metric, readings)
    except ParetoError as error:
        # A stage that is NaN or negative must not take the call's latency with it.
        return Measurement(metric, absent=str(error))


_NS_PER_S = 1_000_000_000


class StageClock(Protocol):
    """Where a stage's moments are read: on the host, or in a device's queue of work."""

    def mark(self) -> Any:
        """Return this moment; never waits for launched work."""
        ...

    def seconds(self, earlier: Any, later: Any) -> float:
        """Return seconds between two moments; synchronise the device before asking."""
        ...


@dataclass(frozen=True, slots=True)
class HostClock:
    """Moments of the processor, whose work is done when a call returns: ``read`` is in ns."""

    read: Callable[[], int] = time.perf_counter_ns

    def mark(self) -> int:
        """Return the host's monotonic nanoseconds."""
        return self.read()

    def seconds(self, earlier: int, later: int) -> float:
        """Return seconds between two readings."""
        return (later - earlier) / _NS_PER_S


@dataclass(frozen=True, slots=True)
class CudaClock:
    """Moments in the current stream of one CUDA device, after the work launched so far."""

    cuda: Any
    device: object

    def mark(self) -> Any:
        """Return a timing event, recorded in the stream that is current for the device."""
        event = self.cuda.Event(enable_timing=True)
        event.record(self.cuda.current_stream(self.device))
        return event

    def seconds(self, earlier: Any, later: Any) -> float:
        """Return seconds between two events; ``elapsed_time`` itself is in milliseconds."""
        return float(earlier.elapsed_time(later)) / 1e3


def stage_clock(device: object) -> StageClock | None:
    """Return the clock for work on ``device``, such as "cpu" or ``torch.device("cuda:1")``.

    None for a device whose work the host's clock cannot see and that has no CUDA events.
    """
    kind = str(device).partition(":")[0]
    torch = loaded_torch()
    if kind == "cuda" and torch is not None:
        return CudaClock(torch.cuda, device)
    return HostClock() if kind == "cpu" else None


# Where `torch.nn.Module.compile` keeps the compiled call; None on modules that are not.
_COMPILED_CALL = "_compiled_call_impl"


@contextmanager
def before_first_forward(
    modules: Iterable[Any], callback: Callable[[tuple[Any, ...], Mapping[str, Any]], None]
) -> Iterator[None]:
    """Call ``notice(args, kwargs)`` before the first forward of any of these torch modules.

    Every hook is gone after that forward has begun, or where the block ends without one.
    """
    with ExitStack() as hooks:

        def call_once(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
            hooks.close()
            callback(args, kwargs)

        for module in modules:
            hooks.callback(_add_hook(module, call_once))
        yield


def _add_hook(module: Any, callback: Callable[..., None]) -> Callable[[], None]:
    """Hook one module, and return what removes the hook."""
    compiled = getattr(module, _COMPILED_CALL, None)
    if compiled is None:
        handle = module.register_forward_pre_hook(
            lambda _, args, kwargs: callback(args, kwargs), with_kwargs=True
        )
        remove: Callable[[], None] = handle.remove
        return remove

    # `module.compile()` compiles the hooks too: ours would break the graph that is measured.
    def compiled_with_callback(*args: Any, **kwargs: Any) -> Any:
        callback(args, kwargs)
        return compiled(*args, **kwargs)

    setattr(module, _COMPILED_CALL, compiled_with_callback)
    return lambda: setattr(module, _COMPILED_CALL, compiled)
