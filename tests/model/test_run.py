import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import LATENCY, PEAK_MEMORY, Better, Kind, Metric, Scope
from pytest_pareto.model.run import CaseRun, Looks, Measurement, failure_reason, nodeid_of

SCORE = Metric("score", "", Better.HIGHER, Kind.PAIRED, Scope.GPU, 0.01, relative=False)
NUMBER = Metric("number", "", Better.LOWER, Kind.RUN, Scope.GPU, 0.5, relative=False)
FID = Metric("fid", "", Better.LOWER, Kind.SET, Scope.GPU, 0.5, relative=False)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Measurement(LATENCY), "needs either readings or the reason"),
        (lambda: Measurement(LATENCY, (0.1,), absent="no clock"), "needs either readings"),
        (lambda: Measurement(LATENCY, (0.1, math.nan)), "'latency' is nan at reading 1"),
        (lambda: Measurement(LATENCY, (math.inf,)), "'latency' is inf at reading 0"),
        (lambda: Measurement(SCORE, (1.0, math.nan), ("x", "y")), "is nan at sample 'y'"),
        (lambda: Measurement(LATENCY, (0.1, -0.1)), "is -0.1; a relative metric cannot be"),
        (lambda: Measurement(PEAK_MEMORY, (1.0, 2.0)), "has 2 values, not one"),
        (lambda: Measurement(SCORE, (1.0,)), "scores of samples, and only they, have"),
        (
            lambda: Measurement(SCORE, (1.0, 2.0), ("x", "y"), looks=Looks(10, 5, 2, 0)),
            "has 2 scores, and look 2 of 5 is at 4",
        ),
        (lambda: Measurement(SCORE, (1.0,), ("x",), whole=1.0), "set metrics, and only they"),
        (lambda: Measurement(FID, (1.0,), ("block",)), "set metrics, and only they"),
        (lambda: Measurement(FID, (1.0,), ("block",), whole=float("nan")), "'fid' is nan"),
        (lambda: Measurement(LATENCY, (1.0,), ("x",)), "scores of samples, and only they"),
        (lambda: Measurement(SCORE, (1.0,), ("x", "y")), "1 scores for 2 ids"),
        (lambda: Measurement(SCORE, (1.0, 2.0, 3.0), ("x", "y", "x")), "the id 'x' stands for"),
        (
            lambda: Measurement(LATENCY, (0.1,), lower_bound="without x"),
            "exact metric can be a low",
        ),
        (
            lambda: Measurement(PEAK_MEMORY, absent="no", lower_bound="without x"),
            "only the value of an exact metric",
        ),
    ],
)
def test_an_invalid_measurement_is_refused(build: Callable[[], Measurement], message: str) -> None:
    with pytest.raises(ParetoError, match=message):
        build()


def test_an_absolute_metric_may_be_negative() -> None:
    assert Measurement(NUMBER, (-1.0,)).values == (-1.0,)


def test_a_relative_metric_may_be_zero() -> None:
    """The summary refuses a zero where a ratio is needed; an exact comparison accepts it."""
    assert Measurement(PEAK_MEMORY, (0.0,)).values == (0.0,)


def test_absence_needs_no_ids() -> None:
    assert Measurement(SCORE, absent="no samples").values == ()


@given(st.lists(st.text(max_size=2), min_size=1, max_size=6))
def test_ids_are_accepted_only_where_they_are_unique(ids: list[str]) -> None:
    scores = (0.5,) * len(ids)
    if len(set(ids)) == len(ids):
        assert Measurement(SCORE, scores, tuple(ids)).ids == tuple(ids)
    else:
        with pytest.raises(ParetoError, match="make ids unique"):
            Measurement(SCORE, scores, tuple(ids))


def case_of(*measurements: Measurement) -> CaseRun:
    return CaseRun("t.py::t#decode", "t.py::t", "f", "", measurements)


def test_a_metric_is_recorded_once_per_case() -> None:
    twice = Measurement(LATENCY, (0.1,)), Measurement(LATENCY, absent="not steady")
    with pytest.raises(ParetoError, match=r"t\.py::t#decode: a metric was recorded twice"):
        case_of(*twice)


def test_a_measurement_is_found_by_its_metric() -> None:
    latency, fid = Measurement(LATENCY, (0.1,)), Measurement(NUMBER, (3.0,))
    case = case_of(latency, fid)
    assert case.measurement("number") is fid
    assert case.measurement("energy") is None


@pytest.mark.parametrize(
    ("case_id", "cause"),
    [
        ("tests/test_a.py::test_it", "tests/test_a.py: why"),
        ("tests/test_b.py::test_it#name", "tests/test_b.py::test_it: so"),
        ("more/test_c.py::test_it", "more: all"),
        ("more/test_d.py::test_it", "more/test_d.py: no"),
        ("tests/test_b.py::test_it2", None),
        ("tests/test_aa.py::test_it", None),
    ],
)
def test_the_failure_of_a_test_or_its_module_explains_a_missing_case(
    case_id: str, cause: str | None
) -> None:
    failed = {"tests/test_a.py": "why", "tests/test_b.py::test_it": "so", "more": "all"}
    failed["more/test_d.py"] = "no"
    assert failure_reason(case_id, failed) == cause


@pytest.mark.parametrize(
    ("case_id", "nodeid"),
    [
        ("t.py::test_a", "t.py::test_a"),
        ("t.py::test_a#part", "t.py::test_a"),
        ("t.py::test_b[#1]", "t.py::test_b[#1]"),
        ("t.py::test_b[#1]#x#y", "t.py::test_b[#1]"),
        ("t.py::test_ab", None),
        ("t.py::test_c#part", None),
        ("", None),
    ],
)
def test_a_case_is_its_test_or_a_part_of_it(case_id: str, nodeid: str | None) -> None:
    assert nodeid_of(case_id, {"t.py::test_a", "t.py::test_b[#1]"}) == nodeid
