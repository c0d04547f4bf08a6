"""Questions to git: about the user's repository, whatever the surroundings pretend.

The user's repository: its working tree, and the commit that a ref stands for.
"""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs.process import end_group

_MISLEADING = frozenset(
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
"""What git sets for its hooks: it names one repository, and every folder would be taken for it."""
_SETTINGS = {
    "LC_ALL": "C",  # the messages are read
    "GIT_OPTIONAL_LOCKS": "0",  # looking leaves the index as it is
    "GIT_TERMINAL_PROMPT": "0",
}
_OPTIONS = (
    *("-c", f"core.hooksPath={os.devnull}"),  # the user's hooks are for the user's check-outs
    *("-c", "core.fsmonitor=false"),  # a hook by another name
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a git command said."""

    code: int
    output: str
    complaint: str


def without_git(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without what points git at another repository."""
    return {name: value for name, value in environment.items() if name not in _MISLEADING}


def git_command(folder: Path, *arguments: str) -> list[str]:
    """Return the command that runs git in a folder, without what the user's hooks would do."""
    return ["git", "-C", str(folder), *_OPTIONS, *arguments]


def git_environment() -> dict[str, str]:
    """Return the environment for git: it speaks English, asks nothing, and knows no other place."""
    return without_git(os.environ) | _SETTINGS


def no_git() -> ParetoError:
    """Return the error where git is not installed."""
    return ParetoError("this needs git, and there is none on the PATH; install it")


def try_git(folder: Path, *arguments: str) -> Answer:
    """Run git in a folder and return what it said, good or bad.

    Git runs in a group of its own: Ctrl-C comes to us, and we end git in good order.
    Raises ParetoError where there is no git.
    """
    try:
        process = subprocess.Popen(  # noqa: S603 - our own words, no shell
            git_command(folder, *arguments),
            env=git_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise no_git() from None
    try:
        output, complaint = process.communicate()
    finally:
        end_group(process)
    return Answer(process.returncode, os.fsdecode(output), complaint.decode(errors="replace"))


def ask_git(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return its output; raises ParetoError with its complaint."""
    answer = try_git(folder, *arguments)
    if answer.code != 0:
        raise ParetoError(
            f"--pareto-against: git {arguments[0]} failed in {folder} with exit code "
            f"{answer.code}:\n{answer.complaint.strip()}"
        )
    return answer.output


@dataclass(frozen=True, slots=True)
class Tree:
    """A working tree: its top folder, and the folder of the project in it (often the same)."""

    top: Path
    root: Path


@dataclass(frozen=True, slots=True)
class Commit:
    """What a ref stands for now: `str` of it is how a report names it."""

    ref: str
    sha: str
    short: str
    subject: str

    def __str__(self) -> str:
        return f"{self.ref} ({self.short} {self.subject})"


def open_tree(root: Path) -> Tree:
    """Return the working tree that a project's folder belongs to.

    Raises ParetoError outside of a repository, in a bare one and in its `.git` folder.
    """
    answer = try_git(root, "rev-parse", "--is-bare-repository", "--is-inside-work-tree")
    if answer.code != 0:
        if "not a git repository" not in answer.complaint:
            raise ParetoError(f"--pareto-against: git refuses {root}:\n{answer.complaint.strip()}")
        raise ParetoError(
            f"--pareto-against: {root} is not inside a git repository, so there is no old code "
            "to compare with; run it in a clone, or compare with a baseline instead."
        )
    is_bare, is_inside = answer.output.split()
    if is_inside != "true":
        what = "is a bare repository" if is_bare == "true" else "is git's own folder"
        raise ParetoError(
            f"--pareto-against: {root} {what}: there is no working tree to be the candidate; "
            "run it where the code is checked out."
        )
    top = Path(ask_git(root, "rev-parse", "--show-toplevel").removesuffix("\n"))
    prefix = ask_git(root, "rev-parse", "--show-prefix").removesuffix("\n")
    return Tree(top=top, root=top / prefix)


def resolve(tree: Tree, ref: str) -> Commit:
    """Return the commit that a ref stands for; raises ParetoError where there is none."""
    answer = try_git(
        tree.top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"
    )
    if answer.code != 0:
        raise ParetoError(f"--pareto-against {ref}: {_why_unknown(tree, ref)}")
    sha = answer.output.strip()
    told = ask_git(
        tree.top, "log", "-1", "--no-show-signature", "--encoding=UTF-8", "--format=%h%n%s", sha
    )
    short, _, subject = told.encode("utf-8", "replace").decode("utf-8").partition("\n")
    return Commit(ref=ref, sha=sha, short=short, subject=subject.rstrip("\n"))


def _why_unknown(tree: Tree, ref: str) -> str:
    if ask_git(tree.top, "rev-parse", "--is-shallow-repository").strip() == "true":
        return (
            f"this clone of {tree.top} is shallow and lacks that commit; run `git fetch "
            "--unshallow`, or in CI set `fetch-depth: 0`."
        )
    remote = ask_git(
        tree.top, "for-each-ref", "--format=%(refname:short)", f"refs/remotes/*/{ref}"
    ).split()
    if remote:
        return f"there is no such commit in {tree.top}; did you mean {' or '.join(remote)}?"
    return (
        f"there is no such commit in {tree.top}; `git log --oneline` and `git branch --all` "
        "show what there is, `git fetch --tags` brings what is new."
    )
