"""What a job of GitHub Actions shows: its summary, and annotations. Nothing is called over a net.

Which of them is wanted, the runner says in the environment.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_pareto.model.session_record import SessionReport

if TYPE_CHECKING:
    from pytest_pareto.report.github import Spot


def append_summary(report: SessionReport) -> str | None:
    """Append the Markdown report to the job's summary; return why that failed, if it did."""
    path = os.environ.get("GITHUB_STEP_SUMMARY", "")
    if not path:
        return None
    from pytest_pareto.report.markdown import render_markdown

    try:
        with Path(path).open("a", encoding="utf-8") as summary:
            summary.write(f"{render_markdown(report)}\n")
    except OSError as error:
        return f"the job's summary could not be written (GITHUB_STEP_SUMMARY): {error.strerror}"
    return None


def write_annotations(session: pytest.Session, report: SessionReport) -> None:
    """Print annotations, each at the start of a line of standard output, under GitHub Actions."""
    if os.environ.get("GITHUB_ACTIONS", "").lower() != "true":
        return
    from pytest_pareto.report.github import annotation_lines

    lines = annotation_lines(report, _spots(session, report))
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    for line in lines:
        if reporter is not None:
            reporter.ensure_newline()
            reporter.write_line(line)
        else:
            print(line, flush=True)  # noqa: T201 - the runner reads standard output


def _spots(session: pytest.Session, report: SessionReport) -> "dict[str, Spot]":
    """Find the tests of cases by what both ids begin with: the report's are as one would type."""
    from pytest_pareto.report.github import Spot

    items = {item.nodeid: item for item in session.items}
    spots = {}
    for case in report.judgement.cases:
        item = items.get(_nodeid(case.case_id, items))
        if item is not None:
            path, line, _ = item.location
            spots[case.case_id] = Spot(_below_workspace(session, path), (line or 0) + 1)
    return spots


def _nodeid(case_id: str, items: dict[str, pytest.Item]) -> str:
    """Return the test of a case: its own id, or what stands before a ``#``."""
    if case_id in items:
        return case_id
    at = case_id.rfind("#")
    while at > 0 and case_id[:at] not in items:
        at = case_id.rfind("#", 0, at)
    return case_id[: max(at, 0)]


def _below_workspace(session: pytest.Session, path: str) -> str:
    """Return a file as the forge names it: below the checkout, else below pytest's root."""
    file = Path(session.config.rootpath, path).resolve()
    workspace = os.environ.get("GITHUB_WORKSPACE", "")
    if workspace and file.is_relative_to(Path(workspace).resolve()):
        return file.relative_to(Path(workspace).resolve()).as_posix()
    return Path(path).as_posix()
