"""How often to measure, and for how long."""

import pytest

from pytest_pareto.plugin.offered import BASELINE_RUNS
from pytest_pareto.plugin.values import given, seconds

AUTO = "auto"
PILOT_RUNS = 3
"""With ``--pareto-runs auto`` the spread of so many decides how many more there are."""

CONFIRMING_RUNS = 5


def asks_for_auto(config: pytest.Config) -> bool:
    """Whether the spread of the first runs decides how many there are."""
    return given(config, "runs") == AUTO


def run_count(config: pytest.Config, *, updating: bool) -> int | None:
    """Return in how many fresh processes to measure; None for once, in this one.

    Raises pytest.UsageError where the option is no such number.
    """
    text = given(config, "runs")
    if text == AUTO:
        return BASELINE_RUNS if updating else PILOT_RUNS
    if not text:
        return BASELINE_RUNS if updating else None
    if not text.isdecimal() or int(text) < 1:
        raise pytest.UsageError(
            f"--pareto-runs is {text!r}; it takes a whole number from 1 on, or auto"
        )
    return int(text)


def confirm_count(config: pytest.Config) -> int | None:
    """Return in how many processes to confirm; None where the user did not say.

    Raises pytest.UsageError where the option is no such number.
    """
    text = given(config, "confirm")
    if not text:
        return None
    if not text.isdecimal():
        raise pytest.UsageError(
            f"--pareto-confirm is {text!r}; it takes a whole number of fresh processes, and 0 to "
            "judge by this session's own runs"
        )
    return int(text)


def time_budget_s(config: pytest.Config, *, updating: bool) -> float | None:
    """Return what ``auto`` may take; None where the number of runs is fixed."""
    budget_s = seconds(config, "pareto_time_budget")
    return budget_s if asks_for_auto(config) and not updating else None


def timeout_s(config: pytest.Config) -> float | None:
    """Return what a fresh process may take, or None for as long as it likes."""
    return seconds(config, "pareto_timeout") if str(config.getini("pareto_timeout")) else None
