"""What is judged against the stored baseline: one run in this process, or fresh ones."""

from functools import partial
from typing import TYPE_CHECKING

import pytest

from pytest_pareto.measure.machine import probe_environment
from pytest_pareto.plugin.auto import further_runs
from pytest_pareto.plugin.collecting import RunBuilder
from pytest_pareto.plugin.fresh import FreshRuns
from pytest_pareto.plugin.selection import Selection
from pytest_pareto.plugin.settings import Settings

if TYPE_CHECKING:
    from pytest_pareto.plugin.conclusion import Conclusion


class OneRun:
    """A plain ``pytest --pareto``: gathers what the tests measure while they run as ever."""

    def __init__(self, settings: Settings, selection: Selection) -> None:
        self._settings = settings
        self._selection = selection
        self._builder = RunBuilder()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in what a test measured."""
        self._builder.add(report)

    def conclude(self, session: pytest.Session, duration_s: float) -> "Conclusion":
        """Judge it against the baseline."""
        from pytest_pareto.plugin.verdict import SessionRuns, conclude

        run = self._builder.build(probe_environment({"pytest": pytest.__version__}))
        own = SessionRuns((run,), (), duration_s)
        return conclude(session, self._settings, self._selection, own)


class ManyRuns(FreshRuns):
    """``--pareto-runs N``: a process for each; with ``auto`` as many as their spread asks for."""

    def __init__(
        self, config: pytest.Config, count: int, settings: Settings, selection: Selection
    ) -> None:
        more = partial(further_runs, settings) if settings.time_budget_s is not None else None
        super().__init__(config, count, more)
        self._settings = settings
        self._selection = selection

    def conclude(self, session: pytest.Session, duration_s: float) -> "Conclusion":
        """Judge them against the baseline."""
        from pytest_pareto.plugin.verdict import SessionRuns, conclude

        runs = tuple(self.runs) or (RunBuilder().build(probe_environment()),)
        own = SessionRuns(runs, tuple(self.failures), duration_s)
        return conclude(session, self._settings, self._selection, own)
