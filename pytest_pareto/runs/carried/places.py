"""Where a file lies, as Python found it and as it is linked."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec


def place_of(spec: ModuleSpec) -> str:
    """Return where a module lies; "" for one that lies nowhere, as one made by a program."""
    if spec.has_location and spec.origin:
        return spec.origin
    return next(iter(strings(spec.submodule_search_locations)), "")


def strings(entries: object) -> list[str]:
    """Return the paths of a module's search path, which may be anything or nothing."""
    try:
        found = entries or ()  # import hooks put there what they like
        return [each for each in found if isinstance(each, str)]  # type: ignore[attr-defined]  # if not iterable: below
    except Exception:  # a lazy path of a package's own may raise anything
        return []


def paths_of(place: str) -> tuple[str, str]:
    """Return the path by which a file was found, and the one that it links to."""
    found = os.path.abspath(place)  # noqa: PTH100 - pathlib is not loaded yet
    return os.path.normcase(found), os.path.normcase(os.path.realpath(place))


def lies_in(folder: str, paths: tuple[str, str]) -> bool:
    """Whether a file lies in a folder, or links into it: a link into a leg is the user's wish."""
    start = os.path.normcase(folder) + os.sep
    return any((path + os.sep).startswith(start) for path in paths)


def is_installed(place: str, paths: tuple[str, str], top: str) -> bool:
    """Whether a file of a tree belongs to an environment that lies in it, as `.venv` does."""
    parts = place.replace("\\", "/").split("/")
    if "site-packages" in parts or "dist-packages" in parts:
        return True
    standard_library = os.__file__.rpartition(os.sep)[0]
    if lies_in(standard_library, paths):
        return True
    start = os.path.normcase(top)
    prefixes = [os.path.normcase(prefix) for prefix in (sys.prefix, sys.base_prefix)]
    if any(prefix != start and lies_in(prefix, paths) for prefix in prefixes):
        return True
    above = os.path.dirname(paths[0])  # noqa: PTH120 - pathlib is not loaded yet
    while lies_in(start, (above, above)) and above != start:
        if os.path.exists(above + os.sep + "pyvenv.cfg"):  # noqa: PTH110 - as above
            return True
        above = os.path.dirname(above)  # noqa: PTH120 - as above
    return False
