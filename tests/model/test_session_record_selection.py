"""The cases that a session was requested to measure."""

import pytest

from pytest_pareto.model.environment import Environment
from pytest_pareto.model.run import Run
from pytest_pareto.model.session_record import Asked

RUN = Run(Environment("EPYC", 2, 2), finished=frozenset({"t/test_a.py::x"}))


@pytest.mark.parametrize(
    ("covered", "case_id", "expected"),
    [
        ((".",), "t/test_b.py::x", True),
        (("t",), "t/test_b.py::x", True),
        (("t/test_b.py",), "t/test_b.py::x[1]", True),
        (("t/test_b",), "t/test_b.py::x", False),
        (("u",), "t/test_b.py::x", False),
        ((), "t/test_b.py::x", False),
        ((), "t/test_a.py::x", True),
        ((), "t/test_a.py::x#decode", True),
        ((), "t/test_a.py::xy", False),
    ],
)
def test_covered_and_collected_cases_are_expected(
    covered: tuple[str, ...], case_id: str, *, expected: bool
) -> None:
    assert Asked(covered).expects(case_id, (RUN,)) is expected


def test_a_partial_session_expects_only_what_ran() -> None:
    asked = Asked(partial="1 deselected")
    assert not asked.expects("t/test_b.py::x", (RUN,))
    assert asked.expects("t/test_a.py::x", (RUN,))
    assert not Asked(partial="-x", stopped="-x").expects("t/test_a.py::x", (RUN,))


def test_a_skipped_module_skips_its_cases() -> None:
    asked = Asked(skipped_modules=("t/test_b.py",))
    assert asked.skipped("t/test_b.py::x", (RUN,))
    assert not asked.skipped("t/test_a.py::x", (RUN,))
    skipped = Run(RUN.environment, skipped=frozenset({"t/test_a.py::x"}))
    assert Asked().skipped("t/test_a.py::x#decode", (skipped,))
