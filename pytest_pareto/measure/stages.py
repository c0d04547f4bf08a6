"""Stages: parts of a measured call that the callable times itself, and their metrics.

- `stages_of` returns the stage times of the latest call of a `Staged` callable;
  `stage_measurements` turns those of all rounds into measurements.
- `stage_clock` returns a clock whose marks do not wait for the device.
- `before_first_forward` runs a callback at the first forward of some torch modules.
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

_NS_PER_S = 1_000_000_000
# The attribute in which `torch.nn.Module.compile` keeps the compiled call; None if not compiled.
_COMPILED_CALL = "_compiled_call_impl"


class NoStagesError(ParetoError):
    """The latest call has no stage times; ``reason`` is text that follows "absent:".

    ``names`` are the stages that it would have had, as far as they are known.
    """

    def __init__(self, reason: str, names: Sequence[str] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.names = tuple(names)


class Staged(Protocol):
    """A callable that reports how long the stages of its latest call took."""

    def stages(self) -> Mapping[str, float]:
        """Return seconds by the name of the stage; synchronise the device first.

        Raises NoStagesError where the latest call has none.
        """
        ...


def stages_of(function: object) -> Mapping[str, float] | NoStagesError | None:
    """Return the stages of the latest call of ``function``, or why there are none.

    Returns None if it is not `Staged`: its class has no method ``stages``, or one that takes
    arguments or returns no mapping. (An instance attribute of that name does not count: vision
    models keep their layers there.)
    """
    stages = getattr(type(function), "stages", None)
    if not callable(stages) or len(signature(stages).parameters) != 1:
        return None
    try:
        reported = stages(function)
    except NoStagesError as error:
        # The traceback would keep alive what its frames refer to.
        return error.with_traceback(None)
    return reported if isinstance(reported, Mapping) else None


class StagesForwarder:
    """Base class of wrappers of a function of the test; they have the function's stages."""

    _function: Callable[..., object]

    def stages(self) -> Mapping[str, float] | None:
        """Return the function's stages, or None where it is not `Staged`."""
        reported = stages_of(self._function)
        if isinstance(reported, NoStagesError):
            raise reported
        return reported


def stage_measurements(
    rounds: Iterable[Mapping[str, float] | NoStagesError | None],
) -> tuple[Measurement, ...]:
    """Return a measurement of `stage_metric` of every stage, with a reading of each round.

    ``rounds`` holds what `stages_of` returned after each call of the steady state; the result is
    empty for a function that is not staged. If any call had no stages, or different ones from the
    call before, every stage is absent with that reason.
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

    A slow host delays events, as with `event_time`, so stages on a GPU depend on the host as well.
    Raises ParetoError if a built-in metric has that name.
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
        # A stage that is NaN or negative must not invalidate the call's latency.
        return Measurement(metric, absent=str(error))


class StageClock(Protocol):
    """Clock that marks moments of a stage: on the host, or in a device's work queue."""

    def mark(self) -> Any:
        """Return the current moment; never wait for launched work."""
        ...

    def seconds(self, earlier: Any, later: Any) -> float:
        """Return the seconds between two moments; synchronise the device first."""
        ...


@dataclass(frozen=True, slots=True)
class HostClock:
    """The host's clock: the processor has done its work when a call returns. ``read`` is in ns."""

    read: Callable[[], int] = time.perf_counter_ns

    def mark(self) -> int:
        """Return the host's monotonic nanoseconds."""
        return self.read()

    def seconds(self, earlier: int, later: int) -> float:
        """Return the seconds between two readings of the clock."""
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
        """Return the seconds between two events; ``elapsed_time`` itself returns milliseconds."""
        return float(earlier.elapsed_time(later)) / 1e3


def stage_clock(device: object) -> StageClock | None:
    """Return the clock for work on ``device``, such as "cpu" or ``torch.device("cuda:1")``.

    Returns None for a device whose work the host's clock cannot see and that has no CUDA events.
    """
    kind = str(device).partition(":")[0]
    torch = loaded_torch()
    if kind == "cuda" and torch is not None:
        return CudaClock(torch.cuda, device)
    return HostClock() if kind == "cpu" else None


@contextmanager
def before_first_forward(
    modules: Iterable[Any], callback: Callable[[tuple[Any, ...], Mapping[str, Any]], None]
) -> Iterator[None]:
    """Call ``callback(args, kwargs)`` before the first forward of any of these torch modules.

    All hooks are removed when that forward begins, or when the block ends without one.
    """
    with ExitStack() as hooks:

        def call_once(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
            hooks.close()
            callback(args, kwargs)

        for module in modules:
            hooks.callback(_add_hook(module, call_once))
        yield


def _add_hook(module: Any, callback: Callable[..., None]) -> Callable[[], None]:
    """Add a hook to one module, and return a function that removes it."""
    compiled = getattr(module, _COMPILED_CALL, None)
    if compiled is None:
        handle = module.register_forward_pre_hook(
            lambda _, args, kwargs: callback(args, kwargs), with_kwargs=True
        )
        remove: Callable[[], None] = handle.remove
        return remove

    # `module.compile()` compiles hooks too: this one would break the graph that is measured.
    def compiled_with_callback(*args: Any, **kwargs: Any) -> Any:
        callback(args, kwargs)
        return compiled(*args, **kwargs)

    setattr(module, _COMPILED_CALL, compiled_with_callback)
    return lambda: setattr(module, _COMPILED_CALL, compiled)
