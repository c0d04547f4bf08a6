"""Lines between the tests and the verdict, while long work goes on."""

import pytest


def say(config: pytest.Config, text: str) -> None:
    """Write a line of ours where the tests' progress is; nothing under ``-q``."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and config.get_verbosity() >= 0:
        reporter.ensure_newline()
        reporter.write_line(f"pareto: {text}")


class Countdown:
    """Tells after each run of a plan which one it was, and how long the rest will take."""

    def __init__(self, config: pytest.Config, count: int) -> None:
        self._config = config
        self._left = count
        self._took_s: list[float] = []

    def tell(self, what: str, seconds: float) -> None:
        """Say that a run has ended; the rest is taken to be like the runs so far."""
        self._left -= 1
        self._took_s.append(seconds)
        rest_s = self._left * sum(self._took_s) / len(self._took_s)
        more = f"; about {rest_s:.0f} s left" if self._left else ""
        say(self._config, f"{what} took {seconds:.1f} s{more}")
