"""What every room's tests stand on."""

import sys

import pytest


@pytest.fixture(autouse=True)
def not_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test say that it is in CI; the machine that runs the suite does not decide."""
    of_github = ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT", "GITHUB_WORKSPACE")
    for name in ("CI", "BUILD_NUMBER", "PYTEST_ADDOPTS", *of_github):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def sources_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep Python from using the bytecode of a file that a test has written anew since.

    A source of the same size within the same second passes for the one before.
    """
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
