"""Real git repositories in a temporary folder."""

import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pytest_pareto.runs import process
from pytest_pareto.runs.git import Commit, Tree, open_tree, resolve
from pytest_pareto.runs.leg_process import LegRun, run_legs
from pytest_pareto.runs.legs import Leg, Side, make_legs
from pytest_pareto.runs.project import survey_project
from pytest_pareto.runs.worktree import check_out


@dataclass(frozen=True)
class Repository:
    """A git repository of a toy project, with the output of git commands."""

    path: Path

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.path), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    def commit(self, files: Mapping[str, str], subject: str = "A commit") -> str:
        self.write(files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", subject)
        return self.git("rev-parse", "HEAD").strip()

    @property
    def tree(self) -> Tree:
        return open_tree(self.path)

    def resolve(self, ref: str) -> Commit:
        return resolve(self.tree, ref)

    def state(self) -> tuple[object, ...]:
        """Return what a comparison must leave unchanged, including every file below .git."""
        inside = self.path / ".git"
        return (
            self.git("worktree", "list", "--porcelain"),
            self.git("status", "--porcelain", "--ignored"),
            self.git("for-each-ref"),
            self.git("config", "--list", "--local"),
            # Names only: git may touch objects, and `status` itself refreshes the index.
            sorted(str(at.relative_to(inside)) for at in inside.rglob("*")),
        )


@pytest.fixture(autouse=True)
def temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put worktrees into a folder of the test, where leftovers are visible."""
    temp = tmp_path / "temp"
    temp.mkdir()
    monkeypatch.setenv("TMPDIR", str(temp))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return temp


def isolate_git_config(patch: pytest.MonkeyPatch, config: Path) -> None:
    """Isolate the test from the user's git configuration."""
    config.write_text("[user]\nname = Nobody\nemail = nobody@example.org\n")
    patch.setenv("GIT_CONFIG_GLOBAL", str(config))
    patch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture(autouse=True)
def git_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only git configuration that is used."""
    isolate_git_config(monkeypatch, tmp_path / "gitconfig")
    return tmp_path / "gitconfig"


@pytest.fixture
def submodule(repository: Repository, git_config: Path, tmp_path: Path) -> Repository:
    """The project with another repository as submodule, which has a new commit too."""
    with git_config.open("a") as config:
        config.write('[protocol "file"]\nallow = always\n')
    library = Repository(tmp_path / "library")
    repository.git("clone", "--quiet", str(repository.path), str(library.path))
    library.git("mv", "mypkg", "libpkg")
    library.commit({"libpkg/core.py": "VALUE = 'old'"})
    repository.git("submodule", "--quiet", "add", str(library.path), "third_party/library")
    repository.commit({}, "With a library")
    library.commit({"libpkg/core.py": "VALUE = 'new'"})
    Repository(repository.path / "third_party/library").git("pull", "--quiet")
    repository.commit({}, "With a new library")
    return repository


@pytest.fixture(autouse=True)
def poll_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Poll the child's output often: no timing here could be disturbed."""
    monkeypatch.setattr(process, "POLL_S", 0.005)


@pytest.fixture(scope="session")
def template_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository to copy: making one with git takes ten times as long."""
    repository = Repository(tmp_path_factory.mktemp("pattern"))
    with pytest.MonkeyPatch.context() as patch:
        isolate_git_config(patch, repository.path.parent / "gitconfig")
        repository.git("init", "--quiet", "--initial-branch=main", "--template=")
        files = {"mypkg/__init__.py": "", "mypkg/core.py": "VALUE = 'old'\n"}
        repository.commit(files, "The old")
        repository.commit({"mypkg/core.py": "VALUE = 'new'\n"}, "The new")
    return repository.path


@pytest.fixture
def repository(tmp_path: Path, template_repository: Path) -> Repository:
    """A flat project of two commits: ``mypkg.core.VALUE`` was "old" and is "new"."""
    return Repository(shutil.copytree(template_repository, tmp_path / "repository"))


@dataclass(frozen=True)
class Comparison:
    """Both legs of HEAD~1 and the candidate, and a folder for their runs."""

    legs: Mapping[Side, Leg]
    folder: Path

    def run(
        self, side: Side, script: str | Sequence[str], python: str = sys.executable, **more: Any
    ) -> tuple[list[str], frozenset[str]]:
        """Run a script (or command) on a leg; return its `tell` lines and the verified modules."""
        output: list[str] = []
        command = [python, "-c", TELL + script] if isinstance(script, str) else [python, *script]
        run = LegRun(
            self.legs[side],
            lambda lines: [*command, str(lines)],
            folder=Path(tempfile.mkdtemp(dir=self.folder)) / "run",
            hear=output.append,
            **more,
        )
        (modules,) = run_legs([run])
        return output, modules


TELL = """
import json, os, subprocess, sys
def tell(*values):
    with open(sys.argv[-1], "a") as lines:
        print(*values, file=lines)
"""

Compare = Callable[..., Comparison]


@pytest.fixture
def compare(repository: Repository, tmp_path: Path) -> Iterator[Compare]:
    """Check HEAD~1 out for the rest of the test, and make both legs."""
    runs = tmp_path / "runs"
    runs.mkdir()
    with contextlib.ExitStack() as stack:

        def compare(
            *,
            tests: Sequence[Path] = (),
            path: Sequence[str] = (),
            modules: Mapping[str, ModuleType] | None = None,
            tests_of: Side = Side.CANDIDATE,
            links: Sequence[str] = (),
            cwd: Path | None = None,
        ) -> Comparison:
            candidate, commit = repository.tree, repository.resolve("HEAD~1")
            worktree = stack.enter_context(check_out(candidate, commit, links))
            project = survey_project(candidate, worktree, tests, path=path, modules=modules or {})
            legs = make_legs(candidate, worktree, project, tests_of=tests_of, cwd=cwd)
            return Comparison(legs, runs)

        yield compare
