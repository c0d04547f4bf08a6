"""Git worktrees: a ref's code checked out beside the repository, removed at the end.

`check_out` makes the worktree and links untracked files that the code needs, such as weights and
data. `refuse_missing_content` and `refuse_unbuilt` detect what a fresh checkout lacks and the
candidate has: content in Git LFS, submodules, compiled binaries.
"""

import contextlib
import os
import signal
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath, PurePosixPath

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs.git import Commit, Tree, git_output
from pytest_pareto.runs.process import TERMINATION_SIGNALS
from pytest_pareto.runs.project import BINARY_SUFFIXES, LINKS_OPTION, SETUP_OPTION, Project, covers
from pytest_pareto.runs.tempfolders import own_prefix, prune_stale, remove_worktree


@contextlib.contextmanager
def check_out(candidate: Tree, commit: Commit, links: Sequence[str] = ()) -> Iterator[Tree]:
    """Check a commit out, detached, in a worktree in the temp folder; remove it at the end.

    Whatever ends the block, git's entry and the folder are removed, and nothing else in the
    repository changes: no branch or lock is made, no hook runs. What killed sessions left is
    removed first. ``links`` are untracked paths of the candidate, relative to its project, that the
    old code needs too.

    Raises ParetoError where the commit cannot be checked out, where it lacks the project's folder,
    and where the worktree cannot be removed at an orderly end.
    """
    prune_stale(candidate)
    with _worktree_folder(candidate) as folder:
        # No --force: the folder is new, and a detached worktree takes no branch.
        git_output(candidate.top, "worktree", "add", "--detach", str(folder), commit.sha)
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
def _worktree_folder(candidate: Tree) -> Iterator[Path]:
    """Make a folder outside the repository, so that no conftest or ini file of it lies above."""
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
        with _ignoring_signals():
            remove_worktree(candidate, folder)
        raise
    with _ignoring_signals():
        is_gone = remove_worktree(candidate, folder)
    if not is_gone:
        raise ParetoError(
            f"--pareto-against: the worktree {folder} could not be removed; remove what is in it "
            f"and run `git worktree remove --force {folder}`."
        )


@contextlib.contextmanager
def _ignoring_signals() -> Iterator[None]:
    """Ignore SIGINT and SIGTERM: a second Ctrl-C would leave a worktree half removed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        each: signal.signal(each, signal.SIG_IGN) for each in (signal.SIGINT, *TERMINATION_SIGNALS)
    }
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, signal.SIG_DFL if handler is None else handler)


def link_untracked(candidate: Tree, worktree: Tree, links: Iterable[str]) -> None:
    """Link paths of the candidate, relative to the project, into the worktree.

    Raises ParetoError for a path that leaves the project, that the candidate does not have, or that
    the ref contains itself: the old code would get the new file in place of its own.
    """
    for link in links:
        _link(candidate, worktree, link)


def _link(candidate: Tree, worktree: Tree, link: str) -> None:
    path = PurePath(link)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise _link_error(
            link, "is not a path inside the project", "give it relative to the project"
        )
    target = candidate.root / path
    if not target.exists():
        raise _link_error(link, f"is not in {candidate.root}", "fetch or build it first")
    tracked = git_output(worktree.root, "ls-files", "-z", "--", f":(literal){path.as_posix()}")
    if tracked:
        example = tracked.split("\0")[0]
        raise _link_error(
            link,
            f"is in git at the ref (such as {example})",
            "link only what git does not hold, such as single files in that folder",
        )
    place = worktree.root / path
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target, target_is_directory=target.is_dir())
    except OSError as error:
        raise _link_error(
            link,
            f"cannot be linked into the worktree ({error.strerror})",
            "check that no link is given twice or lies inside another",
        ) from error


def _link_error(link: str, problem: str, remedy: str) -> ParetoError:
    return ParetoError(f"{LINKS_OPTION}: {link!r} {problem}; {remedy}.")


_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_LFS_POINTER_MAX_B = 1024
"""The specification's limit: a larger file is content."""


def refuse_missing_content(candidate: Tree, worktree: Tree) -> None:
    """Raise ParetoError where the worktree lacks content that git only points to.

    Content that the candidate lacks as well cannot be needed. Call this after a set-up command,
    which may have fetched the content.
    """
    pointers = [file for file in _lfs_files(worktree) if _is_lfs_pointer(worktree.top / file)]
    needed = [file for file in pointers if not _is_lfs_pointer(candidate.top / file)]
    if needed:
        raise ParetoError(
            f"--pareto-against: at the ref {_first(needed)} only points to content in Git LFS, "
            "which the old code would read as its weights or data; install git-lfs and run "
            f"`git lfs fetch --all`, or give {SETUP_OPTION} = git lfs pull."
        )
    empty = [at for at in _submodules(worktree) if _is_empty(worktree.top / at)]
    needed = [at for at in empty if not _is_empty(candidate.top / at)]
    if needed:
        raise ParetoError(
            f"--pareto-against: at the ref {_first(needed)} is a submodule, which git leaves empty "
            f"in a worktree; give {SETUP_OPTION} = git submodule update --init --recursive."
        )


def refuse_unbuilt(candidate: Tree, worktree: Tree, project: Project) -> None:
    """Raise ParetoError where the candidate was built in place and the worktree was not.

    Call this only without a set-up command: a build may give its output other names.
    """
    lacking = [at for at in _binaries(candidate, project) if not (worktree.top / at).exists()]
    if lacking:
        raise ParetoError(
            f"--pareto-against: {_first(lacking)} was built in the candidate's tree, and the ref's "
            f"is not built; give {SETUP_OPTION} = a command that builds in place, such as "
            "python setup.py build_ext --inplace (do not install: both legs share the "
            f"environment). A binary that both legs may share goes into {LINKS_OPTION}."
        )


def _lfs_files(tree: Tree) -> list[str]:
    return git_output(tree.top, "ls-files", "-z", "--", ":(attr:filter=lfs)").split("\0")[:-1]


def _is_lfs_pointer(file: Path) -> bool:
    try:
        if file.stat().st_size >= _LFS_POINTER_MAX_B:
            return False
        return file.read_bytes().startswith(_LFS_POINTER)
    except OSError:
        return False


def _submodules(tree: Tree) -> list[str]:
    entries = git_output(tree.top, "ls-files", "-z", "--stage").split("\0")[:-1]
    return [entry.partition("\t")[2] for entry in entries if entry.startswith("160000 ")]


def _is_empty(folder: Path) -> bool:
    return not folder.is_dir() or not any(folder.iterdir())


def _binaries(tree: Tree, project: Project) -> Iterator[str]:
    """Yield the shared libraries in the folders that hold the project's code."""
    tops = {folder / name.partition(".")[0] for folder in project.folders for name in project.names}
    for top in sorted(tops):
        for at, folders, files in os.walk(tree.top / top):
            folders[:] = [name for name in folders if _may_be_package(Path(at, name))]
            here = PurePosixPath(Path(at).relative_to(tree.top).as_posix())
            found = (here / name for name in files if name.endswith(BINARY_SUFFIXES))
            yield from (str(file) for file in found if not covers(project.ground, file))
    for folder in project.folders:
        for file in sorted((tree.top / folder).glob("*")):
            if file.suffix in BINARY_SUFFIXES:
                yield str(folder / file.name)


def _may_be_package(folder: Path) -> bool:
    return folder.name.isidentifier() and not (folder / "pyvenv.cfg").exists()


def _first(paths: list[str]) -> str:
    more = f" (and {len(paths) - 1} more)" if len(paths) > 1 else ""
    return f"{paths[0]}{more}"
