"""What is judged against the stored baseline: one run in this process, or fresh ones.

``--pareto-runs N``: the selected tests in N fresh processes, the first one shown as it goes.

``--pareto-runs auto``: as many runs as the spread of the first ones asks for.

The reports of another process, shown as if the tests had run in this one.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pytest_pareto.measure.machine import probe_environment
from pytest_pareto.model.baseline import Past
from pytest_pareto.model.run import Run
from pytest_pareto.model.session_record import SessionRecord
from pytest_pareto.model.verdict import Failure
from pytest_pareto.plugin.fresh_processes import leaves_to_pytest, run_child
from pytest_pareto.plugin.outputs import handed
from pytest_pareto.plugin.process_hooks import RunBuilder
from pytest_pareto.plugin.progress import Countdown, fresh_processes, say
from pytest_pareto.plugin.settings import Selection, Settings
from pytest_pareto.runs.legs import Side
from pytest_pareto.runs.tempfolders import prune_folders

if TYPE_CHECKING:
    from pytest_pareto.model.session_record import SessionReport


class FreshRuns:
    """Takes the place of pytest's loop: no test runs, and no device is held, in this process.

    The first process's reports are replayed here as they come, so that ``-x``, the
    progress and every reporter work as ever; the others are only collected.
    """

    def __init__(
        self,
        config: pytest.Config,
        count: int,
        more: Callable[[Sequence[Run], float], int] | None = None,
    ) -> None:
        """Measure ``count`` times, and then as often as ``more(runs, seconds)`` says, if given."""
        self._config = config
        self._count = count
        self._more = more
        self.runs: list[Run] = []
        self.troubles: list[Failure] = []
        self._silent: list[Failure] = []

    @property
    def failures(self) -> list[Failure]:
        """What failed and hangs on no case: tests in runs that are not shown, processes."""
        return [*self._silent, *self.troubles]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Measure in fresh processes, one after the other."""
        if leaves_to_pytest(session):
            return None
        if not session.items:
            return True
        prune_folders()
        began_s = time.monotonic()
        if self._take(session, range(1, self._count + 1)) and self._more is not None:
            further = self._more(self.runs, time.monotonic() - began_s)
            if further:
                say(self._config, f"{further} more runs, as their spread asks for")
                first, self._count = self._count + 1, self._count + further
                self._take(session, range(first, self._count + 1))
        return True

    def _take(self, session: pytest.Session, numbers: range) -> bool:
        countdown = Countdown(self._config, len(numbers))
        for number in numbers:
            countdown.start(f"run {number} of {self._count}")
            if not self._measure(session, number):
                return False
        countdown.end(f"measuring in {fresh_processes(len(numbers))}")
        return True

    def _measure(self, session: pytest.Session, number: int) -> bool:
        builder = RunBuilder()
        try:
            if number == 1:
                show, outputs = Replay(session).show, handed(self._config, Side.CANDIDATE)
                ended = run_child(session, builder, show=show, outputs=outputs)
            else:
                ended = run_child(session, builder)
        except (session.Failed, session.Interrupted):
            # -x: what was measured before the failure is judged, in an incomplete session.
            self.runs.append(builder.build(probe_environment()))
            raise
        if ended.environment is not None:
            self.runs.append(builder.build(ended.environment))
            if number > 1:
                self._silent += builder.silent_failures(f"run {number} of {self._count}")
        if ended.trouble is not None:
            what = f"run {number} of {self._count} failed: {ended.trouble}"
            self.troubles.append(Failure(what))
        return ended.trouble is None


class OneRun:
    """A plain ``pytest --pareto``: gathers what the tests measure while they run as ever."""

    def __init__(self, settings: Settings, selection: Selection) -> None:
        self._settings = settings
        self._selection = selection
        self._builder = RunBuilder()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in what a test measured."""
        self._builder.add(report)

    def conclude(self, session: pytest.Session, duration_s: float) -> "SessionReport":
        """Judge it against the baseline."""
        from pytest_pareto.plugin.conclusion import conclude, session_record

        run = self._builder.build(probe_environment({"pytest": pytest.__version__}))
        record = session_record(self._settings, self._selection, (run,))
        return conclude(session, self._settings, self._selection, record, duration_s)


class ManyRuns(FreshRuns):
    """``--pareto-runs N``: a process for each; with ``auto`` as many as their spread asks for."""

    def __init__(
        self, config: pytest.Config, count: int, settings: Settings, selection: Selection
    ) -> None:
        more = partial(further_runs, settings) if settings.time_budget_s is not None else None
        super().__init__(config, count, more)
        self._settings = settings
        self._selection = selection

    def conclude(self, session: pytest.Session, duration_s: float) -> "SessionReport":
        """Judge them against the baseline."""
        from pytest_pareto.plugin.conclusion import conclude, session_record

        runs = self.runs or [RunBuilder().build(probe_environment())]
        record = session_record(self._settings, self._selection, runs, self.failures)
        return conclude(session, self._settings, self._selection, record, duration_s)


MOST_RUNS = 30


def further_runs(settings: Settings, runs: Sequence[Run], took_s: float) -> int:
    """Return how many more runs would settle everything, within the time budget.

    Asked once, and answered by the spread alone, whatever looks worse (Stein's two stages): more
    runs only where something is undecided would find changes that are not there. What no number
    of runs settles asks for none; ``took_s`` is what the ``runs`` took.
    """
    from pytest_pareto.baseline.store import load
    from pytest_pareto.pipeline import judge_record

    assert settings.time_budget_s is not None
    baseline = load(settings.baseline_dir, runs[-1].environment.hardware_key)
    # The number of runs is of unconfirmed sessions: nothing is measured again for it.
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
    affordable = int((settings.time_budget_s - took_s) / (took_s / len(runs)))
    return max(0, min(wanted - len(runs), MOST_RUNS - len(runs), affordable))


class Replay:
    """Shows reports to everything that listens to a session, ``-x`` and reporters included."""

    def __init__(self, session: pytest.Session) -> None:
        self._session = session
        self._hooks = {item.nodeid: item.ihook for item in session.items}
        self._current: str | None = None

    def show(self, report: pytest.TestReport) -> None:
        """Show one phase of one test; raises what pytest raises where that ends the session."""
        # Of a test that only the ref has, nothing is collected here.
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
