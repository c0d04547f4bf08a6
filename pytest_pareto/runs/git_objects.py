"""What git keeps, read from one process of it: no file is checked out, no ref is moved.

The commits that changed a folder.

A folder as a commit has it, beside the working tree and without checking anything out.
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
from pytest_pareto.runs.git import git_command, git_environment, no_git, try_git
from pytest_pareto.runs.process import end_group

_TREE = "40000"
_FILES = frozenset({"100644", "100755", "100664"})
"""Symbolic links and submodules are none."""


@dataclass(frozen=True, slots=True)
class GitObject:
    """One object: its name in hexadecimal digits, what it is, and its bytes."""

    name: str
    kind: str
    content: bytes


class GitObjects:
    """Reads objects of a repository by `git cat-file --batch`, as a context manager."""

    def __init__(self, top: Path) -> None:
        self._top = top
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own words, no shell
                git_command(self._top, "cat-file", "--batch"),
                env=git_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise no_git() from None
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
                with contextlib.suppress(BrokenPipeError):  # of what it did not take
                    pipe.close()
        end_group(self._process)

    def read(self, name: str) -> GitObject:
        """Return an object by a name that has no space; raises ParetoError where git lacks it."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended, and answers nothing
            process.stdin.write(f"{name}\n".encode())
            process.stdin.flush()
        found, *about = process.stdout.readline().decode().split() or [name]
        if len(about) != 2:
            raise ParetoError(
                f"git has no object {name} ({' '.join(about) or 'it ended'}); run `git fsck` in "
                f"{self._top.as_posix()} to see what is broken; a fresh clone has it whole"
            )
        kind, size = about
        content = process.stdout.read(int(size) + 1)[:-1]
        return GitObject(found, kind, content)


class Snapshots:
    """Which files a folder had in each commit; folders that stayed as they were are read once."""

    def __init__(self, objects: GitObjects, folder: PurePosixPath) -> None:
        """``folder`` is relative to the top of the repository."""
        self._objects = objects
        self._folder = folder
        self._entries = cache(self._read_entries)
        self._below = cache(self._read_below)

    def files(self, sha: str) -> dict[str, str]:
        """Return the names of the objects of all files, by path below the folder."""
        tree = self._objects.read(f"{sha}^{{tree}}").name
        for part in self._folder.parts:
            inside = {name: at for mode, name, at in self._entries(tree) if mode == _TREE}
            if part not in inside:
                return {}
            tree = inside[part]
        return self.files_of(tree)

    def files_of(self, tree: str) -> dict[str, str]:
        """Return the names of the objects of all files below a tree, by path below it."""
        return self._below(tree)

    def _read_below(self, tree: str) -> dict[str, str]:
        files = {}
        for mode, name, at in self._entries(tree):
            if mode in _FILES:
                files[name] = at
            elif mode == _TREE:
                files |= {f"{name}/{inner}": where for inner, where in self._below(at).items()}
        return files

    def _read_entries(self, tree: str) -> tuple[tuple[str, str, str], ...]:
        return tuple(_entries_of(self._objects.read(tree)))


def _entries_of(tree: GitObject) -> Iterator[tuple[str, str, str]]:
    """Yield mode, name and object of each entry: ``mode SP name NUL`` and the raw object name."""
    raw = len(tree.name) // 2  # 20 bytes of SHA-1, or 32 of SHA-256
    content, at = tree.content, 0
    while at < len(content):
        end = content.index(b"\0", at)
        mode, _, name = content[at:end].partition(b" ")
        at = end + 1 + raw
        yield mode.decode(), name.decode("utf-8", "surrogateescape"), content[end + 1 : at].hex()


_FORMAT = "%H%x00%h%x00%cs%x00%s"
_OPTIONS = ("--no-show-signature", "--no-color", "--encoding=UTF-8", f"--format={_FORMAT}")


@dataclass(frozen=True, slots=True)
class FolderLog:
    """The commits that changed a folder, oldest first; ``folder`` is relative to ``top``."""

    top: Path
    folder: PurePosixPath
    revisions: tuple[Revision, ...]


def folder_log(folder: Path, newest: int | None = None) -> FolderLog:
    """Return the commits of the branch at hand that changed a folder, which need not exist now.

    A merge counts as the one commit that brought its branch in (``--first-parent``): that is
    when the folder became what the next session on this branch was judged by.

    Raises ParetoError outside of a repository, in a shallow clone, which would take its oldest
    commit for the first, and where there is no such commit.
    """
    folder = Path(os.path.realpath(folder))
    inside = next(parent for parent in (folder, *folder.parents) if parent.is_dir())
    top = _top_of(inside, folder)
    relative = PurePosixPath(folder.relative_to(top).as_posix())
    if try_git(top, "rev-parse", "--is-shallow-repository").output.strip() == "true":
        raise ParetoError(
            f"this clone of {top.as_posix()} is shallow, so that most of the history is not here; "
            "run `git fetch --unshallow`, or in CI set `fetch-depth: 0`"
        )
    most = () if newest is None else (f"--max-count={newest}",)
    answer = try_git(
        top,
        *("--literal-pathspecs", "-c", "log.follow=false", "log", "--first-parent"),
        *(*_OPTIONS, *most, "HEAD", "--", str(relative)),
    )
    if answer.code != 0 and not _is_unborn(top):
        raise _refused(f"git log failed in {top.as_posix()}", answer.complaint, _BROKEN)
    told = answer.output if answer.code == 0 else ""  # a repository without a commit
    lines = told.encode("utf-8", "replace").decode("utf-8").removesuffix("\n").split("\n")
    revisions = tuple(Revision(*line.split("\0", 3)) for line in reversed(lines) if line)
    if not revisions:
        there = "it is there, and no commit holds it" if folder.is_dir() else "there is none now"
        raise ParetoError(
            f"no commit of this branch changed {relative} ({there}); a baseline has a history "
            "once it is committed"
        )
    return FolderLog(top, relative, revisions)


def _top_of(inside: Path, folder: Path) -> Path:
    answer = try_git(inside, "rev-parse", "--show-toplevel")
    if answer.code == 0:
        return Path(os.path.realpath(answer.output.removesuffix("\n")))
    if "not a git repository" in answer.complaint:
        raise ParetoError(
            f"{folder.as_posix()} is not inside a git repository, and the history of a baseline "
            "is git's; commit it, or name the folder of one that is: --baseline DIR"
        )
    raise _refused(f"git refuses {inside.as_posix()}", answer.complaint, _REFUSING)


_BROKEN = "run `git fsck` there to see what is broken; a fresh clone has it whole"
_REFUSING = "do what git says, and ask again"


def _refused(what: str, complaint: str, step: str) -> ParetoError:
    """Return an error in git's own words."""
    return ParetoError(f"{what}:\n{complaint.strip() or 'it did not say why'}\n{step}")


def _is_unborn(top: Path) -> bool:
    """Whether the branch has no commit yet, as against one that cannot be read."""
    if try_git(top, "rev-parse", "--verify", "--quiet", "HEAD").code == 0:
        return False
    refs = try_git(top, "for-each-ref", "--count=1", "refs/heads")
    return refs.code == 0 and not refs.complaint


_SHORT = 10


@contextmanager
def folder_at(here: Path, commit: str, path: str) -> Iterator[Path]:
    """Write the JSON files of a commit's folder into a temporary one, while they are needed.

    ``path`` is spelled as git does: from the top of the repository, or from ``here`` where it
    begins with ``./`` or ``../``. Raises ParetoError where the commit has no such folder.
    """
    found = try_git(here, "rev-parse", "--verify", "--quiet", f"{commit}:{path}")
    with GitObjects(here) as objects, tempfile.TemporaryDirectory(prefix="pytest-pareto-") as top:
        tree = objects.read(found.output.strip()) if found.code == 0 else None
        if tree is None or tree.kind != "tree":
            raise ParetoError(f"the commit {commit[:_SHORT]} has no folder {path}")
        for name, at in Snapshots(objects, PurePosixPath()).files_of(tree.name).items():
            # A tree made by hand may name what lies above it.
            if name.endswith(".json") and ".." not in PurePosixPath(name).parts:
                file = Path(top, name)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(objects.read(at).content)
        yield Path(top)


def commit_of(here: Path, ref: str) -> str:
    """Return the commit that a ref stands for; raises ParetoError where there is none."""
    wanted = f"{ref}^{{commit}}"
    answer = try_git(here, "rev-parse", "--verify", "--quiet", "--end-of-options", wanted)
    if answer.code != 0:
        if "not a git repository" in answer.complaint:
            raise ParetoError(f"{here} is not inside a git repository, so there is no ref {ref!r}")
        raise ParetoError(
            f"there is no commit {ref!r} in the repository of {here}; `git log --oneline` and "
            "`git branch --all` show what there is, `git fetch --tags` brings what is new"
        )
    return answer.output.strip()
