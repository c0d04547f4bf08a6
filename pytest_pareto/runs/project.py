"""The user's project as two git trees hold it: import folders, module names, test files.

`survey_project` returns the `Project`; `changed_data` returns the data files that differ. Test
files are the same on both legs, so they must be distinguished from the code: see `find_test_paths`.
Paths are relative to the top of a tree.
"""

import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import ModuleType

from pytest_pareto.runs.git import Tree, git_output

SETUP_OPTION = "pareto_against_setup"
"""The ini option for a shell command that builds a leg in place."""
LINKS_OPTION = "pareto_against_links"
"""The ini option for untracked files and folders that both legs use."""
TESTS_OPTION = "pareto_against_tests"
"""The ini option for the side whose tests measure both legs: `candidate` or `ref`."""
TEST_FOLDERS_OPTION = "pareto_against_test_folders"
"""The ini option for test folders that cannot be recognised by their names."""

PLUGIN = __name__.partition(".")[0]
"""Never a project's module: both legs are measured by the plugin that judges them."""
BINARY_SUFFIXES = (".so", ".pyd", ".dylib", ".dll")

Paths = frozenset[PurePosixPath]
"""Files and folders relative to the top of a tree; a folder includes everything below it."""
Copies = Mapping[str, tuple[PurePosixPath, ...]]
"""The packages and modules that an installed copy would be of, by the copy's module name."""


@dataclass(frozen=True, slots=True)
class Project:
    """What both trees have in common, all paths relative to the top of a tree.

    ``folders`` are searched for modules, in this order. ``names`` are the shallowest names that are
    code: ``mypkg``, but ``google.cloud.mine`` where only that is a package, since ``google`` has
    portions elsewhere. ``ground`` are the paths of the tests. ``copies`` are names that import the
    project's code only where a copy of it is installed.
    """

    folders: tuple[PurePosixPath, ...]
    names: frozenset[str]
    ground: Paths
    copies: Copies = field(default_factory=dict)

    @property
    def test_names(self) -> frozenset[str]:
        """The names by which test code is imported, such as ``tests`` or ``mypkg.tests``."""
        names = {
            dotted_name(path.relative_to(folder))
            for path in self.ground
            for folder in self.folders
            if folder in path.parents
        }
        # Many modules share the name conftest; pytest itself puts the right folder first.
        return frozenset(name for name in names if name is not None and name != "conftest")


def survey_project(
    candidate: Tree,
    worktree: Tree,
    tests: Iterable[Path],
    *,
    path: Iterable[str] | None = None,
    modules: Mapping[str, ModuleType] | None = None,
) -> Project:
    """Return the project that both trees contain.

    ``tests`` are the collected files, and folders that the user configured as test folders.
    ``path`` and ``modules`` are this interpreter's unless given: they show what is installed in
    place from the repository.
    """
    root = PurePosixPath(candidate.root.relative_to(candidate.top).as_posix())
    sources = _sources(candidate) | _sources(worktree)
    given = {at for tree in (candidate, worktree) for test in tests for at in _inside(tree, test)}
    test_paths = find_test_paths(sources, given, root)
    entries = [Path(entry) for entry in (sys.path if path is None else path)]
    entries += _installed_in_place(sys.modules if modules is None else modules)
    others = [
        at
        for entry in entries
        for at in _inside(candidate, entry)
        if entry.is_dir() and not _is_environment(candidate, entry) and not covers(test_paths, at)
    ]
    folders = tuple(dict.fromkeys((root / "src", root, *others)))
    binaries = _binaries(candidate, folders) | _binaries(worktree, folders)
    code = [file for file in sources | binaries if not covers(test_paths, file)]
    packages = frozenset(file.parent for file in sources if file.name == "__init__.py")
    names = code_names(code, packages, folders)
    changed = changed_files(candidate, worktree)
    tops = {top_package(file, packages) for file in code if file.suffix == ".py"}
    own = [at for at in tops if not is_third_party(candidate, at) or _touches(changed, at)]
    return Project(folders, names, test_paths, copy_names(own, names))


def _touches(changed: Paths, package: PurePosixPath) -> bool:
    """Return whether a change is in a package, or in the submodule that contains it."""
    return covers(changed, package) or any(package in file.parents for file in changed)


def _sources(tree: Tree) -> Paths:
    """Return the Python files on disk, tracked or not, without those that git ignores.

    Of initialised submodules, only tracked files count.
    """
    command = ("ls-files", "-z", "--cached")  # git lists untracked files of one tree only
    listed = git_output(tree.top, *command, "--others", "--exclude-standard", "--", "*.py")
    listed += git_output(tree.top, *command, "--recurse-submodules", "--", "*.py")
    return frozenset(
        PurePosixPath(file) for file in listed.split("\0") if file and (tree.top / file).exists()
    )


def _binaries(tree: Tree, folders: Iterable[PurePosixPath]) -> Paths:
    """Return the extension modules at the top of the folders; git ignores them."""
    return frozenset(
        folder / file.name
        for folder in folders
        if (tree.top / folder).is_dir()
        for file in (tree.top / folder).iterdir()
        if file.suffix in BINARY_SUFFIXES
    )


def _inside(tree: Tree, path: Path) -> Iterator[PurePosixPath]:
    """Yield a path relative to the top of a tree, if it lies in that tree."""
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
    """Return whether a folder belongs to an environment in the repository, such as `.venv`."""
    real = path.resolve()
    prefixes = {Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve()} - {tree.top}
    if not {"site-packages", "dist-packages"}.isdisjoint(real.parts):
        return True
    return any(p.is_relative_to(tree.top) and real.is_relative_to(p) for p in prefixes)


_PROSE_SUFFIXES = frozenset({".md", ".rst"})


def changed_data(candidate: Tree, worktree: Tree, test_paths: Paths) -> list[PurePosixPath]:
    """Return the changed files that code may read by path: neither code nor tests nor prose.

    Hidden files are excluded, since they belong to tools, and so are the folders of submodules.
    """
    return sorted(
        file
        for file in changed_files(candidate, worktree)
        if file.suffix != ".py"
        and file.suffix not in _PROSE_SUFFIXES
        and not any(part.startswith(".") for part in file.parts)
        and not covers(test_paths, file)
        and not (candidate.top / file).is_dir()
    )


def changed_files(candidate: Tree, worktree: Tree) -> frozenset[PurePosixPath]:
    """Return the tracked files of either side that differ in the candidate's tree or are not there.

    A submodule is one entry for all its files.
    """
    sha = git_output(worktree.top, "rev-parse", "HEAD").strip()
    options = ("--name-only", "--no-renames", "--no-relative", "--ignore-submodules=untracked")
    listed = git_output(candidate.top, "diff", *options, "-z", sha, "--")
    return frozenset(PurePosixPath(name) for name in listed.split("\0") if name)


_TEST_NAMES = frozenset({"test", "tests"})
_TEST_WORDS = _TEST_NAMES | {"bench", "benchmark", "benchmarks", "perf"}
_TEST_MODULE = re.compile(r"(test_.*|.*_test|conftest|__init__)\.py")


def find_test_paths(
    files: Collection[PurePosixPath], tests: Iterable[PurePosixPath], root: PurePosixPath
) -> Paths:
    """Return the files and folders that belong to the tests, relative to the top of a tree.

    ``files`` are the Python files of both trees. ``tests`` are the collected files, and folders
    that the user configured as test folders. ``root`` is the project's folder. The following belong
    to the tests:

    - folders named ``test`` or ``tests``, whole, with the packages below them;
    - the outermost folder above a collected test whose name contains such a word, or that of a
      benchmark (``perf_tests``, ``benchmarks``);
    - the folder of a collected test if it contains nothing but tests;
    - otherwise the collected files alone, and every ``conftest.py``: the rest of a package with
      tests among its modules is the project.
    """
    given = frozenset(tests)
    test_paths = set(given)
    for file in files:
        if file.name == "conftest.py":
            test_paths.add(file)
        test_paths.update(_outermost(file, root, _is_test_folder_name))
    for file in given:
        test_paths.update(_outermost(file, root, _has_test_word))
        if file.parent != root and _holds_only_tests(file.parent, files, given):
            test_paths.add(file.parent)
    return frozenset(path for path in test_paths if not covers(test_paths, path.parent))


def covers(paths: Collection[PurePosixPath], path: PurePosixPath) -> bool:
    """Return whether a file or folder is one of ``paths``, or below one."""
    return path in paths or any(parent in paths for parent in path.parents)


def _outermost(
    file: PurePosixPath, root: PurePosixPath, matches: Callable[[str], bool]
) -> Iterator[PurePosixPath]:
    """Yield the outermost folder above a file whose name matches, not ``root`` or above it."""
    above = file.parents[:-1]
    below_root = [folder for folder in above if not root.is_relative_to(folder)]
    for folder in reversed(below_root):
        if matches(folder.name):
            yield folder
            return


def _is_test_folder_name(name: str) -> bool:
    return name in _TEST_NAMES


def _has_test_word(name: str) -> bool:
    return not _TEST_WORDS.isdisjoint(re.split(r"[_-]", name.lower()))


def _holds_only_tests(
    folder: PurePosixPath, files: Collection[PurePosixPath], given: Collection[PurePosixPath]
) -> bool:
    inside = [file for file in files if folder in file.parents]
    return bool(inside) and all(
        file in given or _TEST_MODULE.fullmatch(file.name) for file in inside
    )


_TOP = PurePosixPath()


def code_names(
    files: Iterable[PurePosixPath],
    packages: Collection[PurePosixPath],
    folders: Iterable[PurePosixPath],
) -> frozenset[str]:
    """Return the shallowest names under which files are imported from any of the folders.

    Such a name is a module, or a topmost package with an ``__init__``. The folders above it are a
    namespace package, which has no code, and of which other distributions may hold portions.
    """
    names = set()
    folders = tuple(folders)
    for file in files:
        for folder in folders:
            if folder in file.parents:
                names.add(dotted_name(top_package(file, packages, folder).relative_to(folder)))
    return frozenset(name for name in names if name is not None)


def top_package(
    file: PurePosixPath,
    packages: Collection[PurePosixPath],
    folder: PurePosixPath = _TOP,
) -> PurePosixPath:
    """Return the outermost package that contains a file, within a folder; else the file."""
    between = [at for at in reversed(file.parents) if folder in at.parents]
    return next((at for at in between if at in packages), file)


def dotted_name(path: PurePosixPath) -> str | None:
    """Return the name by which a module or package is imported; None where it cannot be.

    Names of the standard library are excluded: what a file such as ``random.py`` shadows depends on
    how Python was started.
    """
    *parents, name = path.parts
    parts = [*parents, name.partition(".")[0]]
    if not all(part.isidentifier() for part in parts) or parts[-1] == "__init__":
        return None
    if parts[0] in sys.stdlib_module_names or parts[0] == PLUGIN:
        return None
    return ".".join(parts)


_VENDOR_FOLDERS = frozenset(
    {"vendor", "vendored", "_vendor", "external", "extern", "third_party", "thirdparty", "3rdparty"}
)
_MIN_SIMILARITY = 0.5
"""The least share of common entries, of all, for two packages or modules to be the same one."""


def copy_names(
    code: Iterable[PurePosixPath], names: Collection[str]
) -> dict[str, tuple[PurePosixPath, ...]]:
    """Return the names under which an installed copy of the code might be imported.

    ``code`` are topmost packages, and modules outside packages. ``names`` are the names by which
    the project is imported from its folders. A package in ``python/`` has no such name as long as
    ``python`` is not on the path: ``import mypkg`` then imports an installed copy, if there is one.
    Every end of a path may be such a name.
    """
    found: dict[str, set[PurePosixPath]] = {}
    for at in code:
        for start in range(len(at.parts)):
            name = dotted_name(PurePosixPath(*at.parts[start:]))
            if name is not None and not _is_below(name, names):
                found.setdefault(name, set()).add(at)
    return {name: tuple(sorted(found[name])) for name in sorted(found)}


def is_third_party(candidate: Tree, code: PurePosixPath) -> bool:
    """Return whether code is third-party: outside the project, a submodule, or in a vendor folder.

    An installed copy of such code is as good as any, unless it changes.
    """
    if not (candidate.top / code).is_relative_to(candidate.root):
        return True
    above = code.parents[:-1]
    matches = any(at.name.lower().replace("-", "_") in _VENDOR_FOLDERS for at in above)
    return matches or any((candidate.top / at / ".git").exists() for at in above)


def is_copy(place: Path, at: Path, test_paths: Collection[PurePosixPath], top: Path) -> bool:
    """Return whether ``place`` is a copy, old or new, of the package or module ``at``.

    Two packages that only share a name have little else in common. Packages are compared by the
    names of their files, modules by their lines. Tests of the package may or may not have been
    installed.
    """
    if at.suffix == ".py":
        return _are_similar(_lines(place), _lines(at)) if place.suffix == ".py" else False
    folder = place.parent if place.name.startswith("__init__.") else place
    here = PurePosixPath(at.relative_to(top).as_posix())
    installed, own = (
        {file for file in _modules(where) if not covers(test_paths, here / file)}
        for where in (folder, at)
    )
    return _are_similar(installed, own)


def _is_below(name: str, names: Collection[str]) -> bool:
    parts = name.split(".")
    return any(".".join(parts[:count]) in names for count in range(1, len(parts) + 1))


def _are_similar(some: set[str], others: set[str]) -> bool:
    return bool(some & others) and len(some & others) >= _MIN_SIMILARITY * len(some | others)


def _modules(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*.py")}


def _lines(file: Path) -> set[str]:
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return set()
    return {line.strip() for line in text.splitlines()} - {""}
