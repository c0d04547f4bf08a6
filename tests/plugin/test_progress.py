"""Where long work stands: in one line on a terminal, seldom in a log, never under -q."""

from typing import Any

import pytest

from pytest_pareto.plugin.progress import Countdown
from pytest_pareto.testing.scripted_meter import ScriptedClock


class Reporter:
    """Keeps what would be written; ``rewritten`` lines stand in each other's place."""

    def __init__(self, *, isatty: bool) -> None:
        self.isatty = isatty
        self.lines: list[str] = []
        self.rewritten: list[str] = []

    def ensure_newline(self) -> None:
        """Do nothing: there is no line to end."""

    def write_line(self, text: str) -> None:
        self.lines.append(text)

    def rewrite(self, text: str, **_: Any) -> None:
        self.rewritten.append(text)


class Config:
    """As much of pytest's as progress asks for."""

    def __init__(self, reporter: Reporter | None, verbosity: int = 0) -> None:
        self.pluginmanager = self
        self._reporter = reporter
        self._verbosity = verbosity

    def get_plugin(self, _: str) -> Reporter | None:
        return self._reporter

    def get_verbosity(self) -> int:
        return self._verbosity


def three_runs(config: Any, seconds: int) -> None:
    ticks = ScriptedClock(range(0, 100 * seconds, seconds))
    countdown = Countdown(config, 3, lambda: float(ticks()))
    for number in (1, 2, 3):
        countdown.start(f"run {number} of 3")
    countdown.end("measuring in 3 fresh processes")


def test_a_terminal_hears_of_every_run_in_one_line() -> None:
    reporter = Reporter(isatty=True)
    three_runs(Config(reporter), 20)
    assert reporter.rewritten == [
        "pareto: run 1 of 3",
        "pareto: run 2 of 3, about 80 s left",
        "pareto: run 3 of 3, about 30 s left",
        "",
        "",
    ]
    assert reporter.lines == ["pareto: measuring in 3 fresh processes took 80 s"]


@pytest.mark.parametrize(("seconds", "heard"), [(5, 0), (70, 3)])
def test_a_log_hears_of_it_once_a_minute(seconds: int, heard: int) -> None:
    reporter = Reporter(isatty=False)
    three_runs(Config(reporter), seconds)
    assert not reporter.rewritten
    assert len(reporter.lines) == heard + 1
    assert reporter.lines[-1].startswith("pareto: measuring in 3 fresh processes took")


@pytest.mark.parametrize("config", [Config(Reporter(isatty=True), -1), Config(None)])
def test_who_asked_for_quiet_hears_nothing(config: Config) -> None:
    three_runs(config, 70)
    reporter = config.get_plugin("terminalreporter")
    assert reporter is None or not (reporter.lines or reporter.rewritten)
