import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from types import ModuleType

import pytest

from pytest_pareto.runs.git import Tree, open_tree
from pytest_pareto.runs.project import Project, code_names, dotted_name, survey_project
from pytest_pareto.runs.worktree import check_out
from tests.runs.conftest import Repository


def survey_head(
    repository: Repository,
    tests: Sequence[str] = (),
    *,
    path: Sequence[str] = (),
    modules: dict[str, ModuleType] | None = None,
    tree: Tree | None = None,
) -> Project:
    """Return the project of HEAD~1 and the candidate, by default without paths and modules."""
    candidate = tree or repository.tree
    with check_out(candidate, repository.resolve("HEAD~1")) as worktree:
        files = [candidate.top / test for test in tests]
        return survey_project(candidate, worktree, files, path=path, modules=modules or {})


# Names


@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("mypkg/deep/a.py", {"mypkg"}),
        ("src/mypkg/deep/a.py", {"mypkg", "src.mypkg"}),
        ("a.py", {"a"}),
        ("scripts/train.py", {"scripts.train"}),
        ("google/cloud/mine/a.py", {"google.cloud.mine"}),
        ("src/_fast.cpython-311.so", {"_fast", "src._fast"}),
        ("not-a-name/a.py", set()),
        ("__init__.py", set()),
        ("random.py", set()),
        ("pytest_pareto/runs/legs.py", set()),
    ],
)
def test_names_are_the_shallowest_code(file: str, names: set[str]) -> None:
    packages = [
        PurePosixPath(at)
        for at in ("mypkg", "mypkg/deep", "src/mypkg", "google/cloud/mine", "pytest_pareto")
    ]
    folders = [PurePosixPath("src"), PurePosixPath()]
    assert code_names([PurePosixPath(file)], packages, folders) == names


def test_names_can_be_imported() -> None:
    assert dotted_name(PurePosixPath("mypkg/tests")) == "mypkg.tests"
    assert dotted_name(PurePosixPath("mypkg/class-1/a.py")) is None


# Surveys


def test_a_project_includes_both_trees(repository: Repository) -> None:
    """Names of one side only are included: the other side must not find them there."""
    repository.commit({"gone.py": "", ".gitignore": "build\n"})
    (repository.path / "gone.py").unlink()
    repository.commit({"src/added/__init__.py": "", "tests/test_a.py": ""})
    repository.write({"fresh.py": "", "build/lib/mypkg/core.py": "", "_top.so": ""})
    project = survey_head(repository)
    assert project.folders == (PurePosixPath("src"), PurePosixPath())
    assert project.names == {"mypkg", "gone", "added", "src.added", "fresh", "_top"}
    assert project.ground == {PurePosixPath("tests")}
    assert project.test_names == {"tests"}


def test_tests_have_names_too(repository: Repository) -> None:
    repository.commit(
        {"mypkg/test_core.py": "", "mypkg/tests/a.py": "", "conftest.py": "", "test_a.py": ""}
    )
    project = survey_head(repository, ["mypkg/test_core.py", "test_a.py"])
    assert project.test_names == {"mypkg.tests", "mypkg.test_core", "test_a"}
    assert project.names == {"mypkg"}


def test_folders_on_the_path_belong_to_the_project(repository: Repository, tmp_path: Path) -> None:
    """Pytest's `pythonpath`, a .pth file or a sibling installed in place put them there."""
    repository.commit({"python/other/__init__.py": "", "tests/helpers/h.py": "", "lib/x.py": ""})
    environment = repository.path / ".venv/lib/python3.11/site-packages"
    environment.mkdir(parents=True)
    (environment / "stranger.py").touch()
    (tmp_path / "link").symlink_to(repository.path / "python")
    path = [
        *(str(tmp_path), str(tmp_path / "link"), str(environment), str(repository.path / "absent")),
        *(str(repository.path / at) for at in ("tests/helpers", "lib/x.py")),
    ]
    project = survey_head(repository, path=path)
    assert project.folders == tuple(map(PurePosixPath, ("src", ".", "python")))
    assert {"other", "python.other"} <= project.names
    assert "stranger" not in project.names


def test_an_environment_in_the_repository_is_not_the_project(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(repository.path / "env"))
    inside = repository.path / "env/lib/python3.11/lib-dynload"
    inside.mkdir(parents=True)
    assert len(survey_head(repository, path=[str(inside)]).folders) == 2


def test_setuptools_editable_finders_are_followed(repository: Repository) -> None:
    repository.commit({"code/python/other/__init__.py": ""})
    finder = ModuleType("__editable___other_1_0_finder")
    finder.__dict__["MAPPING"] = {"other": str(repository.path / "code/python/other")}
    project = survey_head(repository, modules={finder.__name__: finder})
    assert project.folders[-1] == PurePosixPath("code/python")
    assert "other" in project.names


def test_vendored_editable_finders_are_ignored(repository: Repository) -> None:
    """A package may have made such modules its own; beside it, another may be installed."""
    repository.commit({})
    repository.commit({"mypkg/_other/other/a.py": "", "python/mine/__init__.py": "", "_a.so": ""})
    copies = {"mine": (PurePosixPath("python/mine"),)}
    assert survey_head(repository).copies == copies
    assert survey_head(repository, path=[str(repository.path / "python")]).copies == {}


def test_initialised_submodules_are_included(submodule: Repository) -> None:
    library = submodule.path / "third_party/library"
    with check_out(submodule.tree, submodule.resolve("HEAD~1")) as worktree:

        def names() -> frozenset[str]:
            return survey_project(
                submodule.tree, worktree, [], path=[str(library)], modules={}
            ).names

        assert "libpkg" in names()
        Repository(worktree.top).git("submodule", "--quiet", "update", "--init")
        inside = Repository(worktree.top / "third_party/library")
        inside.commit({"only_at_the_ref.py": ""})
        assert {"libpkg", "only_at_the_ref"} <= names()
    submodule.git("submodule", "--quiet", "deinit", "--all", "--force")
    assert "libpkg" not in survey_head(submodule, path=[str(library)]).names


def test_a_project_below_the_top_includes_its_siblings(repository: Repository) -> None:
    sibling = repository.path / "packages/b/src"
    files = {"packages/a/src/a/__init__.py": "", "packages/b/src/b/__init__.py": ""}
    repository.commit(files | {"packages/a/tests/test_a.py": ""})
    repository.commit({})
    tree = open_tree(repository.path / "packages/a")
    project = survey_head(repository, path=[str(sibling)], tree=tree)
    folders = ("packages/a/src", "packages/a", "packages/b/src")
    assert project.folders == tuple(map(PurePosixPath, folders))
    assert {"a", "b"} <= project.names
    assert project.ground == {PurePosixPath("packages/a/tests")}
    assert project.test_names == {"tests"}
