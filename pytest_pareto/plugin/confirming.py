"""``--pareto-confirm N``: what looks worse, measured again in N fresh processes."""

from collections.abc import Collection

import pytest

from pytest_pareto.judge.gate import flagged, only_exact
from pytest_pareto.measure.device import release_device_memory
from pytest_pareto.model.run import Run
from pytest_pareto.model.session_record import Confirmation
from pytest_pareto.model.verdict import Judgement
from pytest_pareto.plugin.children import run_child
from pytest_pareto.plugin.collecting import RunBuilder
from pytest_pareto.plugin.progress import Countdown, fresh_processes, say


class Confirming:
    """Measures suspects again, with all tests in their old order around them.

    What ran earlier in a process shifts latency: the tests that nobody suspects run too, but
    call their functions once, unmeasured.
    """

    def __init__(self, session: pytest.Session, count: int) -> None:
        self._session = session
        self._count = count
        self.failures: list[str] = []

    def __call__(self, judgement: Judgement) -> Confirmation | None:
        """Measure again what looks worse; None where nothing does."""
        suspects = flagged(judgement) if self._count else frozenset()
        if not suspects:
            return None
        # Without noise a second look tells as much as five.
        count = 1 if only_exact(judgement, suspects) else self._count
        cases = {case_id for case_id, _ in suspects}
        nodeids = {c.comparison.nodeid for c in judgement.cases if c.case_id in cases}
        say(self._session.config, _announced(len(cases), count))
        release_device_memory()  # which this process holds on to, and the fresh ones need
        runs = []
        countdown = Countdown(self._session.config, count)
        for number in range(1, count + 1):
            countdown.start(f"measuring again, run {number} of {count}")
            run = self._measure(nodeids, number, count)
            if run is None:
                break
            runs.append(run)
        countdown.end(f"measuring again in {fresh_processes(len(runs))}")
        return Confirmation(suspects, tuple(runs))

    def _measure(self, nodeids: Collection[str], number: int, count: int) -> Run | None:
        builder = RunBuilder()
        ended = run_child(self._session, builder, measured=nodeids)
        if ended.trouble is not None or ended.environment is None:
            self.failures.append(f"confirming run {number} of {count} failed: {ended.trouble}")
            return None
        self.failures += builder.silent_failures(f"confirming run {number} of {count}")
        return builder.build(ended.environment)


def _announced(cases: int, count: int) -> str:
    looks = "1 case looks" if cases == 1 else f"{cases} cases look"
    again = f"measuring {'it' if cases == 1 else 'them'} again"
    return f"{looks} worse; {again} in {fresh_processes(count)}"
