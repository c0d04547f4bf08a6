"""What one test measured, from the fixture to the test report.

One call of a test's function, made once or with every meter of this process.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Protocol

import pytest

from pytest_pareto.measure.call import function_name
from pytest_pareto.measure.measurement import measure_call
from pytest_pareto.measure.meter import Meter
from pytest_pareto.measure.plan import LoopPlan, ProgressCallback
from pytest_pareto.measure.work.flops import measure_work
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import STREAMED, Metric
from pytest_pareto.model.run import CaseRun, Measurement
from pytest_pareto.outputs.image_folder import KeepOutput
from pytest_pareto.plugin.marker import (
    CaseNames,
    CaseOptions,
    MeasureOptions,
    Vocabulary,
)
from pytest_pareto.plugin.progress import whereabouts_of

RECORDER = pytest.StashKey["Recorder"]()
METERS = pytest.StashKey[tuple[Meter, ...]]()
"""Present in the config's stash while this process measures."""
MEASURED = pytest.StashKey[frozenset[str]]()
"""The node ids of the tests that measure, where not all of this process do."""


class OutputKeeper(Protocol):
    """Keeps outputs of tests, such as an `OutputStore`."""

    def begin(self, nodeid: str) -> None:
        """Remove the outputs of an earlier attempt of a test."""

    def keep(self, nodeid: str, case_id: str, metrics: Sequence[str]) -> KeepOutput | None:
        """Return a function that keeps the outputs of one evaluation; None where none can be."""


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
    """Collects the cases of one test. Without ``meters`` it calls once and keeps nothing."""

    def __init__(
        self, item: pytest.Item, options: CaseOptions, meters: tuple[Meter, ...] | None
    ) -> None:
        self._item = item
        self._options = options
        self._meters = meters
        self._names = CaseNames(item, options)
        self._vocabulary = Vocabulary(meters or (), options)
        self._cases: dict[str | None, _Case] = {}

    @property
    def item(self) -> pytest.Item:
        """The test."""
        return self._item

    @property
    def names(self) -> CaseNames:
        """What its cases are called."""
        return self._names

    @property
    def idle(self) -> bool:
        """Whether the test only runs, and nothing of it is kept."""
        return self._meters is None

    @property
    def plain(self) -> bool:
        """Whether a call is simply made: work is counted without ``--pareto`` as well."""
        return self.idle and not self._options.work_only

    def begin(self, verb: str, fn: Callable[..., object], options: MeasureOptions) -> None:
        """Open the case of a measurement, once it is known that it can be one."""
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

    def awaited(self, name: str | None) -> None:
        """Note that what `begin` opened the case for is awaited."""
        self._cases[name].unawaited = None

    def measured(
        self,
        fn: Callable[..., object],
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
        options: MeasureOptions,
    ) -> object:
        """Measure a call with every meter of this process, or make it once."""
        __tracebackhide__ = True
        with nullcontext() if self.idle else whereabouts_of(self._item) as tell:
            call = MeasuredCall(self._names, self._vocabulary, self._meters, options, tell)
            result, measurements = call.make(fn, args, kwargs)
        for measurement in measurements:
            wanted = options.metrics is None or measurement.metric.name in options.metrics
            if wanted:  # what a function says of its stages is not known before it was called
                self.add(options.name, measurement)
        return result

    def add(self, name: str | None, measurement: Measurement) -> None:
        """Add a measurement to a case, under the marker's policy."""
        __tracebackhide__ = True
        metric = self.expect(name, measurement.metric)
        measurements = self._cases.setdefault(name, _Case()).measurements
        measurements[metric.name] = replace(measurement, metric=metric)

    def expect(self, name: str | None, metric: Metric) -> Metric:
        """Return the metric under the marker's policy, if the case has it not yet."""
        __tracebackhide__ = True
        if name in self._cases and metric.name in self._cases[name].measurements:
            raise ParetoError(
                f"{metric.name!r} was recorded already in {self._names.case_id(name)}; record it "
                "once, or in a case of its own: pareto.configure(name='...').record(...)"
            )
        return self._options.apply_to(metric)

    def recorded(self, name: str | None) -> tuple[Metric, ...]:
        """Return the metrics that a case has by now."""
        case = self._cases.get(name)
        return () if case is None else tuple(m.metric for m in case.measurements.values())

    def known(self, metrics: Iterable[str]) -> frozenset[str]:
        """Check names of metrics that `measure` can produce."""
        return self._vocabulary.measurable(metrics)

    def keeper(self, name: str | None, metrics: Iterable[str] = ()) -> KeepOutput | None:
        """Return what keeps outputs of a case by sample id; None where none are kept.

        ``metrics`` are those that score these outputs; with none, all that the case records.
        """
        keeper = self._item.config.stash.get(KEEPER, None)
        if keeper is None or self.idle:
            return None
        return keeper.keep(self._item.nodeid, self._names.case_id(name), tuple(metrics))

    def finish(self) -> None:
        """Check, after a test that passed under ``--pareto``, that it said what it meant."""
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
        self._vocabulary.check_named(recorded, streams=streams)

    def case_runs(self) -> tuple[CaseRun, ...]:
        """Return what was measured, one `CaseRun` per case that measured anything."""
        return tuple(
            self._names.case_run(name, case.measurements.values(), case.items)
            for name, case in self._cases.items()
            if case.measurements
        )


_MEASURING = Lock()
"""Held while this process measures a call: a second beside it would be in its every figure."""


@dataclass(frozen=True, slots=True)
class MeasuredCall:
    """How a call is to be measured. Without ``meters`` it is made once, and nothing is kept."""

    names: CaseNames
    vocabulary: Vocabulary
    meters: Sequence[Meter] | None
    options: MeasureOptions
    tell: ProgressCallback | None = None

    def make(
        self,
        fn: Callable[..., object],
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
    ) -> tuple[object, tuple[Measurement, ...]]:
        """Return what the first call returned, and what was measured."""
        __tracebackhide__ = True
        marked = self.names.options
        plain = self.meters is None and not marked.work_only
        with nullcontext() if plain else self._alone():
            if marked.work_only:
                # Without --pareto too: the test then meets the same tensors, without data, and
                # a model that is too large for this machine stays cheap.
                return measure_work(fn, args, kwargs, setup=self.options.setup, skip=self._skipped)
            return measure_call(
                fn,
                args,
                kwargs,
                setup=self.options.setup,
                meters=self.meters or (),
                plan=self._plan,
                skip=self._skipped,
                case_id=self.names.case_id(self.options.name),
                on_progress=self.tell,
            )

    @property
    def _plan(self) -> LoopPlan:
        own, marked = self.options, self.names.options
        return LoopPlan(
            rounds=own.rounds or marked.rounds,
            warmup=own.warmup if own.warmup is not None else marked.warmup,
        )

    @property
    def _skipped(self) -> frozenset[str]:
        skipped, wanted = self.names.options.skip_metrics, self.options.metrics
        return skipped if wanted is None else skipped | (self.vocabulary.built_in - wanted)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not _MEASURING.acquire(blocking=False):
            raise ParetoError(
                f"{self.names.case_id(self.options.name)} was to be measured while another "
                "measurement was under way, and each would be in the other's figures; measure one "
                "after the other, or measure one coroutine that makes many calls"
            )
        try:
            yield
        finally:
            _MEASURING.release()


def check_call(verb: str, fn: object, options: MeasureOptions) -> bool:
    """Return whether ``pareto.<verb>`` measures a stream.

    Raises ParetoError where it can measure no such function, or not with such options.
    """
    streams = verb.endswith("stream")
    if not callable(fn):
        fresh = ", which makes a new stream for each call" if streams else ""
        raise ParetoError(f"pareto.{verb} takes a function to call{fresh}, not {fn!r}")
    if streams:
        _refuse_of_calls(verb, options)
    else:
        _refuse_of_streams(verb, options)
    return streams


def _refuse_of_calls(verb: str, options: MeasureOptions) -> None:
    """Refuse options that only a whole call has."""
    if options.items is not None:
        raise ParetoError(
            f"items says how many one call works through, and pareto.{verb} counts a stream's own; "
            "leave items= away, or end the stream with max_items="
        )


def _refuse_of_streams(verb: str, options: MeasureOptions) -> None:
    """Refuse options that only a stream has."""
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
