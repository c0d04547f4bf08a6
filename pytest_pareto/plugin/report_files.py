"""Reports of a session as files, and in GitHub Actions: its job summary and annotations.

`report_paths` reads where the files go (``--pareto-html`` and the other kinds), and
`write_report_files` writes them; `with_history` reads the past of failing cases for the page.
`KeptTraces` has the traces of failing cases. `append_summary` and `write_annotations` follow the
environment variables of the GitHub Actions runner; nothing is sent over a network.
"""

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_pareto.measure.torch_profiler import trace_name
from pytest_pareto.measure.trace import CALL, END
from pytest_pareto.model.baseline import FailingHistory
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.run import nodeid_of
from pytest_pareto.model.session_record import Picture, SessionReport
from pytest_pareto.model.verdict import CaseVerdict, Failure
from pytest_pareto.outputs.images import BUDGET_B, make_thumbnails
from pytest_pareto.plugin.command_line import REPORTS, anchor_dir, baseline_dir
from pytest_pareto.report.text import relative_path
from pytest_pareto.runs.git import run_git
from pytest_pareto.runs.git_objects import GitObjects, folder_log
from pytest_pareto.runs.legs import Side
from pytest_pareto.runs.tempfolders import run_folder

if TYPE_CHECKING:
    from pytest_pareto.report.github import SourceLocation
    from pytest_pareto.report.html.page import Image


def report_paths(config: pytest.Config) -> dict[str, Path]:
    """Return the requested report files, by kind.

    The path of an option is relative to the folder where pytest was started, that of an ini key
    to the root. Raises pytest.UsageError, before hours are spent, where a file cannot be written
    or would replace something else.
    """
    paths: dict[str, Path] = {}
    for kind in REPORTS:
        path = _requested_path(config, kind)
        if path is None:
            continue
        _check_writable(path, kind)
        for other, taken in paths.items():
            if path.resolve() == taken.resolve():
                raise pytest.UsageError(
                    f"--pareto-{other} and --pareto-{kind} name one file, {path}: each report "
                    "needs its own"
                )
        _refuse_baseline(config, path, f"--pareto-{kind}")
        paths[kind] = path
    return paths


def _refuse_baseline(config: pytest.Config, path: Path, option: str) -> None:
    """Raise pytest.UsageError where a path lies in a baseline, which would then be read with it."""
    for folder in filter(None, (baseline_dir(config), anchor_dir(config))):
        if path.resolve().is_relative_to(folder.resolve()):
            raise pytest.UsageError(
                f"{option}: {path} lies in the baseline {folder}, which holds nothing else; name "
                "another place"
            )


def _requested_path(config: pytest.Config, kind: str) -> Path | None:
    given = config.getoption(f"--pareto-{kind}")
    if given is not None:
        return Path(config.invocation_params.dir, given) if given else None
    ini = str(config.getini(f"pareto_{kind}")).strip()
    return Path(config.rootpath, ini) if ini else None


def _check_writable(path: Path, kind: str) -> None:
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
    return not text or text.startswith(REPORTS[kind].beginning)


def remove_report_files(paths: Mapping[str, Path]) -> None:
    """Remove the reports of an earlier session: a green one must not be taken for this one's."""
    for path in paths.values():
        if path.is_file():
            with contextlib.suppress(OSError):  # writing the new report will raise it again
                path.unlink()


def write_report_files(report: SessionReport, paths: Mapping[str, Path]) -> tuple[Failure, ...]:
    """Write the report files, each atomically; return a failure for each not written."""
    failures = []
    for kind, path in paths.items():
        module, _, name = REPORTS[kind].render.partition(":")
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


_MAX_COMMITS = 20


def with_history(report: SessionReport, baseline: Path) -> SessionReport:
    """Return the report with the levels of its failing cases over the commits of a baseline.

    The newest commits are read, and the files of these cases alone. A report without a failing
    case, or of code that was measured in this session, is returned as it is.
    """
    # As with the page: only a session that fails and writes one needs these.
    from pytest_pareto.pipeline import read_levels
    from pytest_pareto.report.html.content import MAX_FAILING
    from pytest_pareto.report.wording import severity

    failing = sorted((case for case in report.judgement.cases if case.fails), key=severity)
    machine = report.environment
    if not failing or machine is None or report.facts.ref is not None:
        return report
    shown = {case.case_id for case in failing[:MAX_FAILING]}
    modules = {case_id.partition("::")[0] for case_id in shown}
    try:
        log = folder_log(baseline, _MAX_COMMITS)
        with GitObjects(log.top) as objects:
            levels = read_levels(
                log, objects, lambda _: machine.hardware_key, diagnostics=False, modules=modules
            )
        newest = log.revisions[-1].sha
        head = run_git(log.top, "rev-parse", "--short", "HEAD").output.strip()
        later = len(run_git(log.top, "rev-list", f"{newest}..HEAD").output.split())
    except (ParetoError, OSError) as error:
        return replace(report, history=FailingHistory(missing=str(error)))
    courses = tuple(course for course in levels.courses if course.case_id in shown)
    history = FailingHistory(replace(levels, courses=courses), head=head, later=later)
    return replace(report, history=history)


TRACES = pytest.StashKey["KeptTraces"]()
"""Present in the config's stash where the session writes traces."""
_TRACE_ENDINGS = {Side.REF: "before", Side.CANDIDATE: "now"}
_TRACE_FILE = re.compile(rf"-[0-9a-f]{{8}}\.({'|'.join(_TRACE_ENDINGS.values())})\.json")


class KeptTraces:
    """Keeps the traces of all cases while a session runs, and writes those of failing cases.

    ``directory`` is where the latter go; the others lie in the temp folder, and are removed with
    it. Raises pytest.UsageError, before hours are spent, where nothing can be written there.
    """

    def __init__(self, config: pytest.Config, directory: Path) -> None:
        self._config = config
        self._directory = directory
        self._folder: Path | None = None
        _refuse_baseline(config, directory, "--pareto-trace")
        try:
            directory.mkdir(parents=True, exist_ok=True)
            # Those of an earlier session must not be taken for this one's.
            for file in () if config.option.collectonly else directory.iterdir():
                if _TRACE_FILE.search(file.name):
                    file.unlink()
        except OSError as error:
            raise pytest.UsageError(
                f"--pareto-trace: {directory} cannot be written: {error.strerror}; name a folder"
            ) from None
        config.stash[TRACES] = self

    def folder(self, side: Side) -> Path:
        """Return the folder for the traces of one side."""
        if self._folder is None:
            stack = contextlib.ExitStack()
            self._config.add_cleanup(stack.close)
            self._folder = stack.enter_context(run_folder())
        return self._folder / str(side)

    def write(self, cases: Iterable[CaseVerdict]) -> str | None:
        """Write the traces of failing cases, and return what to say about it; None for nothing.

        Raises OSError where one cannot be written.
        """
        written, untraced = 0, []
        for case in cases:
            found = [(side, self.folder(side) / trace_name(case.case_id)) for side in Side]
            kept = [(side, file) for side, file in found if case.fails and file.is_file()]
            for side, file in kept:
                path = self._directory / f"{file.stem}.{_TRACE_ENDINGS[side]}.json"
                _write(path, _last_call(file.read_text(encoding="utf-8")))
            written += bool(kept)
            if case.fails and not kept:
                untraced.append(case.case_id)
        folder = relative_path(self._directory, self._config.invocation_params.dir)
        what = f"traces of {plural(written, 'failing case')} in {folder}"
        parts = [f"{what}: ui.perfetto.dev opens them"] if written else []
        if untraced:
            more = f" and {len(untraced) - 1} more" if len(untraced) > 1 else ""
            parts.append(
                f"no trace of {untraced[0]}{more}: its call was not measured, or did not run "
                "under torch's profiler"
            )
        return "; ".join(parts) or None


def write_traces(
    config: pytest.Config, cases: Iterable[CaseVerdict]
) -> tuple[str | None, tuple[Failure, ...]]:
    """Write the traces of failing cases; return what to say about it, and what failed."""
    if TRACES not in config.stash:
        return None, ()
    try:
        return config.stash[TRACES].write(cases), ()
    except OSError as error:
        return None, (Failure(f"--pareto-trace: traces could not be written: {error}"),)


def trace_folder(config: pytest.Config, side: Side) -> Path | None:
    """Return where the first run of a side writes traces; None where the session has none."""
    kept = config.stash.get(TRACES, None)
    return None if kept is None else kept.folder(side)


def _last_call(trace: str) -> str:
    """Return a trace with the events of its last named call alone."""
    content = json.loads(trace)
    events = content["traceEvents"]
    named = [each for each in events if each.get("name") in (CALL, END) and each["ph"] == "X"]
    stop = max(each["ts"] + each["dur"] for each in named)
    start = max(each["ts"] for each in named if each["name"] == CALL)
    content["traceEvents"] = [
        each for each in events if each["ph"] == "M" or start <= each.get("ts", -1) <= stop
    ]
    return json.dumps(content)


def render_html(report: SessionReport) -> str:
    """Render a session as one HTML document that needs no other file."""
    # Every session imports this module; only those that write a page need jinja2.
    from pytest_pareto.report.html.page import render_page

    images, left_out = _images(report.pictures)
    return render_page(report, images, left_out)


def _images(pictures: Sequence[Picture]) -> tuple[list["Image"], str]:
    """Return the pictures that can be shown, and a text about the others, or an empty one."""
    if not pictures:
        return [], ""
    from pytest_pareto.report.html.page import Image

    found = make_thumbnails([picture.file for picture in pictures])
    images = [
        Image(picture.case_id, picture.metric, picture.sample, made.media_type, made.data)
        for picture, made in zip(pictures, found.made, strict=True)
        if made is not None
    ]
    left_out = []
    if found.too_many:
        left_out.append(
            f"{plural(found.too_many, 'picture')} not shown here, where pictures may take "
            f"{BUDGET_B / 1e6:g} MB: the folder that the case names has all of them"
        )
    if found.unreadable:
        left_out.append(f"{plural(found.unreadable, 'picture')} could not be read")
    return images, "; ".join(left_out)


def append_summary(report: SessionReport) -> str | None:
    """Append the Markdown report to the GitHub job summary; return why that failed, or None."""
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
    """Print annotations under GitHub Actions, each at the start of a line of standard output."""
    if os.environ.get("GITHUB_ACTIONS", "").lower() != "true":
        return
    from pytest_pareto.report.github import annotation_lines

    lines = annotation_lines(report, _source_locations(session, report))
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    for line in lines:
        if reporter is not None:
            reporter.ensure_newline()
            reporter.write_line(line)
        else:
            print(line, flush=True)  # noqa: T201 - the runner reads standard output


def _source_locations(
    session: pytest.Session, report: SessionReport
) -> "dict[str, SourceLocation]":
    """Return the source locations of the cases' tests, by case id.

    Items are looked up by case id: node ids in the report are relative to the start folder.
    """
    from pytest_pareto.report.github import SourceLocation

    items = {item.nodeid: item for item in session.items}
    locations = {}
    for case in report.judgement.cases:
        item = items.get(nodeid_of(case.case_id, items) or "")
        if item is not None:
            path, line, _ = item.location
            locations[case.case_id] = SourceLocation(
                _workspace_path(session, path), (line or 0) + 1
            )
    return locations


def _workspace_path(session: pytest.Session, path: str) -> str:
    """Return a file relative to the checkout, as GitHub names it, else to pytest's root."""
    file = Path(session.config.rootpath, path).resolve()
    workspace = os.environ.get("GITHUB_WORKSPACE", "")
    if workspace and file.is_relative_to(Path(workspace).resolve()):
        return file.relative_to(Path(workspace).resolve()).as_posix()
    return Path(path).as_posix()
