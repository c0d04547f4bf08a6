"""The tests that measure the legs, run by pytest itself."""

import shutil

import pytest

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs.legs import Side
from tests.runs.conftest import Compare, Comparison, Repository

TEST = """
import os
import pytest
import mypkg.core
from {package}.helpers import RULER

def test_it(told):
    with open(told, "a") as lines:
        print("{package}", RULER, mypkg.core.VALUE, file=lines)
    with pytest.raises(AssertionError, match="assert 'new' == 'other'"):
        assert "new" == "other"
"""
CONFTEST = """
import os
import pytest
import mypkg

@pytest.fixture
def told():
    return os.environ["TOLD"]
"""
RUN = """
import pytest
os.environ["TOLD"] = sys.argv[-1]
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", *{options!r}]))
"""
FILES = ("tests/test_a.py", "mypkg/tests/test_b.py", "mypkg/test_c.py")


@pytest.fixture(autouse=True)
def bare_pytest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


@pytest.fixture
def tested(repository: Repository) -> Repository:
    """Tests of every kind, on both sides: beside the package, in it, and among its modules."""
    shutil.rmtree(repository.path / "mypkg")
    for age in ("old", "new"):
        files = {
            "conftest.py": CONFTEST,
            "mypkg/__init__.py": "",
            "mypkg/core.py": f"VALUE = '{age}'",
            "mypkg/helpers.py": f"RULER = '{age} code'",
            "mypkg/test_c.py": TEST.format(package="mypkg"),
        }
        for package in ("tests", "mypkg/tests"):
            name = {"tests": "test_a", "mypkg/tests": "test_b"}[package]
            files[f"{package}/__init__.py"] = ""
            files[f"{package}/conftest.py"] = "import mypkg"
            files[f"{package}/helpers.py"] = f"RULER = '{age} ruler'"
            files[f"{package}/{name}.py"] = TEST.format(package=package.replace("/", "."))
        repository.commit(files)
    return repository


def run(legs: Comparison, side: Side, *options: str) -> list[str]:
    return legs.run(side, RUN.format(options=(*options, *FILES)), is_watched=True)[0]


@pytest.mark.parametrize("mode", ["prepend", "append", "importlib"])
def test_the_candidates_tests_measure_the_refs_code(
    tested: Repository, compare: Compare, mode: str
) -> None:
    legs = compare(tests=[tested.path / file for file in FILES])
    assert run(legs, Side.REF, f"--import-mode={mode}") == [
        "tests new ruler old",
        "mypkg.tests new ruler old",
        "mypkg old code old",
    ]


@pytest.mark.parametrize("side", Side)
def test_the_refs_tests_measure_both_if_configured(
    tested: Repository, compare: Compare, side: Side
) -> None:
    own = {Side.REF: "old", Side.CANDIDATE: "new"}[side]
    legs = compare(tests=[tested.path / file for file in FILES], tests_of=Side.REF)
    assert run(legs, side) == [
        f"tests old ruler {own}",
        f"mypkg.tests old ruler {own}",
        f"mypkg {own} code {own}",
    ]


def test_a_ref_that_had_no_tests_is_measured(repository: Repository, compare: Compare) -> None:
    repository.commit({})
    files = {
        "conftest.py": CONFTEST,
        "bench/__init__.py": "",
        "bench/helpers.py": "RULER = 'new'",
        "bench/test_a.py": TEST.format(package="bench"),
        "mypkg/core.py": "VALUE = 'newer'",
    }
    repository.commit(files)
    legs = compare(tests=[repository.path / "bench/test_a.py"])
    script = RUN.format(options=["bench"])
    assert legs.run(Side.REF, script, is_watched=True)[0] == ["bench new new"]
    assert legs.run(Side.CANDIDATE, script)[0] == ["bench new newer"]


def test_unrecognised_test_helpers_are_detected(repository: Repository, compare: Compare) -> None:
    """A helper in a folder of any name is the ref's, unless the user configures the folder."""
    repository.commit({})
    files = {
        "conftest.py": CONFTEST,
        "checks/__init__.py": "",
        "checks/helpers.py": "RULER = 'new'",
        "checks/test_a.py": TEST.format(package="checks"),
    }
    repository.commit(files)
    test, script = repository.path / "checks/test_a.py", RUN.format(options=["checks"])
    with pytest.raises(ParetoError, match=r"(?s)the ref leg ended .* No module named 'checks' in"):
        compare(tests=[test]).run(Side.REF, script)
    legs = compare(tests=[test, test.parent])
    assert legs.run(Side.REF, script, is_watched=True)[0] == ["checks new new"]
