"""Under ``-v``: each test's line ends with what it measured."""

from collections.abc import Generator

import pytest

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Metric
from pytest_pareto.model.run import CaseRun
from pytest_pareto.plugin.hooks import PAYLOAD, cases_of
from pytest_pareto.report.terminal import figures_text

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
