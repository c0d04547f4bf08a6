"""Paths on the command line, for the processes of a leg."""

from pathlib import Path, PurePosixPath

import pytest

from pytest_pareto.plugin.fresh_processes import map_arguments
from pytest_pareto.runs.git import Tree
from pytest_pareto.runs.legs import Leg, Side
from pytest_pareto.runs.project import Project

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
