"""What a fresh check-out may lack though the candidate has it: LFS, submodules, binaries."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs.git import ask_git
from pytest_pareto.runs.ground import holds
from pytest_pareto.runs.project import BINARY_SUFFIXES, Project
from pytest_pareto.runs.repository import Tree
from pytest_pareto.runs.words import LINKS_OPTION, SETUP_OPTION

_POINTER = b"version https://git-lfs.github.com/spec/"
_POINTER_MAX_B = 1024
"""The specification's bound: what is larger is content."""


def refuse_missing_content(candidate: Tree, worktree: Tree) -> None:
    """Raise ParetoError where the worktree lacks content that git only points to.

    What the candidate lacks as well cannot be needed. To be asked after a set-up command,
    which may have fetched it.
    """
    pointers = [file for file in _lfs_files(worktree) if _is_pointer(worktree.top / file)]
    needed = [file for file in pointers if not _is_pointer(candidate.top / file)]
    if needed:
        raise ParetoError(
            f"--pareto-against: at the ref {_some(needed)} only points to content in Git LFS, "
            "which the old code would read as its weights or data; install git-lfs and run "
            f"`git lfs fetch --all`, or give {SETUP_OPTION} = git lfs pull."
        )
    empty = [at for at in _submodules(worktree) if _is_empty(worktree.top / at)]
    needed = [at for at in empty if not _is_empty(candidate.top / at)]
    if needed:
        raise ParetoError(
            f"--pareto-against: at the ref {_some(needed)} is a submodule, which git leaves empty "
            f"in a worktree; give {SETUP_OPTION} = git submodule update --init --recursive."
        )


def refuse_unbuilt(candidate: Tree, worktree: Tree, project: Project) -> None:
    """Raise ParetoError where the candidate was built in place and the worktree was not.

    To be asked where no set-up command is given: with one, what it builds has its own names.
    """
    lacking = [at for at in _binaries(candidate, project) if not (worktree.top / at).exists()]
    if lacking:
        raise ParetoError(
            f"--pareto-against: {_some(lacking)} was built in the candidate's tree, and the ref's "
            f"is not built; give {SETUP_OPTION} = a command that builds in place, such as "
            "python setup.py build_ext --inplace (do not install: both legs share the "
            f"environment). A binary that both legs may share goes into {LINKS_OPTION}."
        )


def _lfs_files(tree: Tree) -> list[str]:
    return ask_git(tree.top, "ls-files", "-z", "--", ":(attr:filter=lfs)").split("\0")[:-1]


def _is_pointer(file: Path) -> bool:
    try:
        if file.stat().st_size >= _POINTER_MAX_B:
            return False
        return file.read_bytes().startswith(_POINTER)
    except OSError:
        return False


def _submodules(tree: Tree) -> list[str]:
    entries = ask_git(tree.top, "ls-files", "-z", "--stage").split("\0")[:-1]
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
            yield from (str(file) for file in found if not holds(project.ground, file))
    for folder in project.folders:
        for file in sorted((tree.top / folder).glob("*")):
            if file.suffix in BINARY_SUFFIXES:
                yield str(folder / file.name)


def _may_be_package(folder: Path) -> bool:
    return folder.name.isidentifier() and not (folder / "pyvenv.cfg").exists()


def _some(paths: list[str]) -> str:
    more = f" (and {len(paths) - 1} more)" if len(paths) > 1 else ""
    return f"{paths[0]}{more}"
