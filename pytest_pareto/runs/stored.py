"""A folder as a commit has it, beside the working tree and without checking anything out."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs.git import try_git

_BLOB = "blob"
_SHORT = 10


@contextmanager
def folder_at(here: Path, commit: str, path: str) -> Iterator[Path]:
    """Write the JSON files of a commit's folder into a temporary one, while they are needed.

    ``path`` is spelled as git does: from the top of the repository, or from ``here`` where it
    begins with ``./`` or ``../``. Raises ParetoError where the commit has no such folder.
    """
    found = try_git(here, "rev-parse", "--verify", "--quiet", f"{commit}:{path}")
    tree = found.output.strip()
    if found.code != 0 or _said(here, "cat-file", "-t", tree).strip() != "tree":
        raise ParetoError(f"the commit {commit[:_SHORT]} has no folder {path}")
    with tempfile.TemporaryDirectory(prefix="pytest-pareto-") as top:
        for line in _said(here, "ls-tree", "-r", "-z", "--full-tree", tree).split("\0")[:-1]:
            about, _, name = line.partition("\t")
            _, kind, blob = about.split(" ")
            # What a submodule has is not in this repository; a link is no file of ours.
            if kind == _BLOB and name.endswith(".json"):
                file = Path(top, name)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(os.fsencode(_said(here, "cat-file", _BLOB, blob)))
        yield Path(top)


def commit_of(here: Path, ref: str) -> str:
    """Return the commit that a ref stands for; raises ParetoError where there is none."""
    wanted = f"{ref}^{{commit}}"
    answer = try_git(here, "rev-parse", "--verify", "--quiet", "--end-of-options", wanted)
    if answer.code != 0:
        if "not a git repository" in answer.complaint:
            raise ParetoError(f"{here} is not inside a git repository, so there is no ref {ref!r}")
        raise ParetoError(
            f"there is no commit {ref!r} in the repository of {here}; `git log --oneline` and "
            "`git branch --all` show what there is, `git fetch --tags` brings what is new"
        )
    return answer.output.strip()


def _said(here: Path, *arguments: str) -> str:
    answer = try_git(here, *arguments)
    if answer.code != 0:
        raise ParetoError(f"git {arguments[0]} failed in {here}:\n{answer.complaint.strip()}")
    return answer.output
