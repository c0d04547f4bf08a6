"""Hooks of every process that measures: meters in, measurements out with the test report."""

from collections.abc import Generator
from typing import Any

import msgspec
import pytest

from pytest_pareto.measure.measuring import built_in_meters
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.run import CaseRun
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
        added = session.config.hook.pytest_pareto_meters(config=session.config)
        further = [meter for meters in reversed(added) for meter in meters or ()]
        session.config.stash[METERS] = (*built_in_meters(), *further)

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
        if recorder is not None:
            measured = recorder.case_runs() if call.when == "call" and report.passed else ()
            setattr(report, PAYLOAD, [msgspec.to_builtins(case) for case in measured])
        return report


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
    try:
        recorder.finish()
    except ParetoError as error:
        return str(error)
    return None


def cases_of(report: pytest.TestReport) -> tuple[CaseRun, ...]:
    """Read the cases back from a report, validated."""
    payload: list[Any] = getattr(report, PAYLOAD, [])
    return tuple(msgspec.convert(case, CaseRun) for case in payload)
