import pytest

from pytest_pareto.model.baseline import Baseline, MetricHistory, Session
from pytest_pareto.model.metric import LATENCY, Better, Kind, Metric, Scope

OLD, FIRST, SECOND = Session("e", 0, (1.0,)), Session("e", 1, (2.0,)), Session("f", 1, (2.1,))
PAST = MetricHistory("s", Better.LOWER, Kind.RUN, Scope.HOST, (OLD, FIRST, SECOND))


def test_level_sessions_are_those_of_the_newest_epoch() -> None:
    assert PAST.newest is SECOND
    assert PAST.level_sessions == (FIRST, SECOND)


def test_the_same_metric_under_another_policy_does_not_disagree() -> None:
    assert PAST.disagreement(LATENCY) is None
    assert PAST.disagreement(LATENCY.with_policy(tolerance=0.5, gates=False)) is None


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (
            Metric("m", "s", Better.LOWER, Kind.EXACT, Scope.HOST, 0.0, relative=True),
            "its kind was 'run' in the baseline and is 'exact' now",
        ),
        (
            Metric("m", "s", Better.HIGHER, Kind.RUN, Scope.HOST, 0.0, relative=True),
            "its direction was 'lower' in the baseline and is 'higher' now",
        ),
        (
            Metric("m", "J", Better.LOWER, Kind.RUN, Scope.HOST, 0.0, relative=True),
            "its unit was 's' in the baseline and is 'J' now",
        ),
    ],
)
def test_another_definition_disagrees(metric: Metric, message: str) -> None:
    assert PAST.disagreement(metric) == message


def test_the_holder_is_the_first_folder_that_has_the_metric() -> None:
    baseline = Baseline(
        "here",
        {},
        {},
        {
            "z": frozenset({("a", "latency")}),
            "y": frozenset({("a", "latency")}),
            "x": frozenset({("a", "energy"), ("b", "latency")}),
        },
    )
    assert baseline.holder("a", "latency") == "y"
    assert baseline.holder("a", "energy") == "x"
    assert baseline.holder("b", "energy") is None
