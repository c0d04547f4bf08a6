"""``--pareto-html``, ``-markdown`` and ``-json``: what a session tells, also as files.

``--pareto-html``: the page of a session, with the pictures of its worst samples in it.

What a job of GitHub Actions shows: its summary, and annotations. Nothing is called over a net.

Which of them is wanted, the runner says in the environment.
"""

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_pareto.model.formatting import plural
from pytest_pareto.model.session_record import Picture, SessionReport
from pytest_pareto.model.verdict import Failure
from pytest_pareto.outputs.images import BUDGET_B, make_thumbnails
from pytest_pareto.plugin.command_line import anchor_dir, baseline_dir

if TYPE_CHECKING:
    from pytest_pareto.report.github import SourceLocation
    from pytest_pareto.report.html.page import Image


KINDS: Mapping[str, str] = {
    "html": "pytest_pareto.plugin.report_files:html_file",
    "json": "pytest_pareto.results.writer:render_json",
    "markdown": "pytest_pareto.report.markdown:render_markdown",
    "openmetrics": "pytest_pareto.report.openmetrics:render_openmetrics",
}
"""By kind, which is the option's name, the function that makes text of a `SessionReport`."""


_BEGINNINGS = {
    "html": ("<!doctype html>",),
    "json": ('{\n  "format": "pytest-pareto',),
    "markdown": ("## pareto: ",),
    "openmetrics": ("# TYPE pareto_",),
}
"""How a report begins: whatever else is at its path is somebody's file."""


def report_paths(config: pytest.Config) -> dict[str, Path]:
    """Return the files that were asked for, by kind.

    A relative path is of the folder where pytest was started, as of the root where the ini file
    names it. Raises pytest.UsageError where one cannot be written, or would take the place of
    something else, before hours are spent.
    """
    paths: dict[str, Path] = {}
    for kind in KINDS:
        path = _path(config, kind)
        if path is None:
            continue
        _check(path, kind)
        for other, taken in paths.items():
            if path.resolve() == taken.resolve():
                raise pytest.UsageError(
                    f"--pareto-{other} and --pareto-{kind} name one file, {path}: each report "
                    "needs its own"
                )
        for folder in filter(None, (baseline_dir(config), anchor_dir(config))):
            if path.resolve().is_relative_to(folder.resolve()):
                raise pytest.UsageError(
                    f"--pareto-{kind}: {path} lies in the baseline {folder}, which holds nothing "
                    "else; name another file"
                )
        paths[kind] = path
    return paths


def _path(config: pytest.Config, kind: str) -> Path | None:
    given = config.getoption(f"--pareto-{kind}")
    if given is not None:
        return Path(config.invocation_params.dir, given) if given else None
    ini = str(config.getini(f"pareto_{kind}")).strip()
    return Path(config.rootpath, ini) if ini else None


def _check(path: Path, kind: str) -> None:
    if path.is_dir():
        raise pytest.UsageError(f"--pareto-{kind}: {path} is a folder; name a file in it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = not path.exists()
        with path.open("a", encoding="utf-8"):
            pass
        if new:
            path.unlink()
        elif path.is_file() and not _is_report(path, kind):
            raise pytest.UsageError(
                f"--pareto-{kind}: {path} is there, and is no such report: name another file, or "
                "remove it"
            )
    except OSError as error:
        raise pytest.UsageError(
            f"--pareto-{kind}: {path} cannot be written: {error.strerror}"
        ) from None


def _is_report(path: Path, kind: str) -> bool:
    with path.open(encoding="utf-8", errors="replace") as file:
        text = file.read(200).lstrip()
    return not text or text.startswith(_BEGINNINGS[kind])


def remove_report_files(paths: Mapping[str, Path]) -> None:
    """Remove what an earlier session wrote there: a green report must not outlive its session."""
    for path in paths.values():
        if path.is_file():
            with contextlib.suppress(OSError):  # writing the new one will say it
                path.unlink()


def write_report_files(report: SessionReport, paths: Mapping[str, Path]) -> tuple[Failure, ...]:
    """Write them, each as a whole; return what could not be written, and why."""
    failures = []
    for kind, path in paths.items():
        module, _, name = KINDS[kind].partition(":")
        render: Callable[[SessionReport], str] = getattr(import_module(module), name)
        try:
            _write(path, render(report))
        except OSError as error:
            what = f"--pareto-{kind}: {path} could not be written: {error.strerror}"
            failures.append(Failure(what))
    return tuple(failures)


def _write(path: Path, text: str) -> None:
    if path.exists() and not path.is_file():  # a device, such as /dev/stdout
        path.write_text(text, encoding="utf-8")
        return
    made = path.with_name(f".{path.name}.{os.getpid()}.made")
    try:
        made.write_text(text, encoding="utf-8")
        made.replace(path)
    finally:
        made.unlink(missing_ok=True)


def html_file(report: SessionReport) -> str:
    """Write a session as one HTML document that needs no other file."""
    # Every session loads this module; jinja2 is for those that write a page.
    from pytest_pareto.report.html.page import render_page

    images, left_out = _images(report.pictures)
    return render_page(report, images, left_out)


def _images(pictures: Sequence[Picture]) -> tuple[list["Image"], str]:
    """Return the pictures that can be shown, and what is to be said of the others."""
    if not pictures:
        return [], ""
    from pytest_pareto.report.html.page import Image

    found = make_thumbnails([picture.file for picture in pictures])
    images = [
        Image(picture.case_id, picture.metric, picture.sample, made.media_type, made.data)
        for picture, made in zip(pictures, found.made, strict=True)
        if made is not None
    ]
    said = []
    if found.too_many:
        said.append(
            f"{plural(found.too_many, 'picture')} not shown here, where pictures may take "
            f"{BUDGET_B / 1e6:g} MB: the folder that the case names has all of them"
        )
    if found.unreadable:
        said.append(f"{plural(found.unreadable, 'picture')} could not be read")
    return images, "; ".join(said)


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


def _spots(session: pytest.Session, report: SessionReport) -> "dict[str, SourceLocation]":
    """Find the tests of cases by what both ids begin with: the report's are as one would type."""
    from pytest_pareto.report.github import SourceLocation

    items = {item.nodeid: item for item in session.items}
    spots = {}
    for case in report.judgement.cases:
        item = items.get(_nodeid(case.case_id, items))
        if item is not None:
            path, line, _ = item.location
            spots[case.case_id] = SourceLocation(_below_workspace(session, path), (line or 0) + 1)
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
