"""Modules that git does not hold: the old code fails without them, and no test is new for that."""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs.git import ask_git, try_git
from pytest_pareto.runs.legs import Leg
from pytest_pareto.runs.words import LINKS_OPTION, SETUP_OPTION

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
