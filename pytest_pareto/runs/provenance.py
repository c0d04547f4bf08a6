"""Verify that a leg measured its own code, from the log of its imports.

`prove` checks where each module of the project came from. `refuse_untracked_modules` finds modules
that git does not track and without which the old code fails: its tests are then not new tests.
"""

import ast
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs.git import git_output, run_git
from pytest_pareto.runs.import_finder import ENDED, ESCAPED, FOUND, MET
from pytest_pareto.runs.legs import Leg
from pytest_pareto.runs.project import LINKS_OPTION, SETUP_OPTION, TEST_FOLDERS_OPTION, is_copy

_SHOWN = 5
_REMEDY = (
    "A file that is run or loaded by its path is the same on both legs: import it, or run it with "
    "`python -m`. What a .pth file imports at start-up is imported too early to be steered. What "
    f"belongs to the tests can be named in {TEST_FOLDERS_OPTION}."
)


@dataclass(frozen=True, slots=True)
class Origin:
    """The path from which a process of a leg imported a module, or the end of its log.

    ``kind`` is one of those in `import_finder`; an escape did not come through the leg's finder.
    ``place`` is "" for a module without a file.
    """

    pid: int
    kind: str
    name: str
    place: str


def read_origins(file: Path) -> Iterator[Origin]:
    """Yield the log entries of a run's processes; nothing where no process logged anything.

    Raises ParetoError for an incomplete line.
    """
    lines = file.read_text(encoding="ascii").splitlines() if file.exists() else []
    for number, line in enumerate(lines, 1):
        try:
            pid, kind, name, place = ast.literal_eval(line)
        except (SyntaxError, ValueError, TypeError):
            raise ParetoError(
                f"{file}, line {number}: {line!r} is not whole, so it cannot be proved which code "
                "was measured; look whether the temp folder's disk is full."
            ) from None
        yield Origin(pid, kind, name, place)


def prove(leg: Leg, file: Path, pid: int) -> frozenset[str]:
    """Return the project's modules that a run's processes imported, all from the leg's tree.

    ``pid`` is the process that was started. Raises ParetoError where it did not log its end, where
    a module came from elsewhere, and where no module was imported. The proof does not cover imports
    of processes without the leg's PYTHONPATH (see `legs.prepare_leg`), nor files that are opened by
    path and not imported.
    """
    origins = list(read_origins(file))
    # A file may be logged twice: by its path, and by the module name that it got later.
    foreign = {origin.place: origin for origin in origins if not _is_own(leg, origin)}
    if foreign:
        raise ParetoError(_foreign_message(leg, list(foreign.values())))
    if not _has_ended(pid, origins):
        raise ParetoError(_no_end_message(leg))
    names = frozenset(origin.name for origin in origins if origin.kind == FOUND)
    if not names:
        raise ParetoError(_no_import_message(leg))
    return names


def _is_own(leg: Leg, origin: Origin) -> bool:
    if origin.kind == ESCAPED:
        return False
    if not origin.place:
        return True
    place = Path(origin.place)
    if origin.kind == MET:
        return not _is_copy(leg, origin.name, place)
    return place.is_relative_to(leg.tree.top) or place.resolve().is_relative_to(leg.tree.top)


def _is_copy(leg: Leg, name: str, place: Path) -> bool:
    trees = [tree.top for tree in (leg.tree, leg.other)]
    is_environment = not {"site-packages", "dist-packages"}.isdisjoint(place.parts)
    places = (place, place.resolve())
    if not is_environment and any(at.is_relative_to(top) for at in places for top in trees):
        return False  # not installed; if it is the other leg's, another entry reports it
    return any(
        is_copy(place, top / at, leg.project.ground, top)
        for at in leg.project.copies[name]
        for top in trees
    )


def _has_ended(pid: int, origins: list[Origin]) -> bool:
    ended = {origin.pid for origin in origins if origin.kind == ENDED}
    # An environment's python.exe starts the real one, which has another process id.
    return bool(ended) if sys.platform == "win32" else pid in ended


def _no_end_message(leg: Leg) -> str:
    return (
        f"the {leg.side} leg's process ended without noting what it had imported, so nothing says "
        "what it measured. Something ended it at once (from C: `os._exit` is heard), or keeps "
        "Python from running the `sitecustomize` of the leg, which comes first on PYTHONPATH; its "
        "output says so where that failed."
    )


def _foreign_message(leg: Leg, foreign: list[Origin]) -> str:
    foreign.sort(key=lambda origin: origin.kind != MET)  # the most helpful one first
    first, *others = [f"{origin.name} came from {origin.place}" for origin in foreign]
    remedy = _REMEDY
    if foreign[0].kind == MET:
        remedy = _remedy_for_copy(leg, foreign[0].name)
    # The first line must be complete by itself: the rest may be cut off in a summary.
    problem = (
        f"the {leg.side} leg did not measure its own code only, so nothing is compared: {first} "
        f"and not from below {leg.tree.top}. {remedy}"
    )
    shown = [f"  {other}" for other in others[: _SHOWN - 1]]
    if len(others) >= _SHOWN:
        shown.append(f"  and {len(others) - _SHOWN + 1} more")
    return "\n".join((problem, *shown))


def _remedy_for_copy(leg: Leg, name: str) -> str:
    at = leg.project.copies[name][0]
    folder = at.parents[name.count(".")]
    top = PurePosixPath(leg.tree.root.relative_to(leg.tree.top).as_posix())
    path = os.path.relpath(folder, top).replace(os.sep, "/")
    return (
        f"It looks like an installed copy of {at}, the same on both legs. Put {folder} on the "
        f"path in the configuration of pytest (pythonpath = {path}), or install the project in "
        "place (pip install --editable)."
    )


def _no_import_message(leg: Leg) -> str:
    names = sorted(leg.project.names)
    known = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    return (
        f"the {leg.side} leg never imported the project, so nothing says that it measured it; "
        f"taken for the project: {known or 'nothing'}. Tests that import it only in `python -I`, "
        "`-E` or `-S`, or without the PYTHONPATH that they are given, cannot be compared so."
    )


_NO_MODULE = re.compile(r"No module named '(?P<module>[\w.]+)'")
_NO_NAME = re.compile(
    r"cannot import name '(?P<name>\w+)' from (partially initialized module )?"
    r"'(?P<module>[\w.]+)'"
)


def refuse_untracked_modules(leg: Leg, failed: Mapping[str, str]) -> None:
    """Raise ParetoError where the old code ``failed`` because of a file that git does not track.

    ``failed`` maps node ids to messages. The module's file is in the candidate's tree and git
    ignores it, or does not track it although a test that the ref has too needs it. An untracked
    file that only new tests import is new code, and is not refused.
    """
    for nodeid, why in failed.items():
        for file in _missing_files(leg, why):
            if _is_ignored(leg, file) or _is_of_ref(leg, nodeid):
                raise ParetoError(_unlinked_message(leg, nodeid, why, file))


def _missing_files(leg: Leg, why: str) -> Iterator[PurePosixPath]:
    """Yield the files that an import error names and that only the candidate's folder has."""
    names = [found["module"] for found in _NO_MODULE.finditer(why)]
    names += [f"{found['module']}.{found['name']}" for found in _NO_NAME.finditer(why)]
    for name in names:
        for folder in leg.project.folders:
            base = folder.joinpath(*name.split("."))
            for file in (base.with_name(f"{base.name}.py"), base / "__init__.py"):
                if _is_only_in_candidate(leg, file):
                    yield file


def _is_only_in_candidate(leg: Leg, file: PurePosixPath) -> bool:
    if not (leg.other.top / file).is_file() or (leg.tree.top / file).exists():
        return False
    return not git_output(leg.other.top, "ls-files", "--", f":(literal){file}")


def _is_ignored(leg: Leg, file: PurePosixPath) -> bool:
    return run_git(leg.other.top, "check-ignore", "--quiet", "--", str(file)).code == 0


def _is_of_ref(leg: Leg, nodeid: str) -> bool:
    """Return whether the ref has the same test file, so that it ran there with the missing file."""
    module = nodeid.partition("::")[0]
    old, new = leg.tree.root / module, leg.tests.root / module
    return old.is_file() and new.is_file() and old.read_bytes() == new.read_bytes()


def _unlinked_message(leg: Leg, nodeid: str, why: str, file: PurePosixPath) -> str:
    path = leg.other.top / file
    inside = path.is_relative_to(leg.other.root)
    link = path.relative_to(leg.other.root).as_posix() if inside else str(file)
    return (
        f"--pareto-against: {nodeid} fails with the old code, {why}; {link} is in the working tree "
        f"and not in git, so the old code lacks it and this is no new test. Give {LINKS_OPTION} = "
        f"{link} if both may share it, or {SETUP_OPTION} = the command that makes it."
    )
