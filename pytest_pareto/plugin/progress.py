"""Lines between the tests and the verdict, while long work goes on."""

import pytest


def say(config: pytest.Config, text: str) -> None:
    """Write a line of ours where the tests' progress is; nothing under ``-q``."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and config.get_verbosity() >= 0:
        reporter.ensure_newline()
        reporter.write_line(f"pareto: {text}")
