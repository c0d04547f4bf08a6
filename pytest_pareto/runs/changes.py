"""Which files the two trees differ in."""

from pathlib import PurePosixPath

from pytest_pareto.runs.git import ask_git
from pytest_pareto.runs.repository import Tree


def changed_files(candidate: Tree, worktree: Tree) -> frozenset[PurePosixPath]:
    """Return what git tracks on either side and the candidate's tree has otherwise, or not at all.

    A submodule stands for all that is in it.
    """
    sha = ask_git(worktree.top, "rev-parse", "HEAD").strip()
    options = ("--name-only", "--no-renames", "--no-relative", "--ignore-submodules=untracked")
    told = ask_git(candidate.top, "diff", *options, "-z", sha, "--")
    return frozenset(PurePosixPath(name) for name in told.split("\0") if name)
