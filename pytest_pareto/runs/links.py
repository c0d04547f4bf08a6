"""What git does not hold and the code needs: weights and data, linked into a worktree."""

from collections.abc import Iterable
from pathlib import PurePath

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs.git import ask_git
from pytest_pareto.runs.repository import Tree
from pytest_pareto.runs.words import LINKS_OPTION


def link_untracked(candidate: Tree, worktree: Tree, links: Iterable[str]) -> None:
    """Link paths of the candidate, relative to the project, into the worktree.

    Raises ParetoError for a path that leaves the project, that the candidate does not have, or
    that the ref holds itself: the old code would get the new file in place of its own.
    """
    for link in links:
        _link(candidate, worktree, link)


def _link(candidate: Tree, worktree: Tree, link: str) -> None:
    path = PurePath(link)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise _refused(link, "is not a path inside the project", "give it relative to the project")
    target = candidate.root / path
    if not target.exists():
        raise _refused(link, f"is not in {candidate.root}", "fetch or build it first")
    tracked = ask_git(worktree.root, "ls-files", "-z", "--", f":(literal){path.as_posix()}")
    if tracked:
        example = tracked.split("\0")[0]
        raise _refused(
            link,
            f"is in git at the ref (such as {example})",
            "link only what git does not hold, such as single files in that folder",
        )
    place = worktree.root / path
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target, target_is_directory=target.is_dir())
    except OSError as error:
        raise _refused(
            link,
            f"cannot be linked into the worktree ({error.strerror})",
            "check that no link is given twice or lies inside another",
        ) from error


def _refused(link: str, what: str, way_out: str) -> ParetoError:
    return ParetoError(f"{LINKS_OPTION}: {link!r} {what}; {way_out}.")
