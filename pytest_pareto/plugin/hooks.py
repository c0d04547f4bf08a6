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
        recorder = item.stash.get(RECORDER, None)
        try:
            if recorder is not None:
                recorder.finish()
            elif item.get_closest_marker("pareto") is not None:
                raise ParetoError(  # noqa: TRY301 - told in the same way as the recorder's own
                    "this test has @pytest.mark.pareto but does not ask for the pareto fixture, "
                    "so that nothing is measured; add the argument 'pareto'"
                )
        except ParetoError as error:
            pytest.fail(str(error), pytrace=False)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attach the cases of a test that passed."""
        report = yield
        recorder = item.stash.get(RECORDER, None)
        if call.when == "call" and report.passed and recorder is not None:
            cases = [msgspec.to_builtins(case) for case in recorder.case_runs()]
            setattr(report, PAYLOAD, cases)
        return report


def cases_of(report: pytest.TestReport) -> tuple[CaseRun, ...]:
    """Read the cases back from a report, validated."""
    payload: list[Any] = getattr(report, PAYLOAD, [])
    return tuple(msgspec.convert(case, CaseRun) for case in payload)
