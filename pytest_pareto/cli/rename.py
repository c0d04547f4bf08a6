"""``pytest-pareto rename``: carry the history of a test, a case or a metric over to its new name.

`renaming` returns the function that gives each case of a baseline its new names.
"""

import argparse
import difflib
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pareto.cli.console import EXIT_ERROR, find_project, terminal_width, write_lines
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.report.text import Line, relative_path, wrap

if TYPE_CHECKING:
    from pytest_pareto.model.baseline import CaseHistory

_RENAME = """\
Carry what the baseline holds of a test, a case, a file of tests or a metric
over to its new name, for every machine. Without it the old name is missing,
and the new one begins without a past. All files are written, or none."""

_EXAMPLES = """\
examples:
  pytest-pareto rename test_sd.py::test_unet test_sd.py::test_denoiser
  pytest-pareto rename test_sd.py test_diffusion.py
  pytest-pareto rename acc accuracy --of test_sd.py::test_unet

exit code: 0, or 2 where it cannot be renamed; then nothing was written"""

_MARKS = ("#", "[", "::")
"""What follows the id of a test or of a file in the id of a case."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the parser of ``rename``."""
    parser = commands.add_parser(
        "rename",
        help="carry the history of a test or a metric over to its new name",
        description=_RENAME,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("old", metavar="OLD", help="a test, a case, a file; a metric with --of")
    parser.add_argument("new", metavar="NEW", help="its name now")
    parser.add_argument("--of", metavar="CASE", help="the test or case whose metric it is")
    parser.add_argument(
        "--baseline", metavar="DIR", type=Path, help="the baseline's folder (this project's)"
    )
    parser.set_defaults(run=_rename)


def _rename(options: argparse.Namespace, _: Sequence[str]) -> int:
    # Modules that need msgspec are imported where they are used.
    from pytest_pareto.baseline.store import (  # noqa: PLC0415 - see above
        directory_exists,
        naming_option,
        rename,
    )

    project = find_project()
    if project is None:
        return EXIT_ERROR
    directory = options.baseline or project.baseline
    with naming_option("--baseline DIR"):
        if not directory_exists(directory):
            raise ParetoError(
                f"there is no baseline at {directory.as_posix()}: name its folder with "
                "--baseline DIR"
            )
        seen: list[CaseHistory] = []
        old, new, of = options.old, options.new, options.of
        if of is None:
            old, new = (_from_root(name, project.root) for name in (old, new))
        else:
            of = _from_root(of, project.root)
        new_entry = renaming(old, new, of)

        def noted(case: "CaseHistory") -> "CaseHistory":
            seen.append(case)
            return new_entry(case)

        renamed = rename(directory, noted)
    if not renamed:
        raise ParetoError(_nothing_message(old, of, seen))
    width = terminal_width()
    where = f"{old} of {of}" if of is not None else old
    text = f"renamed in {directory.as_posix()}: {where} → {new}"
    lines = [*wrap(text, width, hanging="  ")]
    lines += [line for case in renamed for line in wrap(case, width, indent="  ", hanging="    ")]
    write_lines([Line(line) for line in lines])
    return 0


def _from_root(name: str, root: Path) -> str:
    """Return an id that is relative to the working directory relative to pytest's root."""
    module, separator, rest = name.partition("::")
    here = Path.cwd() / module
    return f"{relative_path(here, root)}{separator}{rest}" if here.exists() else name.rstrip("/")


def renaming(old: str, new: str, of: str | None) -> Callable[["CaseHistory"], "CaseHistory"]:
    """Return the function that renames a case, or with ``of`` a metric of such cases.

    ``old`` is the id of a case, of a test or of a file; whatever begins with it is renamed. The
    function raises ParetoError where the case has a metric of the new name already.
    """

    def renamed(name: str) -> str:
        is_of_it = name == old or name.startswith(tuple(old + mark for mark in _MARKS))
        return new + name[len(old) :] if is_of_it else name

    def rename_case(case: "CaseHistory") -> "CaseHistory":
        if renamed(case.case_id) == case.case_id:
            return case
        # The front of a test is named after it, unless its marker says otherwise.
        return replace(case, case_id=renamed(case.case_id), front=renamed(case.front))

    def rename_metric(case: "CaseHistory") -> "CaseHistory":
        assert of is not None
        chosen = case.case_id == of or case.case_id.startswith(tuple(of + m for m in _MARKS))
        if not chosen or old not in case.metrics:
            return case
        if new in case.metrics:
            raise ParetoError(
                f"the baseline has {new!r} of {case.case_id} already: nothing was renamed"
            )
        metrics = {new if name == old else name: m for name, m in case.metrics.items()}
        return replace(case, metrics=metrics)

    return rename_case if of is None else rename_metric


def _nothing_message(old: str, of: str | None, cases: Collection["CaseHistory"]) -> str:
    known = {c.case_id for c in cases}
    if of is not None:
        known = {name for case in cases if case.case_id.startswith(of) for name in case.metrics}
    similar = difflib.get_close_matches(old, known, n=3, cutoff=0.4)
    what = f"metric {old!r} of {of}" if of is not None else f"case {old!r}"
    hint = f"close to it: {', '.join(similar)}" if similar else f"it has {len(known)} names"
    return f"the baseline holds no {what}; {hint}"
