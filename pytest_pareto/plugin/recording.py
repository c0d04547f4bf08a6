"""What one test measured, from the fixture to the test report."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from pytest_pareto.measure.measuring import measure_call
from pytest_pareto.measure.meter import Meter
from pytest_pareto.measure.plan import LoopPlan
from pytest_pareto.measure.work.meter import measure_work
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import BUILT_IN, OPERATIONS, STREAMED, Metric
from pytest_pareto.model.run import CaseRun, Measurement
from pytest_pareto.plugin.marker import CaseOptions, read_marker, source_hash, suggest

if TYPE_CHECKING:
    from pytest_pareto.plugin.fixture import MeasureOptions, Pareto

RECORDER = pytest.StashKey["Recorder"]()
METERS = pytest.StashKey[tuple[Meter, ...]]()
"""Present in the config's stash while this process measures."""
MEASURED = pytest.StashKey[frozenset[str]]()
"""The node ids of the tests that measure, where not all of this process do."""


def open_recorder(request: pytest.FixtureRequest) -> "Pareto":
    """Make the fixture of one test, and leave its recorder where the hooks find it."""
    from pytest_pareto.plugin.fixture import Pareto

    item = request.node
    stash = item.config.stash
    idle = MEASURED in stash and item.nodeid not in stash[MEASURED]
    recorder = Recorder(item, read_marker(item), None if idle else stash.get(METERS, None))
    item.stash[RECORDER] = recorder
    return Pareto(recorder)


@dataclass(slots=True)
class _Case:
    measurements: dict[str, Measurement] = field(default_factory=dict)
    measured: bool = False
    streamed: bool = False
    items: int | None = None


class Recorder:
    """Collects the cases of one test. Without ``meters`` it calls once and keeps nothing."""

    def __init__(
        self, item: pytest.Item, options: CaseOptions, meters: tuple[Meter, ...] | None
    ) -> None:
        self._item = item
        self._options = options
        self._meters = meters
        self._cases: dict[str | None, _Case] = {}

    @property
    def item(self) -> pytest.Item:
        """The test."""
        return self._item

    @property
    def idle(self) -> bool:
        """Whether the test only runs, and nothing of it is kept."""
        return self._meters is None

    @property
    def plain(self) -> bool:
        """Whether a call is simply made: work is counted without ``--pareto`` as well."""
        return self.idle and not self._options.work_only

    def begin(self, verb: str, fn: object, options: "MeasureOptions") -> None:
        """Open the case of a measurement, once it is known that it can be one."""
        __tracebackhide__ = True
        streams = verb.endswith("stream")
        if not callable(fn):
            fresh = ", which makes a new stream for each call" if streams else ""
            raise ParetoError(f"pareto.{verb} takes a function to call{fresh}, not {fn!r}")
        if not streams:
            _refuse_of_streams(verb, options)
        case = self._cases.setdefault(options.name, _Case())
        if case.measured:
            raise ParetoError(
                f"{self._case_id(options.name)} was measured already; give each measurement "
                f"of a test its own name: pareto.configure(name='decode').{verb}(...)"
            )
        case.measured, case.streamed, case.items = True, streams, options.items

    def measured(
        self,
        fn: Callable[..., object],
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
        options: "MeasureOptions",
    ) -> object:
        """Measure a call with every meter of this process, or make it once."""
        __tracebackhide__ = True
        result, measurements = self._call(fn, args, kwargs, options)
        for measurement in measurements:
            wanted = options.metrics is None or measurement.metric.name in options.metrics
            if wanted:  # what a function says of its stages is not known before it was called
                self.add(options.name, measurement)
        return result

    def _call(
        self,
        fn: Callable[..., object],
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
        options: "MeasureOptions",
    ) -> tuple[object, tuple[Measurement, ...]]:
        __tracebackhide__ = True
        skip = self._skipped(options)
        if self._options.work_only:
            # Without --pareto too: the test then meets the same tensors, without data, and
            # a model that is too large for this machine stays cheap.
            return measure_work(fn, args, kwargs, setup=options.setup, skip=skip)
        plan = LoopPlan(
            rounds=options.rounds or self._options.rounds,
            warmup=options.warmup if options.warmup is not None else self._options.warmup,
        )
        return measure_call(
            fn,
            args,
            kwargs,
            setup=options.setup,
            meters=self._meters or (),
            plan=plan,
            skip=skip,
            case_id=self._case_id(options.name),
        )

    def _skipped(self, options: "MeasureOptions") -> frozenset[str]:
        if options.metrics is None:
            return self._options.skip_metrics
        return self._options.skip_metrics | (self._built_in() - options.metrics)

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
                f"{metric.name!r} was recorded already in {self._case_id(name)}; record it "
                "once, or in a case of its own: pareto.configure(name='...').record(...)"
            )
        return self._options.apply_to(metric)

    def known(self, metrics: Iterable[str]) -> frozenset[str]:
        """Check names of metrics that `measure` can produce."""
        wanted = frozenset(metrics)
        for name in sorted(wanted - self._built_in()):
            raise ParetoError(
                f"metrics names {name!r}, which nothing here measures"
                f"{suggest(name, self._built_in())}; known: {', '.join(sorted(self._built_in()))}"
            )
        return wanted

    def _built_in(self) -> frozenset[str]:
        added = {m.name for meter in self._meters or () for m in meter.metrics}
        # Counted without data alone, so elsewhere a tolerance for it would never gate.
        unmeasured = frozenset() if self._options.work_only else {OPERATIONS.name}
        return (frozenset(BUILT_IN) - unmeasured) | added

    def finish(self) -> None:
        """Check, after a test that passed under ``--pareto``, that it said what it meant."""
        if not any(case.measurements for case in self._cases.values()):
            raise ParetoError(
                "this test asked for the pareto fixture, but measured and recorded nothing; "
                "call pareto.measure or pareto.record, or leave the fixture away"
            )
        recorded = {name for case in self._cases.values() for name in case.measurements}
        streams = any(case.streamed for case in self._cases.values())
        known = recorded | (self._built_in() if streams else self._built_in() - STREAMED)
        for name, keyword in self._options.named_metrics.items():
            # A budget on something that is not there would never break.
            if name not in (recorded if keyword == "budget" else known):
                raise ParetoError(
                    f"@pytest.mark.pareto({keyword}=...) names {name!r}, which this test neither "
                    f"measures nor records{suggest(name, known)}; it has {', '.join(sorted(known))}"
                )

    def case_runs(self) -> tuple[CaseRun, ...]:
        """Return what was measured, one `CaseRun` per case that measured anything."""
        return tuple(
            self.case_run(name, case.measurements.values(), case.items)
            for name, case in self._cases.items()
            if case.measurements
        )

    def case_run(
        self, name: str | None, measurements: Iterable[Measurement], items: int | None = None
    ) -> CaseRun:
        """Return a case with these measurements; ``name`` is the one given by `configure`."""
        found = {measurement.metric.name: measurement for measurement in measurements}
        return CaseRun(
            case_id=self._case_id(name),
            nodeid=self._item.nodeid,
            front=self._front(name),
            source=source_hash(self._item),
            measurements=tuple(found.values()),
            gate=self._options.gate,
            budgets=tuple(b for b in self._options.budgets if b.metric in found),
            items=items,
        )

    def _case_id(self, name: str | None) -> str:
        return self._item.nodeid if name is None else f"{self._item.nodeid}#{name}"

    def _front(self, name: str | None) -> str:
        if self._options.front is not None:
            front = self._options.front
        else:
            function = getattr(self._item, "originalname", None) or self._item.name
            parent = self._item.nodeid.removesuffix(self._item.name)
            front = f"{parent}{function}"
        return front if name is None else f"{front}#{name}"


def _refuse_of_streams(verb: str, options: "MeasureOptions") -> None:
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
