"""Paths on the command line of a leg, and how many processes start up together."""

from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest

from pytest_pareto.plugin import fresh_processes
from pytest_pareto.plugin.fresh_processes import CUDA_AT_IMPORT, map_arguments, startups_at_once
from pytest_pareto.runs.git import Tree
from pytest_pareto.runs.legs import Leg, Side
from pytest_pareto.runs.project import Project

Memory = Callable[..., None]
PROJECT = Project((PurePosixPath(),), frozenset(), frozenset())


@pytest.fixture
def legs(tmp_path: Path) -> dict[str, Leg]:
    """Both legs of a project that is opened by a link, by the new tests and by the old."""
    new, old = (Tree(tmp_path / name, tmp_path / name) for name in ("new", "old"))
    (new.top / "tests").mkdir(parents=True)
    (new.top / "tests" / "linked").symlink_to(tmp_path)
    (tmp_path / "link").symlink_to(new.top)
    return {
        "new": Leg(Side.CANDIDATE, new, old, new, new.top, PROJECT),
        "old": Leg(Side.REF, old, new, new, new.top, PROJECT),
        "old by its own": Leg(Side.REF, old, new, old, old.top, PROJECT),
        "new by the old": Leg(Side.CANDIDATE, new, old, old, old.top, PROJECT),
    }


@pytest.mark.parametrize("at", ["link", "new"])
@pytest.mark.parametrize(
    ("leg", "tree"),
    [("new", "new"), ("old", "new"), ("old by its own", "old"), ("new by the old", "old")],
)
def test_a_path_into_the_project_is_the_legs(
    tmp_path: Path, legs: dict[str, Leg], at: str, leg: str, tree: str
) -> None:
    here, there = tmp_path / at, tmp_path / tree
    given = [
        *(f"{here}/tests/test_a.py::test_it[a=/b::c]", f"{here}/tests/linked/x", f"{here}"),
        *(f"--rootdir={here}", "--ignore", f"{here}/tests/more"),
    ]
    assert map_arguments(legs[leg], given) == [
        argument.replace(str(here), str(there)) for argument in given
    ]


def test_all_else_stays(tmp_path: Path, legs: dict[str, Leg]) -> None:
    ini = f"{tmp_path}/link/pytest.ini"
    given = [
        *("-c", ini, f"--config-file={ini}", "tests/test_a.py", "-k", "a=b", "--pareto"),
        *("/elsewhere/test_a.py", "/", f"{tmp_path}/linked/tests", "-o", f"x={tmp_path}/new"),
    ]
    assert map_arguments(legs["old by its own"], given) == given


# How many start up together

GIB = 2**30


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Memory:
    """Set what this process takes of memory (GiB), what is free, and whether it uses a GPU."""

    def set_memory(own_gib: int | None, free_gib: int, *, uses_gpu: bool = False) -> None:
        own_b = None if own_gib is None else own_gib * GIB
        monkeypatch.setattr(fresh_processes, "memory_in_use_b", lambda: own_b)
        monkeypatch.setattr(fresh_processes, "free_memory_b", lambda: free_gib * GIB)
        cuda = object() if uses_gpu else None
        monkeypatch.setattr(fresh_processes, "initialized_cuda", lambda: cuda)

    return set_memory


@pytest.mark.parametrize(
    ("own_gib", "free_gib", "pairs"),
    [(1, 64, 4), (1, 13, 3), (1, 4, 1), (1, 1, 1), (4, 64, 4), (8, 64, 2), (None, 64, 1)],
)
def test_waiting_processes_take_half_of_the_free_memory_at_most(
    memory: Memory, pytestconfig: pytest.Config, own_gib: int | None, free_gib: int, pairs: int
) -> None:
    memory(own_gib, free_gib)
    assert startups_at_once(pytestconfig, 4, processes=2) == pairs


def test_one_starts_where_importing_the_tests_has_touched_a_gpu(
    memory: Memory, pytester: pytest.Pytester
) -> None:
    config = pytester.parseconfig()
    memory(1, 64, uses_gpu=True)
    assert startups_at_once(config, 5) == 1
    config.stash[CUDA_AT_IMPORT] = False  # the tests have, and not their import
    assert startups_at_once(config, 5) == 5
    memory(1, 64)
    config.stash[CUDA_AT_IMPORT] = True
    assert startups_at_once(config, 5) == 1
