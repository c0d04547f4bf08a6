"""A session under ``--pareto``: registration, judgement after the last test, and its reports.

`register_session` reads the settings and registers the hooks, of which `ParetoSession` judges.
`signals_as_interrupt` makes SIGTERM and SIGHUP act as Ctrl-C, so that a session ended by
``timeout``, Slurm, CI or a closed ssh connection cleans up too.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Protocol

import pytest

from pytest_pareto.measure.machine import probe_environment
from pytest_pareto.measure.torch_profiler import CallProfiler
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.plugin.outputs import KeptOutputs
from pytest_pareto.plugin.process_hooks import LiveFigures, MeasuringHooks, wants_figures
from pytest_pareto.plugin.recorder import PROFILER
from pytest_pareto.plugin.replication import ManyRuns, OneRun
from pytest_pareto.plugin.report_files import (
    KeptTraces,
    append_summary,
    remove_report_files,
    trace_folder,
    with_history,
    write_annotations,
    write_report_files,
    write_traces,
)
from pytest_pareto.plugin.settings import Selection, Settings, read_settings
from pytest_pareto.runs.legs import Side
from pytest_pareto.runs.process import TERMINATION_SIGNALS

if TYPE_CHECKING:
    from pytest_pareto.model.session_record import SessionReport


class Runs(Protocol):
    """Measures what is judged: in this process, in fresh ones, or interleaved with old code."""

    def conclude(self, session: pytest.Session, duration_s: float) -> "SessionReport":
        """Judge what was measured, also where it was cut short, and return the report."""


def register_session(config: pytest.Config) -> None:
    """Read the settings, check the baseline before hours are spent, and register the hooks.

    Raises pytest.UsageError where the settings or the baseline cannot be used.
    """
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
    if config.getoption("--pareto-trace"):
        KeptTraces(config, Path(config.invocation_params.dir, config.getoption("--pareto-trace")))
    config.pluginmanager.register(runs, "pareto-runs")
    if isinstance(runs, OneRun):
        config.stash[PROFILER] = CallProfiler(trace_folder(config, Side.CANDIDATE))
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
    """Judges the session when its tests have run, and writes its reports."""

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
        self._failed_nodeids: set[str] = set()
        self._reported = False
        self._summarised = False
        self._candidate_notice: str | None = None
        self._report: SessionReport | None = None

    def pytest_sessionstart(self) -> None:
        """Remove the last session's files: they must not be taken for this one's."""
        if not self._config.option.collectonly:
            from pytest_pareto.plugin.conclusion import remove_candidate

            remove_report_files(self._settings.report_paths)
            self._candidate_notice = remove_candidate(self._settings.candidate_dir)

    @property
    def _collects_in_ci(self) -> bool:
        """Whether tests are only collected where somebody relies on the exit code."""
        return bool(self._config.option.collectonly) and self._settings.policy.ci

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Record the deselected tests: the selection is partial."""
        self._selection.deselected.update(item.nodeid for item in items)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Record the modules that skipped themselves."""
        if report.skipped:
            self._selection.skipped_modules.add(report.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record the tests that have failed already."""
        self._reported = True
        if report.failed:
            self._failed_nodeids.add(report.nodeid)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Judge after the last test, also where the loop is cut short."""
        if self._config.option.collectonly:
            return (yield)
        with signals_as_interrupt():
            return (yield from self._run_and_judge(session))

    def _run_and_judge(self, session: pytest.Session) -> Generator[None, object, object]:
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
            asked = ", with exit code 0, which only a whole session has" * (stop.returncode == 0)
            self._selection.stopped = f"pytest.exit: {stop.msg}{asked}"
            self._conclude(session, time.monotonic() - started)
            if stop.returncode == 0:
                # What did not run was not judged, which is no success whatever a test asks for.
                failed = bool(session.testsfailed)
                code = pytest.ExitCode.TESTS_FAILED if failed else pytest.ExitCode.INTERRUPTED
                stop.returncode = int(code)
            raise
        except KeyboardInterrupt:
            self._selection.stopped = "interrupted"
            self._conclude(session, time.monotonic() - started)
            raise
        duration_s = time.monotonic() - started
        try:
            self._conclude(session, duration_s)
        except KeyboardInterrupt:
            # What the session measured is reported all the same. What was judged is not judged
            # again, since an update may have written it.
            if self._report is None:
                self._selection.stopped = "interrupted while measuring again"
            self._conclude(session, duration_s)
            raise
        return result

    def _conclude(self, session: pytest.Session, duration_s: float) -> None:
        if not session.items or (self._selection.stopped and not self._reported):
            return  # nothing ran, and pytest reports why
        from pytest_pareto.plugin.terminal_summary import fail_tests

        if self._report is None:
            from pytest_pareto.plugin.outputs import draw_worst_samples

            try:
                self._report = self._runs.conclude(session, duration_s)
            except ParetoError as error:  # such as a baseline that was changed meanwhile
                raise pytest.UsageError(str(error)) from None
            self._report = draw_worst_samples(self._report, self._kept)
        self._report = self._write_reports(self._report)
        fail_tests(session, self._report, frozenset(self._failed_nodeids))

    def _write_reports(self, report: "SessionReport") -> "SessionReport":
        """Write the report files and return the report with what failed.

        A file that cannot be written fails the session.
        """
        from pytest_pareto.plugin.terminal_summary import with_typed_nodeids

        shown = with_typed_nodeids(report, self._config)
        if "html" in self._settings.report_paths:
            shown = with_history(shown, self._settings.baseline_dir)
        failures = write_report_files(shown, self._settings.report_paths)
        judgement = report.judgement
        summary_notice = trace_notice = None
        if not self._summarised:
            trace_notice, unwritten = write_traces(self._config, judgement.cases)
            failures += unwritten
            # Set before appending: a summary that is appended twice cannot be undone.
            self._summarised = True
            summary_notice = append_summary(shown)
        judgement = replace(
            judgement,
            failures=(*judgement.failures, *failures),
            notices=(
                *judgement.notices,
                *(text for text in (self._candidate_notice, summary_notice, trace_notice) if text),
            ),
        )
        return replace(report, judgement=judgement)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        """Write the annotations below everything else, also where pytest shows no summary."""
        if self._collects_in_ci and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        yield
        if self._report is not None:
            from pytest_pareto.plugin.terminal_summary import with_typed_nodeids

            write_annotations(session, with_typed_nodeids(self._report, self._config))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write the section of the judgement."""
        if self._collects_in_ci:
            terminalreporter.write_line(
                "pareto: FAIL · nothing was measured, since tests were only collected "
                "(--collect-only); in CI that is no success"
            )
        if self._report is not None:
            from pytest_pareto.plugin.terminal_summary import write_summary

            write_summary(self._report, terminalreporter, plot=self._settings.plot)


@contextlib.contextmanager
def signals_as_interrupt() -> Iterator[None]:
    """Raise KeyboardInterrupt on the termination signals, within the context.

    So children end, worktrees are removed, and what was measured is reported. Only in the main
    thread, and only for signals without a handler (``nohup`` ignores SIGHUP).
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    own_pid = os.getpid()

    def interrupt(number: int, _: FrameType | None) -> None:
        if os.getpid() != own_pid:
            # A process that a test forked inherits this handler, but has to end by the default.
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
            return
        raise KeyboardInterrupt(signal.Signals(number).name)

    unhandled = [each for each in TERMINATION_SIGNALS if signal.getsignal(each) is signal.SIG_DFL]
    for each in unhandled:
        signal.signal(each, interrupt)
    try:
        yield
    finally:
        for each in unhandled:
            signal.signal(each, signal.SIG_DFL)
