"""From files to the names by which they are imported."""

import sys
from collections.abc import Collection, Iterable
from pathlib import PurePosixPath

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
