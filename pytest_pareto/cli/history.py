"""``pytest-pareto history``: metrics over the git history of the baseline."""

import argparse
import difflib
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from pytest_pareto.baseline.layout import NO_MACHINE
from pytest_pareto.baseline.sources import PastBaselines, machine_choice_error, machines_of
from pytest_pareto.cli.console import CANNOT, own_baseline, terminal_width, write_lines
from pytest_pareto.model.baseline import Baseline, LevelHistories, LevelHistory, Revision
from pytest_pareto.model.errors import BaselineError, ParetoError
from pytest_pareto.report.history_text import render_history
from pytest_pareto.runs.git_objects import FolderLog, GitObjects, Snapshots, folder_log

_ABOUT = """\
Show metrics over the commits that changed the baseline: what was accepted
when. Git is asked, nothing is checked out, measured or written. A merge counts
as one commit. With a METRIC, each case has a table and a picture of its own.

CASE is a case id, the end of one in brackets, or any part of one."""

_EXAMPLES = """\
examples:
  pytest-pareto history
  pytest-pareto history latency
  pytest-pareto history latency 'ddim-4' 'ddim-10' -n 20
  pytest-pareto history energy --baseline path/to/pareto_baselines

exit code: 0, 2 where there is no such history"""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    history = commands.add_parser(
        "history",
        help="show metrics over the git history of the baseline",
        description=_ABOUT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    history.add_argument("metric", nargs="?", metavar="METRIC", help="one metric (all that gate)")
    history.add_argument("cases", nargs="*", metavar="CASE", help="the cases (all)")
    history.add_argument(
        "--baseline", type=Path, metavar="DIR", help="the folder of the baseline (this project's)"
    )
    history.add_argument(
        "--hardware",
        metavar="KEY",
        help="the folder of the machine, where the baseline holds several",
    )
    history.add_argument(
        *("-n", "--newest"),
        type=_count,
        metavar="N",
        help="only the newest N commits of the baseline (all)",
    )
    history.set_defaults(run=_history)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of commits")
    return int(text)


def _history(asked: argparse.Namespace, _: Sequence[str]) -> int:
    directory = asked.baseline or own_baseline()
    if directory is None:
        return CANNOT
    if directory.is_file():
        raise BaselineError(f"{directory.as_posix()} is a file; name the folder of a baseline")
    log = folder_log(directory, asked.newest)
    with GitObjects(log.top) as objects:
        found = _read(log, objects, asked.hardware, everything=asked.metric is not None)
    courses = found.courses
    if asked.metric is not None:
        courses = _of_metric(asked.metric, courses)
        courses = _of_cases(asked.cases, courses)
    told = LevelHistories(found.hardware_key, found.revisions, found.unreadable, courses)
    write_lines(render_history(told, width=terminal_width(), tables=asked.metric is not None))
    return 0


def _read(
    log: FolderLog, objects: GitObjects, hardware: str | None, *, everything: bool
) -> LevelHistories:
    # What needs numpy is imported where it is used.
    from pytest_pareto.compare.stored import courses_of  # noqa: PLC0415 - see above

    snapshots = Snapshots(objects, log.folder)
    files = {revision.sha: snapshots.files(revision.sha) for revision in log.revisions}
    key = _machine(log, {key for each in files.values() for key in machines_of(each)}, hardware)
    past = PastBaselines(key, lambda name: objects.read(name).content)
    read: list[tuple[int, Revision, Baseline]] = []
    unreadable: list[tuple[Revision, str]] = []
    for at, revision in enumerate(log.revisions):
        try:
            read.append((at, revision, past.load(files[revision.sha])))
        except ParetoError as error:
            unreadable.append((revision, str(error)))
    if not read:
        first, why = unreadable[-1]
        raise BaselineError(
            f"none of {len(unreadable)} commits holds a baseline that can be read; "
            f"of {first.short}: {why}"
        )
    courses = courses_of(read, diagnostics=everything)
    if not courses:
        raise BaselineError(
            f"{log.folder} holds no results{'' if key == NO_MACHINE else f' of {key}'} in any of "
            f"{len(log.revisions)} commits; record some with pytest --pareto --pareto-update"
        )
    return LevelHistories(key, log.revisions, tuple(unreadable), courses)


def _machine(log: FolderLog, machines: Collection[str], asked: str | None) -> str:
    there = ", ".join(sorted(machines)) or "none that belong to a machine"
    if asked is not None:
        if asked not in machines:
            raise BaselineError(f"{log.folder} never held results of {asked!r}; there are: {there}")
        return asked
    if len(machines) > 1:
        raise machine_choice_error(f"{log.folder} holds or held", machines)
    return next(iter(machines), NO_MACHINE)


def _of_metric(metric: str, courses: Iterable[LevelHistory]) -> tuple[LevelHistory, ...]:
    found = tuple(course for course in courses if course.metric.name == metric)
    if not found:
        names = list(dict.fromkeys(course.metric.name for course in courses))
        near = difflib.get_close_matches(metric, names, n=1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        raise BaselineError(f"there is no metric {metric!r}; {meant}there are: {', '.join(names)}")
    return found


def _of_cases(cases: Sequence[str], courses: Sequence[LevelHistory]) -> tuple[LevelHistory, ...]:
    wanted: dict[str, LevelHistory] = {}
    for case in cases:
        found = _named(case, courses)
        if not found:
            there = "\n  ".join(course.case_id for course in courses)
            raise BaselineError(
                f"no case of {courses[0].metric.name} is or has in its id {case!r}; there are:"
                f"\n  {there}"
            )
        wanted |= {course.case_id: course for course in found}
    return tuple(wanted.values()) if cases else tuple(courses)


def _named(case: str, courses: Sequence[LevelHistory]) -> list[LevelHistory]:
    """Find cases by the whole id, else by what stands in its brackets, else by any part."""
    bare = case.removeprefix("[").removesuffix("]")
    for fits in (
        lambda case_id: case_id == case,
        lambda case_id: case_id.endswith((f"[{bare}]", f"#{bare}")),
        lambda case_id: case in case_id,
    ):
        found = [course for course in courses if fits(course.case_id)]
        if found:
            return found
    return []
