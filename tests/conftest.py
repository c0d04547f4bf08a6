"""What every room's tests stand on."""

import gc
import importlib
import os
import pkgutil
import sys

import pytest

import pytest_pareto

LATE = (
    "pytest_pareto.__main__",
    "pytest_pareto.diffusers",
    "pytest_pareto.zeus",
    "pytest_pareto.measure.module_scopes",
    "pytest_pareto.measure.storages",
    "pytest_pareto.measure.work.",
    "pytest_pareto.runs.import_finder",
)
"""What is imported by who uses it: it stands on packages that a session may go without, such as
torch, or is for another Python."""

# numpy reads it when it is imported, which is later: as many threads as there are cores, times as
# many workers of xdist, wait for one another in a loop. Torch keeps its own (see
# `example/conftest.py`): their number is a fact of the machine, by which levels are compared.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Set aside what collecting left behind: torch, diffusers, thousands of tests.

    Each measured call begins with a garbage collection, and that of all these takes longer than
    a session in this process. What a test makes is collected as before.
    """
    gc.collect()
    gc.freeze()


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


@pytest.fixture(scope="session")
def all_loaded() -> None:
    """Import the package, once.

    pytester forgets every module that an in-process session imported: each session would parse,
    rewrite and compile the better part of the package again, and numpy cannot be imported twice.
    That a module can be imported alone, and late, is for the sessions in processes of their own.
    """
    for module in pkgutil.walk_packages(pytest_pareto.__path__, "pytest_pareto."):
        if not module.name.startswith(LATE):
            importlib.import_module(module.name)


@pytest.fixture
def pytester(all_loaded: None, pytester: pytest.Pytester) -> pytest.Pytester:
    """pytester, whose sessions find the package imported."""
    return pytester
