"""The code of a git ref, checked out beside the repository for as long as it is needed."""

import contextlib
import signal
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs.ending import ENDING
from pytest_pareto.runs.git import ask_git
from pytest_pareto.runs.links import link_untracked
from pytest_pareto.runs.repository import Commit, Tree
from pytest_pareto.runs.stale import own_prefix, prune_stale, remove_worktree


@contextlib.contextmanager
def check_out(candidate: Tree, commit: Commit, links: Sequence[str] = ()) -> Iterator[Tree]:
    """Check a commit out, detached, in a worktree in the temp folder; remove it at the end.

    Whatever ends the block, git's entry and the folder go, and nothing else changes in the
    repository: no branch, no lock, no hook is run. What killed sessions left is removed
    first. ``links`` are untracked paths of the candidate, relative to its project, that
    the old code needs too.

    Raises ParetoError where it cannot be checked out, where it lacks the project's folder,
    and where the worktree cannot be removed at an orderly end.
    """
    prune_stale(candidate)
    with _folder(candidate) as folder:
        # No --force: the folder is new, and a detached worktree takes no branch.
        ask_git(candidate.top, "worktree", "add", "--detach", str(folder), commit.sha)
        worktree = Tree(top=folder, root=folder / candidate.root.relative_to(candidate.top))
        if not worktree.root.is_dir():
            raise ParetoError(
                f"--pareto-against {commit}: there is no folder "
                f"{candidate.root.relative_to(candidate.top).as_posix()} at that commit; compare "
                "with one that has the project, or run pytest where both have it."
            )
        link_untracked(candidate, worktree, links)
        yield worktree


@contextlib.contextmanager
def _folder(candidate: Tree) -> Iterator[Path]:
    """Make a folder outside of the repository, where no conftest or ini file is found above."""
    temporary = Path(tempfile.gettempdir()).resolve()
    if temporary.is_relative_to(candidate.top):
        raise ParetoError(
            f"--pareto-against: the temp folder {temporary} lies inside the repository "
            f"{candidate.top}, where the old code would find the new; set TMPDIR to a folder "
            "outside."
        )
    folder = Path(tempfile.mkdtemp(prefix=own_prefix(), dir=temporary))
    try:
        yield folder
    except BaseException:
        with _undisturbed():
            remove_worktree(candidate, folder)
        raise
    with _undisturbed():
        is_gone = remove_worktree(candidate, folder)
    if not is_gone:
        raise ParetoError(
            f"--pareto-against: the worktree {folder} could not be removed; remove what is in it "
            f"and run `git worktree remove --force {folder}`."
        )


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Do not hear a second, impatient Ctrl-C or SIGTERM: it would leave a worktree half removed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {each: signal.signal(each, signal.SIG_IGN) for each in (signal.SIGINT, *ENDING)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, signal.SIG_DFL if handler is None else handler)
