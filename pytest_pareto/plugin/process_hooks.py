"""Hooks of every process that measures, and the `Run` that its test reports make.

`MeasuringHooks` collects the meters and attaches the measured cases to test reports. `RunBuilder`
turns the reports of one process into a `Run`. `LiveFigures` shows levels as tests end, under
``-v``.
"""

import re
from collections.abc import Generator, Mapping, Sequence
from typing import Any

import msgspec
import pytest

from pytest_pareto.measure.measurement import built_in_meters
from pytest_pareto.measure.meter import Calls, Meter, declaration_problems
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import DYNAMIC_ENERGY, ENERGY, Metric
from pytest_pareto.model.run import CaseRun, Measurement, Run
from pytest_pareto.model.verdict import Failure
from pytest_pareto.plugin.holdings import HOLDINGS, Holdings
from pytest_pareto.plugin.recorder import METERS, RECORDER
from pytest_pareto.report.terminal import figures_text

PAYLOAD = "pareto"
"""The attribute of a test report that carries its cases, as plain types."""
OUT_OF_MEMORY = "pareto_out_of_memory"
"""The attribute of the report of a test that failed for lack of memory, of host or device."""


class MeasuringHooks:
    """Provides the meters, and attaches the measured cases of a test to its report.

    An attribute of the report is serialized with it between processes, and stays out of JUnit.
    """

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Collect the meters of this process, after every plugin is registered.

        Raises pytest.UsageError where a plugin's meters cannot be used.
        """
        try:
            added = session.config.hook.pytest_pareto_meters(config=session.config)
            added_meters = [meter for meters in reversed(added) for meter in _check_meters(meters)]
            session.config.stash[METERS] = (
                *_remaining_built_in(built_in_meters(), added_meters),
                *added_meters,
            )
        except ParetoError as error:
            raise pytest.UsageError(str(error)) from None
        session.config.stash[HOLDINGS] = holdings = Holdings()
        session.config.pluginmanager.register(holdings)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        """Fail a test that passed, but was to be measured and measured nothing."""
        yield
        error = _missing_measurement(item)
        if error is not None:
            pytest.fail(error, pytrace=False)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attach the cases of a test that passed, and an empty list if it did not."""
        report = yield
        if call.excinfo is not None and _is_out_of_memory(call.excinfo.type):
            setattr(report, OUT_OF_MEMORY, True)
        recorder = item.stash.get(RECORDER, None)
        if recorder is not None and not recorder.idle:
            measured = recorder.case_runs() if call.when == "call" and report.passed else ()
            setattr(report, PAYLOAD, [msgspec.to_builtins(case) for case in measured])
        return report


def _is_out_of_memory(kind: type[BaseException]) -> bool:
    # torch's own class is not imported for this; CUDA, XPU and MPS raise it or a subclass.
    return any(each.__name__ in ("MemoryError", "OutOfMemoryError") for each in kind.__mro__)


def _check_meters(returned: object) -> Sequence[Meter]:
    """Return the meters that a hook returned, none for None.

    Raises ParetoError where it is not a list, or one of the meters is declared wrongly.
    """
    if returned is None:
        return ()
    if not isinstance(returned, list | tuple):
        raise ParetoError(
            f"pytest_pareto_meters returned {returned!r}; it returns a list of meters: [MyMeter()]"
        )
    for meter in returned:
        for problem in declaration_problems(meter):
            raise ParetoError(f"pytest_pareto_meters returned {meter!r}: {problem}")
    return returned


class _ReducedMeter:
    """A meter without the metrics that another meter measures instead."""

    def __init__(self, meter: Meter, replaced: frozenset[str]) -> None:
        self._meter = meter
        self.metrics = tuple(each for each in meter.metrics if each.name not in replaced)
        self.absence = meter.absence

    def measure(self, calls: Calls) -> Sequence[Measurement]:
        kept = {metric.name for metric in self.metrics}
        return [found for found in self._meter.measure(calls) if found.metric.name in kept]


def _remaining_built_in(
    built_in: Sequence[Meter], added_meters: Sequence[Meter]
) -> tuple[Meter, ...]:
    """Return the built-in meters, each without the metrics that ``added_meters`` measure.

    Raises ParetoError where two of ``added_meters`` measure the same metric: which of them is
    meant is ambiguous.
    """
    owners: dict[str, Meter] = {}
    for meter in added_meters:
        for metric in meter.metrics:
            other = owners.setdefault(metric.name, meter)
            if other is not meter:
                raise ParetoError(
                    f"pytest_pareto_meters returned two meters of {metric.name!r}, "
                    f"{type(other).__name__} and {type(meter).__name__}; return one of them"
                )
    replaced = frozenset(owners)
    if ENERGY.name in replaced:  # of which ours would be no part
        replaced |= {DYNAMIC_ENERGY.name}
    reduced = (_drop_metrics(meter, replaced) for meter in built_in)
    return tuple(meter for meter in reduced if meter.metrics)


def _drop_metrics(meter: Meter, replaced: frozenset[str]) -> Meter:
    if replaced.isdisjoint(metric.name for metric in meter.metrics):
        return meter
    # Keep the class name of the meter, which reasons of absence mention.
    reduced: Meter = type(type(meter).__name__, (_ReducedMeter,), {})(meter, replaced)
    return reduced


def _missing_measurement(item: pytest.Item) -> str | None:
    """Return why a test that passed cannot be judged as its author meant, or None."""
    recorder = item.stash.get(RECORDER, None)
    if recorder is None:
        if item.get_closest_marker("pareto") is None:
            return None
        return (
            "this test has @pytest.mark.pareto but does not ask for the pareto fixture, "
            "so that nothing is measured; add the argument 'pareto'"
        )
    if recorder.idle:
        return None
    try:
        recorder.finish()
    except ParetoError as error:
        return str(error)
    return None


def cases_of(report: pytest.TestReport) -> tuple[CaseRun, ...]:
    """Return the validated cases that are attached to a report."""
    payload: list[Any] = getattr(report, PAYLOAD, [])
    return tuple(msgspec.convert(case, CaseRun) for case in payload)


class RunBuilder:
    """Builds a `Run` from the reports of one process.

    A test may run more than once, such as under pytest-rerunfailures: the last attempt counts.
    ``out_of_memory`` is the node id of a test that failed for lack of memory, or None.
    """

    def __init__(self) -> None:
        self._cases: dict[str, tuple[CaseRun, ...]] = {}
        self._failed: dict[str, str] = {}
        self._uncollected: dict[str, str] = {}
        self._finished: set[str] = set()
        self.out_of_memory: str | None = None
        self._skipped: set[str] = set()
        self._with_fixture: set[str] = set()

    def add(self, report: pytest.TestReport) -> None:
        """Add the report of one phase of one test."""
        nodeid = report.nodeid
        if hasattr(report, PAYLOAD):
            self._with_fixture.add(nodeid)
        if report.failed:
            self._failed[nodeid] = _first_line(report)
            if getattr(report, OUT_OF_MEMORY, False):
                self.out_of_memory = nodeid
        elif report.skipped:
            self._skipped.add(nodeid)
        elif report.when == "call" and report.passed:
            self._failed.pop(nodeid, None)
            self._cases[nodeid] = cases_of(report)
        if report.when == "teardown":
            self._finished.add(nodeid)

    def add_uncollected(self, nodeid: str, why: str) -> None:
        """Add a module, by its node id, that could not be collected."""
        self._uncollected[nodeid] = why

    @property
    def failed(self) -> Mapping[str, str]:
        """The reasons of failures by node id: of tests, and of modules not collected."""
        return self._uncollected | self._failed

    def silent_failures(self, where: str, *, counted: bool = True) -> list[Failure]:
        """Return the tests without the fixture that failed in a run whose reports are not shown.

        Also those with the fixture, where the run is not ``counted`` among those that are judged.
        ``where`` names the run.
        """
        return [
            Failure(f"{nodeid} failed in {where}: {why}", nodeid)
            for nodeid, why in self._failed.items()
            if nodeid not in self._with_fixture or not counted
        ]

    def build(self, environment: Environment) -> Run:
        """Return the run; tests that failed have no cases."""
        cases = {
            case.case_id: case
            for nodeid, measured in self._cases.items()
            if nodeid not in self._failed
            for case in measured
        }
        return Run(
            environment,
            cases,
            self.failed,
            frozenset(self._finished),
            frozenset(self._skipped),
        )


_LONGEST_REASON = 2000
"""In characters; pytest shows the whole message of an exception, which may be a document."""


def why_uncollected(report: pytest.CollectReport) -> str:
    """Return the exception of a collection error in one line, without pytest's traceback."""
    raised = re.search(r"^E   (\S.*)$", report.longreprtext, re.MULTILINE)
    return raised[1][:_LONGEST_REASON] if raised is not None else _first_line(report)


def _first_line(report: pytest.TestReport | pytest.CollectReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else report.longreprtext
    lines = [line for line in str(text).splitlines() if line.strip()]
    return lines[0][:_LONGEST_REASON] if lines else "no message"


_STATUS_WIDTH = len(" PASSED [] [100%]")


def wants_figures(config: pytest.Config) -> bool:
    """Whether each test has a line of its own, which can end with its levels."""
    return config.get_verbosity(pytest.Config.VERBOSITY_TEST_CASES) > 0


class LiveFigures:
    """Shows the levels of tests that passed, as they end: raw levels of the run that is shown.

    Only while tests run: pytest requests the same status texts again for its final summary.
    """

    def __init__(self) -> None:
        self._running = False

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """Track whether tests are running."""
        self._running = True
        try:
            return (yield)
        finally:
            self._running = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(
        self, report: pytest.CollectReport | pytest.TestReport, config: pytest.Config
    ) -> tuple[str, str, str] | None:
        """Return pytest's own status of a test that passed, with its levels."""
        if not (self._running and _has_measured(report)):
            return None
        assert isinstance(report, pytest.TestReport)
        width = config.get_terminal_writer().fullwidth
        cases = {
            case.case_id.removeprefix(report.nodeid): _levels(case) for case in cases_of(report)
        }
        measured = {name: levels for name, levels in cases.items() if levels}
        if not measured:
            return None
        max_width = width - len(report.nodeid) - _STATUS_WIDTH
        return "passed", ".", f"PASSED [{figures_text(measured, max_width)}]"


def _has_measured(report: pytest.CollectReport | pytest.TestReport) -> bool:
    return (
        report.when == "call"
        and report.passed
        and not hasattr(report, "wasxfail")
        and bool(getattr(report, PAYLOAD, []))
    )


def _levels(case: CaseRun) -> list[tuple[Metric, float]]:
    """Return the levels of the metrics that gate, as far as there are any."""
    from pytest_pareto.compare.levels import run_level

    levels = []
    for measurement in case.measurements:
        if measurement.metric.gates and measurement.absent is None:
            try:
                levels.append((measurement.metric, run_level(measurement)))
            except ParetoError:
                continue  # the judgement reports why it has no level
    return levels
