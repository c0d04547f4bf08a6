"""The protocol of meters, and one pass of a meter over a measured function.

`Meter` is the protocol; `Calls` is what a meter receives to call the function. `meter_pass` runs
one meter and turns its failures into absent metrics. `declaration_problems`, `unit_problems` and
`result_problems` check a meter against the protocol.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pytest_pareto.measure.call import Arguments
from pytest_pareto.measure.device import Device, find_device
from pytest_pareto.measure.plan import DEFAULT_PLAN, LoopPlan, ProgressCallback, ProgressReporter
from pytest_pareto.measure.turns import Turns
from pytest_pareto.model.metric import Kind, Metric
from pytest_pareto.model.run import Measurement

_UNITS = ("s", "J", "B", "count", "")


@dataclass(frozen=True, slots=True)
class Pace:
    """The typical seconds of a warm call, and how many cores it keeps busy; None if not known."""

    call_s: float
    busy_cores: float | None


class Calls:
    """The measured function, ready to be called as often as a meter needs.

    A meter uses `prepare`, and of the attributes what it needs: ``device`` (to wait for launched
    work), ``clock`` (monotonic nanoseconds; injected in tests), ``plan`` (how many calls the
    test requests), ``first_s`` (wall seconds of the first call), ``case_id`` (of the case
    that is measured), ``wanted`` (the names of its metrics that the test requests), ``held`` (the
    storages of tensors that the test held before the first call, None if not known). It may set
    ``stage`` to what it is doing; the note on an exception of the function then contains this text.

    The other attributes belong to the loop: ``count`` (calls prepared so far), ``warm`` (whether
    warm-up is done), ``profiles_itself`` (whether the function runs a torch profiler of its own,
    None before a call has shown it), ``raised`` (the last exception of the function or of its
    `setup`), ``rounds`` (the rounds of the steady state in which latency was measured), ``waited``
    (the share of their time that they may have lost, as in `Measurement`), ``has_power_headroom``
    (whether those rounds were seen to draw far less than a power limit allows), ``pace`` (what the
    warm-up showed), ``turns`` (with another live process, or None), and ``doing`` and
    ``progress_reporter``, by which progress is reported.
    """

    def __init__(
        self,
        function: Callable[..., object],
        arguments: Callable[[], Arguments],
        *,
        clock: Callable[[], int],
        plan: LoopPlan = DEFAULT_PLAN,
        case_id: str = "",
        on_progress: ProgressCallback | None = None,
        turns: Turns | None = None,
        held: Any = None,
    ) -> None:
        self._function = function
        self._arguments = arguments
        self.case_id = case_id
        self.held = held
        self.wanted: frozenset[str] = frozenset()
        self._announced: tuple[Metric, ...] = ()
        self.clock = clock
        self.plan = plan
        self.device: Device = find_device()
        self.first_s: float | None = None
        self.stage = "first call"
        self.doing = ""
        self.progress_reporter = ProgressReporter(on_progress)
        self.count = 0
        self.warm = False
        self.profiles_itself: bool | None = None
        self.raised: BaseException | None = None
        self.rounds: Sequence[Any] = ()
        self.pace = Pace(0.0, None)
        self.turns = turns
        self.waited: float | None = None
        self.has_power_headroom = False

    @property
    def function(self) -> Callable[..., object]:
        """The measured function itself, for inspection; call it through `prepare`."""
        return self._function

    def begin(self, wanted: Sequence[Metric]) -> None:
        """Start a meter's pass for the ``wanted`` metrics, and reset ``raised``."""
        self.stage = f"measuring {', '.join(metric.name for metric in wanted)}"
        self._announced = tuple(wanted)
        self._announce()
        self.wanted = frozenset(metric.name for metric in wanted)
        self.raised = None

    def exclude(self, *metrics: Metric) -> None:
        """Remove metrics from the progress text; this pass turns out not to measure them."""
        self._announced = tuple(metric for metric in self._announced if metric not in metrics)
        self._announce()

    def _announce(self) -> None:
        if self._announced:
            self.doing = f"measuring {_metric_list(self._announced)}"
        self.progress_reporter.border(self.doing)

    def prepare(self) -> Callable[[], object]:
        """Make fresh arguments, untimed, and return one call of the function with them.

        The call must be made before the next is prepared, and at most once. An exception
        of the function is raised unchanged, with a note naming the call.
        """
        self.count += 1
        self.progress_reporter.ahead()
        function = self._function
        try:
            args, kwargs = self._arguments()
        except BaseException as error:
            self._record_exception(error, "by setup for call")
            raise

        def call() -> object:
            __tracebackhide__ = True
            try:
                return function(*args, **kwargs)
            except BaseException as error:
                self._record_exception(error, "on call")
                raise

        return call

    def with_waiting(self, measurements: Sequence[Measurement]) -> tuple[Measurement, ...]:
        """Return measurements of ``rounds``, with ``waited`` where they are noisy."""
        return tuple(
            replace(each, waited=self.waited)
            if each.values and each.metric.kind is Kind.RUN
            else each
            for each in measurements
        )

    def _record_exception(self, error: BaseException, where: str) -> None:
        self.raised = error
        # The first call is the test's own and needs no explanation.
        if self.count > 1:
            error.add_note(f"pytest-pareto: raised {where} {self.count} ({self.stage})")


def _metric_list(metrics: Sequence[Metric]) -> str:
    """Return the names of the metrics that gate as a list in words, or all names if none gates.

    Only metrics that gate matter to someone who waits for the verdict.
    """
    names = [metric.name for metric in metrics if metric.gates] or [m.name for m in metrics]
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


class Meter(Protocol):
    """Measures one or more metrics of a function, in calls of its own.

    After the function's first call `absence` is called once on a meter and then, unless
    it returned a reason, `measure` once. A meter must not rely on other meters having run, and
    leaves no state behind. A minimal meter, of the time that the processor spends::

        class CpuTimeMeter:
            metrics = (CPU_TIME,)

            def absence(self):
                return None

            def measure(self, calls):
                call = calls.prepare()
                start = time.process_time()
                call()
                return [Measurement(CPU_TIME, (time.process_time() - start,))]

    A meter that raises makes its metrics absent with that reason; an exception of the
    measured function reaches the test as the function's own. Where the meter's instrument
    may itself break a call, `measure` may catch what the call raised and return its
    metrics as absent, once a call without the instrument has shown that the function works.
    """

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """All metrics of which `measure` returns a measurement."""
        ...

    def absence(self) -> str | None:
        """Return why nothing can be measured here, as text that follows "absent:", or None."""
        ...

    def measure(self, calls: Calls) -> Sequence[Measurement]:
        """Measure in one pass, and return one measurement of each metric."""
        ...


def error_summary(error: BaseException) -> str:
    """Return an exception as one line, for the reason of an absent metric."""
    first_line = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {first_line}".removesuffix(": ")


def absent(metrics: Sequence[Metric], reason: str) -> tuple[Measurement, ...]:
    """Return a measurement without readings for each metric, absent with this reason."""
    return tuple(Measurement(metric, absent=reason) for metric in metrics)


def declaration_problems(meter: object) -> Iterator[str]:
    """Yield what makes an object unusable as a meter."""
    if isinstance(meter, type):
        yield f"this is a class; give a meter made of it: {meter.__name__}(...)"
        return
    for name in ("absence", "measure"):
        if not callable(getattr(meter, name, None)):
            yield f"it has no method {name!r}"
    metrics = getattr(meter, "metrics", None)
    if not isinstance(metrics, tuple) or not all(isinstance(each, Metric) for each in metrics):
        yield f"metrics is {metrics!r}; it is a tuple of Metric, such as (ENERGY,)"
        return
    if not metrics:
        yield "metrics is empty, so nothing would be measured"
    names = [metric.name for metric in metrics]
    yield from (f"{name!r} is declared more than once" for name in names if names.count(name) > 1)


def unit_problems(metrics: Sequence[Metric]) -> Iterator[str]:
    """Yield a problem for each metric whose unit reports cannot scale."""
    for metric in metrics:
        if metric.unit not in _UNITS:
            yield (
                f"{metric.name!r} is in {metric.unit!r}; units are SI: s, J, B, count, or '' for "
                "a bare score, and reports scale them"
            )


def result_problems(
    measurements: Sequence[Measurement], declared: Sequence[Metric], wanted: Sequence[Metric]
) -> Iterator[str]:
    """Yield where the measurements are not exactly one of each requested metric."""
    by_name = {metric.name: metric for metric in declared}
    names = [each.metric.name for each in measurements]
    yield from (f"{n!r} is measured more than once" for n in names if names.count(n) > 1)
    yield from (f"{m.name!r} is declared, and not measured" for m in wanted if m.name not in names)
    for each in measurements:
        metric = by_name.get(each.metric.name)
        if metric is None:
            yield f"{each.metric.name!r} is measured, and not declared in metrics"
        elif metric != each.metric:
            yield f"{metric.name!r} is declared as {metric}, and measured as {each.metric}"


def meter_pass(meter: Meter, calls: Calls, skip: frozenset[str]) -> tuple[Measurement, ...]:
    """Return one measurement of each metric of ``meter`` that is not in ``skip``.

    Where the meter fails, its metrics are absent with that reason. An exception of the
    measured function is raised as it was, even where the meter wrapped it in one of its own.
    """
    wanted = tuple(metric for metric in meter.metrics if metric.name not in skip)
    if not wanted:
        return ()
    calls.begin(wanted)
    try:
        reason = meter.absence()
        measurements = meter.measure(calls) if reason is None else absent(wanted, reason)
        return _one_per_metric(measurements, meter, wanted)
    except Exception as error:  # of the meter: its metrics are absent; of the function: raised
        function_error = calls.raised
        if function_error is None:
            return absent(wanted, f"meter {type(meter).__name__} raised {error_summary(error)}")
    # Raised outside of the handler, so that the meter's exception does not become its context.
    raise function_error


def _one_per_metric(
    measurements: Sequence[Measurement], meter: Meter, wanted: tuple[Metric, ...]
) -> tuple[Measurement, ...]:
    meter_name = f"meter {type(meter).__name__}"
    declared = {metric.name for metric in meter.metrics}
    names = [measurement.metric.name for measurement in measurements]
    for name in names:
        if name not in declared:
            return absent(wanted, f"{meter_name} measured {name!r}, which it does not declare")
        if names.count(name) > 1:
            return absent(wanted, f"{meter_name} measured {name!r} more than once")
    by_name = dict(zip(names, measurements, strict=True))
    return tuple(
        by_name.get(metric.name) or Measurement(metric, absent=f"{meter_name} did not measure it")
        for metric in wanted
    )
