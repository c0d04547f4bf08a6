"""Real repositories in a temp folder of their own."""

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
from pytest_pareto.runs.leg_process import run_leg
from pytest_pareto.runs.legs import Leg, Side, make_legs
from pytest_pareto.runs.project import survey
from pytest_pareto.runs.worktree import check_out


@dataclass(frozen=True)
class Repository:
    """A git repository of a toy project, and what git says of it."""

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
        """Return what a comparison must leave as it was: also every file below .git."""
        inside = self.path / ".git"
        return (
            self.git("worktree", "list", "--porcelain"),
            self.git("status", "--porcelain", "--ignored"),
            self.git("for-each-ref"),
            self.git("config", "--list", "--local"),
            # Objects are looked at, and the index is what `status` itself refreshes.
            sorted(str(at.relative_to(inside)) for at in inside.rglob("*")),
        )


@pytest.fixture(autouse=True)
def temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep worktrees in a folder of the test's own, where what is left behind is seen."""
    temp = tmp_path / "temp"
    temp.mkdir()
    monkeypatch.setenv("TMPDIR", str(temp))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return temp


def forget_the_user(patch: pytest.MonkeyPatch, config: Path) -> None:
    """Let no configuration of the machine's user decide a test."""
    config.write_text("[user]\nname = Nobody\nemail = nobody@example.org\n")
    patch.setenv("GIT_CONFIG_GLOBAL", str(config))
    patch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture(autouse=True)
def git_of_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the one configuration that counts."""
    forget_the_user(monkeypatch, tmp_path / "gitconfig")
    return tmp_path / "gitconfig"


@pytest.fixture
def submodule(repository: Repository, git_of_nobody: Path, tmp_path: Path) -> Repository:
    """The project with a library of another repository in it, which has a new commit too."""
    with git_of_nobody.open("a") as config:
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
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at once what a child says: nothing is timed here that this could disturb."""
    monkeypatch.setattr(process, "POLL_S", 0.005)


@pytest.fixture(scope="session")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository to copy: git takes ten times as long to make one."""
    repository = Repository(tmp_path_factory.mktemp("pattern"))
    with pytest.MonkeyPatch.context() as patch:
        forget_the_user(patch, repository.path.parent / "gitconfig")
        repository.git("init", "--quiet", "--initial-branch=main", "--template=")
        files = {"mypkg/__init__.py": "", "mypkg/core.py": "VALUE = 'old'\n"}
        repository.commit(files, "The old")
        repository.commit({"mypkg/core.py": "VALUE = 'new'\n"}, "The new")
    return repository.path


@pytest.fixture
def repository(tmp_path: Path, pattern: Path) -> Repository:
    """A flat project of two commits: ``mypkg.core.VALUE`` was "old" and is "new"."""
    return Repository(shutil.copytree(pattern, tmp_path / "repository"))


@dataclass(frozen=True)
class Comparison:
    """Both legs of HEAD~1 and the candidate, and a folder for their runs."""

    legs: Mapping[Side, Leg]
    folder: Path

    def run(
        self, side: Side, script: str | Sequence[str], python: str = sys.executable, **more: Any
    ) -> tuple[list[str], frozenset[str]]:
        """Run a script (or a command) on a leg; return what it `tell`s, and what was proved."""
        told: list[str] = []
        command = [python, "-c", TELL + script] if isinstance(script, str) else [python, *script]
        proved = run_leg(
            self.legs[side],
            lambda lines: [*command, str(lines)],
            folder=Path(tempfile.mkdtemp(dir=self.folder)) / "run",
            hear=told.append,
            **more,
        )
        return told, proved


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
            project = survey(candidate, worktree, tests, path=path, modules=modules or {})
            legs = make_legs(candidate, worktree, project, tests_of=tests_of, cwd=cwd)
            return Comparison(legs, runs)

        yield compare
