"""The runs of a session with a stored baseline: one in this process, or several fresh ones.

`OneRun` is a plain ``pytest --pareto``, `ManyRuns` is ``--pareto-runs N`` or ``auto``, with
`further_runs` for the number of runs of ``auto``. `Replay` shows the reports of another process as
if the tests had run in this one.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pytest_pareto.measure.device import initialized_cuda
from pytest_pareto.measure.machine import probe_environment
from pytest_pareto.model.baseline import Past
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.run import Run
from pytest_pareto.model.session_record import SessionRecord
from pytest_pareto.model.verdict import Failure
from pytest_pareto.plugin.fresh_processes import (
    CUDA_AT_IMPORT,
    ChildResult,
    ChildRun,
    defers_to_pytest,
    run_children,
)
from pytest_pareto.plugin.outputs import output_folder
from pytest_pareto.plugin.process_hooks import RunBuilder
from pytest_pareto.plugin.progress import Countdown, process_count_text, write_progress
from pytest_pareto.plugin.report_files import trace_folder
from pytest_pareto.plugin.settings import Selection, Settings
from pytest_pareto.runs.legs import Side
from pytest_pareto.runs.tempfolders import prune_folders

if TYPE_CHECKING:
    from pytest_pareto.model.session_record import SessionReport


class FreshRuns:
    """Replaces pytest's run loop: this process runs no test, and holds no device.

    The reports of the first process are replayed here as they arrive, so that ``-x``, the
    progress and every reporter work as usual; those of the others are only collected.
    """

    def __init__(
        self,
        config: pytest.Config,
        count: int,
        more: Callable[[Sequence[Run], float], int] | None = None,
    ) -> None:
        """Measure ``count`` times, then ``more(runs, seconds)`` times, if that is given."""
        self._config = config
        self._count = count
        self._more = more
        self.runs: list[Run] = []
        self.process_failures: list[Failure] = []
        self._test_failures: list[Failure] = []

    @property
    def failures(self) -> list[Failure]:
        """The failures that belong to no case: of tests in runs not shown, and of processes."""
        return [*self._test_failures, *self.process_failures]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Measure in fresh processes, one after another."""
        if defers_to_pytest(session):
            return None
        if not session.items:
            return True
        prune_folders()
        started_s = time.monotonic()
        if self._measure_runs(session, range(1, self._count + 1)) and self._more is not None:
            further = self._more(self.runs, time.monotonic() - started_s)
            if further:
                write_progress(
                    self._config, f"{plural(further, 'more run')}, to settle their spread"
                )
                first, self._count = self._count + 1, self._count + further
                self._measure_runs(session, range(first, self._count + 1))
        return True

    def _measure_runs(self, session: pytest.Session, numbers: range) -> bool:
        countdown = Countdown(self._config, len(numbers))
        builders = [RunBuilder() for _ in numbers]
        children = run_children(
            session, list(map(partial(self._child, session), numbers, builders))
        )
        with closing(children):
            for number, builder in zip(numbers, builders, strict=True):
                countdown.start(f"run {number} of {self._count}")
                if not self._measure_run(number, builder, children):
                    return False
        countdown.end(f"measuring in {process_count_text(len(numbers))}")
        return True

    def _child(self, session: pytest.Session, number: int, builder: RunBuilder) -> ChildRun:
        if number > 1:
            return ChildRun(builder)
        outputs = output_folder(self._config, Side.CANDIDATE)
        traces = trace_folder(self._config, Side.CANDIDATE)
        return ChildRun(builder, Replay(session).show, outputs, profiles=True, traces=traces)

    def _measure_run(
        self, number: int, builder: RunBuilder, children: Iterator[ChildResult]
    ) -> bool:
        try:
            result = next(children)
        except (pytest.Session.Failed, pytest.Session.Interrupted):
            # Under -x, what was measured before the failure is judged, as an incomplete session.
            self.runs.append(builder.build(probe_environment()))
            raise
        if result.environment is not None:
            self.runs.append(builder.build(result.environment))
            if number > 1:
                self._test_failures += builder.silent_failures(f"run {number} of {self._count}")
        if result.error is not None:
            what = f"run {number} of {self._count} failed: {result.error}"
            self.process_failures.append(Failure(what))
        return result.error is None


class OneRun:
    """A plain ``pytest --pareto``: collects what the tests measure while they run as usual."""

    def __init__(self, settings: Settings, selection: Selection) -> None:
        self._settings = settings
        self._selection = selection
        self._builder = RunBuilder()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Keep whether the test modules touch a GPU, before the tests do."""
        session.config.stash[CUDA_AT_IMPORT] = initialized_cuda() is not None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add the report of one phase of one test."""
        self._builder.add(report)

    def conclude(self, session: pytest.Session, duration_s: float) -> "SessionReport":
        """Judge the run against the baseline and return the report."""
        from pytest_pareto.plugin.conclusion import conclude, session_record

        run = self._builder.build(probe_environment({"pytest": pytest.__version__}))
        record = session_record(self._settings, self._selection, (run,))
        return conclude(session, self._settings, self._selection, record, duration_s)


class ManyRuns(FreshRuns):
    """``--pareto-runs N``: N fresh processes; with ``auto`` as many as their spread requires."""

    def __init__(
        self, config: pytest.Config, count: int, settings: Settings, selection: Selection
    ) -> None:
        more = partial(further_runs, settings) if settings.time_budget_s is not None else None
        super().__init__(config, count, more)
        self._settings = settings
        self._selection = selection

    def conclude(self, session: pytest.Session, duration_s: float) -> "SessionReport":
        """Judge the runs against the baseline and return the report."""
        from pytest_pareto.plugin.conclusion import conclude, session_record

        runs = self.runs or [RunBuilder().build(probe_environment())]
        record = session_record(self._settings, self._selection, runs, self.failures)
        return conclude(session, self._settings, self._selection, record, duration_s)


MAX_RUNS = 30


def further_runs(settings: Settings, runs: Sequence[Run], elapsed_s: float) -> int:
    """Return how many more runs would settle every gating metric, within the time budget.

    Computed once, from the spread alone, whatever is flagged (Stein's two-stage procedure):
    adding runs only where something is undecided would find changes that are not there. Metrics
    that no number of runs settles request none. ``elapsed_s`` is the duration of the ``runs``.
    """
    from pytest_pareto.baseline.store import load
    from pytest_pareto.pipeline import judge_record

    assert settings.time_budget_s is not None
    baseline = load(settings.baseline_dir, runs[-1].environment.hardware_key)
    # The number of runs is that of an unconfirmed session: nothing is measured again here.
    record = SessionRecord(tuple(runs), replace(settings.policy, confirming=0))
    judged = judge_record(record, Past(baseline))
    wanted = max(
        (
            result.change.runs_to_settle
            for case in judged.judgement.cases
            for result in case.comparison.metrics
            if result.metric.gates and result.change is not None and result.change.runs_to_settle
        ),
        default=0,
    )
    affordable = int((settings.time_budget_s - elapsed_s) / (elapsed_s / len(runs)))
    return max(0, min(wanted - len(runs), MAX_RUNS - len(runs), affordable))


class Replay:
    """Passes reports to every hook of a session, including ``-x`` and the reporters."""

    def __init__(self, session: pytest.Session) -> None:
        self._session = session
        self._hooks = {item.nodeid: item.ihook for item in session.items}
        self._current: str | None = None

    def show(self, report: pytest.TestReport) -> None:
        """Show the report of one phase of one test.

        Raises session.Failed or session.Interrupted, as pytest does, where it ends the session.
        """
        # A test that only the ref has is not collected here, and has no hooks of its own.
        hook = self._hooks.get(report.nodeid, self._session.config.hook)
        if self._current != report.nodeid:
            self._current = report.nodeid
            hook.pytest_runtest_logstart(nodeid=report.nodeid, location=report.location)
        hook.pytest_runtest_logreport(report=report)
        if report.when == "teardown":
            hook.pytest_runtest_logfinish(nodeid=report.nodeid, location=report.location)
            self._current = None
            session = self._session
            if session.shouldfail:
                raise session.Failed(session.shouldfail)
            if session.shouldstop:
                raise session.Interrupted(session.shouldstop)
