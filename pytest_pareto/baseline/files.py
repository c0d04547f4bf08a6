"""Files and folders read, and every trouble with that told with its path.

Files as wholes: tried for writing, replaced all together or not at all.
"""

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

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


def check_writable(directory: Path) -> None:
    """Try whether a baseline could be written, before an expensive run is spent on it.

    A file is really created and removed again, in the directory or its nearest parent
    that exists: what permissions say is not true for root and read-only mounts.
    Raises PlaceError.
    """
    folder = directory
    while not directory_exists(folder):
        folder = folder.parent
    probe = _temporary(folder / "probe")
    try:
        _write_durably(probe, b"probe")
    except OSError as error:
        raise PlaceError(
            f"{directory.as_posix()}: no baseline can be written here ({error.strerror}: "
            f"{folder.as_posix()}). Change its permissions."
        ) from error
    finally:
        _discard(probe)


def replace_all(contents: Mapping[Path, str | None]) -> None:
    """Give files their new text, in this order; ``None`` removes a file.

    Everything is first written to temporary siblings, so that no file is ever half
    written; on any failure, what was replaced already is put back. Where a link leads to a
    file, that file gets the text, wherever it is, also one that is not there yet; of a file to
    be removed the link goes. Raises BaselineError naming the path that failed.
    """
    places = {path: _written(path, text) for path, text in contents.items()}
    if len({*places.values()}) < len(places):
        twice = next(p for p in places.values() if [*places.values()].count(p) > 1)
        raise BaselineError(f"two files of the baseline are links to {twice.as_posix()}: part them")
    contents = {places[path]: text for path, text in contents.items()}
    staged = {path: _temporary(path) for path, text in contents.items() if text is not None}
    before: dict[Path, _Held] = {}
    path = Path()
    try:
        for path, temporary in staged.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_durably(temporary, (contents[path] or "").encode())
        for path in contents:
            before[path] = _held(path)
            if path in staged:
                staged[path].replace(path)
            else:
                path.unlink()
    except BaseException as error:  # Ctrl-C too: what was replaced is put back first
        lost = [name.as_posix() for name, data in before.items() if not _put_back(name, data)]
        if not isinstance(error, OSError):
            raise
        state = (
            f"These files could not be put back, restore them from git: {', '.join(lost)}"
            if lost
            else "The old baseline is intact"
        )
        raise BaselineError(
            f"{path.as_posix()}: cannot be written ({error.strerror or error}). {state}."
        ) from error
    finally:
        for temporary in staged.values():
            _discard(temporary)


def _written(path: Path, text: str | None) -> Path:
    """Return the file that takes a text: where a path's links lead."""
    return Path(os.path.realpath(path)) if text is not None and path.is_symlink() else path


_Held: TypeAlias = bytes | Path | None
"""What a path has: a file's content, the target of a link, or nothing."""


def _held(path: Path) -> _Held:
    if path.is_symlink():
        return path.readlink()
    return path.read_bytes() if path.exists() else None


def _put_back(path: Path, data: _Held) -> bool:
    """Return whether a file holds what it held, after restoring it where needed."""
    try:
        if data is None:
            path.unlink(missing_ok=True)
        elif _held(path) == data:
            return True
        elif isinstance(data, Path):
            path.symlink_to(data)
        else:
            temporary = _temporary(path)
            try:
                _write_durably(temporary, data)
                temporary.replace(path)
            finally:
                _discard(temporary)
    except OSError:
        return False
    return True


def _temporary(path: Path) -> Path:
    # Not tempfile: its files are private to the user, and a baseline is for everybody.
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def _write_durably(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _discard(temporary: Path) -> None:
    # A left-over is never read, and the error that matters is the one already raised.
    with contextlib.suppress(OSError):
        temporary.unlink(missing_ok=True)
