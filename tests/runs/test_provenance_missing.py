"""Modules that git does not track and without which the old code fails."""

import re

import pytest

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs.legs import Leg, Side
from pytest_pareto.runs.provenance import refuse_untracked_modules
from tests.runs.conftest import Compare, Repository

NO_MODULE = "ModuleNotFoundError: No module named 'mypkg.made'"
TEST = "tests/test_it.py"


@pytest.fixture
def leg(repository: Repository, compare: Compare) -> Leg:
    """Return the old leg of a project whose test both commits have."""
    repository.commit({TEST: "", ".gitignore": "made.py\n"})
    repository.commit({"mypkg/core.py": "VALUE = 'newer'\n"})
    return compare(tests=[repository.path / TEST]).legs[Side.REF]


@pytest.mark.parametrize(
    "why",
    [
        NO_MODULE,
        f"{NO_MODULE} in /elsewhere",
        "ImportError: cannot import name 'made' from 'mypkg' (/at/mypkg/__init__.py)",
    ],
)
def test_an_ignored_module_must_be_linked(repository: Repository, leg: Leg, why: str) -> None:
    repository.write({"mypkg/made.py": "", TEST: "changed"})
    message = rf"{re.escape(why)}; mypkg/made\.py .* pareto_against_links = mypkg/made\.py if"
    with pytest.raises(ParetoError, match=message):
        refuse_untracked_modules(leg, {f"{TEST}::test_one": why})


def test_an_untracked_module_must_be_linked_if_the_test_is_old(
    repository: Repository, leg: Leg
) -> None:
    repository.write({"mypkg/made/__init__.py": ""})
    with pytest.raises(ParetoError, match=r"mypkg/made/__init__\.py is in the working tree"):
        refuse_untracked_modules(leg, {TEST: NO_MODULE})


def test_a_new_test_of_new_code_is_accepted(repository: Repository, leg: Leg) -> None:
    repository.write({"mypkg/made/__init__.py": "", TEST: "changed", "tests/test_new.py": ""})
    refuse_untracked_modules(leg, {TEST: NO_MODULE, "tests/test_new.py": NO_MODULE})


@pytest.mark.parametrize("why", [NO_MODULE, "RuntimeError: No such thing", NO_MODULE[:-5] + "e'"])
def test_tracked_or_absent_modules_are_accepted(repository: Repository, leg: Leg, why: str) -> None:
    repository.commit({"mypkg/mad.py": "", "mypkg/mae.py": ""})
    refuse_untracked_modules(leg, {TEST: why})
