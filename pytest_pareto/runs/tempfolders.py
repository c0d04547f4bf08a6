"""What killed sessions left in the temp folder: known by its name, removed by the next session."""

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

from pytest_pareto.runs.git import Tree, try_git

_NAME = re.compile(r"pytest-pareto-(ref|run)-(?P<host>[0-9a-f]{8})-(?P<pid>\d+)-(?P<birth>\d+)-")


def own_prefix(what: str = "ref") -> str:
    """Return how the name of this process's worktree begins, or of its folder of a ``run``.

    The host is in it because a repository may be shared, and process ids are not; the time at
    which the process was born because ids come round again.
    """
    pid = os.getpid()
    return f"pytest-pareto-{what}-{_host()}-{pid}-{_birth(pid)}-"


@contextlib.contextmanager
def run_folder() -> Iterator[Path]:
    """Make a folder for a run, and remove it; where we are killed, the next session does."""
    with tempfile.TemporaryDirectory(prefix=own_prefix("run")) as folder:
        yield Path(folder)


def remove_worktree(tree: Tree, folder: Path) -> bool:
    """Remove a worktree, its folder and git's entry, changed or not; return whether it is gone.

    Git also removes the entry of a folder that is gone, and, asked twice, a locked one:
    git locks what it is about to make.
    """
    remove = ("worktree", "remove", "--force", "--force", str(folder))
    is_removed = try_git(tree.top, *remove).code == 0
    if folder.exists():  # never registered, or there were files that git could not remove
        shutil.rmtree(folder, ignore_errors=True)
        is_removed = try_git(tree.top, *remove).code == 0
    if not is_removed:  # git took its entry back itself, and leaves what it stood in
        entries = Path(try_git(tree.top, "rev-parse", "--git-path", "worktrees").output.strip())
        with contextlib.suppress(OSError):
            (tree.top / entries).rmdir()
    return not folder.exists() and (is_removed or folder not in _worktrees(tree))


def prune_stale(tree: Tree) -> None:
    """Remove what sessions that no longer run left in this repository and in the temp folder.

    A worktree that is not ours, or whose session still runs, is left alone. What cannot be
    removed stays for the next time: it is not worth a session.
    """
    for folder in _worktrees(tree):
        if _is_stale(folder.name):
            remove_worktree(tree, folder)
    prune_folders()


def prune_folders() -> None:
    """Remove what sessions that no longer run left in the temp folder."""
    for folder in Path(tempfile.gettempdir()).glob("pytest-pareto-r*"):
        if _is_stale(folder.name):
            shutil.rmtree(folder, ignore_errors=True)


def _worktrees(tree: Tree) -> list[Path]:
    listed = try_git(tree.top, "worktree", "list", "--porcelain").output.splitlines()
    return [Path(line.removeprefix("worktree ")) for line in listed if line.startswith("worktree ")]


def _is_stale(name: str) -> bool:
    ours = _NAME.match(name)
    if ours is None or ours["host"] != _host():
        return False
    return _birth(int(ours["pid"])) != ours["birth"]


def _host() -> str:
    return f"{zlib.crc32(platform.node().encode()):08x}"


def _birth(pid: int) -> str | None:
    """Return when a process was born, in clock ticks since boot; None where it does not run.

    Where the system does not tell, "0" is every running process's time.
    """
    if sys.platform == "win32":
        return "0"  # asking after a process by a signal would end it: nothing counts as stale
    try:
        # After the name, which may hold anything: the state, 18 more fields, and the time.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return "0" if _exists(pid) and not Path("/proc/self/stat").exists() else None
    return None if fields[0] in "ZX" else fields[19]


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
