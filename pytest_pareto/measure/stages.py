"""Stages: parts of a measured call that the callable times itself, and their measurements."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from inspect import signature
from typing import Protocol

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
        told = stages(function)
    except NoStagesError as error:
        # Without its traceback, which would keep alive what the frames hold.
        return error.with_traceback(None)
    return told if isinstance(told, Mapping) else None


class Forwarding:
    """A base of ours for what stands around a function of the test: its stages are those."""

    _function: Callable[..., object]

    def stages(self) -> Mapping[str, float] | None:
        """Return the function's stages, None where it is not `Staged`."""
        told = stages_of(self._function)
        if isinstance(told, NoStagesError):
            raise told
        return told


def stage_measurements(
    rounds: Iterable[Mapping[str, float] | NoStagesError | None],
) -> tuple[Measurement, ...]:
    """Return a measurement of `stage_metric` of every stage, with a reading of each round.

    ``rounds`` holds what `stages_of` returned after each call of the steady state; nothing
    is returned for a function that is not staged. If any call had no stages, or other ones
    than the call before, every stage is absent with that reason.
    Raises ParetoError where a stage's metric would have the name of a built-in one.
    """
    told = [each for each in rounds if each is not None]
    names = dict.fromkeys(name for each in told for name in _names(each))
    metrics = tuple(stage_metric(name) for name in names)
    reasons = [each.reason for each in told if isinstance(each, NoStagesError)]
    times = [each for each in told if not isinstance(each, NoStagesError)]
    if reasons:
        return absent(metrics, reasons[0])
    other = next((each for each in times if set(each) != set(times[0])), None)
    if other is not None:
        return absent(metrics, f"calls differ in their stages: {_list(times[0])}; {_list(other)}")
    readings = [tuple(each[name] for each in times) for name in names]
    return tuple(map(_measurement, metrics, readings))


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


def _names(told: Mapping[str, float] | NoStagesError) -> Iterable[str]:
    return told.names if isinstance(told, NoStagesError) else told


def _list(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _measurement(metric: Metric, readings: tuple[float, ...]) -> Measurement:
    try:
        return Measurement(metric, readings)
    except ParetoError as error:
        # A stage that is NaN or negative must not take the call's latency with it.
        return Measurement(metric, absent=str(error))
