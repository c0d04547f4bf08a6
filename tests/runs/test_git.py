import os
from pathlib import Path

import pytest

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs.git import Tree, git_output, open_tree, resolve, run_git
from tests.runs.conftest import Repository


def test_a_tree_has_a_top_and_a_project_root(repository: Repository) -> None:
    repository.commit({"packages/toy/setup.cfg": ""})
    assert repository.tree == Tree(top=repository.path, root=repository.path)
    root = repository.path / "packages/toy"
    assert open_tree(root) == Tree(top=repository.path, root=root)


def test_a_folder_behind_a_link_is_resolved(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(repository.path)
    assert open_tree(tmp_path / "link") == repository.tree


def test_a_linked_worktree_is_a_tree_too(repository: Repository, tmp_path: Path) -> None:
    repository.git("worktree", "add", "--quiet", str(tmp_path / "other"), "-b", "other")
    assert open_tree(tmp_path / "other").top == tmp_path / "other"


def test_variables_of_git_hooks_are_ignored(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a hook of another repository, git would use that one."""
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "another/.git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    assert open_tree(repository.path).top == repository.path
    assert resolve(repository.tree, "HEAD").subject == "The new"


# Refs


@pytest.mark.parametrize("ref", ["HEAD~1", "v1", "main~1", "topic"])
def test_a_ref_resolves_to_a_commit(repository: Repository, ref: str) -> None:
    repository.git("tag", "-a", "v1", "-m", "annotated", "HEAD~1")
    repository.git("branch", "topic", "HEAD~1")
    commit = repository.resolve(ref)
    assert commit.sha == repository.git("rev-parse", "HEAD~1").strip()
    assert commit.sha.startswith(commit.short)
    assert str(commit) == f"{ref} ({commit.short} The old)"


def test_a_subject_may_be_in_any_language(repository: Repository) -> None:
    repository.commit({}, "Größer: 模型")
    assert repository.resolve("HEAD").subject == "Größer: 模型"


@pytest.mark.parametrize("ref", ["nowhere", "HEAD~9", "--all", "", "HEAD:mypkg", "0" * 40])
def test_an_unknown_ref_is_an_error(repository: Repository, ref: str) -> None:
    with pytest.raises(ParetoError, match=r"there is no such commit in .*git fetch") as told:
        repository.resolve(ref)
    assert str(told.value).startswith(f"--pareto-against {ref}: ")


def test_a_remote_branch_is_suggested(repository: Repository, tmp_path: Path) -> None:
    """A CI job checks out a commit and has no local branches."""
    repository.git("branch", "stable")
    repository.git("clone", "--quiet", str(repository.path), str(tmp_path / "clone"))
    with pytest.raises(ParetoError, match=r"did you mean origin/stable\?"):
        resolve(open_tree(tmp_path / "clone"), "stable")


def test_the_error_for_a_shallow_clone_names_the_fix(
    repository: Repository, tmp_path: Path
) -> None:
    source, clone = f"file://{repository.path}", tmp_path / "clone"
    repository.git("clone", "--quiet", "--depth=1", source, str(clone))
    tree = open_tree(clone)
    assert resolve(tree, "HEAD").subject == "The new"
    with pytest.raises(ParetoError, match=r"is shallow .*--unshallow.*fetch-depth: 0"):
        resolve(tree, "HEAD~1")


def test_a_repository_without_a_commit_has_no_ref(tmp_path: Path) -> None:
    git_output(tmp_path, "init", "--quiet")
    with pytest.raises(ParetoError, match="there is no such commit"):
        resolve(open_tree(tmp_path), "HEAD")


# Errors


def test_outside_a_repository_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ParetoError, match="is not inside a git repository"):
        open_tree(tmp_path)


def test_a_bare_repository_is_an_error(repository: Repository, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    repository.git("clone", "--quiet", "--bare", str(repository.path), str(bare))
    with pytest.raises(ParetoError, match="is a bare repository"):
        open_tree(bare)


def test_the_git_folder_is_an_error(repository: Repository) -> None:
    with pytest.raises(ParetoError, match="is git's own folder"):
        open_tree(repository.path / ".git")


def test_a_repository_that_git_refuses_is_reported_as_such(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a container the files often belong to another user."""
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(ParetoError, match=r"git refuses .*\n.*dubious ownership"):
        open_tree(repository.path)


def test_missing_git_is_reported(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository.path))
    with pytest.raises(ParetoError, match="needs git, and there is none on the PATH"):
        open_tree(repository.path)


def test_a_failed_command_reports_git_s_message(repository: Repository) -> None:
    with pytest.raises(ParetoError, match=r"git show failed in .* code 128:\nfatal: .*nowhere"):
        git_output(repository.path, "show", "nowhere")


def test_git_messages_are_english(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert "not a git repository" in run_git(repository.path.parent, "status").error_output


def test_names_that_are_not_utf8_are_kept(repository: Repository) -> None:
    name = os.fsdecode(b"caf\xe9.txt")
    (repository.path / name).touch()
    listed = git_output(repository.path, "ls-files", "-z", "--others")
    assert listed.split("\0") == [name, ""]
