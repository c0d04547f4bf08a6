"""The commits that changed a folder."""

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pytest_pareto.model.baseline import Revision
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs.git import try_git

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
