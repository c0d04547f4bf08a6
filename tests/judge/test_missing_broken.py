"""What is said of a case that was measured and cannot be judged; `test_pipeline` has the rest."""

from dataclasses import replace

import pytest

from pytest_pareto.judge.missing import complete, failure_of
from pytest_pareto.model.baseline import Baseline, Past
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.policy import Policy
from pytest_pareto.model.run import CaseRun, Run
from pytest_pareto.model.session_record import Changes, SessionRecord
from pytest_pareto.model.verdict import CaseComparison

CASE = CaseComparison("t#decode", "t", "f", ())
RUN = Run(Environment("a CPU", 2, 1), {"t#decode": CaseRun("t#decode", "t", "f", "s", ())})
SUSPECT = frozenset({("t#decode", "latency")})


def completed(
    *runs: Run, flagged: frozenset[tuple[str, str]] = frozenset(), again: tuple[Run, ...] = ()
) -> CaseComparison:
    """Return the case as a session of these runs completes it."""
    record = SessionRecord(runs, Policy(), flagged=flagged, again=again)
    (case,) = complete(Changes(record, Past(Baseline("key", {}, {})), (CASE,)))
    return case


def test_a_failure_names_the_run_where_there_are_several() -> None:
    failed = replace(RUN, failed={"t": "boom"})
    assert failure_of("t", [failed]) == "the test failed: boom"
    assert failure_of("t", [RUN, failed]) == "the test failed in run 2 of 2: boom"
    assert failure_of("t", [failed], "turn") == "the test failed in turn 1 of 1: boom"
    assert failure_of("other", [failed]) is None


@pytest.mark.parametrize(("measured", "broken"), [(2, None), (1, "measured in 1 of 2 runs only")])
def test_a_case_is_whole_where_every_run_measured_it(measured: int, broken: str | None) -> None:
    unmeasured = replace(RUN, cases={})
    assert completed(*(RUN, RUN)[:measured], *(unmeasured,) * (2 - measured)).broken == broken


@pytest.mark.parametrize(
    ("again", "why"),
    [
        ({}, "its test did not measure it"),
        ({"skipped": frozenset({"t"})}, "its test skipped itself"),
    ],
)
def test_a_suspect_has_to_be_measured_again(again: dict[str, frozenset[str]], why: str) -> None:
    gone = replace(RUN, cases={}, **again)  # type: ignore[arg-type]  # one field, by its name
    found = completed(RUN, flagged=SUSPECT, again=(gone,))
    assert found.broken == f"it looked worse, and could not be measured again: {why}"
    assert completed(RUN, again=(gone,)) == CASE
    assert completed(RUN, flagged=SUSPECT, again=(RUN,)) == CASE
