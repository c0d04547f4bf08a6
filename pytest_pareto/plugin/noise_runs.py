"""The noise study of ``pytest-pareto doctor --noise``: unchanged code in N fresh processes."""

import time
from collections import Counter
from collections.abc import Generator, Iterator, Sequence

import pytest

from pytest_pareto.doctor.noise_model import NoiseReport
from pytest_pareto.doctor.noise_study import MIN_RUNS, examine_noise
from pytest_pareto.doctor.noise_text import render_noise
from pytest_pareto.plugin.command_line import BASELINE_RUNS
from pytest_pareto.plugin.replication import FreshRuns
from pytest_pareto.plugin.settings import Settings, read_settings


def register_noise(config: pytest.Config) -> None:
    """Register the plugins that measure and examine; no baseline is read or written.

    Raises pytest.UsageError where there are too few runs for a spread.
    """
    count = config.getoption("--pareto-noise")
    if count < MIN_RUNS:
        raise pytest.UsageError(
            f"{count} runs show nothing of their spread; take at least {MIN_RUNS}, such as "
            "pytest-pareto doctor --noise -n 8"
        )
    fresh = FreshRuns(config, count)
    config.pluginmanager.register(fresh, "pareto-fresh")
    session = NoiseSession(read_settings(config), fresh)
    config.pluginmanager.register(session, "pareto-noise")


class NoiseSession:
    """Examines the runs after the last one, or those so far when the session is cut short."""

    def __init__(self, settings: Settings, fresh: FreshRuns) -> None:
        self._settings = settings
        self._fresh = fresh
        self._report: NoiseReport | None = None
        self._failures: tuple[str, ...] = ()
        self._duration_s = 0.0

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Examine the runs; failures count as failed tests.

        Raises pytest.UsageError where nothing was measured.
        """
        started = time.monotonic()
        try:
            result = yield
        finally:
            self._duration_s = time.monotonic() - started
            self._failures = (
                *self._unshown_failures(),
                *(t.text for t in self._fresh.process_failures),
            )
            self._report = self._examine()
        session.testsfailed += len(self._failures)
        if self._fresh.runs and self._report is None and not session.testsfailed:
            raise pytest.UsageError(
                "nothing was measured: none of the selected tests uses the pareto fixture with "
                "something that could be measured here; select others, or look at what "
                "pytest --pareto -v says of them"
            )
        return result

    def _unshown_failures(self) -> Iterator[str]:
        """Yield the tests that failed in later runs only; pytest shows those of the first run."""
        runs = self._fresh.runs
        shown = runs[0].failed if runs else {}
        times = Counter(nodeid for run in runs for nodeid in run.failed)
        why = {nodeid: reason for run in runs for nodeid, reason in run.failed.items()}
        for nodeid, count in times.items():
            if nodeid not in shown:
                yield f"{nodeid} failed in {count} of {len(runs)} runs: {why[nodeid]}"

    def _examine(self) -> NoiseReport | None:
        if len(self._fresh.runs) < MIN_RUNS:
            return None
        settings = self._settings
        report = examine_noise(
            self._fresh.runs,
            settings.policy,
            baseline_runs=BASELINE_RUNS,
            has_anchor=settings.anchor_dir is not None,
        )
        return report if report.case_ids or report.left_out else None

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write the section of the noise study."""
        verbosity = terminalreporter.config.get_verbosity()
        lines = render_noise(
            self._report,
            self._failures,
            duration_s=self._duration_s,
            verbosity=verbosity,
            width=terminalreporter.config.get_terminal_writer().fullwidth,
        )
        if lines and verbosity >= 0:
            terminalreporter.section("pareto: the noise of this machine", sep="=")
        for line in lines:
            terminalreporter.write_line(line.text, **dict.fromkeys(line.markup, True))


EXIT_CANNOT_RUN = 2
"""The exit code of a pytest-pareto command that could not do its work."""


def run_noise_study(runs: int, arguments: Sequence[str]) -> int:
    """Run pytest for `pytest-pareto doctor --noise`; return the command's exit code."""
    code = int(pytest.main([f"--pareto-noise={runs}", *arguments]))
    refused = (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.NO_TESTS_COLLECTED)
    return EXIT_CANNOT_RUN if code in refused else code
