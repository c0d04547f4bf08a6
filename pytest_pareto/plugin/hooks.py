"""Hooks of every process that measures: meters in, measurements out with the test report."""

from collections.abc import Generator, Sequence
from typing import Any

import msgspec
import pytest

from pytest_pareto.measure.measurement import built_in_meters
from pytest_pareto.measure.meter import Calls, Meter, declaration_problems
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.run import CaseRun, Measurement
from pytest_pareto.plugin.recording import METERS, RECORDER

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
