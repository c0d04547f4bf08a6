"""Hooks of every process that measures: meters in, measurements out with the test report.

From test reports to a `Run`.

Under ``-v``: each test's line ends with what it measured.
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
from pytest_pareto.model.metric import Metric
from pytest_pareto.model.run import CaseRun, Measurement, Run
from pytest_pareto.model.verdict import Failure
from pytest_pareto.plugin.recorder import METERS, RECORDER
from pytest_pareto.report.terminal import figures_text

PAYLOAD = "pareto"
"""The attribute of a test report that carries its cases, as plain types."""


class MeasuringHooks:
    """Lets tests measure, and puts what they measured on their report.

    An attribute of the report crosses process borders with it and stays out of JUnit.
    """

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Collect the meters of this process, once every plugin is there."""
        try:
            added = session.config.hook.pytest_pareto_meters(config=session.config)
            theirs = [meter for meters in reversed(added) for meter in _meters(meters)]
            session.config.stash[METERS] = (*_others(built_in_meters(), theirs), *theirs)
        except ParetoError as error:
            raise pytest.UsageError(str(error)) from None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        """Fail a test that passed, but asked to be judged and measured nothing."""
        yield
        trouble = _unsaid(item)
        if trouble is not None:
            pytest.fail(trouble, pytrace=False)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attach the cases of a test that passed, and an empty list where it did not."""
        report = yield
        recorder = item.stash.get(RECORDER, None)
        if recorder is not None and not recorder.idle:
            measured = recorder.case_runs() if call.when == "call" and report.passed else ()
            setattr(report, PAYLOAD, [msgspec.to_builtins(case) for case in measured])
        return report


def _meters(returned: object) -> Sequence[Meter]:
    """Return what a hook returned, if it is a list of meters.

    Raises ParetoError where it is not, or one of them cannot be asked.
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


class _Without:
    """A meter without those of its metrics that another one measures instead."""

    def __init__(self, meter: Meter, replaced: frozenset[str]) -> None:
        self._meter = meter
        self.metrics = tuple(each for each in meter.metrics if each.name not in replaced)
        self.absence = meter.absence

    def measure(self, calls: Calls) -> Sequence[Measurement]:
        kept = {metric.name for metric in self.metrics}
        return [found for found in self._meter.measure(calls) if found.metric.name in kept]


def _others(built_in: Sequence[Meter], theirs: Sequence[Meter]) -> tuple[Meter, ...]:
    """Return the built-in meters, each without the metrics that ``theirs`` measure.

    Raises ParetoError where two of ``theirs`` measure the same: nothing says which is meant.
    """
    owners: dict[str, Meter] = {}
    for meter in theirs:
        for metric in meter.metrics:
            other = owners.setdefault(metric.name, meter)
            if other is not meter:
                raise ParetoError(
                    f"pytest_pareto_meters returned two meters of {metric.name!r}, "
                    f"{type(other).__name__} and {type(meter).__name__}; return one of them"
                )
    left = (_without(meter, frozenset(owners)) for meter in built_in)
    return tuple(meter for meter in left if meter.metrics)


def _without(meter: Meter, replaced: frozenset[str]) -> Meter:
    if replaced.isdisjoint(metric.name for metric in meter.metrics):
        return meter
    # Of the meter's own name, by which reasons of absence call it.
    left: Meter = type(type(meter).__name__, (_Without,), {})(meter, replaced)
    return left


def _unsaid(item: pytest.Item) -> str | None:
    """Say what keeps a test that passed from being judged as its author meant, or None."""
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
    """Read the cases back from a report, validated."""
    payload: list[Any] = getattr(report, PAYLOAD, [])
    return tuple(msgspec.convert(case, CaseRun) for case in payload)


class RunBuilder:
    """Collects the reports of one process, in which a test may be run again (the last counts)."""

    def __init__(self) -> None:
        self._cases: dict[str, tuple[CaseRun, ...]] = {}
        self._failed: dict[str, str] = {}
        self._uncollected: dict[str, str] = {}
        self._finished: set[str] = set()
        self._skipped: set[str] = set()
        self._asked: set[str] = set()

    def add(self, report: pytest.TestReport) -> None:
        """Take one phase of one test."""
        nodeid = report.nodeid
        if hasattr(report, PAYLOAD):
            self._asked.add(nodeid)
        if report.failed:
            self._failed[nodeid] = _first_line(report)
        elif report.skipped:
            self._skipped.add(nodeid)
        elif report.when == "call" and report.passed:
            self._failed.pop(nodeid, None)
            self._cases[nodeid] = cases_of(report)
        if report.when == "teardown":
            self._finished.add(nodeid)

    def add_uncollected(self, nodeid: str, why: str) -> None:
        """Take in that a module (by its node id) could not be collected."""
        self._uncollected[nodeid] = why

    @property
    def failed(self) -> Mapping[str, str]:
        """Why what failed did, by node id: tests, and modules that could not be collected."""
        return self._uncollected | self._failed

    def silent_failures(self, where: str, *, counted: bool = True) -> list[Failure]:
        """Return the tests without cases that failed in a run whose reports are not shown.

        Those with cases too, where the run is not ``counted`` among those that are judged.
        ``where`` names the run.
        """
        return [
            Failure(f"{nodeid} failed in {where}: {why}", nodeid)
            for nodeid, why in self._failed.items()
            if nodeid not in self._asked or not counted
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


def why_uncollected(report: pytest.CollectReport) -> str:
    """Return the exception in one line, without the traceback that pytest puts around it."""
    raised = re.search(r"^E   (\S.*)$", report.longreprtext, re.MULTILINE)
    return raised[1] if raised is not None else _first_line(report)


def _first_line(report: pytest.TestReport | pytest.CollectReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else report.longreprtext
    lines = [line for line in str(text).splitlines() if line.strip()]
    return lines[0] if lines else "no message"


_PROGRESS = len(" PASSED [] [100%]")


def wants_figures(config: pytest.Config) -> bool:
    """Whether each test has a line of its own that figures can stand on."""
    return config.get_verbosity(pytest.Config.VERBOSITY_TEST_CASES) > 0


class LiveFigures:
    """Says what passed tests measured, as they end: raw levels of the run that is shown.

    Not afterwards: where pytest lists tests again, it asks for the same words.
    """

    def __init__(self) -> None:
        self._running = False

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """Note while tests run."""
        self._running = True
        try:
            return (yield)
        finally:
            self._running = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(
        self, report: pytest.CollectReport | pytest.TestReport, config: pytest.Config
    ) -> tuple[str, str, str] | None:
        """Return pytest's own words for a test that passed, with its figures."""
        if not (self._running and _has_measured(report)):
            return None
        assert isinstance(report, pytest.TestReport)
        width = config.get_terminal_writer().fullwidth
        cases = {
            case.case_id.removeprefix(report.nodeid): _levels(case) for case in cases_of(report)
        }
        told = {name: levels for name, levels in cases.items() if levels}
        if not told:
            return None
        room = width - len(report.nodeid) - _PROGRESS
        return "passed", ".", f"PASSED [{figures_text(told, room)}]"


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
                continue  # judging says why it has none
    return levels
