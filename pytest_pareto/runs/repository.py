"""The user's repository: its working tree, and the commit that a ref stands for."""

from dataclasses import dataclass
from pathlib import Path

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs.git import ask_git, try_git


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
