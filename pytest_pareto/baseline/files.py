"""File operations of the baseline: read with clear errors, write all files or none.

`check_writable` tests beforehand whether files could be written, and `replace_all` writes them.
`commit` does so by a write-ahead journal: it writes every file of an update into a folder of its
own and renames that folder, which is the moment from which the update counts; then it puts the
files in place and removes the folder. `recover` finishes an update that was committed, and removes
one that was not. `locked` lets one process at a time change a directory.
"""

import contextlib
import os
import stat
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import msgspec

from pytest_pareto.baseline import layout
from pytest_pareto.model.errors import BaselineError, ParetoError, PlaceError
from pytest_pareto.model.strict_json import JsonError, read_regular_file

if sys.platform != "win32":
    import fcntl

_MOST_B = 32 * 2**20
"""A file is of one test module: three metrics of ten thousand cases take 9 MB."""
STAGED = ".pareto_update"
COMMITTED = ".pareto_committed"
_MANIFEST = "manifest.json"
_IGNORED = ".gitignore"
_WAIT_S = 10.0
_POLL_S = 0.05


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

    Raises BaselineError where it cannot be read, is too large, or is not UTF-8 text.
    """
    try:
        return read_regular_file(path, _MOST_B)
    except FileNotFoundError:
        return None
    except JsonError as fault:
        raise BaselineError(f"{path.as_posix()}: {fault.problem}. Restore it from git.") from fault
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
        _write_durably(probe, b"probe")
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
            _write_durably(temporary, (contents[path] or "").encode())
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
                _write_durably(temporary, data)
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


def _write_durably(path: Path, data: bytes) -> None:
    """Write a file, and wait until the system has it on its disk."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _remove_leftovers(directory: Path) -> None:
    """Remove temporary files that a process left when it was killed; no other may write there."""
    for path in directory.rglob(".*.json.*.tmp"):
        _remove_temporary(path)


def _remove_temporary(temporary: Path) -> None:
    # A leftover is never read, and the error that matters is the one already raised.
    with contextlib.suppress(OSError):
        temporary.unlink(missing_ok=True)


class _Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The files of an update, in the order in which they are put in place.

    ``files`` has for each path, relative to the directory, the name of the file with its new text,
    or None where it is to be removed.
    """

    files: list[tuple[str, str | None]]


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Let no other process change a directory meanwhile; it is made if it does not exist.

    What an update left that was interrupted is finished or removed first. The lock is one of the
    system, and ends with this process, however that ends. Where there are none (Windows, some
    network drives) nothing is locked. Raises BaselineError where another process holds it for
    10 s, or where an update cannot be finished, and PlaceError where the directory cannot be made.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PlaceError(
            f"{directory.as_posix()}: cannot be made ({error.strerror}). Change its permissions."
        ) from error
    if sys.platform == "win32":
        _finish(directory)
        yield
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        _lock(descriptor, directory)
        _finish(directory)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, directory: Path) -> None:
    deadline_s = time.monotonic() + _WAIT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline_s:
                raise BaselineError(
                    f"{directory.as_posix()}: another process is changing this baseline, and has "
                    f"not ended within {_WAIT_S:g} s. Run again when it has ended."
                ) from None
            time.sleep(_POLL_S)
        except OSError:
            return  # this file system has no locks
        else:
            return


def commit(directory: Path, contents: Mapping[Path, str | None]) -> None:
    """Write new text into files of a locked directory, in this order; None removes a file.

    After a crash at any moment `recover` leaves either all new files or all old ones. On a failure
    the files replaced so far are restored. Raises BaselineError as `replace_all` does.
    """
    staged, committed = directory / STAGED, directory / COMMITTED
    try:
        _stage(directory, staged, contents)
        staged.rename(committed)
    except OSError as error:
        _discard(staged)
        raise BaselineError(
            f"{directory.as_posix()}: cannot be written ({error.strerror or error}). The old "
            "baseline is intact."
        ) from error
    except BaseException:  # Ctrl-C
        _discard(staged)
        raise
    try:
        replace_all(contents, committed)
    finally:
        _discard(committed)


def _stage(directory: Path, staged: Path, contents: Mapping[Path, str | None]) -> None:
    """Write all new texts and the manifest, durably, into a folder that git does not see."""
    staged.mkdir()
    # Git looks into no file of the first name, and would show a `.gitignore` that is still empty.
    hidden = staged / ".git"
    _write_durably(hidden, b"*\n")
    hidden.rename(staged / _IGNORED)
    files: list[tuple[str, str | None]] = []
    for number, (path, text) in enumerate(contents.items()):
        name = None if text is None else f"{number}.json"
        if name is not None and text is not None:
            _write_durably(staged / name, text.encode())
        files.append((path.relative_to(directory).as_posix(), name))
    _write_durably(staged / _MANIFEST, msgspec.json.encode(_Manifest(files)))


def _discard(folder: Path) -> None:
    """Remove a journal: its manifest first, without which it is none, and last what git ignores."""
    with contextlib.suppress(OSError):
        names = sorted(path.name for path in folder.iterdir())
        for name in sorted(names, key=lambda name: (name == _IGNORED, name != _MANIFEST)):
            (folder / name).unlink()
        folder.rmdir()


def recover(directory: Path) -> None:
    """Finish the update that a crash interrupted after it was committed; remove what others left.

    Raises BaselineError where that cannot be done here.
    """
    if directory_exists(directory) and _is_interrupted(directory):
        with locked(directory):
            return  # which finishes it


def _finish(directory: Path) -> None:
    """Finish or remove what an interrupted update left in a locked directory."""
    if not _is_interrupted(directory):
        return
    if (directory / COMMITTED / _MANIFEST).exists():
        _roll_forward(directory, directory / COMMITTED)
    for name in (STAGED, COMMITTED):
        _discard(directory / name)
    _remove_leftovers(directory)


def _is_interrupted(directory: Path) -> bool:
    return any(os.path.lexists(directory / name) for name in (STAGED, COMMITTED))


def _roll_forward(directory: Path, committed: Path) -> None:
    try:
        manifest = msgspec.json.decode(_staged_text(committed / _MANIFEST), type=_Manifest)
        contents = {
            _below(directory, path): None if name is None else _staged_text(committed / name)
            for path, name in manifest.files
        }
        # What is to be removed may be gone already.
        left = {path: text for path, text in contents.items() if text is not None or path.exists()}
        replace_all(left, committed)
        _discard(committed)
    # A path in it may hold a null byte, and its JSON be nested without end.
    except (OSError, ValueError, RecursionError, ParetoError) as error:
        raise BaselineError(
            f"{committed.as_posix()}: an update of the baseline was interrupted, and cannot be "
            f"finished ({error}). Restore the baseline from git, and delete that folder."
        ) from error


def _staged_text(file: Path) -> str:
    text = read_text(file)
    if text is None:
        raise BaselineError(f"{file.as_posix()} is missing")
    return text


def _below(directory: Path, path: str) -> Path:
    target = Path(os.path.normpath(directory / path))
    if not target.is_relative_to(os.path.normpath(directory)) or target.suffix != ".json":
        raise BaselineError(f"{path!r} is no file of the baseline")
    folder = target.relative_to(os.path.normpath(directory)).parts[0]
    if folder not in (layout.ANYWHERE_FOLDER, layout.ENVIRONMENT_FOLDER):
        layout.hardware_folder(folder)
    return directory / path
