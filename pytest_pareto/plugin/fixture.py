"""The ``pareto`` fixture: what a test says to us."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Kind, Metric, Scope
from pytest_pareto.model.run import Measurement
from pytest_pareto.plugin.marker import count
from pytest_pareto.plugin.recording import Recorder
from pytest_pareto.plugin.score import read_direction, read_outputs, read_score

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class MeasureOptions:
    """How one measurement differs from the defaults."""

    name: str | None = None
    setup: Callable[[], object] | None = None
    items: int | None = None
    rounds: int | None = None
    warmup: int | None = None
    metrics: frozenset[str] | None = None


def _or(given: T | None, before: T | None) -> T | None:
    return before if given is None else given


class Pareto:
    """Measures calls and records scores for one test.

    ``pareto(fn, ...)`` is ``pareto.measure(fn, ...)``. A test may measure several things
    under names of their own: ``pareto.configure(name="decode").measure(fn, ...)``.
    """

    def __init__(self, recorder: Recorder, options: MeasureOptions | None = None) -> None:
        self._recorder = recorder
        self._options = options or MeasureOptions()

    def __call__(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Measure a call; see `measure`."""
        __tracebackhide__ = True
        return self.measure(fn, *args, **kwargs)

    def measure(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call ``fn`` once, then under ``--pareto`` again for each metric's readings.

        Returns what the first call returned. The global random state (Python, NumPy,
        torch) is left as after that one call. Every argument goes to ``fn``; options go
        through `configure`.
        """
        __tracebackhide__ = True  # a failing test should show the user's lines, not ours
        try:
            return self._recorder.measure(fn, args, kwargs, self._options)
        except ParetoError as error:
            raise error.with_traceback(None) from None

    def configure(
        self,
        *,
        name: str | None = None,
        setup: Callable[[], object] | None = None,
        items: int | None = None,
        rounds: int | None = None,
        warmup: int | None = None,
        metrics: Iterable[str] | None = None,
    ) -> "Pareto":
        """Return a `Pareto` with other options; what is not given stays as it is.

        ``name`` makes a case of its own, ``nodeid#name``. ``setup`` makes fresh arguments
        for each call, untimed. ``items`` is how many items one call works through.
        ``rounds`` and ``warmup`` fix the number of calls. ``metrics`` limits what is
        measured.
        """
        if name is not None and (not name or not isinstance(name, str)):
            raise ParetoError(f"name takes a non-empty string, not {name!r}")
        before = self._options
        options = MeasureOptions(
            name=_or(name, before.name),
            setup=_or(setup, before.setup),
            items=_or(count("items", items, least=1), before.items),
            rounds=_or(count("rounds", rounds, least=1), before.rounds),
            warmup=_or(count("warmup", warmup, least=0), before.warmup),
            metrics=before.metrics if metrics is None else self._recorder.known(metrics),
        )
        return Pareto(self._recorder, options)

    def record(
        self,
        name: str,
        value: object,
        *,
        ids: Sequence[object] | None = None,
        better: str | None = None,
        tolerance: float | None = None,
        unit: str = "",
        scope: str = "gpu",
        gate: bool = True,
    ) -> None:
        """Record a score of this case: a number, one per sample with ``ids``, or a metric.

        ``value`` may be a number, a vector with ids, a mapping from ids, or an object with
        ``update`` and ``compute`` such as those of torchmetrics, which may know its own
        direction. ``tolerance`` is absolute, in the metric's unit; without one (here or
        in the marker) any significant loss is a regression. ``scope`` says where else the
        score would be the same: "gpu" (the same hardware), "host", or "anywhere", which is
        the author's claim. ``gate=False`` makes it a diagnostic.
        """
        __tracebackhide__ = True
        try:
            measurement = _score_measurement(
                name,
                value,
                ids=ids,
                better=better,
                tolerance=tolerance,
                unit=unit,
                scope=scope,
                gate=gate,
            )
            self._recorder.add(self._options.name, measurement)
        except ParetoError as error:
            raise error.with_traceback(None) from None

    def keep(self, outputs: object, *, ids: Iterable[object] | None = None) -> None:
        """Keep the outputs whose scores are recorded, so that the worst of them can be shown.

        ``outputs`` is a mapping from sample ids, or a sequence with ``ids``: images of Pillow,
        arrays or tensors. Nothing is kept without ``--pareto``; what is no image is left out.
        """
        __tracebackhide__ = True
        try:
            pairs = read_outputs(outputs, ids)
        except ParetoError as error:
            raise error.with_traceback(None) from None
        keep = self._recorder.keeper(self._options.name)
        if keep is not None:
            for label, output in pairs:
                keep(label, output)


def _score_measurement(
    name: str,
    value: object,
    *,
    ids: Sequence[object] | None,
    better: str | None,
    tolerance: float | None,
    unit: str,
    scope: str,
    gate: bool,
) -> Measurement:
    value, direction = read_direction(name, value, better)
    score = read_score(name, value, ids)
    if scope not in tuple(Scope):
        raise ParetoError(f"scope of {name!r} is {scope!r}; it is one of {', '.join(Scope)}")
    metric = Metric(
        name,
        unit,
        direction,
        Kind.PAIRED if score.ids else Kind.RUN,
        Scope(scope),
        0.0 if tolerance is None else tolerance,
        relative=False,
        gates=gate,
    )
    return Measurement(metric, score.values, score.ids)
