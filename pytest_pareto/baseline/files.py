"""File operations of the baseline: read with clear errors, write all files or none.

`replace_all` writes; `check_writable` tests beforehand whether it could.
"""

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from pytest_pareto.model.errors import BaselineError, PlaceError


@contextlib.contextmanager
def naming_option(option: str) -> Iterator[None]:
    """Add to errors about a folder the option that chooses another one."""
    try:
        yield
    except PlaceError as error:
        raise PlaceError(f"{error} Choose another folder with {option}.") from error


def directory_exists(path: Path) -> bool:
    """Return whether a directory exists.

    Raises PlaceError where a file is in its place, or where the system does not permit the check.
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
    """Return the JSON files below a folder, sorted; a missing folder has none.

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

    Raises BaselineError where it cannot be read or is not UTF-8 text.
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
    """Raise PlaceError where no baseline could be written, before time is spent on a run.

    A file is created and removed, in the directory or its nearest parent that exists: permission
    bits do not decide for root and for read-only mounts.
    """
    folder = directory
    while not directory_exists(folder):
        folder = folder.parent
    probe = _temporary_path(folder / "probe")
    try:
        write_durably(probe, b"probe")
    except OSError as error:
        raise PlaceError(
            f"{directory.as_posix()}: no baseline can be written here ({error.strerror}: "
            f"{folder.as_posix()}). Change its permissions."
        ) from error
    finally:
        _remove_temporary(probe)


def replace_all(contents: Mapping[Path, str | None], workspace: Path | None = None) -> None:
    """Write new text into files, in this order; ``None`` removes a file.

    All texts are first written to temporary files, so no file is ever half written: in the same
    folders, or in a ``workspace`` on the same file system. On any failure the files replaced so far
    are restored. Where a path is a link, the file it leads to gets the text, even if it does not
    exist yet; of a file to be removed, the link is removed. Raises BaselineError naming the path
    that failed.
    """
    targets = {path: _link_target(path, text) for path, text in contents.items()}
    if len({*targets.values()}) < len(targets):
        duplicate = next(p for p in targets.values() if [*targets.values()].count(p) > 1)
        raise BaselineError(
            f"two files of the baseline are links to {duplicate.as_posix()}: part them"
        )
    contents = {targets[path]: text for path, text in contents.items()}
    staged = {
        path: _temporary_path(path, workspace, number)
        for number, (path, text) in enumerate(contents.items())
        if text is not None
    }
    before: dict[Path, _PathState] = {}
    path = Path()
    try:
        for path, temporary in staged.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_durably(temporary, (contents[path] or "").encode())
        for path in contents:
            before[path] = _state_of(path)
            if path in staged:
                staged[path].replace(path)
            else:
                path.unlink()
    except BaseException as error:  # Ctrl-C too: replaced files are restored first
        lost = [name.as_posix() for name, data in before.items() if not _restore(name, data)]
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
            _remove_temporary(temporary)


def _link_target(path: Path, text: str | None) -> Path:
    """Return the file that receives a text: the target of a path's links."""
    return Path(os.path.realpath(path)) if text is not None and path.is_symlink() else path


_PathState: TypeAlias = bytes | Path | None
"""The state of a path: a file's content, the target of a link, or nothing."""


def _state_of(path: Path) -> _PathState:
    if path.is_symlink():
        return path.readlink()
    return path.read_bytes() if path.exists() else None


def _restore(path: Path, data: _PathState) -> bool:
    """Restore a path's earlier state where needed; return whether it has that state."""
    try:
        if data is None:
            path.unlink(missing_ok=True)
        elif _state_of(path) == data:
            return True
        elif isinstance(data, Path):
            path.symlink_to(data)
        else:
            temporary = _temporary_path(path)
            try:
                write_durably(temporary, data)
                temporary.replace(path)
            finally:
                _remove_temporary(temporary)
    except OSError:
        return False
    return True


def _temporary_path(path: Path, workspace: Path | None = None, number: int = 0) -> Path:
    # Not tempfile: its files are readable by the user only, and a baseline is shared.
    name = f".{path.name}.{os.getpid()}.tmp"
    if workspace is None or not _is_within(path, workspace.parent):
        return path.with_name(name)
    return workspace / f"{number}{name}"


def _is_within(path: Path, folder: Path) -> bool:
    """Return whether a path leads to no other file system than that of a folder around it."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def write_durably(path: Path, data: bytes) -> None:
    """Write a file, and wait until the system has it on its disk."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def remove_leftovers(directory: Path) -> None:
    """Remove temporary files that a process left when it was killed; no other may write there."""
    for path in directory.rglob(".*.json.*.tmp"):
        _remove_temporary(path)


def _remove_temporary(temporary: Path) -> None:
    # A leftover is never read, and the error that matters is the one already raised.
    with contextlib.suppress(OSError):
        temporary.unlink(missing_ok=True)
