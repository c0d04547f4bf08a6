"""The two legs of a comparison: the same tests, each with code of its own."""

import enum
import os
from dataclasses import dataclass
from pathlib import Path

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs.git import Tree, without_git
from pytest_pareto.runs.project import PLUGIN, TESTS_OPTION, Project

_Route = tuple[str, list[str], bool]

_FINDER = "pareto_import_finder"
"""What the finder is imported as in a leg: a name that no project has."""
_START = """\
from {finder} import install, run_hidden

install(
    {routes!r},
    own={own!r},
    other={other!r},
    ground={ground!r},
    copies={copies!r},
    log={log!r},
    is_watched={is_watched!r},
)
run_hidden({here!r})
"""


class Side(enum.Enum):
    """Which of the two."""

    REF = "ref"
    CANDIDATE = "candidate"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Leg:
    """The code of one tree, measured by the tests of ``tests``, the same tree for both legs.

    The rootdir of a leg's processes is ``tests.root``, and they are started in ``cwd``.
    """

    side: Side
    tree: Tree
    other: Tree
    tests: Tree
    cwd: Path
    project: Project


@dataclass(frozen=True, slots=True)
class Equipment:
    """What a process of a leg is started with, and the file in which it notes its imports."""

    environment: dict[str, str]
    origins: Path


def make_legs(
    candidate: Tree,
    worktree: Tree,
    project: Project,
    *,
    tests_of: Side = Side.CANDIDATE,
    cwd: Path | None = None,
) -> dict[Side, Leg]:
    """Return both legs, measured by the tests of one side.

    ``cwd`` is where the user started the tests, unless it was the project's folder: the legs
    are started there too, or in the same folder of the worktree if its tests are run.
    Raises ParetoError where that has no such folder.
    """
    tests = candidate if tests_of is Side.CANDIDATE else worktree
    start = same_folder(candidate.root if cwd is None else cwd, candidate, tests)
    if not start.is_dir():
        raise ParetoError(
            f"--pareto-against: there is no folder {start.relative_to(tests.top).as_posix()} at "
            f"the ref to start its tests in; start pytest in {candidate.root}, or set "
            f"{TESTS_OPTION} = candidate."
        )
    return {
        Side.REF: Leg(Side.REF, worktree, candidate, tests, start, project),
        Side.CANDIDATE: Leg(Side.CANDIDATE, candidate, worktree, tests, start, project),
    }


def same_folder(folder: Path, here: Tree, there: Tree) -> Path:
    """Return a folder of one tree as it is called in another, also where that lacks it."""
    folder = folder.resolve()
    return there.top / folder.relative_to(here.top) if folder.is_relative_to(here.top) else folder


def equip(leg: Leg, folder: Path, *, is_watched: bool = False) -> Equipment:
    """Write what a run of this leg carries into a folder that is the run's own.

    Project code comes from the leg by two ways: its folders are first on PYTHONPATH, and a
    finder stands in front of all others, also those of editable installs. PYTHONPATH brings
    the finder, as ``sitecustomize``, into every Python that the tests start too. Out of its
    reach are ``python -I``, ``-E`` and ``-S``, and an environment without that PYTHONPATH:
    what these import is not proved.

    With ``is_watched`` files of the other leg that are run by their path are noted too. That
    makes what is measured slower.
    """
    origins = folder / "origins.txt"
    carried = _carry(leg, folder / "carried", origins, is_watched=is_watched)
    folders = [leg.tree.top / at for at in leg.project.folders]
    entries = [str(carried), *(str(at) for at in folders if at.is_dir())]
    if inherited := os.environ.get("PYTHONPATH"):
        entries.append(inherited)
    environment = without_git(os.environ) | {"PYTHONPATH": os.pathsep.join(entries)}
    return Equipment(environment=environment, origins=origins)


def _carry(leg: Leg, folder: Path, origins: Path, *, is_watched: bool) -> Path:
    folder.mkdir(parents=True)  # not there yet: what another run noted must not prove this one
    finder = Path(__file__).with_name("import_finder.py")
    (folder / f"{_FINDER}.py").write_bytes(finder.read_bytes())
    start = _START.format(
        finder=_FINDER,
        routes=_routes(leg),
        own=str(leg.tree.top),
        other=str(leg.other.top),
        ground=[str(leg.tests.top / at) for at in sorted(leg.project.ground)],
        copies=sorted(leg.project.copies),
        log=str(origins),
        is_watched=is_watched,
        here=str(folder),
    )
    (folder / "sitecustomize.py").write_text(start, encoding="utf-8")
    return folder


def _routes(leg: Leg) -> dict[str, _Route]:
    """Return for every steered name below which top it lies, where it is looked for, and whose.

    A name that only the other leg has is looked for as well, and not found.
    """
    routes = {name: _route(leg.tree, leg, name, is_project=True) for name in leg.project.names}
    for name in leg.project.test_names:
        route = _route(leg.tests, leg, name, is_project=False)
        if any(_exists(Path(at), name) for at in route[1]):
            routes[name] = route
    # In a repository of the plugin itself the leg's copy would judge; so would another
    # installed one. The one that runs here is pinned.
    home = str(Path(__file__).resolve().parents[2])
    return routes | {PLUGIN: (home, [home], False)}


def _route(tree: Tree, leg: Leg, name: str, *, is_project: bool) -> _Route:
    *parents, _ = name.split(".")
    folders = [str((tree.top / at).joinpath(*parents)) for at in leg.project.folders]
    return str(tree.top), folders, is_project


def _exists(folder: Path, name: str) -> bool:
    last = name.rpartition(".")[2]
    return (folder / last).is_dir() or (folder / f"{last}.py").is_file()
