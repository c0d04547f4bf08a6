"""``pytest-pareto history``: print levels of metrics over the git history of a baseline."""

import argparse
import difflib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from pytest_pareto.baseline.layout import NO_MACHINE
from pytest_pareto.baseline.sources import machine_choice_error
from pytest_pareto.cli.console import EXIT_ERROR, find_baseline, terminal_width, write_lines
from pytest_pareto.model.baseline import LevelHistory
from pytest_pareto.model.errors import BaselineError
from pytest_pareto.report.baseline_text import render_history
from pytest_pareto.runs.git_objects import FolderLog, GitObjects, folder_log

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
    """Register the parser of ``history``."""
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
        type=_positive_count,
        metavar="N",
        help="only the newest N commits of the baseline (all)",
    )
    history.set_defaults(run=_history)


def _positive_count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of commits")
    return int(text)


def _history(options: argparse.Namespace, _: Sequence[str]) -> int:
    directory = options.baseline or find_baseline()
    if directory is None:
        return EXIT_ERROR
    if directory.is_file():
        raise BaselineError(f"{directory.as_posix()} is a file; name the folder of a baseline")
    # Modules that need numpy are imported where they are used.
    from pytest_pareto.pipeline import read_levels  # noqa: PLC0415 - see above

    log = folder_log(directory, options.newest)
    chosen = partial(_select_machine, log, options.hardware)
    with GitObjects(log.top) as objects:
        found = read_levels(log, objects, chosen, diagnostics=options.metric is not None)
    if options.metric is not None:
        histories = _select_metric(options.metric, found.courses)
        found = replace(found, courses=_select_cases(options.cases, histories))
    write_lines(render_history(found, width=terminal_width(), tables=options.metric is not None))
    return 0


def _select_machine(log: FolderLog, requested: str | None, machines: Collection[str]) -> str:
    """Return the key of the requested machine, or of the only one.

    Returns NO_MACHINE where all results mean the same on every machine. Raises BaselineError where
    the requested machine has no results, or where the user has to choose one.
    """
    listing = ", ".join(sorted(machines)) or "none that belong to a machine"
    if requested is not None:
        if requested not in machines:
            raise BaselineError(
                f"{log.folder} never held results of {requested!r}; there are: {listing}"
            )
        return requested
    if len(machines) > 1:
        raise machine_choice_error(f"{log.folder} holds or held", machines)
    return next(iter(machines), NO_MACHINE)


def _select_metric(metric: str, histories: Iterable[LevelHistory]) -> tuple[LevelHistory, ...]:
    """Return the histories of one metric; raises BaselineError where there are none."""
    found = tuple(history for history in histories if history.metric.name == metric)
    if not found:
        names = list(dict.fromkeys(history.metric.name for history in histories))
        similar = difflib.get_close_matches(metric, names, n=1)
        hint = f"did you mean {similar[0]!r}? " if similar else ""
        raise BaselineError(f"there is no metric {metric!r}; {hint}there are: {', '.join(names)}")
    return found


def _select_cases(
    cases: Sequence[str], histories: Sequence[LevelHistory]
) -> tuple[LevelHistory, ...]:
    """Return the histories of the named cases, all where none is named.

    Raises BaselineError where a name matches no case.
    """
    selected: dict[str, LevelHistory] = {}
    for case in cases:
        found = _match_case(case, histories)
        if not found:
            listing = "\n  ".join(history.case_id for history in histories)
            raise BaselineError(
                f"no case of {histories[0].metric.name} is or has in its id {case!r}; there are:"
                f"\n  {listing}"
            )
        selected |= {history.case_id: history for history in found}
    return tuple(selected.values()) if cases else tuple(histories)


def _match_case(case: str, histories: Sequence[LevelHistory]) -> list[LevelHistory]:
    """Return the histories of the cases that a name matches.

    A name matches the whole id, else the brackets or the name at its end, else any part of it.
    """
    parameters = case.removeprefix("[").removesuffix("]")
    for matches in (
        lambda case_id: case_id == case,
        lambda case_id: case_id.endswith((f"[{parameters}]", f"#{parameters}")),
        lambda case_id: case in case_id,
    ):
        found = [history for history in histories if matches(history.case_id)]
        if found:
            return found
    return []
