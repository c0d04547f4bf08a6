"""The proof that a leg measured its own code: where each module of the project came from.

Modules that git does not hold: the old code fails without them, and no test is new for that.
"""

import ast
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs.git import ask_git, try_git
from pytest_pareto.runs.import_finder import ENDED, ESCAPED, FOUND, MET
from pytest_pareto.runs.legs import Leg
from pytest_pareto.runs.project import LINKS_OPTION, SETUP_OPTION, TEST_FOLDERS_OPTION, is_copy

_SHOWN = 5
_WAY_OUT = (
    "A file that is run or loaded by its path is the same on both legs: import it, or run it with "
    "`python -m`. What a .pth file imports at start-up is imported too early to be steered. What "
    f"belongs to the tests can be named in {TEST_FOLDERS_OPTION}."
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a process of a leg took a module from, or that it has no more to tell.

    ``kind`` is one of `import_finder`: an escape had not come through the leg's finder. ``place``
    is "" for a module that has no file.
    """

    pid: int
    kind: str
    name: str
    place: str


def read_origins(file: Path) -> Iterator[Origin]:
    """Yield what the processes of a run noted; nothing where no process noted anything.

    Raises ParetoError for a line that is not whole.
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

    ``pid`` is the process that was started. Raises ParetoError where it did not note its end,
    where a module came from elsewhere, and where there was none. What no
    process of Python with the leg's PYTHONPATH imported (see `legs.equip`), and files that
    are opened by path and not imported, are not part of the proof.
    """
    origins = list(read_origins(file))
    # What was noted first as a file may have been noted again by the name that it got.
    strangers = {origin.place: origin for origin in origins if not _is_own(leg, origin)}
    if strangers:
        raise ParetoError(_tell_strangers(leg, list(strangers.values())))
    if not _has_ended(pid, origins):
        raise ParetoError(_tell_silence(leg))
    names = frozenset(origin.name for origin in origins if origin.kind == FOUND)
    if not names:
        raise ParetoError(_tell_nothing(leg))
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
        return False  # not installed; if it is the other leg's, that is noted beside this
    return any(
        is_copy(place, top / at, leg.project.ground, top)
        for at in leg.project.copies[name]
        for top in trees
    )


def _has_ended(pid: int, origins: list[Origin]) -> bool:
    ended = {origin.pid for origin in origins if origin.kind == ENDED}
    # An environment's python.exe starts the real one, whose id is another.
    return bool(ended) if sys.platform == "win32" else pid in ended


def _tell_silence(leg: Leg) -> str:
    return (
        f"the {leg.side} leg's process ended without noting what it had imported, so nothing says "
        "what it measured. Something ended it at once (from C: `os._exit` is heard), or keeps "
        "Python from running the `sitecustomize` of the leg, which comes first on PYTHONPATH; its "
        "output says so where that failed."
    )


def _tell_strangers(leg: Leg, strangers: list[Origin]) -> str:
    strangers.sort(key=lambda origin: origin.kind != MET)  # what explains the most
    first, *others = [f"{origin.name} came from {origin.place}" for origin in strangers]
    way_out = _WAY_OUT
    if strangers[0].kind == MET:
        way_out = _way_out_of_copy(leg, strangers[0].name)
    # A reader of the first line alone must have it all: what follows may be cut to the width.
    what = (
        f"the {leg.side} leg did not measure its own code only, so nothing is compared: {first} "
        f"and not from below {leg.tree.top}. {way_out}"
    )
    shown = [f"  {other}" for other in others[: _SHOWN - 1]]
    if len(others) >= _SHOWN:
        shown.append(f"  and {len(others) - _SHOWN + 1} more")
    return "\n".join((what, *shown))


def _way_out_of_copy(leg: Leg, name: str) -> str:
    at = leg.project.copies[name][0]
    folder = at.parents[name.count(".")]
    top = PurePosixPath(leg.tree.root.relative_to(leg.tree.top).as_posix())
    path = os.path.relpath(folder, top).replace(os.sep, "/")
    return (
        f"It looks like an installed copy of {at}, the same on both legs. Put {folder} on the "
        f"path in the configuration of pytest (pythonpath = {path}), or install the project in "
        "place (pip install --editable)."
    )


def _tell_nothing(leg: Leg) -> str:
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


def refuse_unlinked(leg: Leg, failed: Mapping[str, str]) -> None:
    """Raise ParetoError where the old code ``failed`` for want of a file that git does not hold.

    ``failed`` maps node ids to the messages. The module's file is in the candidate's tree, and
    git ignores it, or merely does not know it, though a test that is the ref's own needs it.
    What is not tracked yet and only new tests import is new code, and is not refused.
    """
    for nodeid, why in failed.items():
        for file in _unheld(leg, why):
            if _is_ignored(leg, file) or _is_of_ref(leg, nodeid):
                raise ParetoError(_tell(leg, nodeid, why, file))


def _unheld(leg: Leg, why: str) -> Iterator[PurePosixPath]:
    """Yield the files that a message misses, and that only the candidate's folder has."""
    names = [found["module"] for found in _NO_MODULE.finditer(why)]
    names += [f"{found['module']}.{found['name']}" for found in _NO_NAME.finditer(why)]
    for name in names:
        for folder in leg.project.folders:
            base = folder.joinpath(*name.split("."))
            for file in (base.with_name(f"{base.name}.py"), base / "__init__.py"):
                if _is_only_there(leg, file):
                    yield file


def _is_only_there(leg: Leg, file: PurePosixPath) -> bool:
    if not (leg.other.top / file).is_file() or (leg.tree.top / file).exists():
        return False
    return not ask_git(leg.other.top, "ls-files", "--", f":(literal){file}")


def _is_ignored(leg: Leg, file: PurePosixPath) -> bool:
    return try_git(leg.other.top, "check-ignore", "--quiet", "--", str(file)).code == 0


def _is_of_ref(leg: Leg, nodeid: str) -> bool:
    """Whether the ref has this very test, so that it ran there with the file that is missing."""
    module = nodeid.partition("::")[0]
    old, new = leg.tree.root / module, leg.tests.root / module
    return old.is_file() and new.is_file() and old.read_bytes() == new.read_bytes()


def _tell(leg: Leg, nodeid: str, why: str, file: PurePosixPath) -> str:
    path = leg.other.top / file
    inside = path.is_relative_to(leg.other.root)
    link = path.relative_to(leg.other.root).as_posix() if inside else str(file)
    return (
        f"--pareto-against: {nodeid} fails with the old code, {why}; {link} is in the working tree "
        f"and not in git, so the old code lacks it and this is no new test. Give {LINKS_OPTION} = "
        f"{link} if both may share it, or {SETUP_OPTION} = the command that makes it."
    )
