"""What git keeps, read from one process of it: no file is checked out, no ref is moved."""

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs.git import git_command, git_environment, no_git
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
