"""Objects of git's database, compared with git's own listings."""

import os
import subprocess
from pathlib import PurePosixPath

import pytest

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs.git_objects import GitObject, GitObjects, Snapshots
from tests.runs.conftest import Repository


def listed(repository: Repository, folder: str) -> dict[str, str]:
    """Return the plain files that `git ls-tree` lists."""
    command = ["git", "-C", str(repository.path), "ls-tree", "-r", "-z", "HEAD"]
    told = subprocess.run([*command, *filter(None, [folder])], check=True, capture_output=True)
    files = {}
    for line in os.fsdecode(told.stdout).split("\0"):
        about, _, path = line.partition("\t")
        if about.startswith("100"):
            files[path.removeprefix(folder)] = about.split()[2]
    return files


@pytest.fixture
def strange(repository: Repository) -> Repository:
    """Names with spaces, line breaks and non-UTF-8 bytes; a link; an executable; nested folders."""
    folder = repository.path / "kept"
    for name in ("a b", "two\nlines", "é", os.fsdecode(b"caf\xe9"), "deep/er/file", "deep-er"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name.encode("utf-8", "surrogateescape").hex())
    (folder / "program").write_text("#!")
    (folder / "program").chmod(0o755)
    (folder / "link").symlink_to("program")
    repository.commit({}, "Strange")
    return repository


@pytest.mark.parametrize("folder", ["kept/", "kept/deep/", ""])
def test_files_match_git_ls_tree(strange: Repository, folder: str) -> None:
    with GitObjects(strange.path) as objects:
        files = Snapshots(objects, PurePosixPath(folder)).files("HEAD")
        expected = listed(strange, folder)
        assert files == expected
        assert "link" not in files
        assert len(files) >= 1
        for path, name in files.items():
            found = objects.read(name)
            content = (strange.path / folder / path).read_bytes()
            assert (found.kind, found.content, found.name) == ("blob", content, name)


def test_a_missing_folder_has_no_files(strange: Repository) -> None:
    with GitObjects(strange.path) as objects:
        assert Snapshots(objects, PurePosixPath("nowhere/at/all")).files("HEAD") == {}
        assert Snapshots(objects, PurePosixPath("kept/program")).files("HEAD") == {}


def test_a_missing_object_is_an_error_and_the_next_is_read(strange: Repository) -> None:
    with GitObjects(strange.path) as objects:
        with pytest.raises(ParetoError, match=r"git has no object 0{40}"):
            objects.read("0" * 40)
        assert objects.read("HEAD").kind == "commit"


def test_unchanged_folders_are_read_once(
    strange: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    strange.commit({"kept/deep/er/file": "other"}, "One file")
    requested: list[str] = []
    read = GitObjects.read

    def recording_read(objects: GitObjects, name: str) -> GitObject:
        requested.append(name)
        return read(objects, name)

    monkeypatch.setattr(GitObjects, "read", recording_read)
    with GitObjects(strange.path) as objects:
        snapshots = Snapshots(objects, PurePosixPath("kept"))
        assert snapshots.files("HEAD") != snapshots.files("HEAD~1")
        trees = [name for name in requested if "^" not in name]
        assert len(trees) == len(set(trees))
        before = len(requested)
        snapshots.files("HEAD")
        assert len(requested) == before + 1  # its top
