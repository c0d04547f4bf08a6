"""What a project's own configuration says to a command that runs no tests."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True, slots=True)
class Project:
    """Where a project's root is, below which its node ids are, and its baseline."""

    root: Path
    baseline: Path


class _Asking:
    """Learns of a project's configuration where its baseline is, and lets no test be collected."""

    project: Project | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> int:
        # Imported before pytest has taken it as a plugin, it would be one without rewriting.
        from pytest_pareto.plugin.folders import baseline_dir  # noqa: PLC0415 - see above

        self.project = Project(config.rootpath, baseline_dir(config))
        return 0


def own_baseline() -> Path | None:
    """Find the baseline of this project as pytest would; None where it refuses."""
    project = own_project()
    return None if project is None else project.baseline


def own_project() -> Project | None:
    """Find this project as pytest would; None where it refuses, and has said why.

    Neither the project's conftest files nor its own options are needed for that.
    """
    asking = _Asking()
    own = os.environ.pop("PYTEST_ADDOPTS", None)  # options are for sessions
    try:
        pytest.main(["--noconftest", "--override-ini=addopts="], plugins=[asking])
    finally:
        if own is not None:
            os.environ["PYTEST_ADDOPTS"] = own
    return asking.project
