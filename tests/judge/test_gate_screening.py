"""The metrics that are measured again before they are reported as worse."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_pareto.judge.gate import (
    confirming_level,
    confirming_runs,
    flagged,
    flagged_by_test,
    unconfirmable,
)
from pytest_pareto.model.change import Change
from pytest_pareto.model.metric import (
    DEVICE_TIME,
    LATENCY,
    PEAK_MEMORY,
    Better,
    Kind,
    Metric,
    Scope,
)
from pytest_pareto.model.policy import AlphaShares
from pytest_pareto.model.verdict import (
    CaseComparison,
    CaseVerdict,
    Judgement,
    MetricResult,
    Place,
    Position,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SCORE = Metric("score", "", Better.HIGHER, Kind.PAIRED, Scope.GPU, 0.01, relative=False)
TUNED = Metric("tuned", "s", Better.LOWER, Kind.RUN, Scope.GPU, 0.01, relative=True, gates=False)


def result(
    metric: Metric,
    p_worse: float,
    *,
    high: float = 0.5,
    exact: bool = False,
    p_confirming: float | None = None,
    confirming_runs: int | None = None,
) -> MetricResult:
    change = Change(0.1, -0.4, high, 0.05, relative=True, alpha=0.05, p_worse=p_worse,
                    p_better=0.5, resolution=0.1, exact=exact,
                    p_confirming=p_confirming, confirming_runs=confirming_runs)  # fmt: skip
    return MetricResult(metric, 1.0, 1.1, change=change)


def judgement(
    *results: MetricResult, gate: bool = True, broken: str | None = None, case_id: str = "a"
) -> Judgement:
    case = CaseComparison(case_id, f"test_{case_id}", "f", results, gate=gate, broken=broken)
    return Judgement((CaseVerdict(case, Verdict.WORSE, Place(Position.KEPT)),))


def names(judged: Judgement) -> "Sequence[str]":
    return sorted(name for _, name in flagged(judged))


@pytest.mark.parametrize(("p_worse", "expected"), [(0.2, ["latency"]), (0.21, [])])
def test_what_looks_worse_at_one_in_five_is_flagged(p_worse: float, expected: list[str]) -> None:
    assert names(judgement(result(LATENCY, p_worse))) == expected


@pytest.mark.parametrize(("p_confirming", "repeated"), [(0.05, True), (0.049, False), (None, True)])
def test_what_fresh_runs_cannot_confirm_is_not_repeated(
    p_confirming: float | None, repeated: bool
) -> None:
    judged = judgement(result(LATENCY, 0.1, p_confirming=p_confirming), result(DEVICE_TIME, 0.5))
    assert names(judged) == (["latency"] if repeated else [])
    assert unconfirmable(judged) == (frozenset() if repeated else {("a", "latency")})


def test_what_could_rescue_it_is_looked_at_again_too() -> None:
    better = result(DEVICE_TIME, 1.0, high=-0.2)
    assert names(judgement(result(LATENCY, 0.01), better)) == ["device_time", "latency"]
    assert names(judgement(result(LATENCY, 0.9), better)) == []


def test_scores_of_samples_are_not_measured_again() -> None:
    assert names(judgement(result(SCORE, 0.001))) == []
    better = result(LATENCY, 1.0, high=-0.2)
    assert names(judgement(result(SCORE, 0.001), better)) == ["latency"]


@pytest.mark.parametrize(
    "judged",
    [
        judgement(result(LATENCY, 0.01), gate=False),
        judgement(result(LATENCY, 0.01), broken="it failed"),
        judgement(result(TUNED, 0.01)),
        judgement(),
    ],
)
def test_what_cannot_fail_is_not(judged: Judgement) -> None:
    assert not flagged(judged)


def test_what_is_exact_needs_one_more_look() -> None:
    memory = result(PEAK_MEMORY, 0.0, exact=True)
    alone, both = judgement(memory), judgement(memory, result(LATENCY, 0.01, confirming_runs=3))
    assert confirming_runs(alone, flagged(alone), 5) == {"a": 1}
    assert confirming_runs(both, flagged(both), 5) == {"a": 3}


def test_the_least_sure_metric_decides_how_many_runs_confirm() -> None:
    results = result(LATENCY, 0.01, confirming_runs=2), result(DEVICE_TIME, 0.1, confirming_runs=4)
    judged = judgement(*results)
    assert confirming_runs(judged, flagged(judged), 5) == {"a": 4}


def test_what_may_make_a_trade_off_is_measured_as_often_as_possible() -> None:
    better = result(DEVICE_TIME, 1.0, high=-0.2)
    judged = judgement(result(LATENCY, 0.01, confirming_runs=2), better)
    assert confirming_runs(judged, flagged(judged), 5) == {"a": 5}


class CountedCases(tuple[CaseVerdict, ...]):
    """Cases that count how often somebody goes through all of them."""

    passes = 0

    def __iter__(self) -> "Iterator[CaseVerdict]":
        type(self).passes += 1
        return super().__iter__()


def test_the_cases_are_gone_through_once_however_many_are_flagged() -> None:
    each = [
        judgement(result(LATENCY, 0.01, confirming_runs=2), case_id=str(number)).cases[0]
        for number in range(50)
    ]
    judged = Judgement(CountedCases(each))
    names = flagged(judged)
    CountedCases.passes = 0
    assert len(confirming_runs(judged, names, 5)) == 50
    assert CountedCases.passes == 1
    assert len(flagged_by_test(judged, names)) == 50
    assert CountedCases.passes == 2


def test_each_case_has_a_number_of_its_own() -> None:
    first = judgement(result(LATENCY, 0.01, confirming_runs=2))
    other = judgement(result(LATENCY, 0.01, confirming_runs=5), case_id="b")
    judged = Judgement((*first.cases, *other.cases))
    assert confirming_runs(judged, flagged(judged), 5) == {"a": 2, "b": 5}
    assert flagged_by_test(judged, flagged(judged)) == {
        "test_a": {"latency"},
        "test_b": {"latency"},
    }


def test_what_is_measured_again_shares_alpha_with_the_scores() -> None:
    """A latency is flagged; the memory is exact, the device time is not suspected."""
    judged = judgement(
        result(LATENCY, 0.01),
        result(DEVICE_TIME, 0.5),
        result(PEAK_MEMORY, 0.0, exact=True),
        result(SCORE, 0.9),
    )
    judged = replace(judged, shares=AlphaShares.of(has_budgets=False))
    suspects = frozenset({("a", "latency"), ("a", "peak_memory")})
    assert confirming_level(judged, suspects, 0.05) == pytest.approx(0.05 / 2)
