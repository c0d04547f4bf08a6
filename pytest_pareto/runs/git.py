"""Run git on the user's repository: its working tree, and the commit that a ref names.

`open_tree` and `resolve` are the entry points; `run_git` and `git_output` run any command. Git runs
without the repository variables of hooks, without hooks, and without prompts.
"""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs.process import end_group

_REPOSITORY_VARIABLES = frozenset(
    {
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_COMMON_DIR",
        "GIT_PREFIX",
        "GIT_NAMESPACE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_QUARANTINE_PATH",
        "GIT_SHALLOW_FILE",
    }
)
"""Variables that git sets for its hooks. They name one repository, whatever the folder is."""
_SETTINGS = {
    "LC_ALL": "C",  # the messages are parsed
    "GIT_OPTIONAL_LOCKS": "0",  # reading does not refresh the index
    "GIT_TERMINAL_PROMPT": "0",
}
_GIT_OPTIONS = (
    *("-c", f"core.hooksPath={os.devnull}"),  # the user's hooks are for the user's checkouts
    *("-c", "core.fsmonitor=false"),  # this is a hook too
)


@dataclass(frozen=True, slots=True)
class GitResult:
    """The exit code and output of a git command."""

    code: int
    output: str
    error_output: str


def without_git_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the variables that point git at another repository."""
    return {name: value for name, value in environment.items() if name not in _REPOSITORY_VARIABLES}


def git_command(folder: Path, *arguments: str) -> list[str]:
    """Return the command that runs git in a folder, without the user's hooks."""
    return ["git", "-C", str(folder), *_GIT_OPTIONS, *arguments]


def git_environment() -> dict[str, str]:
    """Return the environment for git: English messages, no prompts, no other repository."""
    return without_git_variables(os.environ) | _SETTINGS


def git_missing_error() -> ParetoError:
    """Return the error for a missing git."""
    return ParetoError("this needs git, and there is none on the PATH; install it")


def run_git(folder: Path, *arguments: str) -> GitResult:
    """Run git in a folder and return its result, whatever the exit code.

    Git runs in a process group of its own: Ctrl-C reaches this process only, which then ends git in
    an orderly way. Raises ParetoError where git is not installed.
    """
    try:
        process = subprocess.Popen(  # noqa: S603 - our own arguments, no shell
            git_command(folder, *arguments),
            env=git_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise git_missing_error() from None
    try:
        output, error_output = process.communicate()
    finally:
        end_group(process)
    return GitResult(process.returncode, os.fsdecode(output), error_output.decode(errors="replace"))


def git_output(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return its output.

    Raises ParetoError with git's error output where it fails.
    """
    result = run_git(folder, *arguments)
    if result.code != 0:
        raise ParetoError(
            f"--pareto-against: git {arguments[0]} failed in {folder} with exit code "
            f"{result.code}:\n{result.error_output.strip()}"
        )
    return result.output


@dataclass(frozen=True, slots=True)
class Tree:
    """A working tree: its top folder, and the project's folder in it (often the same)."""

    top: Path
    root: Path


@dataclass(frozen=True, slots=True)
class Commit:
    """The commit that a ref names now; `str` of it is its name in reports."""

    ref: str
    sha: str
    short: str
    subject: str

    def __str__(self) -> str:
        return f"{self.ref} ({self.short} {self.subject})"


def open_tree(root: Path) -> Tree:
    """Return the working tree that contains a project's folder.

    Raises ParetoError outside a repository, in a bare one and in its `.git` folder.
    """
    result = run_git(root, "rev-parse", "--is-bare-repository", "--is-inside-work-tree")
    if result.code != 0:
        if "not a git repository" not in result.error_output:
            raise ParetoError(
                f"--pareto-against: git refuses {root}:\n{result.error_output.strip()}"
            )
        raise ParetoError(
            f"--pareto-against: {root} is not inside a git repository, so there is no old code "
            "to compare with; run it in a clone, or compare with a baseline instead."
        )
    is_bare, is_inside = result.output.split()
    if is_inside != "true":
        problem = "is a bare repository" if is_bare == "true" else "is git's own folder"
        raise ParetoError(
            f"--pareto-against: {root} {problem}: there is no working tree to be the candidate; "
            "run it where the code is checked out."
        )
    top = Path(git_output(root, "rev-parse", "--show-toplevel").removesuffix("\n"))
    prefix = git_output(root, "rev-parse", "--show-prefix").removesuffix("\n")
    return Tree(top=top, root=top / prefix)


def resolve(tree: Tree, ref: str) -> Commit:
    """Return the commit that a ref names. Raises ParetoError where there is none."""
    result = run_git(
        tree.top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"
    )
    if result.code != 0:
        raise ParetoError(f"--pareto-against {ref}: {_unknown_ref_reason(tree, ref)}")
    sha = result.output.strip()
    log = git_output(
        tree.top, "log", "-1", "--no-show-signature", "--encoding=UTF-8", "--format=%h%n%s", sha
    )
    short, _, subject = log.encode("utf-8", "replace").decode("utf-8").partition("\n")
    return Commit(ref=ref, sha=sha, short=short, subject=subject.rstrip("\n"))


def _unknown_ref_reason(tree: Tree, ref: str) -> str:
    if git_output(tree.top, "rev-parse", "--is-shallow-repository").strip() == "true":
        return (
            f"this clone of {tree.top} is shallow and lacks that commit; run `git fetch "
            "--unshallow`, or in CI set `fetch-depth: 0`."
        )
    remote = git_output(
        tree.top, "for-each-ref", "--format=%(refname:short)", f"refs/remotes/*/{ref}"
    ).split()
    if remote:
        return f"there is no such commit in {tree.top}; did you mean {' or '.join(remote)}?"
    return (
        f"there is no such commit in {tree.top}; `git log --oneline` and `git branch --all` "
        "show what there is, `git fetch --tags` brings what is new."
    )
