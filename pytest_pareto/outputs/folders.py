"""Folders that several sessions share: hidden from git, locked, replaced as wholes."""

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

_LOCK = ".lock"
_MADE = ".made-"
"""How the names of folders begin that are being made, or are on their way out."""


def open_folder(folder: Path, readme: str) -> None:
    """Make a folder that git does not see, with a word on what it is. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in ((".gitignore", "*\n"), ("README.md", readme)):
        file = folder / name
        if not file.exists():
            file.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other sessions out while the folder is read as a whole, or changed.

    The kernel lets go of what a killed process held. Where files cannot be locked (Windows, some
    network drives), the last of two sessions wins. What a killed session was making is removed.
    """
    with (folder / _LOCK).open("ab") as file:
        if sys.platform != "win32":
            import fcntl

            with contextlib.suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)
        for left in folder.rglob(f"{_MADE}*"):
            remove(left)
        yield


def being_made(target: Path) -> Path:
    """Make an empty folder beside ``target``, to be put into its place when it is whole."""
    made = target.with_name(f"{_MADE}{os.getpid()}-{target.name}")
    remove(made)
    made.mkdir(parents=True)
    return made


def put_in_place(made: Path, target: Path) -> None:
    """Put a folder into the place of another. Where that is cut short, there is none."""
    old = target.with_name(f"{_MADE}{os.getpid()}-old-{target.name}")
    if target.exists():
        remove(old)
        target.rename(old)
    made.rename(target)
    remove(old)


def remove(folder: Path) -> None:
    """Remove a folder, or as much of it as can be. Where that is cut short, none has its name."""
    if not folder.name.startswith(_MADE):
        gone = folder.with_name(f"{_MADE}{os.getpid()}-gone-{folder.name}")
        with contextlib.suppress(OSError):
            folder.rename(gone)
            folder = gone
    shutil.rmtree(folder, ignore_errors=True)


def size_b(folder: Path) -> int:
    """Return how many bytes the files below a folder have."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += Path(root, name).stat().st_size
    return total
