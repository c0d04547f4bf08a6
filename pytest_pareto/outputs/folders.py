"""Folders that several sessions share: ignored by git, locked, and replaced as a whole."""

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

_LOCK = ".lock"
_STAGING_PREFIX = ".made-"
"""Prefix of the names of folders that are being written or removed."""


def create_ignored_folder(folder: Path, readme: str) -> None:
    """Create a folder that git ignores, with a README that explains it. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in ((".gitignore", "*\n"), ("README.md", readme)):
        file = folder / name
        if not file.exists():
            file.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a folder against other sessions while it is read as a whole, or changed.

    The kernel releases the lock of a killed process. Where files cannot be locked (Windows, some
    network drives), the last of two sessions wins. Folders that a killed session left unfinished
    are removed.
    """
    with (folder / _LOCK).open("ab") as file:
        if sys.platform != "win32":
            import fcntl

            with contextlib.suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)
        for unfinished in folder.rglob(f"{_STAGING_PREFIX}*"):
            remove_folder(unfinished)
        yield


def create_staging_folder(target: Path) -> Path:
    """Create an empty staging folder beside ``target``, for `replace_folder`."""
    staging = target.with_name(f"{_STAGING_PREFIX}{os.getpid()}-{target.name}")
    remove_folder(staging)
    staging.mkdir(parents=True)
    return staging


def replace_folder(made: Path, target: Path) -> None:
    """Replace ``target`` by the staging folder. If interrupted, there is no ``target``."""
    old = target.with_name(f"{_STAGING_PREFIX}{os.getpid()}-old-{target.name}")
    if target.exists():
        remove_folder(old)
        target.rename(old)
    made.rename(target)
    remove_folder(old)


def remove_folder(folder: Path) -> None:
    """Remove a folder, as far as possible. If interrupted, no folder has its name."""
    if not folder.name.startswith(_STAGING_PREFIX):
        renamed = folder.with_name(f"{_STAGING_PREFIX}{os.getpid()}-gone-{folder.name}")
        with contextlib.suppress(OSError):
            folder.rename(renamed)
            folder = renamed
    shutil.rmtree(folder, ignore_errors=True)


def size_b(folder: Path) -> int:
    """Return the total size of the files below a folder, in bytes."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += Path(root, name).stat().st_size
    return total
