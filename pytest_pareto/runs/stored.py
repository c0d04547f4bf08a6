"""A folder as a commit has it, beside the working tree and without checking anything out."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs.git import try_git
from pytest_pareto.runs.objects import GitObjects, Snapshots

_SHORT = 10


@contextmanager
def folder_at(here: Path, commit: str, path: str) -> Iterator[Path]:
    """Write the JSON files of a commit's folder into a temporary one, while they are needed.

    ``path`` is spelled as git does: from the top of the repository, or from ``here`` where it
    begins with ``./`` or ``../``. Raises ParetoError where the commit has no such folder.
    """
    found = try_git(here, "rev-parse", "--verify", "--quiet", f"{commit}:{path}")
    with GitObjects(here) as objects, tempfile.TemporaryDirectory(prefix="pytest-pareto-") as top:
        tree = objects.read(found.output.strip()) if found.code == 0 else None
        if tree is None or tree.kind != "tree":
            raise ParetoError(f"the commit {commit[:_SHORT]} has no folder {path}")
        for name, at in Snapshots(objects, PurePosixPath()).files_of(tree.name).items():
            # A tree made by hand may name what lies above it.
            if name.endswith(".json") and ".." not in PurePosixPath(name).parts:
                file = Path(top, name)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(objects.read(at).content)
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
