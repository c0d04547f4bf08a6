"""``--pareto-runs N``: the selected tests in N fresh processes, the first one shown as it goes."""

import time
from collections.abc import Callable, Sequence

import pytest

from pytest_pareto.measure.machine import probe_environment
from pytest_pareto.model.run import Run
from pytest_pareto.plugin.children import leaves_to_pytest, run_child
from pytest_pareto.plugin.collecting import RunBuilder
from pytest_pareto.plugin.kept_outputs import handed
from pytest_pareto.plugin.progress import Countdown, fresh_processes, say
from pytest_pareto.plugin.replay import Replay
from pytest_pareto.runs.legs import Side
from pytest_pareto.runs.tempfolders import prune_folders


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
        self.troubles: list[str] = []
        self._silent: list[str] = []

    @property
    def failures(self) -> list[str]:
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
            self.troubles.append(f"run {number} of {self._count} failed: {ended.trouble}")
        return ended.trouble is None
