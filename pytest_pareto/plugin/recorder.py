"""The measurements of one test, collected between the fixture and the test report.

`Recorder` collects the cases of a test. `MeasuredCall` makes one call of its function: once, or
repeatedly with every meter of this process.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from threading import Lock
from types import FrameType
from typing import Any, Protocol

import pytest

from pytest_pareto.measure.call import function_name
from pytest_pareto.measure.measurement import measure_call
from pytest_pareto.measure.meter import Meter
from pytest_pareto.measure.plan import LoopPlan, ProgressCallback
from pytest_pareto.measure.torch_profiler import CallProfiler
from pytest_pareto.measure.turns import Turns
from pytest_pareto.measure.work.flops import measure_work
from pytest_pareto.model.attribution import RUN_BYTES, fold_breakdowns
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import BUILT_IN, DYNAMIC_ENERGY, ENERGY, STREAMED, Metric
from pytest_pareto.model.run import CaseRun, Measurement
from pytest_pareto.outputs.image_folder import KeepOutput
from pytest_pareto.plugin.holdings import HOLDINGS, test_frames
from pytest_pareto.plugin.marker import (
    CaseNames,
    CaseOptions,
    KnownMetrics,
    MeasureOptions,
)
from pytest_pareto.plugin.progress import report_loop_progress

RECORDER = pytest.StashKey["Recorder"]()
METERS = pytest.StashKey[tuple[Meter, ...]]()
"""Present in the config's stash while this process measures."""
MEASURED = pytest.StashKey[Mapping[str, frozenset[str] | None]]()
"""The node ids of the tests that measure, where not all tests of this process do.

With each, the metrics that meters measure; None for all.
"""
PROFILER = pytest.StashKey[CallProfiler]()
"""Present in the config's stash where this process records what each level consists of."""
TURNS = pytest.StashKey[Turns]()
"""Present in the config's stash where another live process measures the same tests by turns."""
_MEASURING_LOCK = Lock()
"""Held while this process measures a call: a concurrent one would distort all its readings."""


class OutputKeeper(Protocol):
    """An object that keeps outputs of tests, such as an `OutputStore`."""

    def begin(self, nodeid: str) -> None:
        """Remove the outputs of an earlier attempt of a test."""

    def keep(self, nodeid: str, case_id: str, metrics: Sequence[str]) -> KeepOutput | None:
        """Return a function that keeps one evaluation's outputs; None where none can be kept."""


KEEPER = pytest.StashKey[OutputKeeper]()
"""Present in the config's stash where this process keeps outputs."""


@dataclass(slots=True)
class _Case:
    measurements: dict[str, Measurement] = field(default_factory=dict)
    measured: bool = False
    streamed: bool = False
    unawaited: str | None = None
    items: int | None = None


class Recorder:
    """Collects the cases of one test. With ``meters`` None it calls once and keeps nothing."""

    def __init__(
        self,
        request: pytest.FixtureRequest,
        options: CaseOptions,
        meters: tuple[Meter, ...] | None,
    ) -> None:
        self._request = request
        self._item: pytest.Item = request.node
        self._options = options
        self._meters = meters
        self._names = CaseNames(self._item, options)
        self._known_metrics = KnownMetrics(meters or (), options)
        self._cases: dict[str | None, _Case] = {}

    @property
    def item(self) -> pytest.Item:
        """The test."""
        return self._item

    @property
    def names(self) -> CaseNames:
        """The names of its cases."""
        return self._names

    @property
    def idle(self) -> bool:
        """Whether the test only runs, and nothing is measured or kept."""
        return self._meters is None

    @property
    def plain(self) -> bool:
        """Whether a call is simply made once.

        Under ``work_only`` it is not: work is counted without ``--pareto`` as well.
        """
        return self.idle and not self._options.work_only

    def begin(self, verb: str, fn: Callable[..., object], options: MeasureOptions) -> None:
        """Open the case of a measurement, after checking its arguments.

        Raises ParetoError where the function or options cannot be used, or the case was measured
        before.
        """
        __tracebackhide__ = True
        streams = check_call(verb, fn, options)
        case = self._cases.setdefault(options.name, _Case())
        if case.measured:
            raise ParetoError(
                f"{self._names.case_id(options.name)} was measured already; give each measurement "
                f"of a test its own name: pareto.configure(name='decode').{verb}(...)"
            )
        case.measured, case.streamed, case.items = True, streams, options.items
        if verb.startswith("a"):
            case.unawaited = f"pareto.{verb}({function_name(fn)}, ...)"

    def mark_awaited(self, name: str | None) -> None:
        """Mark the measurement for which `begin` opened the case as awaited."""
        self._cases[name].unawaited = None

    def measure(
        self,
        fn: Callable[..., object],
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
        options: MeasureOptions,
        frames: Sequence[FrameType] | None = None,
    ) -> object:
        """Measure a call with every meter of this process, or make it once; return its result.

        ``frames`` are the `test_frames`, where the stack of this call does not have them.
        """
        __tracebackhide__ = True
        progress = nullcontext() if self.idle else report_loop_progress(self._item)
        with progress as on_progress, self._held(fn, (args, kwargs), frames) as held:
            call = MeasuredCall(
                self._names, self._known_metrics, self._meters, options, on_progress, held
            )
            result, measurements = call.make(fn, args, kwargs)
        for measurement in measurements:
            wanted = options.metrics is None or measurement.metric.name in options.metrics
            if wanted:  # metrics of a function's stages are not known before the call
                self.add(options.name, measurement)
        return result

    def _held(
        self, fn: Callable[..., object], arguments: object, frames: Sequence[FrameType] | None
    ) -> AbstractContextManager[Any]:
        """Return a context of the calls: the storages that the test holds before them, or None."""
        holdings = self._item.config.stash.get(HOLDINGS, None)
        if holdings is None or self._options.work_only:
            return nullcontext()
        frames = test_frames(self._item) if frames is None else frames
        return holdings.during((fn, arguments), self._request, frames)

    def add(self, name: str | None, measurement: Measurement) -> None:
        """Add a measurement to a case, under the marker's policy.

        Raises ParetoError where the case has the metric already.
        """
        __tracebackhide__ = True
        metric = self.expect(name, measurement.metric)
        measurements = self._cases.setdefault(name, _Case()).measurements
        measurements[metric.name] = replace(measurement, metric=metric)

    def expect(self, name: str | None, metric: Metric) -> Metric:
        """Return the metric under the marker's policy.

        Raises ParetoError where the case has the metric already.
        """
        __tracebackhide__ = True
        if name in self._cases and metric.name in self._cases[name].measurements:
            raise ParetoError(
                f"{metric.name!r} was recorded already in {self._names.case_id(name)}; record it "
                "once, or in a case of its own: pareto.configure(name='...').record(...)"
            )
        return self._options.apply_to(metric)

    def recorded(self, name: str | None) -> tuple[Metric, ...]:
        """Return the metrics that a case has so far."""
        case = self._cases.get(name)
        return () if case is None else tuple(m.metric for m in case.measurements.values())

    def require_measurable(self, metrics: Iterable[str]) -> frozenset[str]:
        """Return the names as a set; raise ParetoError where no meter measures one of them."""
        return self._known_metrics.require(metrics)

    def keeper(self, name: str | None, metrics: Iterable[str] = ()) -> KeepOutput | None:
        """Return a function that keeps outputs of a case by sample id; None where none are kept.

        ``metrics`` are those that score these outputs; if empty, all that the case records.
        """
        keeper = self._item.config.stash.get(KEEPER, None)
        if keeper is None or self.idle:
            return None
        return keeper.keep(self._item.nodeid, self._names.case_id(name), tuple(metrics))

    def finish(self) -> None:
        """Check a test that passed under ``--pareto``.

        Raises ParetoError where a measurement was never awaited, nothing was measured or
        recorded, or the marker names a metric that the test does not have.
        """
        for name, case in self._cases.items():
            if case.unawaited is not None:
                raise ParetoError(
                    f"{case.unawaited} was never awaited, so that "
                    f"{self._names.case_id(name)} was not measured: write `await {case.unawaited}`"
                )
        if not any(case.measurements for case in self._cases.values()):
            raise ParetoError(
                "this test asked for the pareto fixture, but measured and recorded nothing; "
                "call pareto.measure or pareto.record, or leave the fixture away"
            )
        recorded = {name for case in self._cases.values() for name in case.measurements}
        streams = any(case.streamed for case in self._cases.values())
        self._known_metrics.check_named(recorded, streams=streams)

    def case_runs(self) -> tuple[CaseRun, ...]:
        """Return one `CaseRun` for each case that has measurements.

        What levels consist of is kept within the bytes of a case, and only in one run of a session.
        """
        fold = _fold if PROFILER in self._item.config.stash else _without_breakdowns
        return tuple(
            self._names.case_run(name, fold(case.measurements.values()), case.items)
            for name, case in self._cases.items()
            if case.measurements
        )


def _without_breakdowns(measurements: Iterable[Measurement]) -> list[Measurement]:
    return [m if m.breakdown is None else replace(m, breakdown=None) for m in measurements]


def _fold(measurements: Iterable[Measurement]) -> list[Measurement]:
    """Return a case's measurements with breakdowns that are small enough to be kept."""
    found = list(measurements)
    whole = {m.metric.name: m.breakdown for m in found if m.breakdown is not None}
    if not whole:
        return found
    folded = fold_breakdowns(whole, RUN_BYTES)
    return [replace(m, breakdown=folded.get(m.metric.name)) for m in found]


@dataclass(frozen=True, slots=True)
class MeasuredCall:
    """How one call is measured. With ``meters`` None it is made once, and nothing is kept."""

    names: CaseNames
    known_metrics: KnownMetrics
    meters: Sequence[Meter] | None
    options: MeasureOptions
    progress: ProgressCallback | None = None
    held: Any = None

    def make(
        self,
        fn: Callable[..., object],
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
    ) -> tuple[object, tuple[Measurement, ...]]:
        """Return the result of the first call, and the measurements."""
        __tracebackhide__ = True
        marker = self.names.options
        plain = self.meters is None and not marker.work_only
        with nullcontext() if plain else self._exclusive():
            if marker.work_only:
                # Without --pareto too: the test then gets the same tensors, without data, and
                # a model that is too large for this machine stays cheap.
                return measure_work(
                    fn, args, kwargs, setup=self.options.setup, skip=self._skipped_metrics
                )
            turns = None if self.meters is None else self.names.item.config.stash.get(TURNS, None)
            if turns is not None:
                turns.begin(self.names.item.nodeid)
            return measure_call(
                fn,
                args,
                kwargs,
                setup=self.options.setup,
                meters=self.meters or (),
                plan=self._plan,
                skip=self._skipped_metrics | self._unwanted_metrics,
                case_id=self.names.case_id(self.options.name),
                on_progress=self.progress,
                turns=turns,
                held=self.held,
                profiler=self.names.item.config.stash.get(PROFILER, None),
            )

    @property
    def _plan(self) -> LoopPlan:
        options, marker = self.options, self.names.options
        return LoopPlan(
            rounds=options.rounds or marker.rounds,
            warmup=options.warmup if options.warmup is not None else marker.warmup,
        )

    @property
    def _skipped_metrics(self) -> frozenset[str]:
        skipped, wanted = self.names.options.skip_metrics, self.options.metrics
        if wanted is None:
            return skipped
        return skipped | (self.known_metrics.built_in - _with_energy(wanted))

    @property
    def _unwanted_metrics(self) -> frozenset[str]:
        """The built-in metrics that this process is not to measure again."""
        item = self.names.item
        wanted = item.config.stash.get(MEASURED, {}).get(item.nodeid)
        return frozenset() if wanted is None else frozenset(BUILT_IN) - _with_energy(wanted)

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        if not _MEASURING_LOCK.acquire(blocking=False):
            raise ParetoError(
                f"{self.names.case_id(self.options.name)} was to be measured while another "
                "measurement was under way, and each would be in the other's figures; measure one "
                "after the other, or measure one coroutine that makes many calls"
            )
        try:
            yield
        finally:
            _MEASURING_LOCK.release()


def _with_energy(wanted: frozenset[str]) -> frozenset[str]:
    """Return the wanted metrics, with energy where its dynamic part is wanted."""
    return wanted | {ENERGY.name} if DYNAMIC_ENERGY.name in wanted else wanted


def check_call(verb: str, fn: object, options: MeasureOptions) -> bool:
    """Return whether ``pareto.<verb>`` measures a stream.

    Raises ParetoError where it cannot measure this object, or not with these options.
    """
    streams = verb.endswith("stream")
    if not callable(fn):
        fresh = ", which makes a new stream for each call" if streams else ""
        raise ParetoError(f"pareto.{verb} takes a function to call{fresh}, not {fn!r}")
    if streams:
        _refuse_call_options(verb, options)
    else:
        _refuse_stream_options(verb, options)
    return streams


def _refuse_call_options(verb: str, options: MeasureOptions) -> None:
    """Raise ParetoError for options that only whole calls have."""
    if options.items is not None:
        raise ParetoError(
            f"items says how many one call works through, and pareto.{verb} counts a stream's own; "
            "leave items= away, or end the stream with max_items="
        )


def _refuse_stream_options(verb: str, options: MeasureOptions) -> None:
    """Raise ParetoError for options that only streams have."""
    named = sorted(STREAMED & (options.metrics or frozenset()))
    if named:
        raise ParetoError(
            f"metrics names {', '.join(named)}, which only streams have, and pareto.{verb} "
            "measures whole calls; use pareto.stream, or `await pareto.astream`"
        )
    if options.max_items is not None:
        raise ParetoError(
            f"max_items ends a stream, and pareto.{verb} measures whole calls; use pareto.stream "
            "or `await pareto.astream`, or say items= for how many one call works through"
        )
