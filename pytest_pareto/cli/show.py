"""``pytest-pareto show``: print the fronts of a baseline, with the level of each metric."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pytest_pareto.baseline.sources import load_recorded, recorded_machines
from pytest_pareto.cli.console import EXIT_ERROR, find_baseline, terminal_width, write_lines
from pytest_pareto.judge.front import place_front
from pytest_pareto.model.baseline import Baseline, RecordedFronts, RecordedLevel
from pytest_pareto.model.errors import BaselineError
from pytest_pareto.model.verdict import CaseVerdict, Judgement, Verdict
from pytest_pareto.report.baseline_text import render_recorded

_ALPHA = 0.05

_ABOUT = """\
Show what a baseline holds: per front its cases with the level of each gated
metric, the spread between runs and how many there are, and which cases are on
the front. Nothing is measured or written."""

_EXAMPLES = """\
examples:
  pytest-pareto show
  pytest-pareto show --front digits --plot
  pytest-pareto show path/to/pareto_baselines --hardware nvidia-h200x1 -v

exit code: 0, 2 where there is nothing to show"""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the parser of ``show``."""
    show = commands.add_parser(
        "show",
        help="show the fronts and points of a baseline",
        description=_ABOUT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    show.add_argument(
        "directory",
        nargs="?",
        metavar="DIR",
        type=Path,
        help="the folder of the baseline (this project's)",
    )
    show.add_argument(
        "--hardware", metavar="KEY", help="one kind of machine, by its folder's name (all)"
    )
    show.add_argument("--front", metavar="NAME", help="one front (all)")
    show.add_argument("--plot", action="store_true", help="draw each front")
    show.add_argument(
        *("-v", "--verbose"),
        action="store_true",
        help="diagnostics, all versions, and why a case stands where it does",
    )
    show.set_defaults(run=_show)


def _show(options: argparse.Namespace, _: Sequence[str]) -> int:
    directory = options.directory or find_baseline()
    if directory is None:
        return EXIT_ERROR
    keys = recorded_machines(directory) if options.hardware is None else [options.hardware]
    recorded = [_place_cases(load_recorded(directory, key)) for key in keys or [None]]
    if options.front is not None:
        recorded = _select_front(options.front, recorded)
    width = terminal_width()
    write_lines(render_recorded(recorded, width=width, verbose=options.verbose, plot=options.plot))
    return 0


def _place_cases(baseline: Baseline) -> RecordedFronts:
    """Place every case of a baseline on its front, and return the fronts with their levels."""
    # Modules that need numpy are imported where they are used.
    from pytest_pareto.compare.stored import (  # noqa: PLC0415 - see above
        newest_environment,
        recorded_fronts,
    )
    from pytest_pareto.judge.judgement import edited_entries  # noqa: PLC0415 - see above

    cases: list[CaseVerdict] = []
    levels: dict[tuple[str, str], RecordedLevel] = {}
    for standing in recorded_fronts(baseline).values():
        places = place_front(standing.members, standing.claims, alpha=_ALPHA, alpha_lost=_ALPHA)
        cases += [CaseVerdict(c, Verdict.UNCHANGED, places[c.case_id]) for c in standing.members]
        levels |= standing.held
    environment = newest_environment(baseline)
    judgement = Judgement(tuple(cases), rules=tuple(edited_entries(baseline)))
    return RecordedFronts(baseline.hardware_key, environment, judgement, levels)


def _select_front(front: str, recorded: Sequence[RecordedFronts]) -> list[RecordedFronts]:
    """Return one front of each machine that has it; raises BaselineError where none has."""
    found = []
    for each in recorded:
        cases = tuple(c for c in each.judgement.cases if c.comparison.front == front)
        if cases:
            found.append(replace(each, judgement=replace(each.judgement, cases=cases)))
    if not found:
        fronts = sorted({c.comparison.front for each in recorded for c in each.judgement.cases})
        raise BaselineError(f"there is no front {front!r}; there are: {', '.join(fronts)}")
    return found
