"""Progress of long work in the terminal: of runs, and of work within a test.

`Countdown` shows which run of a plan is next, and `ProgressLine` the progress within a test.
`report_test_progress` and `report_loop_progress` yield the functions that update it.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import pytest

from pytest_pareto.measure.plan import LoopProgress

CHILD_PLUGIN = "pareto-child"
"""The name of the plugin that writes to the parent process."""
_TERMINAL_INTERVAL_S = 1.0
"""The least time between two updates of a terminal."""
_MEASUREMENT_DELAY_S = 3.0
"""The time before a measurement shows its progress: most tests end earlier."""
_MIN_NAME_WIDTH = 8
_LOG_INTERVAL_S = 60.0
"""The least time between two lines of a log; on a terminal every run has its line."""


def write_progress(config: pytest.Config, text: str) -> None:
    """Write a line with the prefix "pareto: " among pytest's progress; nothing under ``-q``."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and config.get_verbosity() >= 0:
        reporter.ensure_newline()
        reporter.write_line(f"pareto: {text}")


def process_count_text(count: int) -> str:
    """Count processes in words."""
    return "1 fresh process" if count == 1 else f"{count} fresh processes"


class Countdown:
    """Shows which run of a plan is next, and an estimate of the time left.

    A terminal has one line that is overwritten; a log gets a line at most once a minute. Under
    ``-q`` nothing is written.
    """

    def __init__(
        self, config: pytest.Config, count: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._config = config
        self._left = count
        self._clock = clock
        self._started_s = self._written_s = clock()
        self._done = 0

    def start(self, what: str) -> None:
        """Show that a run begins; the estimate assumes the mean duration of the runs so far."""
        now_s = self._clock()
        more = ""
        if self._done:
            rest_s = self._left * (now_s - self._started_s) / self._done
            more = f", about {_duration_text(rest_s)} left"
        self._done, self._left = self._done + 1, self._left - 1
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None or self._config.get_verbosity() < 0:
            return
        if reporter.isatty:
            reporter.ensure_newline()
            reporter.rewrite(f"pareto: {what}{more}", erase=True)
        elif now_s - self._written_s >= _LOG_INTERVAL_S:
            self._written_s = now_s
            write_progress(self._config, f"{what}{more}")

    def end(self, what: str) -> None:
        """Write what was done and how long it took, in a line that stays."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None and reporter.isatty and self._config.get_verbosity() >= 0:
            reporter.rewrite("", erase=True)
            reporter.rewrite("")  # back to the beginning of the line
        write_progress(
            self._config, f"{what} took {_duration_text(self._clock() - self._started_s)}"
        )


class ProgressLine:
    """Shows the progress of long work within a test, while pytest captures the test's output.

    A terminal has one line that is overwritten at most once a second; a log gets a line at most
    once a minute. Under ``-q`` nothing is written.
    """

    def __init__(self, config: pytest.Config, clock: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._clock = clock
        self._written_s = clock()
        self._drawn = False

    def update(self, text: str) -> None:
        """Show ``text`` if it is due; an empty text erases the line."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None or self._config.get_verbosity() < 0:
            return
        now_s = self._clock()
        interval_s = _TERMINAL_INTERVAL_S if reporter.isatty else _LOG_INTERVAL_S
        if not (text or self._drawn) or (text and now_s - self._written_s < interval_s):
            return
        capture = self._config.pluginmanager.get_plugin("capturemanager")
        with nullcontext() if capture is None else capture.global_and_fixture_disabled():
            if not reporter.isatty:
                write_progress(self._config, text)
            else:
                if not self._drawn:
                    reporter.ensure_newline()
                width = shutil.get_terminal_size().columns - 1
                reporter.rewrite(fit_progress_line(text, width) if text else "", erase=True)
                if not text:
                    reporter.rewrite("")  # back to the beginning of the line
        self._drawn = reporter.isatty and bool(text)
        self._written_s = now_s


def fit_progress_line(text: str, width: int) -> str:
    """Return a progress line clipped to ``width``, shortening the test's name first.

    So the time left, at the end, is kept as long as possible.
    """
    from pytest_pareto.report.text import clip, display_width, shorten

    name, colon, rest = text.rpartition(": ")
    room = width - display_width(f"pareto: {colon}{rest}")
    return clip(f"pareto: {shorten(name, max(room, _MIN_NAME_WIDTH))}{colon}{rest}", width)


@contextmanager
def report_test_progress(
    item: pytest.Item,
    delay_s: float = _TERMINAL_INTERVAL_S,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Callable[[str], None]]:
    """Yield a function that shows the progress of a test, at most once a second.

    It shows nothing in the first ``delay_s`` seconds.
    """
    child = item.config.pluginmanager.get_plugin(CHILD_PLUGIN)
    # A child process has no terminal: the parent shows its progress.
    show = ProgressLine(item.config).update if child is None else child.report_progress
    due_s, drawn = clock() + delay_s, False

    def report(text: str) -> None:
        nonlocal due_s, drawn
        now_s = clock()
        if now_s >= due_s:
            due_s, drawn = now_s + _TERMINAL_INTERVAL_S, True
            show(f"{item.name}: {text}")

    try:
        yield report
    finally:
        if drawn:
            show("")


@contextmanager
def report_loop_progress(
    item: pytest.Item, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[LoopProgress], None]]:
    """Yield a function that shows the progress of a long measurement within a test."""
    with report_test_progress(item, _MEASUREMENT_DELAY_S, clock) as report:
        yield lambda progress: report(_loop_progress_text(progress))


def _loop_progress_text(progress: LoopProgress) -> str:
    parts = [progress.doing]
    if progress.done:
        total = f" of {progress.total}" if progress.total is not None else ""
        parts.append(f"call {progress.done}{total}")
    if progress.rest_s:
        parts.append(f"about {_duration_text(progress.rest_s)} left")
    return ", ".join(parts)


def remaining_text(done: int, total: int, elapsed_s: float) -> str:
    """Return the time left at the mean speed so far: ", about 40 s left", or an empty string."""
    if not 0 < done < total:
        return ""
    return f", about {_duration_text((total - done) * elapsed_s / done)} left"


def _duration_text(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"
