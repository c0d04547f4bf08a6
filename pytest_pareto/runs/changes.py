"""Which files the two trees differ in."""

from pathlib import PurePosixPath

from pytest_pareto.runs.git import ask_git
from pytest_pareto.runs.ground import Paths, holds
from pytest_pareto.runs.repository import Tree

_FOR_PEOPLE = frozenset({".md", ".rst"})


def changed_files(candidate: Tree, worktree: Tree) -> frozenset[PurePosixPath]:
    """Return what git tracks on either side and the candidate's tree has otherwise, or not at all.

    A submodule stands for all that is in it.
    """
    sha = ask_git(worktree.top, "rev-parse", "HEAD").strip()
    options = ("--name-only", "--no-renames", "--no-relative", "--ignore-submodules=untracked")
    told = ask_git(candidate.top, "diff", *options, "-z", sha, "--")
    return frozenset(PurePosixPath(name) for name in told.split("\0") if name)


def changed_data(candidate: Tree, worktree: Tree, ground: Paths) -> list[PurePosixPath]:
    """Return what differs and may be read by its path: neither code, nor the tests', nor prose.

    What is hidden is for tools, and a submodule's folder is not a file.
    """
    return sorted(
        file
        for file in changed_files(candidate, worktree)
        if file.suffix != ".py"
        and file.suffix not in _FOR_PEOPLE
        and not any(part.startswith(".") for part in file.parts)
        and not holds(ground, file)
        and not (candidate.top / file).is_dir()
    )
