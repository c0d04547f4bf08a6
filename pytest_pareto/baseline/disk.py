"""Files and folders read, and every trouble with that told with its path."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pytest_pareto.model.errors import BaselineError, PlaceError


@contextlib.contextmanager
def chosen_with(option: str) -> Iterator[None]:
    """Let errors of a place say by which option another one is chosen."""
    try:
        yield
    except PlaceError as error:
        raise PlaceError(f"{error} Choose another folder with {option}.") from error


def directory_exists(path: Path) -> bool:
    """Tell whether a directory is there.

    Raises PlaceError where a file is in its place, or where that cannot be told.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    except NotADirectoryError:
        return directory_exists(path.parent)
    except OSError as error:
        raise _unreadable(path, error) from error
    if not stat.S_ISDIR(mode):
        raise PlaceError(f"{path.as_posix()} is a file where the baseline needs a directory.")
    return True


def json_files(folder: Path) -> list[Path]:
    """Return the JSON files below a folder, sorted; a folder that is not there has none.

    Raises PlaceError where a folder cannot be listed, which `Path.rglob` would hide.
    """
    found = []
    try:
        for root, _, names in os.walk(folder, onerror=_raise_unless_missing):
            found += [Path(root, name) for name in names if name.endswith(".json")]
    except OSError as error:
        raise _unreadable(Path(error.filename), error) from error
    return sorted(found)


def read_text(path: Path) -> str | None:
    """Return a file's text, or None where there is no file.

    Raises BaselineError where it cannot be read or is no UTF-8 text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise BaselineError(
            f"{path.as_posix()}: expected UTF-8 text ({error.reason} at byte {error.start}). "
            "Restore it from git."
        ) from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _raise_unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _unreadable(path: Path, error: OSError) -> PlaceError:
    return PlaceError(
        f"{path.as_posix()}: cannot be read ({error.strerror}). Check its permissions."
    )
