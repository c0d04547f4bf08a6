"""A session under ``--pareto``: from the first test to the verdict.

SIGTERM and SIGHUP as Ctrl-C: ended by ``timeout``, Slurm, CI or a closed ssh, in order too.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING, Protocol

import pytest

from pytest_pareto.measure.machine import probe_environment
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.plugin.outputs import KeptOutputs
from pytest_pareto.plugin.process_hooks import LiveFigures, MeasuringHooks, wants_figures
from pytest_pareto.plugin.replication import ManyRuns, OneRun
from pytest_pareto.plugin.report_files import (
    append_summary,
    remove_report_files,
    write_annotations,
    write_report_files,
)
from pytest_pareto.plugin.settings import Selection, Settings, read_settings
from pytest_pareto.runs.process import TERMINATION_SIGNALS

if TYPE_CHECKING:
    from pytest_pareto.model.session_record import SessionReport


class Runs(Protocol):
    """Measures what is judged: here, in fresh processes, or in turn with other code."""

    def conclude(self, session: pytest.Session, duration_s: float) -> "SessionReport":
        """Judge what was measured, also where that was cut short."""


def register_session(config: pytest.Config) -> None:
    """Read the settings, check the baseline before hours are spent, and register the hooks."""
    from pytest_pareto.baseline.store import check_writable, naming_option
    from pytest_pareto.plugin.settings import load_past

    settings = read_settings(config)
    try:
        with naming_option("--pareto-baseline"):
            if settings.against is None:
                load_past(settings, probe_environment({}).hardware_key)
            if settings.update is not None:
                check_writable(settings.baseline_dir)
        selection = Selection(config)
        runs = _runs(config, settings, selection)
    except ParetoError as error:
        raise pytest.UsageError(str(error)) from None
    config.pluginmanager.register(runs, "pareto-runs")
    if isinstance(runs, OneRun):
        config.pluginmanager.register(MeasuringHooks(), "pareto-measuring")
    if wants_figures(config):
        config.pluginmanager.register(LiveFigures(), "pareto-live")
    kept = KeptOutputs(config, here=isinstance(runs, OneRun))
    config.pluginmanager.register(
        ParetoSession(config, settings, selection, runs, kept), "pareto-session"
    )


def _runs(config: pytest.Config, settings: Settings, selection: Selection) -> Runs:
    if settings.against is not None:
        from pytest_pareto.plugin.against import AgainstRuns

        return AgainstRuns(settings, selection, config.rootpath)
    if settings.runs is not None:
        return ManyRuns(config, settings.runs, settings, selection)
    return OneRun(settings, selection)


class ParetoSession:
    """Collects the reports, and judges when the tests have run."""

    def __init__(
        self,
        config: pytest.Config,
        settings: Settings,
        selection: Selection,
        runs: Runs,
        kept: KeptOutputs,
    ) -> None:
        self._config = config
        self._settings = settings
        self._runs = runs
        self._selection = selection
        self._kept = kept
        self._red: set[str] = set()
        self._reported = False
        self._summarised = False
        self._lack: str | None = None
        self._report: SessionReport | None = None

    def pytest_sessionstart(self) -> None:
        """Take away what the last session left: it must not be taken for this one's."""
        if not self._config.option.collectonly:
            from pytest_pareto.plugin.conclusion import discard

            remove_report_files(self._settings.report_paths)
            self._lack = discard(self._settings.candidate_dir)

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Remember that not everything was asked for."""
        self._selection.deselected.update(item.nodeid for item in items)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember the modules that skipped themselves."""
        if report.skipped:
            self._selection.skipped_modules.add(report.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember which tests are red already."""
        self._reported = True
        if report.failed:
            self._red.add(report.nodeid)

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
            # What the session measured is told all the same; what was judged is not judged anew,
            # since an update may have written it.
            if self._report is None:
                self._selection.stopped = "interrupted while measuring again"
            self._conclude(session, duration_s)
            raise
        return result

    def _conclude(self, session: pytest.Session, duration_s: float) -> None:
        if not session.items or (self._selection.stopped and not self._reported):
            return  # nothing ran, and pytest says why
        from pytest_pareto.plugin.terminal_summary import fail_tests

        if self._report is None:
            from pytest_pareto.plugin.outputs import illustrate

            self._report = self._runs.conclude(session, duration_s)
            self._report = illustrate(self._report, self._kept)
        self._report = self._written(self._report)
        fail_tests(session, self._report, frozenset(self._red))

    def _written(self, report: "SessionReport") -> "SessionReport":
        """Write the reports that are files; one that cannot be written fails the session."""
        from pytest_pareto.plugin.terminal_summary import located

        shown = located(report, self._config)
        failures = write_report_files(shown, self._settings.report_paths)
        judgement = report.judgement
        lack = None
        if not self._summarised:
            self._summarised = True  # before it is: what is appended twice cannot be taken back
            lack = append_summary(shown)
        told = replace(
            judgement,
            failures=(*judgement.failures, *failures),
            notices=(*judgement.notices, *(text for text in (self._lack, lack) if text)),
        )
        return replace(report, judgement=told)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        """Annotate below everything else: also where pytest shows no summary."""
        yield
        if self._report is not None:
            from pytest_pareto.plugin.terminal_summary import located

            write_annotations(session, located(self._report, self._config))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell the verdict."""
        if self._report is not None:
            from pytest_pareto.plugin.terminal_summary import write_summary

            write_summary(self._report, terminalreporter, plot=self._settings.plot)


@contextlib.contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Raise KeyboardInterrupt on these signals: children end, worktrees go, what is known is told.

    Only in the main thread, and only where nobody else listens (as ``nohup`` does to SIGHUP).
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = os.getpid()

    def interrupt(number: int, _: FrameType | None) -> None:
        if os.getpid() != ours:
            # A process that a test forked has this handler too, and is to end as it would.
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
            return
        raise KeyboardInterrupt(signal.Signals(number).name)

    unheard = [each for each in TERMINATION_SIGNALS if signal.getsignal(each) is signal.SIG_DFL]
    for each in unheard:
        signal.signal(each, interrupt)
    try:
        yield
    finally:
        for each in unheard:
            signal.signal(each, signal.SIG_DFL)
