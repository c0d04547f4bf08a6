"""What should have been measured: whose word it is that it was."""

import pytest

from pytest_pareto.judge.missing import gone_cases, missing_cases
from pytest_pareto.model.baseline import Baseline, CaseHistory
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.run import Run

TEST = "tests/test_it.py::test_it"


def baseline(*, stored: bool) -> Baseline:
    return Baseline("key", {TEST: CaseHistory(TEST, "f", "s", {})}, {}, stored=stored)


@pytest.mark.parametrize("skipped", [True, False])
@pytest.mark.parametrize("stored", [True, False])
def test_there_is_a_baseline_only_where_one_is_stored(*, stored: bool, skipped: bool) -> None:
    run = Run(Environment("a CPU", 2, 1))
    (case,) = missing_cases([run], baseline(stored=stored), (), lambda _: True, lambda _: skipped)
    told, other = (case.skipped, case.missing) if skipped else (case.missing, case.skipped)
    assert other is None
    assert told is not None
    assert ("baseline" in told) is stored
    assert ("old code" in told) is not stored


def test_what_was_not_collected_is_missing_for_that() -> None:
    run = Run(Environment("a CPU", 2, 1), failed={"tests/test_it.py": "why"})
    (case,) = missing_cases([run], baseline(stored=False), (), lambda _: True, lambda _: False)
    assert case.missing is not None
    assert case.missing.endswith("could not be collected: tests/test_it.py: why")


def test_a_test_that_is_gone_is_missing_or_was_skipped() -> None:
    one, two = gone_cases(["test_a.py::test[1]", "test_b.py::test"], lambda c: "test_b" in c)
    assert (one.front, one.case_id) == ("test_a.py::test", "test_a.py::test[1]")
    assert one.missing is not None
    assert one.skipped is None
    assert two.missing is None
    assert two.skipped is not None
    assert "baseline" not in one.missing + two.skipped
