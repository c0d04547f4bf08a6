"""What one test measured, from the fixture to the test report."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar, cast

import pytest

from pytest_pareto.measure.measuring import measure_call
from pytest_pareto.measure.meter import Meter
from pytest_pareto.measure.plan import LoopPlan
from pytest_pareto.measure.work.meter import measure_work
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import BUILT_IN, OPERATIONS
from pytest_pareto.model.run import CaseRun, Measurement
from pytest_pareto.outputs.keeping import Keep, Keeper
from pytest_pareto.plugin.marker import CaseOptions, read_marker, source_hash, suggest

if TYPE_CHECKING:
    from pytest_pareto.plugin.fixture import MeasureOptions, Pareto

T = TypeVar("T")

RECORDER = pytest.StashKey["Recorder"]()
METERS = pytest.StashKey[tuple[Meter, ...]]()
"""Present in the config's stash while this process measures."""
MEASURED = pytest.StashKey[frozenset[str]]()
"""The node ids of the tests that measure, where not all of this process do."""

KEEPER = pytest.StashKey[Keeper]()
"""Present in the config's stash where this process keeps outputs."""


def open_recorder(request: pytest.FixtureRequest) -> "Pareto":
    """Make the fixture of one test, and leave its recorder where the hooks find it."""
    from pytest_pareto.plugin.fixture import Pareto

    item = request.node
    stash = item.config.stash
    idle = MEASURED in stash and item.nodeid not in stash[MEASURED]
    recorder = Recorder(item, read_marker(item), None if idle else stash.get(METERS, None))
    if KEEPER in stash:
        stash[KEEPER].begin(item.nodeid)
    item.stash[RECORDER] = recorder
    return Pareto(recorder)


@dataclass(slots=True)
class _Case:
    measurements: dict[str, Measurement] = field(default_factory=dict)
    measured: bool = False
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
    def idle(self) -> bool:
        """Whether the test only runs, and nothing of it is kept."""
        return self._meters is None

    def measure(
        self,
        fn: Callable[..., T],
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
        options: "MeasureOptions",
    ) -> T:
        """Measure a call with every meter of this process, or call it once."""
        __tracebackhide__ = True
        if not callable(fn):
            raise ParetoError(f"pareto.measure takes a function to call, not {fn!r}")
        case = self._cases.setdefault(options.name, _Case())
        if case.measured:
            raise ParetoError(
                f"{self._case_id(options.name)} was measured already; give each measurement "
                "of a test its own name: pareto.configure(name='decode').measure(...)"
            )
        case.measured, case.items = True, options.items
        result, measurements = self._call(fn, args, kwargs, options)
        for measurement in measurements:
            wanted = options.metrics is None or measurement.metric.name in options.metrics
            if wanted:  # what a function says of its stages is not known before it was called
                self.add(options.name, measurement)
        return cast(T, result)

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
        metric = self._options.apply_to(measurement.metric)
        measurements = self._cases.setdefault(name, _Case()).measurements
        if metric.name in measurements:
            raise ParetoError(
                f"{metric.name!r} was recorded already in {self._case_id(name)}; record it "
                "once, or in a case of its own: pareto.configure(name='...').record(...)"
            )
        measurements[metric.name] = replace(measurement, metric=metric)

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

    def keeper(self, name: str | None, metrics: Iterable[str] = ()) -> Keep | None:
        """Return what keeps outputs of a case by sample id; None where none are kept.

        ``metrics`` are those that score these outputs; with none, all that the case records.
        """
        keeper = self._item.config.stash.get(KEEPER, None)
        if keeper is None or self.idle:
            return None
        return keeper.keep(self._item.nodeid, self._case_id(name), tuple(metrics))

    def finish(self) -> None:
        """Check, after a test that passed under ``--pareto``, that it said what it meant."""
        if not any(case.measurements for case in self._cases.values()):
            raise ParetoError(
                "this test asked for the pareto fixture, but measured and recorded nothing; "
                "call pareto.measure or pareto.record, or leave the fixture away"
            )
        recorded = {name for case in self._cases.values() for name in case.measurements}
        known = recorded | self._built_in()
        for name, keyword in self._options.named_metrics.items():
            # A budget on something that is not there would never break.
            if name not in (recorded if keyword == "budget" else known):
                raise ParetoError(
                    f"@pytest.mark.pareto({keyword}=...) names {name!r}, which this test neither "
                    f"measures nor records{suggest(name, known)}; it has {', '.join(sorted(known))}"
                )

    def case_runs(self) -> tuple[CaseRun, ...]:
        """Return what was measured, one `CaseRun` per case that measured anything."""
        source = source_hash(self._item)
        return tuple(
            CaseRun(
                case_id=self._case_id(name),
                nodeid=self._item.nodeid,
                front=self._front(name),
                source=source,
                measurements=tuple(case.measurements.values()),
                gate=self._options.gate,
                budgets=tuple(b for b in self._options.budgets if b.metric in case.measurements),
                items=case.items,
            )
            for name, case in self._cases.items()
            if case.measurements
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
