"""``--pareto-html``, ``-markdown`` and ``-json``: what a session tells, also as files."""

import contextlib
import os
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

import pytest

from pytest_pareto.model.session_record import SessionReport
from pytest_pareto.plugin.folders import anchor_dir, baseline_dir

KINDS: Mapping[str, str] = {
    "html": "pytest_pareto.plugin.html_file:html_file",
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


def write_report_files(report: SessionReport, paths: Mapping[str, Path]) -> tuple[str, ...]:
    """Write them, each as a whole; return what could not be written, and why."""
    failures = []
    for kind, path in paths.items():
        module, _, name = KINDS[kind].partition(":")
        render: Callable[[SessionReport], str] = getattr(import_module(module), name)
        try:
            _write(path, render(report))
        except OSError as error:
            failures.append(f"--pareto-{kind}: {path} could not be written: {error.strerror}")
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
