"""Read git's object database: file contents and trees of commits, without a checkout.

- `GitObjects` reads objects through one `git cat-file` process, `Snapshots` lists a folder's files
  in many commits.
- `folder_log` returns the commits that changed a folder.
- `extract_folder` writes a folder of a commit into a temporary one.
"""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

from pytest_pareto.model.baseline import Revision
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs.git import git_command, git_environment, git_missing_error, run_git
from pytest_pareto.runs.process import end_group

_TREE_MODE = "40000"
_FILE_MODES = frozenset({"100644", "100755", "100664"})
"""The modes of regular files; symbolic links and submodules have others."""


@dataclass(frozen=True, slots=True)
class GitObject:
    """One object: its name in hexadecimal digits, its type, and its bytes."""

    name: str
    kind: str
    content: bytes


class GitObjects:
    """A context manager that reads objects of a repository by `git cat-file --batch`."""

    def __init__(self, top: Path) -> None:
        self._top = top
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own arguments, no shell
                git_command(self._top, "cat-file", "--batch"),
                env=git_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise git_missing_error() from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):  # git did not read all input
                    pipe.close()
        end_group(self._process)

    def read(self, name: str) -> GitObject:
        """Return an object by a name without spaces. Raises ParetoError where git lacks it."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # git has ended; reading returns nothing
            process.stdin.write(f"{name}\n".encode())
            process.stdin.flush()
        found, *header = process.stdout.readline().decode().split() or [name]
        if len(header) != 2:
            raise ParetoError(
                f"git has no object {name} ({' '.join(header) or 'it ended'}); run `git fsck` in "
                f"{self._top.as_posix()} to see what is broken; a fresh clone has it whole"
            )
        kind, size = header
        content = process.stdout.read(int(size) + 1)[:-1]
        return GitObject(found, kind, content)


class Snapshots:
    """The files of a folder in each commit; unchanged folders are read once."""

    def __init__(self, objects: GitObjects, folder: PurePosixPath) -> None:
        """``folder`` is relative to the top of the repository."""
        self._objects = objects
        self._folder = folder
        self._entries = cache(self._read_entries)
        self._below = cache(self._read_below)

    def files(self, sha: str) -> dict[str, str]:
        """Return the object names of all files in a commit, by path below the folder."""
        tree = self._objects.read(f"{sha}^{{tree}}").name
        for part in self._folder.parts:
            inside = {name: oid for mode, name, oid in self._entries(tree) if mode == _TREE_MODE}
            if part not in inside:
                return {}
            tree = inside[part]
        return self.files_of(tree)

    def files_of(self, tree: str) -> dict[str, str]:
        """Return the object names of all files below a tree, by path below it."""
        return self._below(tree)

    def _read_below(self, tree: str) -> dict[str, str]:
        files = {}
        for mode, name, oid in self._entries(tree):
            if mode in _FILE_MODES:
                files[name] = oid
            elif mode == _TREE_MODE:
                files |= {f"{name}/{inner}": where for inner, where in self._below(oid).items()}
        return files

    def _read_entries(self, tree: str) -> tuple[tuple[str, str, str], ...]:
        return tuple(_entries_of(self._objects.read(tree)))


def _entries_of(tree: GitObject) -> Iterator[tuple[str, str, str]]:
    """Yield mode, name and object of each entry: ``mode SP name NUL`` and the raw object name."""
    raw = len(tree.name) // 2  # 20 bytes of SHA-1, or 32 of SHA-256
    content, offset = tree.content, 0
    while offset < len(content):
        end = content.index(b"\0", offset)
        mode, _, name = content[offset:end].partition(b" ")
        offset = end + 1 + raw
        yield (
            mode.decode(),
            name.decode("utf-8", "surrogateescape"),
            content[end + 1 : offset].hex(),
        )


_FORMAT = "%H%x00%h%x00%cs%x00%s"
_OPTIONS = ("--no-show-signature", "--no-color", "--encoding=UTF-8", f"--format={_FORMAT}")


@dataclass(frozen=True, slots=True)
class FolderLog:
    """The commits that changed a folder, oldest first; ``folder`` is relative to ``top``."""

    top: Path
    folder: PurePosixPath
    revisions: tuple[Revision, ...]


def folder_log(folder: Path, newest: int | None = None) -> FolderLog:
    """Return the commits of the current branch that changed a folder, which need not exist now.

    ``newest`` limits their number. A merge counts as the one commit that brought its branch in
    (``--first-parent``): from then on, sessions on this branch are compared with that folder.

    Raises ParetoError outside a repository, in a shallow clone, whose oldest commit would look like
    the first, and where there is no such commit.
    """
    folder = Path(os.path.realpath(folder))
    inside = next(parent for parent in (folder, *folder.parents) if parent.is_dir())
    top = _top_of(inside, folder)
    relative = PurePosixPath(folder.relative_to(top).as_posix())
    if run_git(top, "rev-parse", "--is-shallow-repository").output.strip() == "true":
        raise ParetoError(
            f"this clone of {top.as_posix()} is shallow, so that most of the history is not here; "
            "run `git fetch --unshallow`, or in CI set `fetch-depth: 0`"
        )
    limit = () if newest is None else (f"--max-count={newest}",)
    result = run_git(
        top,
        *("--literal-pathspecs", "-c", "log.follow=false", "log", "--first-parent"),
        *(*_OPTIONS, *limit, "HEAD", "--", str(relative)),
    )
    if result.code != 0 and not _is_unborn(top):
        raise _git_error(f"git log failed in {top.as_posix()}", result.error_output, _BROKEN_REMEDY)
    log = result.output if result.code == 0 else ""  # a repository without a commit
    lines = log.encode("utf-8", "replace").decode("utf-8").removesuffix("\n").split("\n")
    revisions = tuple(Revision(*line.split("\0", 3)) for line in reversed(lines) if line)
    if not revisions:
        state = "it is there, and no commit holds it" if folder.is_dir() else "there is none now"
        raise ParetoError(
            f"no commit of this branch changed {relative} ({state}); a baseline has a history "
            "once it is committed"
        )
    return FolderLog(top, relative, revisions)


def _top_of(inside: Path, folder: Path) -> Path:
    result = run_git(inside, "rev-parse", "--show-toplevel")
    if result.code == 0:
        return Path(os.path.realpath(result.output.removesuffix("\n")))
    if "not a git repository" in result.error_output:
        raise ParetoError(
            f"{folder.as_posix()} is not inside a git repository, and the history of a baseline "
            "is git's; commit it, or name the folder of one that is: --baseline DIR"
        )
    raise _git_error(f"git refuses {inside.as_posix()}", result.error_output, _REFUSED_REMEDY)


_BROKEN_REMEDY = "run `git fsck` there to see what is broken; a fresh clone has it whole"
_REFUSED_REMEDY = "do what git says, and ask again"


def _git_error(what: str, error_output: str, step: str) -> ParetoError:
    """Return an error with git's own message."""
    return ParetoError(f"{what}:\n{error_output.strip() or 'it did not say why'}\n{step}")


def _is_unborn(top: Path) -> bool:
    """Return whether the branch has no commit yet, as opposed to one that cannot be read."""
    if run_git(top, "rev-parse", "--verify", "--quiet", "HEAD").code == 0:
        return False
    refs = run_git(top, "for-each-ref", "--count=1", "refs/heads")
    return refs.code == 0 and not refs.error_output


_SHORT_SHA = 10


@contextmanager
def extract_folder(here: Path, commit: str, path: str) -> Iterator[Path]:
    """Write the JSON files of a commit's folder into a temporary folder and yield it.

    ``path`` is spelled as git does: from the top of the repository, or from ``here`` where it
    begins with ``./`` or ``../``. Raises ParetoError where the commit has no such folder.
    """
    found = run_git(here, "rev-parse", "--verify", "--quiet", f"{commit}:{path}")
    with GitObjects(here) as objects, tempfile.TemporaryDirectory(prefix="pytest-pareto-") as top:
        tree = objects.read(found.output.strip()) if found.code == 0 else None
        if tree is None or tree.kind != "tree":
            raise ParetoError(f"the commit {commit[:_SHORT_SHA]} has no folder {path}")
        for name, oid in Snapshots(objects, PurePosixPath()).files_of(tree.name).items():
            # A tree made by hand may contain names with "..".
            if name.endswith(".json") and ".." not in PurePosixPath(name).parts:
                file = Path(top, name)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(objects.read(oid).content)
        yield Path(top)


def commit_of(here: Path, ref: str) -> str:
    """Return the commit that a ref names. Raises ParetoError where there is none."""
    wanted = f"{ref}^{{commit}}"
    result = run_git(here, "rev-parse", "--verify", "--quiet", "--end-of-options", wanted)
    if result.code != 0:
        if "not a git repository" in result.error_output:
            raise ParetoError(f"{here} is not inside a git repository, so there is no ref {ref!r}")
        raise ParetoError(
            f"there is no commit {ref!r} in the repository of {here}; `git log --oneline` and "
            "`git branch --all` show what there is, `git fetch --tags` brings what is new"
        )
    return result.output.strip()
