"""From test reports to a `Run`."""

import re
from collections.abc import Mapping

import pytest

from pytest_pareto.model.environment import Environment
from pytest_pareto.model.run import CaseRun, Run
from pytest_pareto.plugin.hooks import PAYLOAD, cases_of


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

    def silent_failures(self, where: str, *, counted: bool = True) -> list[str]:
        """Tell of tests without cases that failed ``where`` no report of theirs is shown.

        Of those with cases too, where the run is not ``counted`` among those that are judged.
        """
        return [
            f"{nodeid} failed in {where}: {why}"
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
