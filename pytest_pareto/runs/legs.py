"""The two legs of an interleaved comparison: the same tests, each with its own code.

`make_legs` builds both; `prepare_leg` writes the files and the environment of one run, so that
project code is imported from the leg's tree (see `import_finder`).
"""

import enum
import os
from dataclasses import dataclass
from pathlib import Path

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs.git import Tree, without_git_variables
from pytest_pareto.runs.project import PLUGIN, TESTS_OPTION, Project

_Route = tuple[str, list[str], bool]

_FINDER = "pareto_import_finder"
"""The module name of the finder in a leg; no project has it."""
_STARTUP = """\
from {finder} import install, run_hidden

install(
    {routes!r},
    own={own!r},
    other={other!r},
    test_paths={test_paths!r},
    copies={copies!r},
    log={log!r},
    is_watched={is_watched!r},
)
run_hidden({here!r})
"""


class Side(enum.Enum):
    """Which of the two legs."""

    REF = "ref"
    CANDIDATE = "candidate"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Leg:
    """The code of one tree, measured by the tests of ``tests``, the same tree for both legs.

    ``tests.root`` is the rootdir of a leg's processes, ``cwd`` their working directory.
    """

    side: Side
    tree: Tree
    other: Tree
    tests: Tree
    cwd: Path
    project: Project


@dataclass(frozen=True, slots=True)
class LegEnvironment:
    """The environment of a leg's process, and the file to which it logs its imports."""

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

    ``cwd`` is the folder in which the user started the tests, by default the project's. The legs
    start there too, or in the same folder of the worktree if its tests are run. Raises ParetoError
    where the worktree has no such folder.
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
    """Return the path in another tree of a folder of one tree, whether or not it exists there."""
    folder = folder.resolve()
    return there.top / folder.relative_to(here.top) if folder.is_relative_to(here.top) else folder


def prepare_leg(leg: Leg, folder: Path, *, is_watched: bool = False) -> LegEnvironment:
    """Write the files of one run of this leg into ``folder``, and return its environment.

    The folder belongs to this run alone. Project code comes from the leg in two ways: its folders
    are first on PYTHONPATH, and a finder stands before all others, including those of editable
    installs. PYTHONPATH loads the finder, as ``sitecustomize``, into every Python that the tests
    start too. The finder does not reach ``python -I``, ``-E`` and ``-S``, nor an environment
    without that PYTHONPATH: their imports are not verified.

    With ``is_watched``, files of the other leg that are executed by path are logged too. That slows
    the measured code.
    """
    origins = folder / "origins.txt"
    startup_folder = _write_startup(leg, folder / "carried", origins, is_watched=is_watched)
    folders = [leg.tree.top / at for at in leg.project.folders]
    entries = [str(startup_folder), *(str(at) for at in folders if at.is_dir())]
    if inherited := os.environ.get("PYTHONPATH"):
        entries.append(inherited)
    environment = without_git_variables(os.environ) | {"PYTHONPATH": os.pathsep.join(entries)}
    return LegEnvironment(environment=environment, origins=origins)


def _write_startup(leg: Leg, folder: Path, origins: Path, *, is_watched: bool) -> Path:
    folder.mkdir(parents=True)  # it must be new: another run's log must not prove this one
    finder = Path(__file__).with_name("import_finder.py")
    (folder / f"{_FINDER}.py").write_bytes(finder.read_bytes())
    start = _STARTUP.format(
        finder=_FINDER,
        routes=_routes(leg),
        own=str(leg.tree.top),
        other=str(leg.other.top),
        test_paths=[str(leg.tests.top / at) for at in sorted(leg.project.ground)],
        copies=sorted(leg.project.copies),
        log=str(origins),
        is_watched=is_watched,
        here=str(folder),
    )
    (folder / "sitecustomize.py").write_text(start, encoding="utf-8")
    return folder


def _routes(leg: Leg) -> dict[str, _Route]:
    """Return the route of every steered name (see `import_finder.install`).

    A name that only the other leg has gets a route too, and is not found.
    """
    routes = {name: _route(leg.tree, leg, name, is_project=True) for name in leg.project.names}
    for name in leg.project.test_names:
        route = _route(leg.tests, leg, name, is_project=False)
        if any(_has_module(Path(at), name) for at in route[1]):
            routes[name] = route
    # In the plugin's own repository a leg would import its own copy of the plugin, or another
    # installed one. The copy that runs here is pinned.
    home = str(Path(__file__).resolve().parents[2])
    return routes | {PLUGIN: (home, [home], False)}


def _route(tree: Tree, leg: Leg, name: str, *, is_project: bool) -> _Route:
    *parents, _ = name.split(".")
    folders = [str((tree.top / at).joinpath(*parents)) for at in leg.project.folders]
    return str(tree.top), folders, is_project


def _has_module(folder: Path, name: str) -> bool:
    last = name.rpartition(".")[2]
    return (folder / last).is_dir() or (folder / f"{last}.py").is_file()
