"""What the project is: the folders it is imported from, the names of its code, its tests."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import ModuleType

from pytest_pareto.runs.changes import changed_files
from pytest_pareto.runs.copies import Copies, is_of_others, names_of_copies
from pytest_pareto.runs.git import ask_git
from pytest_pareto.runs.ground import Paths, find_ground, holds
from pytest_pareto.runs.naming import code_names, dotted_name, topmost
from pytest_pareto.runs.repository import Tree

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
