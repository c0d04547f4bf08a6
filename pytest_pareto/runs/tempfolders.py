"""Temporary folders and worktrees: named after their process, removed once it has ended.

A killed session leaves its folders behind. The next session finds them by their names and removes
them (`prune_stale`, `prune_folders`).
"""

import contextlib
import os
import platform
import re
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from pytest_pareto.runs.git import Tree, run_git

_NAME = re.compile(r"pytest-pareto-(ref|run)-(?P<host>[0-9a-f]{8})-(?P<pid>\d+)-(?P<birth>\d+)-")


def own_prefix(what: str = "ref") -> str:
    """Return the prefix of the name of this process's worktree, or of its folder for a ``run``.

    It contains the host because a repository may be shared, and process ids are not; and the start
    time of the process because ids are reused.
    """
    pid = os.getpid()
    return f"pytest-pareto-{what}-{_host()}-{pid}-{_start_time(pid)}-"


@contextlib.contextmanager
def run_folder() -> Iterator[Path]:
    """Make a folder for a run, yield it, and remove it.

    Where this process is killed, the next session removes it.
    """
    with tempfile.TemporaryDirectory(prefix=own_prefix("run")) as folder:
        yield Path(folder)


def remove_worktree(tree: Tree, folder: Path) -> bool:
    """Remove a worktree, its folder and git's entry, changed or not; return whether it is gone.

    Git also removes the entry of a folder that is gone. With two ``--force`` it removes a locked
    one: git locks a worktree that it is about to make.
    """
    remove = ("worktree", "remove", "--force", "--force", str(folder))
    is_removed = run_git(tree.top, *remove).code == 0
    if folder.exists():  # never registered, or git could not remove some files
        shutil.rmtree(folder, ignore_errors=True)
        is_removed = run_git(tree.top, *remove).code == 0
    if not is_removed:  # git removed its entry itself, and leaves the parent folder
        entries = Path(run_git(tree.top, "rev-parse", "--git-path", "worktrees").output.strip())
        with contextlib.suppress(OSError):
            (tree.top / entries).rmdir()
    return not folder.exists() and (is_removed or folder not in _worktrees(tree))


def prune_stale(tree: Tree) -> None:
    """Remove what ended sessions left in this repository and in the temp folder.

    Worktrees that are not ours, or whose session still runs, are kept. What cannot be removed is
    left for the next session: it is no reason to fail.
    """
    for folder in _worktrees(tree):
        if _is_stale(folder.name):
            remove_worktree(tree, folder)
    prune_folders()


def prune_folders() -> None:
    """Remove what ended sessions left in the temp folder."""
    for folder in Path(tempfile.gettempdir()).glob("pytest-pareto-r*"):
        if _is_stale(folder.name):
            shutil.rmtree(folder, ignore_errors=True)


def _worktrees(tree: Tree) -> list[Path]:
    listed = run_git(tree.top, "worktree", "list", "--porcelain").output.splitlines()
    return [Path(line.removeprefix("worktree ")) for line in listed if line.startswith("worktree ")]


def _is_stale(name: str) -> bool:
    ours = _NAME.match(name)
    if ours is None or ours["host"] != _host():
        return False
    return _start_time(int(ours["pid"])) != ours["birth"]


def _host() -> str:
    return f"{zlib.crc32(platform.node().encode()):08x}"


def _start_time(pid: int) -> str | None:
    """Return when a process started, in clock ticks since boot; None where it does not run.

    Where the system does not provide that, "0" is the time of every running process.
    """
    if sys.platform == "win32":
        return "0"  # testing a process by a signal would end it, so nothing counts as stale
    try:
        # After the name, which may contain anything: the state, 18 more fields, and the time.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return "0" if _process_exists(pid) and not Path("/proc/self/stat").exists() else None
    return None if fields[0] in "ZX" else fields[19]


def _process_exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
