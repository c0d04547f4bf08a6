from pathlib import PurePosixPath

import pytest

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs.project import survey_project
from pytest_pareto.runs.worktree import check_out, refuse_missing_content, refuse_unbuilt
from tests.runs.conftest import Repository

POINTER = """version https://git-lfs.github.com/spec/v1
oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393
size 12345
"""


def refuse(repository: Repository) -> None:
    with check_out(repository.tree, repository.resolve("HEAD")) as worktree:
        refuse_missing_content(repository.tree, worktree)


# Git LFS


@pytest.fixture
def lfs(repository: Repository) -> Repository:
    """A clone without git-lfs: pointers in place of content."""
    repository.commit(
        {".gitattributes": "*.bin filter=lfs -text\n", "a.bin": POINTER, "b.bin": POINTER}
    )
    return repository


def test_lfs_pointers_are_refused(lfs: Repository) -> None:
    lfs.write({"a.bin": "weights", "b.bin": "weights"})
    with pytest.raises(ParetoError, match=r"a\.bin \(and 1 more\) only points to .* git lfs pull"):
        refuse(lfs)


def test_lfs_pointers_of_the_old_code_alone_are_refused(lfs: Repository) -> None:
    (lfs.path / "b.bin").unlink()
    with pytest.raises(ParetoError, match=r"at the ref b\.bin only points to"):
        refuse(lfs)


def test_lfs_content_that_the_candidate_lacks_too_is_not_needed(lfs: Repository) -> None:
    refuse(lfs)


def test_content_is_not_taken_for_a_pointer(lfs: Repository) -> None:
    lfs.commit({"a.bin": "weights", "b.bin": POINTER + "x" * 1024, "empty.bin": ""})
    refuse(lfs)


# Submodules


def test_an_empty_submodule_is_refused(submodule: Repository) -> None:
    message = "third_party/library is a submodule, .* git submodule update --init"
    with pytest.raises(ParetoError, match=message):
        refuse(submodule)


def test_an_initialised_submodule_is_accepted(submodule: Repository) -> None:
    before = submodule.git("worktree", "list")
    with check_out(submodule.tree, submodule.resolve("HEAD")) as worktree:
        Repository(worktree.top).git("submodule", "--quiet", "update", "--init")
        refuse_missing_content(submodule.tree, worktree)
    assert submodule.git("worktree", "list") == before


def test_a_submodule_empty_on_both_sides_is_not_needed(
    submodule: Repository,
) -> None:
    submodule.git("submodule", "--quiet", "deinit", "--all")
    refuse(submodule)


# Binaries


@pytest.mark.parametrize("binary", ["mypkg/_fast.so", "mypkg/deep/a.pyd", "_top.abi3.so"])
def test_a_build_in_place_needs_a_set_up_command(repository: Repository, binary: str) -> None:
    repository.commit({".gitignore": "*.so\n*.pyd\n"})
    repository.write({binary: ""})
    with check_out(repository.tree, repository.resolve("HEAD")) as worktree:
        project = survey_project(repository.tree, worktree, [], path=[], modules={})
        with pytest.raises(ParetoError, match=f"{binary} was built .*pareto_against_setup = "):
            refuse_unbuilt(repository.tree, worktree, project)
        (worktree.top / binary).parent.mkdir(parents=True, exist_ok=True)
        (worktree.top / binary).touch()
        refuse_unbuilt(repository.tree, worktree, project)


def test_binaries_outside_the_project_are_ignored(repository: Repository) -> None:
    repository.commit({"tests/test_a.py": "", ".gitignore": "*.so\nbuild\nvenv\n"})
    elsewhere = ["build/lib/mypkg/_fast.so", "tests/a.so", "venv/lib/a.so", "mypkg/.cache/a.so"]
    repository.write(dict.fromkeys(elsewhere, ""))
    with check_out(repository.tree, repository.resolve("HEAD")) as worktree:
        project = survey_project(repository.tree, worktree, [], path=[], modules={})
        assert project.ground == {PurePosixPath("tests")}
        refuse_unbuilt(repository.tree, worktree, project)
