"""``--pareto-html``, ``-markdown`` and ``-json``: what a session tells, also as files."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

import pytest

from pytest_pareto.model.session_report import SessionReport

KINDS: Mapping[str, str] = {
    "html": "pytest_pareto.plugin.html_file:html_file",
    "json": "pytest_pareto.results.report:render_json",
    "markdown": "pytest_pareto.report.markdown:render_markdown",
    "openmetrics": "pytest_pareto.report.openmetrics:render_openmetrics",
}
"""By kind, which is the option's name, the function that makes text of a `SessionReport`."""


def report_paths(config: pytest.Config) -> dict[str, Path]:
    """Return the files that were asked for, by kind.

    A relative path is of the folder where pytest was started, as of the root where the ini file
    names it. Raises pytest.UsageError where one cannot be written, before hours are spent.
    """
    paths = {}
    for kind in KINDS:
        path = _path(config, kind)
        if path is not None:
            _check(path, kind)
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
    except OSError as error:
        raise pytest.UsageError(
            f"--pareto-{kind}: {path} cannot be written: {error.strerror}"
        ) from None


def write_report_files(report: SessionReport, paths: Mapping[str, Path]) -> tuple[str, ...]:
    """Write them; return what could not be written, and why."""
    failures = []
    for kind, path in paths.items():
        module, _, name = KINDS[kind].partition(":")
        render: Callable[[SessionReport], str] = getattr(import_module(module), name)
        try:
            path.write_text(render(report), encoding="utf-8")
        except OSError as error:
            failures.append(f"--pareto-{kind}: {path} could not be written: {error.strerror}")
    return tuple(failures)
