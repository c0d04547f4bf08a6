from pathlib import Path

import pytest

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs.git import open_tree
from pytest_pareto.runs.worktree import check_out
from tests.runs.conftest import Repository


@pytest.fixture
def weights(repository: Repository) -> Repository:
    repository.commit({".gitignore": "*.bin\n", "data/README": "what it is\n"})
    repository.write({"data/weights/a.bin": "weights", "b.bin": "more", "fresh.txt": "untracked"})
    return repository


def test_untracked_paths_are_linked_and_kept(weights: Repository) -> None:
    before = weights.state()
    links = ["data/weights", "b.bin", "fresh.txt"]
    with check_out(weights.tree, weights.resolve("HEAD~1"), links) as old:
        assert (old.root / "data/weights/a.bin").read_text() == "weights"
        assert (old.root / "b.bin").read_text() == "more"
        assert (old.root / "fresh.txt").read_text() == "untracked"
    assert (weights.path / "data/weights/a.bin").read_text() == "weights"
    assert weights.state() == before


def test_links_are_relative_to_the_project(weights: Repository) -> None:
    weights.commit({"toy/pyproject.toml": ""})
    weights.write({"toy/c.bin": "its own"})
    toy = open_tree(weights.path / "toy")
    with check_out(toy, weights.resolve("HEAD"), ["c.bin"]) as old:
        assert (old.root / "c.bin").read_text() == "its own"


@pytest.mark.parametrize(
    ("link", "message"),
    [
        ("absent.bin", "is not in .*; fetch or build it first"),
        ("mypkg/core.py", r"is in git at the ref \(such as mypkg/core.py\); link only"),
        ("data", r"is in git at the ref \(such as data/README\)"),
        ("../outside", "is not a path inside the project"),
        (str(Path("/etc/passwd")), "is not a path inside the project"),
        (".", "is not a path inside the project"),
        ("b.bin", "cannot be linked into the worktree .*; check that no link is given twice"),
    ],
)
def test_a_link_that_would_mix_both_codes_is_refused(
    weights: Repository, link: str, message: str
) -> None:
    before = weights.state()
    with (
        pytest.raises(ParetoError, match=f"pareto_against_links: '{link}' {message}"),
        check_out(weights.tree, weights.resolve("HEAD"), ["b.bin", link]),
    ):
        pytest.fail("it must not be linked")
    assert weights.state() == before
