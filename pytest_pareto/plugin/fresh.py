"""``--pareto-runs N``: the selected tests in N fresh processes, the first one shown as it goes."""

import time

import pytest

from pytest_pareto.measure.machine.environment import probe_environment
from pytest_pareto.model.run import Run
from pytest_pareto.plugin.children import run_child
from pytest_pareto.plugin.collecting import RunBuilder
from pytest_pareto.plugin.progress import say
from pytest_pareto.plugin.replay import Replay


class FreshRuns:
    """Takes the place of pytest's loop: no test runs, and no device is held, in this process.

    The first process's reports are replayed here as they come, so that ``-x``, the
    progress and every reporter work as ever; the others are only collected.
    """

    def __init__(self, config: pytest.Config, count: int) -> None:
        self._config = config
        self._count = count
        self.runs: list[Run] = []
        self.troubles: list[str] = []
        self._silent: list[str] = []

    @property
    def failures(self) -> list[str]:
        """What failed and hangs on no case: tests in runs that are not shown, processes."""
        return [*self._silent, *self.troubles]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Measure in fresh processes, one after the other."""
        option = session.config.option
        if option.collectonly or (session.testsfailed and not option.continue_on_collection_errors):
            return None
        if not session.items:
            return True
        for number in range(1, self._count + 1):
            started = time.monotonic()
            if not self._measure(session, number):
                break
            seconds = time.monotonic() - started
            say(self._config, f"run {number} of {self._count} took {seconds:.1f} s")
        return True

    def _measure(self, session: pytest.Session, number: int) -> bool:
        builder = RunBuilder()
        try:
            if number == 1:
                ended = run_child(session, builder, show=Replay(session).show)
            else:
                ended = run_child(session, builder)
        except (session.Failed, session.Interrupted):
            # -x: what was measured before the failure is judged, in an incomplete session.
            self.runs.append(builder.build(probe_environment()))
            raise
        if ended.environment is not None:
            self.runs.append(builder.build(ended.environment))
            if number > 1:
                self._silent += builder.silent_failures(number, self._count)
        if ended.trouble is not None:
            self.troubles.append(f"run {number} of {self._count} failed: {ended.trouble}")
        return ended.trouble is None
