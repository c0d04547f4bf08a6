"""Installed copies of the project under a name that it has on no path, and lookalikes."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pytest

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs.git import Tree
from pytest_pareto.runs.legs import Side
from pytest_pareto.runs.project import copy_names, is_copy, is_third_party
from tests.runs.conftest import Compare, Repository


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


# Names


@pytest.mark.parametrize(
    ("code", "copies"),
    [
        ("python/other", {"other": "python/other"}),
        ("a/b/other", {"other": "a/b/other", "b.other": "a/b/other"}),
        ("scripts/train.py", {"train": "scripts/train.py"}),
        ("utils/json.py", {}),
        ("mypkg", {}),
        ("python/not-a-name/a.py", {"a": "python/not-a-name/a.py"}),
    ],
)
def test_each_end_of_a_path_may_name_a_copy(code: str, copies: dict[str, str]) -> None:
    """Names of the standard library, and names imported from the leg, are excluded."""
    names = {"mypkg", "python.other", "scripts.train", "a.b.other", "utils.json"}
    expected = {name: (PurePosixPath(at),) for name, at in copies.items()}
    assert copy_names([PurePosixPath(code)], names) == expected


def test_third_party_code(tmp_path: Path) -> None:
    candidate = Tree(top=tmp_path, root=tmp_path / "packages/a")
    write(tmp_path, {"packages/a/library/.git": ""})
    for file in ("third-party/x/a.py", "library/x/a.py", "../b/src/b/a.py"):
        at = "packages/b/src/b/a.py" if file.startswith("..") else f"packages/a/{file}"
        assert is_third_party(candidate, PurePosixPath(at))
    assert not is_third_party(candidate, PurePosixPath("packages/a/python/x/a.py"))


# Similarity

PACKAGE = {"x/__init__.py": "", "x/a.py": "", "x/b/__init__.py": "", "x/tests/test_a.py": ""}


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        (PACKAGE, True),
        ({"x/__init__.py": "changed", "x/a.py": "", "x/older.py": ""}, True),
        ({"x/__init__.py": ""} | {f"x/{name}.py": "" for name in "cdefg"}, False),
        ({"x/__init__.py": ""}, False),
        ({"x/a.so": ""}, False),
    ],
)
def test_packages_are_compared_by_their_files(
    tmp_path: Path, installed: dict[str, str], expected: bool
) -> None:
    own, site = write(tmp_path / "own", PACKAGE), write(tmp_path / "site-packages", installed)
    test_paths = [PurePosixPath("x/tests")]
    assert is_copy(site / "x/__init__.py", own / "x", test_paths, own) is expected
    assert is_copy(site / "x", own / "x", test_paths, own) is expected


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        ("A = 1\nB = 2\n", True),
        ("A = 1\n\n  B = 2\nC = 3", True),
        ("A = 1\nC\nD", False),
        ("", False),
    ],
)
def test_modules_are_compared_by_their_lines(
    tmp_path: Path, installed: str, expected: bool
) -> None:
    own = write(tmp_path, {"own/x.py": "A = 1\nB = 2", "site/x.py": installed}) / "own"
    assert is_copy(tmp_path / "site/x.py", own / "x.py", [], own) is expected
    assert not is_copy(tmp_path / "site/absent.py", own / "x.py", [], own)
    assert not is_copy(tmp_path / "site/x.so", own / "x.py", [], own)


# Runs


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    site = tmp_path / "site-packages"
    monkeypatch.setenv("PYTHONPATH", str(site))
    return site


def project(folder: str, value: str) -> dict[str, str]:
    return {f"{folder}/__init__.py": "", f"{folder}/core.py": f"VALUE = '{value}'\n"}


SCRIPT = "import mypkg, other.core; tell(other.core.VALUE)"


def test_an_installed_copy_of_another_layout_is_refused(
    repository: Repository, compare: Compare, site: Path
) -> None:
    for value in ("old", "new"):
        repository.commit(project("python/other", value))
    write(site, project("other", "stale"))
    for script in (SCRIPT, f"{SCRIPT}\nos._exit(0)"):
        with pytest.raises(ParetoError) as told:
            compare().run(Side.CANDIDATE, script)
        where = f"nothing is compared: other came from {site}/other/__init__.py and not"
        assert where in str(told.value)
        assert "copy of python/other, the same on both legs. Put python on" in str(told.value)
        assert "(pythonpath = python)" in str(told.value)


def test_the_suggested_remedies_work(repository: Repository, compare: Compare, site: Path) -> None:
    for value in ("old", "new"):
        repository.commit(project("python/other", value))
    write(site, project("other", "stale"))
    legs = compare(path=[str(repository.path / "python")])
    assert legs.run(Side.REF, SCRIPT)[0] == ["old"]
    assert legs.run(Side.CANDIDATE, SCRIPT)[0] == ["new"]


@pytest.mark.parametrize("folder", ["vendor/other", "python/other"])
def test_another_package_of_the_same_name_is_imported(
    repository: Repository, compare: Compare, site: Path, folder: str
) -> None:
    """It has other files, or is a copy of third-party code that did not change."""
    repository.commit(project(folder, "same"))
    repository.commit({"mypkg/core.py": "VALUE = 'newer'"})
    more = {} if folder.startswith("vendor") else {f"other/{name}.py": "" for name in "abcde"}
    write(site, project("other", "theirs") | more)
    for side in Side:
        assert compare().run(side, SCRIPT)[0] == ["theirs"]


def test_changed_third_party_code_belongs_to_the_project(
    repository: Repository, compare: Compare, site: Path
) -> None:
    for value in ("old", "new"):
        repository.commit(project("vendor/other", value))
    write(site, project("other", "theirs"))
    with pytest.raises(ParetoError, match=r"\(pythonpath = vendor\)"):
        compare().run(Side.REF, SCRIPT)


def test_a_standard_module_is_not_a_copy(repository: Repository, compare: Compare) -> None:
    files = {"utils/json.py": "VALUE = 'mine'", "helpers/random/__init__.py": ""}
    repository.commit(files)
    repository.commit({})
    script = "import mypkg, json, random, utils.json; tell(utils.json.VALUE)"
    assert compare().run(Side.REF, script)[0] == ["mine"]


def test_a_build_of_the_leg_belongs_to_it(
    repository: Repository, compare: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit(project("python/other", "old") | {".gitignore": "build"})
    repository.commit({})
    repository.write(project("build/lib/other", "built"))
    monkeypatch.setenv("PYTHONPATH", str(repository.path / "build/lib"))
    assert compare().run(Side.CANDIDATE, SCRIPT)[0] == ["built"]
    with pytest.raises(ParetoError, match=r"other\.core came from|other came from"):
        compare().run(Side.REF, SCRIPT)
