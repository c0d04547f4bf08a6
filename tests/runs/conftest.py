"""Real repositories in a temp folder of their own."""

import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_pareto.runs.repository import Commit, Tree, open_tree, resolve


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


@pytest.fixture(autouse=True)
def git_of_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let no configuration of the machine's user decide a test; return the one that does."""
    config = tmp_path / "gitconfig"
    config.write_text("[user]\nname = Nobody\nemail = nobody@example.org\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return config


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A flat project of two commits: ``mypkg.core.VALUE`` was "old" and is "new"."""
    path = tmp_path / "repository"
    path.mkdir()
    repository = Repository(path)
    repository.git("init", "--quiet", "--initial-branch=main")
    repository.commit({"mypkg/__init__.py": "", "mypkg/core.py": "VALUE = 'old'\n"}, "The old")
    repository.commit({"mypkg/core.py": "VALUE = 'new'\n"}, "The new")
    return repository
