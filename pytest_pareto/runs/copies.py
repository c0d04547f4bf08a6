"""Code of the project that stands where no name of its own leads, and may be installed."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path, PurePosixPath

from pytest_pareto.runs.ground import holds
from pytest_pareto.runs.naming import dotted_name
from pytest_pareto.runs.repository import Tree

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
