from pathlib import PurePosixPath

from pytest_pareto.runs.project import changed_data, changed_files
from pytest_pareto.runs.worktree import check_out
from tests.runs.conftest import Repository


def changes(repository: Repository) -> tuple[set[str], list[str]]:
    """Return the files that differ from HEAD~1, and the data files among them."""
    with check_out(repository.tree, repository.resolve("HEAD~1")) as worktree:
        files = changed_files(repository.tree, worktree)
        data = changed_data(repository.tree, worktree, frozenset({PurePosixPath("tests")}))
    return set(map(str, files)), list(map(str, data))


def test_committed_and_uncommitted_changes(repository: Repository) -> None:
    before = {"same.json": "", "gone.json": "", "moved.json": "{ }", "a b\nc.json": ""}
    repository.commit(before)
    (repository.path / "gone.json").unlink()
    (repository.path / "moved.json").rename(repository.path / "to.json")
    repository.commit({"committed.json": "1", "a b\nc.json": "1"})
    repository.write({"mypkg/core.py": "", "untracked.json": "", "same.json": ""})
    data = ["a b\nc.json", "committed.json", "gone.json", "moved.json", "to.json"]
    assert changes(repository) == ({*data, "mypkg/core.py"}, data)


def test_changes_that_are_not_data(repository: Repository, submodule: Repository) -> None:
    """Code, tests, prose, hidden files, and a submodule, which the fixture has changed."""
    files = ["a.py", "tests/data.json", "README.md", "docs/a.rst", ".github/a.yml", ".gitignore"]
    repository.write(dict.fromkeys(files, "1"))
    repository.git("add", "--all")
    assert changes(submodule) == ({*files, "third_party/library"}, [])
