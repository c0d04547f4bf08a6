"""``--pareto-runs N``: the selected tests in N fresh processes, the first one shown as it goes."""

import sys
import tempfile
import time
from pathlib import Path

import msgspec
import pytest

from pytest_pareto.measure.machine.environment import probe_environment
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.run import Run
from pytest_pareto.plugin.child import ChildLine, ChildSpec
from pytest_pareto.plugin.collecting import RunBuilder
from pytest_pareto.runs.process import ChildProcess

_ORDERLY = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)


class FreshRuns:
    """Takes the place of pytest's loop: no test runs, and no device is held, in this process.

    The first process's reports are replayed here as they come, so that ``-x``, the
    progress and every reporter work as ever; the others are only collected.
    """

    def __init__(self, config: pytest.Config, count: int) -> None:
        self._config = config
        self._count = count
        self.runs: list[Run] = []
        self.failures: list[str] = []

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
            self._say(number, time.monotonic() - started)
        return True

    def _measure(self, session: pytest.Session, number: int) -> bool:
        builder = RunBuilder()
        replay = _Replay(session) if number == 1 else None
        try:
            environment, trouble = self._listen(session, builder, replay)
        except (session.Failed, session.Interrupted):
            # -x: what was measured before the failure is judged, in an incomplete session.
            self.runs.append(builder.build(probe_environment()))
            raise
        if environment is not None:
            self.runs.append(builder.build(environment))
            if number > 1:
                self.failures += builder.silent_failures(number, self._count)
        if trouble is not None or environment is None:
            what = trouble or "it ended without saying where it ran"
            self.failures.append(f"run {number} of {self._count} failed: {what}")
            return False
        return True

    def _listen(
        self, session: pytest.Session, builder: RunBuilder, replay: "_Replay | None"
    ) -> tuple[Environment | None, str | None]:
        """Take in everything that a child says; return where it ran, and what was wrong."""
        environment: Environment | None = None
        trouble: str | None = None
        with tempfile.TemporaryDirectory(prefix="pytest-pareto-") as folder:
            with self._child(session, Path(folder)) as child:
                for text in child.lines():
                    line = msgspec.json.decode(text, type=ChildLine)
                    if line.report is not None:
                        report = self._revive(line.report)
                        builder.add(report)
                        if replay is not None:
                            replay.show(report)
                    elif line.environment is not None:
                        environment = msgspec.convert(line.environment, Environment)
                    else:
                        trouble = line.error
            if trouble is None and child.exit_code not in _ORDERLY:
                trouble = f"it ended with exit code {child.exit_code}:\n{child.tail()}"
        return environment, trouble

    def _child(self, session: pytest.Session, folder: Path) -> ChildProcess:
        config = self._config
        lines, spec = folder / "lines.jsonl", folder / "spec.json"
        nodeids = [item.nodeid for item in session.items]
        spec.write_bytes(msgspec.json.encode(ChildSpec(nodeids=nodeids, lines=str(lines))))
        ini = ["-c", str(config.inipath)] if config.inipath is not None else []
        arguments = [
            sys.executable,
            *(() if _imports_from_here(config) else ("-P",)),
            *("-m", "pytest", "--pareto-child", str(spec), "--rootdir", str(config.rootpath)),
            *(*ini, *map(str, config.invocation_params.args)),
        ]
        log = folder / "log.txt"
        return ChildProcess(arguments, cwd=config.invocation_params.dir, log=log, lines=lines)

    def _revive(self, data: dict[str, object]) -> pytest.TestReport:
        hook = self._config.hook
        report = hook.pytest_report_from_serializable(config=self._config, data=data)
        assert isinstance(report, pytest.TestReport)
        return report

    def _say(self, number: int, seconds: float) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None and self._config.get_verbosity() >= 0:
            reporter.ensure_newline()
            reporter.write_line(f"pareto: run {number} of {self._count} took {seconds:.1f} s")


def _imports_from_here(config: pytest.Config) -> bool:
    """Whether this pytest can import from its folder, as ``python -m pytest`` lets it."""
    here = str(config.invocation_params.dir)
    return any(entry in ("", here) for entry in sys.path)


class _Replay:
    """Shows the reports of another process as if the tests had run in this one."""

    def __init__(self, session: pytest.Session) -> None:
        self._session = session
        self._hooks = {item.nodeid: item.ihook for item in session.items}
        self._current: str | None = None

    def show(self, report: pytest.TestReport) -> None:
        hook = self._hooks[report.nodeid]
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
