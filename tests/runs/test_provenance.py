from pathlib import Path

import pytest

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs.git import Tree
from pytest_pareto.runs.legs import Leg, Side
from pytest_pareto.runs.project import Project
from pytest_pareto.runs.provenance import Origin, prove, read_origins


@pytest.fixture
def leg(tmp_path: Path) -> Leg:
    ref, candidate = (Tree(tmp_path / name, tmp_path / name) for name in ("ref", "candidate"))
    project = Project((), frozenset(f"package{n}" for n in range(9)), frozenset())
    return Leg(Side.REF, ref, candidate, candidate, candidate.root, project)


MAIN = 1
END = (MAIN, "ended", "", "")


def note(folder: Path, *lines: tuple[int, str, str, str]) -> Path:
    file = folder / "origins.txt"
    file.write_text("".join(ascii(line) + "\n" for line in lines))
    return file


def test_a_module_of_the_leg_is_verified(leg: Leg, tmp_path: Path) -> None:
    own = str(tmp_path / "ref/a.py")
    file = note(
        tmp_path, (1, "found", "a", own), (2, "found", "a", own), (2, "found", "b", ""), END
    )
    assert prove(leg, file, MAIN) == {"a", "b"}


def test_paths_may_contain_any_character(tmp_path: Path) -> None:
    place = "/a\nb\tc\udcff'.py"
    assert list(read_origins(note(tmp_path, (1, "found", "ä", place)))) == [
        Origin(pid=1, kind="found", name="ä", place=place)
    ]


@pytest.mark.parametrize("kind", ["found", "escaped"])
@pytest.mark.parametrize("place", ["candidate/a.py", "ref-2/a.py", "site-packages/a.py"])
def test_a_module_from_elsewhere_is_named(leg: Leg, tmp_path: Path, kind: str, place: str) -> None:
    own = (1, "found", "b", str(tmp_path / "ref/b.py"))
    file = note(tmp_path, own, (1, kind, "a", str(tmp_path / place)))
    with pytest.raises(ParetoError) as told:
        prove(leg, file, MAIN)
    where = f": a came from {tmp_path / place} and not from below {tmp_path}/ref. "
    assert where in str(told.value)
    assert "b came" not in str(told.value)


def test_of_many_foreign_modules_some_are_named(leg: Leg, tmp_path: Path) -> None:
    lines = [(1, "found", f"m{n}", f"/elsewhere/{n}") for n in (*range(9), 0)]
    with pytest.raises(
        ParetoError, match=r": m0 (?s:.*)\n  m4 came from /elsewhere/4\n  and 4 more$"
    ):
        prove(leg, note(tmp_path, *lines), MAIN)


def test_no_import_proves_nothing(leg: Leg, tmp_path: Path) -> None:
    with pytest.raises(ParetoError, match=r"never imported .*: package0, .*package4, \.\.\.\."):
        prove(leg, note(tmp_path, END), MAIN)


def test_a_process_without_a_logged_end_proves_nothing(leg: Leg, tmp_path: Path) -> None:
    """Its log may contain only the leg's own modules, and its missing last lines may not."""
    own, other_end = (MAIN, "found", "a", str(tmp_path / "ref/a.py")), (2, "ended", "", "")
    for file in (tmp_path / "absent", note(tmp_path), note(tmp_path, own, other_end)):
        with pytest.raises(ParetoError, match=r"the ref leg's process ended without noting"):
            prove(leg, file, MAIN)


@pytest.mark.parametrize("line", ["(1, 'found', 'a'", "(1, 'found')", "3", "import os"])
def test_an_incomplete_line_is_an_error(tmp_path: Path, line: str) -> None:
    file = note(tmp_path, (1, "found", "a", ""))
    file.write_text(file.read_text() + line)
    with pytest.raises(ParetoError, match=r"origins\.txt, line 2: .* is not whole"):
        list(read_origins(file))
