from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pareto.compare.exact import compare_exact
from pytest_pareto.judge.case import judge_case
from pytest_pareto.judge.gate import rule
from pytest_pareto.judge.host_counts import host_work_notice, shared_host_work
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import (
    ALLOCATIONS,
    BUILT_IN,
    C_CALLS,
    DEVICE_TIME,
    DISPATCHES,
    HOST_COUNTS,
    LAUNCHES,
    PYTHON_CALLS,
    TIME_PER_ITEM,
    Metric,
    Scope,
)
from pytest_pareto.model.policy import Policy
from pytest_pareto.model.verdict import CaseComparison, MetricResult, Place, Position
from tests.judge.conftest import judge_cases, make_change

if TYPE_CHECKING:
    from tests.judge.conftest import Case


def counted(metric: Metric, then: float, *now: float) -> MetricResult:
    change = compare_exact(
        [then],
        now,
        better=metric.better,
        relative=metric.relative,
        tolerance=metric.tolerance,
        alpha=0.05,
    )
    return MetricResult(metric, then, sum(now) / len(now), change=change)


def lacking(metric: Metric, state: Outcome) -> MetricResult:
    return MetricResult(metric, state=state, reason="for a reason")


SAME: dict[str, Any] = {
    "python_calls": counted(PYTHON_CALLS, 12340, 12340),
    "dispatches": counted(DISPATCHES, 5020, 5020),
    "launches": counted(LAUNCHES, 4930, 4930),
}
SAME_TEXT = "host counts are the same: Python calls, dispatches and launches equal"


def notice_of(case: "Case", latency: Any = Outcome.WORSE, **counts: Any) -> str | None:
    return host_work_notice(case(latency=latency, **counts))


def test_equal_counts_are_named(case: "Case") -> None:
    assert notice_of(case, **SAME) == SAME_TEXT


def test_counts_that_moved_are_named_with_their_levels(case: "Case") -> None:
    more = SAME | {"python_calls": counted(PYTHON_CALLS, 12340, 13820)}
    assert notice_of(case, **more) == (
        "host work changed: Python calls 12,340 → 13,820 (+12 %); dispatches and launches equal"
    )


@pytest.mark.parametrize(
    ("then", "now", "text"),
    [
        (12340, 12341, "12,340 → 12,341 (+0.0081 %)"),
        (100, 95, "100 → 95 (−5 %)"),
        (0, 3, "0 → 3"),
        (10, 1234567, "10 → 1,234,567 (+12,345,570 %)"),
        (3, 0, "3 → 0 (−100 %)"),
        (10_000_000, 10_000_100, "10,000,000 → 10,000,100 (+0.001 %)"),
    ],
)
def test_changes_of_every_size(case: "Case", then: float, now: float, text: str) -> None:
    moved = counted(ALLOCATIONS, then, now)
    assert notice_of(case, allocations=moved) == f"host work changed: allocations {text}"


def test_a_count_that_differs_between_runs_is_not_the_same(case: "Case") -> None:
    wavering = counted(C_CALLS, 10, 10, 9)
    assert notice_of(case, c_calls=wavering) == (
        "host work changed: C calls 10 → 10 (−5 %, not the same in every run)"
    )


@pytest.mark.parametrize("state", [Outcome.NEW, Outcome.MISSING, Outcome.NOT_COMPARABLE])
def test_what_was_not_compared_is_named(case: "Case", state: Outcome) -> None:
    assert notice_of(case, **SAME, c_calls=lacking(C_CALLS, state)) == (
        "host counts are the same as far as it was compared: Python calls, dispatches and launches "
        "equal; C calls not compared"
    )


def test_what_neither_side_has_is_not(case: "Case") -> None:
    absent = lacking(C_CALLS, Outcome.ABSENT)
    assert notice_of(case, **SAME, c_calls=absent) == SAME_TEXT


@pytest.mark.parametrize("state", [Outcome.NEW, Outcome.ABSENT])
def test_without_any_count_there_is_no_notice(case: "Case", state: Outcome) -> None:
    none = {metric.name: lacking(metric, state) for metric in HOST_COUNTS}
    assert notice_of(case, **none) is None
    assert notice_of(case) is None


@pytest.mark.parametrize(
    ("latency", "expected"),
    [
        (Outcome.WORSE, True),
        (Outcome.NOT_COMPARABLE, True),
        (Outcome.BETTER, False),
        (Outcome.UNCHANGED, False),
        (Outcome.NOT_WORSE, False),
        (Outcome.INCONCLUSIVE, False),
        (Outcome.NEW, False),
    ],
)
def test_it_explains_what_looks_worse_or_was_not_compared(
    case: "Case", latency: Outcome, expected: bool
) -> None:
    assert (notice_of(case, latency, **SAME) is not None) is expected


def test_a_suspected_latency_is_explained(case: "Case", result: Any) -> None:
    suspected = result("latency", Outcome.INCONCLUSIVE, low=0.06, high=0.5)
    assert suspected.change.suspected
    assert notice_of(case, suspected, **SAME) == SAME_TEXT


@pytest.mark.parametrize(
    ("metric", "expected"), [(TIME_PER_ITEM, True), (DEVICE_TIME, False)], ids=lambda m: str(m)[:20]
)
def test_only_times_of_the_host_are_explained(case: "Case", metric: Metric, expected: bool) -> None:
    worse = MetricResult(metric, 1.0, 2.0, change=make_change(metric, Outcome.WORSE))
    results: dict[str, Any] = {metric.name: worse, **SAME}
    found = host_work_notice(case(**results))
    assert (found is not None) is expected


def test_a_latency_that_only_informs_needs_no_explanation(case: "Case", result: Any) -> None:
    latency = result("latency", Outcome.WORSE)
    informing = replace(latency, metric=latency.metric.with_policy(gates=False))
    assert notice_of(case, informing, **SAME) is None


def test_it_is_a_notice_and_changes_no_verdict(case: "Case") -> None:
    more = SAME | {"python_calls": counted(PYTHON_CALLS, 12340, 13820)}
    kept = Place(Position.KEPT, on_front=True)
    for counts in ({}, SAME, more):
        comparison = case(latency=Outcome.WORSE, **counts)
        ruling = rule(comparison, judge_case(comparison), kept, Policy())
        assert ruling.fails == ("latency got worse beyond its limit",)
        notice = host_work_notice(comparison)
        assert ruling.notices == ((notice,) if notice else ())


def test_every_host_count_is_a_diagnostic_of_the_same_hardware() -> None:
    for metric in HOST_COUNTS:
        assert metric is BUILT_IN[metric.name]
        assert (metric.gates, metric.scope, metric.tolerance) == (False, Scope.GPU, 0.0)


class TestCommonMode:
    def cases(self, case: "Case", result: Any, *moved: dict[str, Any]) -> list[CaseComparison]:
        latency = result("latency", Outcome.WORSE, estimate=0.2, low=0.19, high=0.21)
        return [case(f"c{i}", latency=latency, **(SAME | counts)) for i, counts in enumerate(moved)]

    def test_one_report_names_the_counts_of_all(self, case: "Case", result: Any) -> None:
        judged = judge_cases(self.cases(case, result, *[{}] * 6))
        (failing,) = (c for c in judged.cases if c.fails)
        assert failing.fails[0].endswith(
            "this session alone cannot tell a change of the code from one of the machine; host "
            "counts are the same in each: Python calls, dispatches and launches equal"
        )
        assert [c.notices for c in judged.cases] == [()] * 6

    def test_counts_that_moved_in_some(self, case: "Case", result: Any) -> None:
        more = {"python_calls": counted(PYTHON_CALLS, 10, 12)}
        cases = self.cases(case, result, more, {}, more, {}, {})
        text = shared_host_work(cases, "latency")
        assert text == "; host work changed in 2 of 5: Python calls"

    def test_no_word_where_a_case_has_no_counts(self, case: "Case", result: Any) -> None:
        cases = [*self.cases(case, result, *[{}] * 5), case("c9", latency=Outcome.WORSE)]
        assert shared_host_work(cases, "latency") == ""

    def test_no_word_on_what_the_host_does_not_change(self, case: "Case") -> None:
        worse = MetricResult(DEVICE_TIME, 1.0, 2.0, change=make_change(DEVICE_TIME, Outcome.WORSE))
        cases = [case(f"c{i}", device_time=worse, **SAME) for i in range(5)]
        assert shared_host_work(cases, "device_time") == ""
