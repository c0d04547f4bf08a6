"""Updates of a baseline directory that are whole after any crash: a write-ahead journal.

`commit` writes every file of an update into a folder of its own and renames that folder, which is
the moment from which the update counts; then it puts the files in place and removes the folder.
`recover` finishes an update that was committed, and removes one that was not. `locked` lets one
process at a time change a directory.
"""

import contextlib
import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from pytest_pareto.baseline.files import (
    directory_exists,
    read_text,
    remove_leftovers,
    replace_all,
    write_durably,
)
from pytest_pareto.model.errors import BaselineError, PlaceError

if sys.platform != "win32":
    import fcntl

STAGED = ".pareto_update"
COMMITTED = ".pareto_committed"
_MANIFEST = "manifest.json"
_IGNORED = ".gitignore"
_WAIT_S = 10.0
_POLL_S = 0.05


class _Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The files of an update, in the order in which they are put in place.

    ``files`` has for each path, relative to the directory, the name of the file with its new text,
    or None where it is to be removed.
    """

    files: list[tuple[str, str | None]]


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Let no other process change a directory meanwhile; it is made if it does not exist.

    The lock is one of the system, and ends with this process, however that ends. Where there are
    none (Windows, some network drives) nothing is locked. Raises BaselineError where another
    process holds it for 10 s, and PlaceError where the directory cannot be made.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PlaceError(
            f"{directory.as_posix()}: cannot be made ({error.strerror}). Change its permissions."
        ) from error
    if sys.platform == "win32":
        yield
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        _lock(descriptor, directory)
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
    write_durably(staged / _IGNORED, b"*\n")
    files: list[tuple[str, str | None]] = []
    for number, (path, text) in enumerate(contents.items()):
        name = None if text is None else f"{number}.json"
        if name is not None and text is not None:
            write_durably(staged / name, text.encode())
        files.append((path.relative_to(directory).as_posix(), name))
    write_durably(staged / _MANIFEST, msgspec.json.encode(_Manifest(files)))


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
    if not directory_exists(directory) or not _is_interrupted(directory):
        return
    with locked(directory):
        if (directory / COMMITTED / _MANIFEST).exists():
            _roll_forward(directory, directory / COMMITTED)
        for name in (STAGED, COMMITTED):
            _discard(directory / name)
        remove_leftovers(directory)


def _is_interrupted(directory: Path) -> bool:
    return any(os.path.lexists(directory / name) for name in (STAGED, COMMITTED))


def _roll_forward(directory: Path, committed: Path) -> None:
    try:
        manifest = msgspec.json.decode((committed / _MANIFEST).read_bytes(), type=_Manifest)
        contents = {
            _below(directory, path): None if name is None else _staged_text(committed / name)
            for path, name in manifest.files
        }
        # What is to be removed may be gone already.
        left = {path: text for path, text in contents.items() if text is not None or path.exists()}
        replace_all(left, committed)
        _discard(committed)
    except (OSError, msgspec.DecodeError, BaselineError) as error:
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
    return directory / path
