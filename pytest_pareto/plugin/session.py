"""A session under ``--pareto``: from the first test to the verdict."""

import time
from collections.abc import Generator
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pytest_pareto.measure.machine.environment import probe_environment
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.run import Run
from pytest_pareto.plugin.auto import further_runs
from pytest_pareto.plugin.collecting import RunBuilder
from pytest_pareto.plugin.fresh import FreshRuns
from pytest_pareto.plugin.hooks import MeasuringHooks
from pytest_pareto.plugin.selection import Selection
from pytest_pareto.plugin.settings import Settings, read_settings
from pytest_pareto.plugin.termination import terminated_as_interrupted

if TYPE_CHECKING:
    from pytest_pareto.plugin.against import AgainstRuns
    from pytest_pareto.plugin.conclusion import Conclusion


def register_session(config: pytest.Config) -> None:
    """Read the settings, check the baseline before hours are spent, and register the hooks."""
    from pytest_pareto.baseline.store import check_writable
    from pytest_pareto.plugin.past import load_past

    settings = read_settings(config)
    try:
        if settings.against is None:
            load_past(settings, probe_environment({}).hardware_key)
        if settings.update is not None:
            check_writable(settings.baseline_dir)
        selection = Selection(config)
        fresh = _fresh(config, settings, selection)
    except ParetoError as error:
        raise pytest.UsageError(str(error)) from None
    if fresh is not None:
        config.pluginmanager.register(fresh, "pareto-fresh")
    else:
        config.pluginmanager.register(MeasuringHooks(), "pareto-measuring")
    config.pluginmanager.register(
        ParetoSession(config, settings, selection, fresh), "pareto-session"
    )


def _fresh(
    config: pytest.Config, settings: Settings, selection: Selection
) -> "FreshRuns | AgainstRuns | None":
    """Return what measures in fresh processes; None where this one does."""
    if settings.against is not None:
        from pytest_pareto.plugin.against import AgainstRuns

        return AgainstRuns(settings, selection, config.rootpath)
    if settings.runs is None:
        return None
    more = partial(further_runs, settings) if settings.time_budget_s is not None else None
    return FreshRuns(config, settings.runs, more)


class ParetoSession:
    """Collects the reports, and judges when the tests have run."""

    def __init__(
        self,
        config: pytest.Config,
        settings: Settings,
        selection: Selection,
        fresh: "FreshRuns | AgainstRuns | None",
    ) -> None:
        self._config = config
        self._settings = settings
        self._fresh = fresh
        self._selection = selection
        self._builder = RunBuilder()
        self._red: set[str] = set()
        self._reported = False
        self._conclusion: Conclusion | None = None

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Remember that not everything was asked for."""
        self._selection.deselected += len(items)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember the modules that skipped themselves."""
        if report.skipped:
            self._selection.skipped_modules.add(report.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in what a test measured, and which tests are red already."""
        self._reported = True
        if report.failed:
            self._red.add(report.nodeid)
        if self._fresh is None:
            self._builder.add(report)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Judge after the last test; also what there is when the loop was cut short."""
        if self._config.option.collectonly:
            return (yield)
        with terminated_as_interrupted():
            return (yield from self._judged(session))

    def _judged(self, session: pytest.Session) -> Generator[None, object, object]:
        started = time.monotonic()
        if session.testsfailed:
            self._selection.stopped = "tests could not be collected"
        try:
            result = yield
        except (session.Failed, session.Interrupted) as stop:
            self._selection.stopped = str(stop) or type(stop).__name__
            self._conclude(session, time.monotonic() - started)
            raise
        except pytest.exit.Exception as stop:
            self._selection.stopped = f"pytest.exit: {stop.msg}"
            self._conclude(session, time.monotonic() - started)
            if stop.returncode == 0 and session.testsfailed:
                stop.returncode = int(pytest.ExitCode.TESTS_FAILED)
            raise
        except KeyboardInterrupt:
            self._selection.stopped = "interrupted"
            self._conclude(session, time.monotonic() - started)
            raise
        duration_s = time.monotonic() - started
        try:
            self._conclude(session, duration_s)
        except KeyboardInterrupt:
            # What the session measured is told all the same.
            self._selection.stopped = "interrupted while measuring again"
            self._conclude(session, duration_s)
            raise
        return result

    def _conclude(self, session: pytest.Session, duration_s: float) -> None:
        from pytest_pareto.plugin.confirming import Confirming
        from pytest_pareto.plugin.verdict import Measured, conclude

        if not session.items or (self._selection.stopped and not self._reported):
            return  # nothing ran, and pytest says why
        from pytest_pareto.plugin.against import AgainstRuns

        if isinstance(self._fresh, AgainstRuns):
            self._conclusion = self._fresh.conclude(duration_s)
        else:
            self._conclusion = conclude(
                self._settings,
                self._selection,
                Measured(*self._runs(), duration_s),
                Confirming(session, self._settings.confirm),
                self._config.rootpath,
            )
        self._conclusion.report(session, frozenset(self._red))

    def _runs(self) -> tuple[tuple[Run, ...], tuple[str, ...]]:
        failures: tuple[str, ...] = ()
        if isinstance(self._fresh, FreshRuns):
            failures = tuple(self._fresh.failures)
            if self._fresh.runs:
                return tuple(self._fresh.runs), failures
        environment = probe_environment({"pytest": pytest.__version__})
        return (self._builder.build(environment),), failures

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell the verdict."""
        if self._conclusion is not None:
            self._conclusion.tell(terminalreporter, plot=self._settings.plot)
