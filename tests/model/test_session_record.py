from pytest_pareto.model.environment import Environment
from pytest_pareto.model.policy import Policy
from pytest_pareto.model.run import Run
from pytest_pareto.model.session_record import SessionRecord
from pytest_pareto.model.verdict import Failure

RUN = Run(Environment("a CPU", 2, 1))
FLAGGED = frozenset({("a", "latency"), ("a", "energy"), ("b", "latency")})


def test_flagged_metrics_are_those_of_one_case() -> None:
    record = SessionRecord((RUN,), Policy(), flagged=FLAGGED)
    assert record.flagged_by_case() == {"a": {"latency", "energy"}, "b": {"latency"}}


def test_an_interleaved_session_is_confirmed_where_both_sides_were_measured_again() -> None:
    stored = SessionRecord((RUN,), Policy(), flagged=FLAGGED)
    assert not stored.confirmed
    assert SessionRecord((RUN,), Policy(), flagged=FLAGGED, again=(RUN,)).confirmed
    assert not SessionRecord((RUN,), Policy(), again=(RUN,)).confirmed
    half = SessionRecord((RUN,), Policy(), flagged=FLAGGED, again=(RUN,), old_runs=(RUN,))
    assert half.interleaved
    assert not half.confirmed


def test_a_failed_process_explains_what_was_not_measured() -> None:
    assert SessionRecord((RUN,), Policy()).expects("test_a.py::test")
    failed = (Failure("a process died"),)
    assert not SessionRecord((RUN,), Policy(), failures=failed).expects("test_a.py::test")
    confirming = SessionRecord((RUN,), Policy(), failures=failed, flagged=FLAGGED)
    assert confirming.expects("test_a.py::test")
