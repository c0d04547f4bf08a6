"""The reports of another process, shown as if the tests had run in this one."""

import pytest


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
