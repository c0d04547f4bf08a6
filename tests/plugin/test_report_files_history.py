"""The page of a failing session: its runs, and the levels that git knows of the baseline."""

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.plugin.conftest import Toy

PAGE = "--pareto-html=r.html"


def git(toy: "Toy", *arguments: str, at: int = 1) -> None:
    date = f"2026-01-{at:02d}T12:00:00+0000"
    env = {"PATH": os.environ["PATH"], "HOME": str(toy.path)}
    for who in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{who}_NAME": "a", f"GIT_{who}_EMAIL": "a@b.c", f"GIT_{who}_DATE": date}
    subprocess.run(["git", *arguments], cwd=toy.path, env=env, check=True, capture_output=True)


def commit(toy: "Toy", subject: str, at: int) -> None:
    git(toy, "add", "--all", at=at)
    git(toy, "commit", "--quiet", "--allow-empty", "--message", subject, at=at)


@pytest.fixture
def tracked(toy: "Toy") -> "Toy":
    """A toy in a repository: two sessions of its baseline are committed, and another commit."""
    git(toy, "init", "--quiet")
    commit(toy, "Record a baseline", 1)
    toy.change(large={"seconds": 0.08})
    assert toy.run("--pareto", "--pareto-update=all").exit_code == 0
    commit(toy, "Accept a slower model", 9)
    commit(toy, "Change nothing", 10)
    toy.change(large={"seconds": 0.3})
    return toy


def test_the_page_shows_what_git_knows_of_a_failing_case(tracked: "Toy") -> None:
    assert tracked.run("--pareto", PAGE).exit_code == 1
    text = (tracked.path / "r.html").read_text()
    assert "2 commits, 2026-01-01 to 2026-01-09: " in text
    assert "1 commit later" in text
    assert 'class="change now"' in text


def test_without_a_repository_it_says_why_there_are_no_levels(toy: "Toy") -> None:
    toy.change(large={"seconds": 0.3})
    assert toy.run("--pareto", PAGE).exit_code == 1
    text = (toy.path / "r.html").read_text()
    assert "no levels over the git history: " in text
    assert 'class="change now"' in text


def test_a_session_that_passes_asks_git_for_nothing(
    tracked: "Toy", monkeypatch: pytest.MonkeyPatch
) -> None:
    tracked.change(large={"seconds": 0.08})
    monkeypatch.setenv("PATH", "/nowhere")
    assert tracked.run("--pareto", PAGE).exit_code == 0
    assert "no levels over" not in (tracked.path / "r.html").read_text()
