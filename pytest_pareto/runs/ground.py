"""Which files belong to the tests: the ruler, which is the same on both legs."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import PurePosixPath

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
