"""What the project is: the folders it is imported from, the names of its code, its tests.

Which files belong to the tests: the ruler, which is the same on both legs.

From files to the names by which they are imported.

Code of the project that stands where no name of its own leads, and may be installed.

Which files the two trees differ in.

The settings that messages about a leg point to.
"""

import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import ModuleType

from pytest_pareto.runs.git import Tree, ask_git

Paths = frozenset[PurePosixPath]
"""Files and folders relative to the top of a tree; a folder stands for all that is below it."""

_ALWAYS = frozenset({"test", "tests"})
_WITH_A_TEST = _ALWAYS | {"bench", "benchmark", "benchmarks", "perf"}
_TEST_MODULE = re.compile(r"(test_.*|.*_test|conftest|__init__)\.py")


def find_ground(
    files: Collection[PurePosixPath], tests: Iterable[PurePosixPath], root: PurePosixPath
) -> Paths:
    """Return the ground on which the tests live, all paths relative to the top of a tree.

    ``files`` are the Python files of both trees, ``tests`` those that were collected, and
    folders that are said to be the tests', ``root`` the project's folder. To the tests belong

    - folders named ``test`` or ``tests``, whole, with the packages below them;
    - the outermost folder above a collected test whose name has such a word in it, or that of
      a benchmark (``perf_tests``, ``benchmarks``);
    - the folder of a collected test where there is nothing but tests in it;
    - else the collected files alone, and every ``conftest.py``: the rest of a package with
      tests among its modules is the project.
    """
    given = frozenset(tests)
    ground = set(given)
    for file in files:
        if file.name == "conftest.py":
            ground.add(file)
        ground.update(_outermost(file, root, _is_always_for_tests))
    for file in given:
        ground.update(_outermost(file, root, _is_for_tests))
        if file.parent != root and _holds_only_tests(file.parent, files, given):
            ground.add(file.parent)
    return frozenset(path for path in ground if not holds(ground, path.parent))


def holds(ground: Collection[PurePosixPath], path: PurePosixPath) -> bool:
    """Return whether a file or folder is on the ground."""
    return path in ground or any(parent in ground for parent in path.parents)


def _outermost(
    file: PurePosixPath, root: PurePosixPath, is_named_so: Callable[[str], bool]
) -> Iterator[PurePosixPath]:
    """Yield the outermost folder above a file that is named so; the project's own name is not."""
    above = file.parents[:-1]
    below_root = [folder for folder in above if not root.is_relative_to(folder)]
    for folder in reversed(below_root):
        if is_named_so(folder.name):
            yield folder
            return


def _is_always_for_tests(name: str) -> bool:
    return name in _ALWAYS


def _is_for_tests(name: str) -> bool:
    return not _WITH_A_TEST.isdisjoint(re.split(r"[_-]", name.lower()))


def _holds_only_tests(
    folder: PurePosixPath, files: Collection[PurePosixPath], given: Collection[PurePosixPath]
) -> bool:
    inside = [file for file in files if folder in file.parents]
    return bool(inside) and all(
        file in given or _TEST_MODULE.fullmatch(file.name) for file in inside
    )


PLUGIN = __name__.partition(".")[0]
"""Never a project's: both legs are measured by the plugin that judges them."""
_TOP = PurePosixPath()


def code_names(
    files: Iterable[PurePosixPath],
    packages: Collection[PurePosixPath],
    folders: Iterable[PurePosixPath],
) -> frozenset[str]:
    """Return the shallowest names under which files are imported from any of the folders.

    That is the topmost package with an ``__init__``, or a module. The folders above it make up
    a namespace, of which others may hold portions; it has no code of its own.
    """
    names = set()
    folders = tuple(folders)
    for file in files:
        for folder in folders:
            if folder in file.parents:
                names.add(dotted_name(topmost(file, packages, folder).relative_to(folder)))
    return frozenset(name for name in names if name is not None)


def topmost(
    file: PurePosixPath,
    packages: Collection[PurePosixPath],
    folder: PurePosixPath = _TOP,
) -> PurePosixPath:
    """Return the outermost package in a folder that a file of it belongs to, or the file."""
    between = [at for at in reversed(file.parents) if folder in at.parents]
    return next((at for at in between if at in packages), file)


def dotted_name(path: PurePosixPath) -> str | None:
    """Return the name by which a module or package is imported; None where it cannot be.

    A project cannot take the standard library's names: what a file such as ``random.py``
    shadows depends on how Python was started.
    """
    *parents, name = path.parts
    parts = [*parents, name.partition(".")[0]]
    if not all(part.isidentifier() for part in parts) or parts[-1] == "__init__":
        return None
    if parts[0] in sys.stdlib_module_names or parts[0] == PLUGIN:
        return None
    return ".".join(parts)


_OTHERS = frozenset(
    {"vendor", "vendored", "_vendor", "external", "extern", "third_party", "thirdparty", "3rdparty"}
)
_ALIKE = 0.5

Copies = Mapping[str, tuple[PurePosixPath, ...]]
"""By the name that an installed copy would have: the packages and modules it would be a copy of."""


def names_of_copies(
    code: Iterable[PurePosixPath], names: Collection[str]
) -> dict[str, tuple[PurePosixPath, ...]]:
    """Return under which names code may be installed as well.

    ``code`` are topmost packages, and modules that are in none. ``names`` are those by which
    the project is imported from its folders. A package in ``python/`` is not, as long as nothing
    puts ``python`` on the path: what ``import mypkg`` then brings is an installed copy, if there
    is one. Every end of a path may be such a name.
    """
    found: dict[str, set[PurePosixPath]] = {}
    for at in code:
        for start in range(len(at.parts)):
            name = dotted_name(PurePosixPath(*at.parts[start:]))
            if name is not None and not _is_below(name, names):
                found.setdefault(name, set()).add(at)
    return {name: tuple(sorted(found[name])) for name in sorted(found)}


def is_of_others(candidate: Tree, code: PurePosixPath) -> bool:
    """Whether code is another project's: beside this one, a submodule, or in a folder for such.

    An installed copy of that is as good as any, unless it changes.
    """
    if not (candidate.top / code).is_relative_to(candidate.root):
        return True
    above = code.parents[:-1]
    is_named_so = any(at.name.lower().replace("-", "_") in _OTHERS for at in above)
    return is_named_so or any((candidate.top / at / ".git").exists() for at in above)


def is_copy(place: Path, at: Path, ground: Collection[PurePosixPath], top: Path) -> bool:
    """Whether what lies at ``place`` is a copy, old or new, of the package or module ``at``.

    Two that merely share a name share little else. A package is known by the names of its
    files, a module by its lines. Tests of the package may or may not have been installed.
    """
    if at.suffix == ".py":
        return _are_alike(_lines(place), _lines(at)) if place.suffix == ".py" else False
    folder = place.parent if place.name.startswith("__init__.") else place
    here = PurePosixPath(at.relative_to(top).as_posix())
    installed, own = (
        {file for file in _modules(where) if not holds(ground, here / file)}
        for where in (folder, at)
    )
    return _are_alike(installed, own)


def _is_below(name: str, names: Collection[str]) -> bool:
    parts = name.split(".")
    return any(".".join(parts[:count]) in names for count in range(1, len(parts) + 1))


def _are_alike(some: set[str], others: set[str]) -> bool:
    return bool(some & others) and len(some & others) >= _ALIKE * len(some | others)


def _modules(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*.py")}


def _lines(file: Path) -> set[str]:
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return set()
    return {line.strip() for line in text.splitlines()} - {""}


BINARY_SUFFIXES = (".so", ".pyd", ".dylib", ".dll")


@dataclass(frozen=True, slots=True)
class Project:
    """What both trees have in common, all paths relative to the top of a tree.

    ``folders`` is where modules are looked for, in this order. ``names`` are the shallowest
    names that are code: ``mypkg``, but ``google.cloud.mine`` where only that is a package, since
    ``google`` has portions elsewhere. ``ground`` is what belongs to the tests. ``copies`` are
    names that bring the project's code only where a copy of it is installed.
    """

    folders: tuple[PurePosixPath, ...]
    names: frozenset[str]
    ground: Paths
    copies: Copies = field(default_factory=dict)

    @property
    def test_names(self) -> frozenset[str]:
        """What of the ground is imported by name, such as ``tests`` or ``mypkg.tests``."""
        names = {
            dotted_name(path.relative_to(folder))
            for path in self.ground
            for folder in self.folders
            if folder in path.parents
        }
        # Many modules share the name conftest: pytest puts the right folder in front itself.
        return frozenset(name for name in names if name is not None and name != "conftest")


def survey(
    candidate: Tree,
    worktree: Tree,
    tests: Iterable[Path],
    *,
    path: Iterable[str] | None = None,
    modules: Mapping[str, ModuleType] | None = None,
) -> Project:
    """Look at both trees and return what the project is.

    ``tests`` are the files that were collected, and folders that the user says are the tests'.
    ``path`` and ``modules`` are this interpreter's unless given: they tell what is installed
    in place from the repository.
    """
    root = PurePosixPath(candidate.root.relative_to(candidate.top).as_posix())
    sources = _sources(candidate) | _sources(worktree)
    given = {at for tree in (candidate, worktree) for test in tests for at in _inside(tree, test)}
    ground = find_ground(sources, given, root)
    entries = [Path(entry) for entry in (sys.path if path is None else path)]
    entries += _installed_in_place(sys.modules if modules is None else modules)
    others = [
        at
        for entry in entries
        for at in _inside(candidate, entry)
        if entry.is_dir() and not _is_environment(candidate, entry) and not holds(ground, at)
    ]
    folders = tuple(dict.fromkeys((root / "src", root, *others)))
    binaries = _binaries(candidate, folders) | _binaries(worktree, folders)
    code = [file for file in sources | binaries if not holds(ground, file)]
    packages = frozenset(file.parent for file in sources if file.name == "__init__.py")
    names = code_names(code, packages, folders)
    changed = changed_files(candidate, worktree)
    tops = {topmost(file, packages) for file in code if file.suffix == ".py"}
    own = [at for at in tops if not is_of_others(candidate, at) or _touches(changed, at)]
    return Project(folders, names, ground, names_of_copies(own, names))


def _touches(changed: Paths, package: PurePosixPath) -> bool:
    """Whether a change is in a package, or in the submodule that holds it."""
    return holds(changed, package) or any(package in file.parents for file in changed)


def _sources(tree: Tree) -> Paths:
    """Return the Python files as they stand, tracked or not; what git ignores is no source.

    Of submodules that are filled, those that are tracked.
    """
    asked = ("ls-files", "-z", "--cached")  # git looks for untracked files in one tree only
    listed = ask_git(tree.top, *asked, "--others", "--exclude-standard", "--", "*.py")
    listed += ask_git(tree.top, *asked, "--recurse-submodules", "--", "*.py")
    return frozenset(
        PurePosixPath(file) for file in listed.split("\0") if file and (tree.top / file).exists()
    )


def _binaries(tree: Tree, folders: Iterable[PurePosixPath]) -> Paths:
    """Return the extension modules that are imported by a name of their own; git ignores them."""
    return frozenset(
        folder / file.name
        for folder in folders
        if (tree.top / folder).is_dir()
        for file in (tree.top / folder).iterdir()
        if file.suffix in BINARY_SUFFIXES
    )


def _inside(tree: Tree, path: Path) -> Iterator[PurePosixPath]:
    """Yield a path relative to the top of a tree, where it lies in that tree."""
    real = path.resolve()
    if real.is_relative_to(tree.top):
        yield PurePosixPath(real.relative_to(tree.top).as_posix())


def _installed_in_place(modules: Mapping[str, ModuleType]) -> Iterator[Path]:
    """Yield the folders to which setuptools' editable finders point."""
    for name, module in list(modules.items()):
        if name.startswith("__editable__") and name.endswith("_finder"):
            mapping: Mapping[str, str] = getattr(module, "MAPPING", {})
            yield from (Path(place).parent for place in mapping.values())


def _is_environment(tree: Tree, path: Path) -> bool:
    """Whether a folder belongs to an environment that lies in the repository, as `.venv` does."""
    real = path.resolve()
    prefixes = {Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve()} - {tree.top}
    if not {"site-packages", "dist-packages"}.isdisjoint(real.parts):
        return True
    return any(p.is_relative_to(tree.top) and real.is_relative_to(p) for p in prefixes)


_FOR_PEOPLE = frozenset({".md", ".rst"})


def changed_files(candidate: Tree, worktree: Tree) -> frozenset[PurePosixPath]:
    """Return what git tracks on either side and the candidate's tree has otherwise, or not at all.

    A submodule stands for all that is in it.
    """
    sha = ask_git(worktree.top, "rev-parse", "HEAD").strip()
    options = ("--name-only", "--no-renames", "--no-relative", "--ignore-submodules=untracked")
    told = ask_git(candidate.top, "diff", *options, "-z", sha, "--")
    return frozenset(PurePosixPath(name) for name in told.split("\0") if name)


def changed_data(candidate: Tree, worktree: Tree, ground: Paths) -> list[PurePosixPath]:
    """Return what differs and may be read by its path: neither code, nor the tests', nor prose.

    What is hidden is for tools, and a submodule's folder is not a file.
    """
    return sorted(
        file
        for file in changed_files(candidate, worktree)
        if file.suffix != ".py"
        and file.suffix not in _FOR_PEOPLE
        and not any(part.startswith(".") for part in file.parts)
        and not holds(ground, file)
        and not (candidate.top / file).is_dir()
    )


SETUP_OPTION = "pareto_against_setup"
"""A shell command that builds a leg in place."""
LINKS_OPTION = "pareto_against_links"
"""Untracked files and folders that both legs use."""
TESTS_OPTION = "pareto_against_tests"
"""Whose tests measure both legs: `candidate` or `ref`."""
TEST_FOLDERS_OPTION = "pareto_against_test_folders"
"""Folders that belong to the tests where their names do not say so."""
