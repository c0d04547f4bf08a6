"""Where long work stands, between the tests and the verdict."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import pytest

from pytest_pareto.measure.plan import LoopProgress

CHILD = "pareto-child"
"""The name of the plugin that talks to the parent."""
_OFTEN_S = 1.0
"""How often a terminal hears of work within a test."""
_PATIENCE_S = 3.0
"""For how long nobody hears of a measurement: most tests end before."""
_SHORTEST_NAME = 8
_SELDOM_S = 60.0
"""How often a log hears of work that goes on; a terminal hears of every run."""


def say(config: pytest.Config, text: str) -> None:
    """Write a line of ours where the tests' progress is; nothing under ``-q``."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and config.get_verbosity() >= 0:
        reporter.ensure_newline()
        reporter.write_line(f"pareto: {text}")


def fresh_processes(count: int) -> str:
    """Count processes in words."""
    return "1 fresh process" if count == 1 else f"{count} fresh processes"


class Countdown:
    """Tells which run of a plan is next, and how long the rest will take.

    On a terminal in one line that is written over, in a log at most once a minute, and not at
    all under ``-q``.
    """

    def __init__(
        self, config: pytest.Config, count: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._config = config
        self._left = count
        self._clock = clock
        self._began_s = self._told_s = clock()
        self._done = 0

    def start(self, what: str) -> None:
        """Say that a run begins; the rest is taken to be like the runs so far."""
        now_s = self._clock()
        more = ""
        if self._done:
            rest_s = self._left * (now_s - self._began_s) / self._done
            more = f", about {_in_words(rest_s)} left"
        self._done, self._left = self._done + 1, self._left - 1
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None or self._config.get_verbosity() < 0:
            return
        if reporter.isatty:
            reporter.ensure_newline()
            reporter.rewrite(f"pareto: {what}{more}", erase=True)
        elif now_s - self._told_s >= _SELDOM_S:
            self._told_s = now_s
            say(self._config, f"{what}{more}")

    def end(self, what: str) -> None:
        """Say what has been done, in a line that stays."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None and reporter.isatty and self._config.get_verbosity() >= 0:
            reporter.rewrite("", erase=True)
            reporter.rewrite("")  # back to where the line begins
        say(self._config, f"{what} took {_in_words(self._clock() - self._began_s)}")


class Standing:
    """Tells where long work within a test stands, past what captures the test's own output.

    On a terminal in one line that is written over, at most once a second; in a log at most once
    a minute, and not at all under ``-q``.
    """

    def __init__(self, config: pytest.Config, clock: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._clock = clock
        self._told_s = clock()
        self._drawn = False

    def tell(self, text: str) -> None:
        """Tell it, if it is time; nothing as ``text`` takes away what stands there."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None or self._config.get_verbosity() < 0:
            return
        now_s = self._clock()
        pause_s = _OFTEN_S if reporter.isatty else _SELDOM_S
        if not (text or self._drawn) or (text and now_s - self._told_s < pause_s):
            return
        capture = self._config.pluginmanager.get_plugin("capturemanager")
        with nullcontext() if capture is None else capture.global_and_fixture_disabled():
            if not reporter.isatty:
                say(self._config, text)
            else:
                if not self._drawn:
                    reporter.ensure_newline()
                width = shutil.get_terminal_size().columns - 1
                reporter.rewrite(in_one_line(text, width) if text else "", erase=True)
                if not text:
                    reporter.rewrite("")  # back to where the line begins
        self._drawn = reporter.isatty and bool(text)
        self._told_s = now_s


def in_one_line(text: str, width: int) -> str:
    """Make room by shortening the test's name, as far as it goes; the time stands at the end."""
    from pytest_pareto.report.text import clip, display_width, shorten

    name, colon, rest = text.rpartition(": ")
    room = width - display_width(f"pareto: {colon}{rest}")
    return clip(f"pareto: {shorten(name, max(room, _SHORTEST_NAME))}{colon}{rest}", width)


@contextmanager
def standing_of(
    item: pytest.Item, patience_s: float = _OFTEN_S, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[str], None]]:
    """Yield what tells where a test stands, at most once a second; nothing in the first ones."""
    child = item.config.pluginmanager.get_plugin(CHILD)
    # This process's terminal, or the parent's where it has none.
    tell = Standing(item.config).tell if child is None else child.stand
    due_s, drawn = clock() + patience_s, False

    def told(text: str) -> None:
        nonlocal due_s, drawn
        now_s = clock()
        if now_s >= due_s:
            due_s, drawn = now_s + _OFTEN_S, True
            tell(f"{item.name}: {text}")

    try:
        yield told
    finally:
        if drawn:
            tell("")


@contextmanager
def whereabouts_of(
    item: pytest.Item, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[LoopProgress], None]]:
    """Yield what tells where a measurement within a test stands, if it is a long one."""
    with standing_of(item, _PATIENCE_S, clock) as told:
        yield lambda where: told(_where_in_words(where))


def _where_in_words(where: LoopProgress) -> str:
    parts = [where.doing]
    if where.done:
        of = f" of {where.total}" if where.total is not None else ""
        parts.append(f"call {where.done}{of}")
    if where.rest_s:
        parts.append(f"about {_in_words(where.rest_s)} left")
    return ", ".join(parts)


def rest_in_words(done: int, total: int, elapsed_s: float) -> str:
    """Say how long the rest will take, if it goes on like this: ", about 40 s left"."""
    if not 0 < done < total:
        return ""
    return f", about {_in_words((total - done) * elapsed_s / done)} left"


def _in_words(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"
