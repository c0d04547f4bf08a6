"""What should have been measured, and was not."""

import pytest

from pytest_pareto.judge.missing import gone_cases, missing_cases
from pytest_pareto.model.baseline import Baseline, CaseHistory
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.policy import Policy
from pytest_pareto.model.run import Run
from pytest_pareto.model.session_record import SessionRecord

TEST = "tests/test_it.py::test_it"
RUN = Run(Environment("a CPU", 2, 1))


def baseline(*, stored: bool) -> Baseline:
    return Baseline("key", {TEST: CaseHistory(TEST, "f", "s", {})}, {}, stored=stored)


@pytest.mark.parametrize("skipped", [True, False])
@pytest.mark.parametrize("stored", [True, False])
def test_there_is_a_baseline_only_where_one_is_stored(*, stored: bool, skipped: bool) -> None:
    run = Run(RUN.environment, skipped=frozenset({TEST} if skipped else ()))
    (case,) = missing_cases(SessionRecord((run,), Policy()), baseline(stored=stored), ())
    reason, other = (case.skipped, case.missing) if skipped else (case.missing, case.skipped)
    assert other is None
    assert reason is not None
    assert ("baseline" in reason) is stored
    assert ("old code" in reason) is not stored


def test_what_was_not_collected_is_missing_for_that() -> None:
    run = Run(RUN.environment, failed={"tests/test_it.py": "why"})
    (case,) = missing_cases(SessionRecord((run,), Policy()), baseline(stored=False), ())
    assert case.missing is not None
    assert case.missing.endswith("could not be collected: tests/test_it.py: why")


def test_a_test_that_is_gone_is_missing_or_was_skipped() -> None:
    run = Run(RUN.environment, skipped=frozenset({"test_b.py::test"}))
    gone = ("test_a.py::test[1]", "test_b.py::test")
    one, two = gone_cases(SessionRecord((run,), Policy(), gone=gone))
    assert (one.front, one.case_id) == ("test_a.py::test", "test_a.py::test[1]")
    assert one.missing is not None
    assert one.skipped is None
    assert two.missing is None
    assert two.skipped is not None
    assert "baseline" not in one.missing + two.skipped
