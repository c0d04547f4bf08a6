"""Tests of cases and fronts: order, names, and grouping."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import LATENCY, PEAK_MEMORY
from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import (
    BudgetResult,
    CaseVerdict,
    CommonMode,
    Judgement,
    MetricResult,
    Place,
    Position,
    Verdict,
)
from pytest_pareto.report.fronts import CaseBlock, all_cases, build_case, build_fronts, front_names

Run = tuple[Judgement, SessionFacts]
MakeCase = Callable[..., CaseVerdict]
Compare = Callable[..., MetricResult]


def worse(compared: Compare) -> MetricResult:
    return compared(LATENCY, (0.2, 0.4), (1.0, 0.9, 1.1), Outcome.WORSE, resolution=0.1)


def still(compared: Compare) -> MetricResult:
    return compared(LATENCY, (0.2, 0.2), (0.0, -0.01, 0.01), Outcome.UNCHANGED, resolution=0.1)


def uncompared_result(outcome: Outcome, reason: str) -> MetricResult:
    return MetricResult(PEAK_MEMORY, candidate=1e9, state=outcome, reason=reason)


def labels(judgement: Judgement) -> list[str]:
    return [case.label for case in all_cases(build_fronts(judgement))]


def test_failing_cases_come_first_then_the_more_severe(failing_run: Run) -> None:
    assert labels(failing_run[0]) == [
        "LOST ITS PLACE", "DOMINATED", "trade-off", "inconclusive", *["unchanged"] * 5,
    ]  # fmt: skip


def test_front_of_the_most_severe_case_comes_first(case: MakeCase, compared: Compare) -> None:
    quiet = case("[a]", Verdict.UNCHANGED, still(compared), front="a.py::test_a")
    bad = case("[b]", Verdict.WORSE, worse(compared), front="b.py::test_b", fails=("x",))
    fronts = build_fronts(Judgement((quiet, bad)))
    assert [front.title for front in fronts] == ["b.py::test_b", "a.py::test_a"]


def test_names_below_the_title_of_a_parametrised_test() -> None:
    front = "t.py::test_x"
    names = front_names(front, [f"{front}[a]", f"{front}[b::c]#decode", front])
    assert names.title == front
    assert names.of(f"{front}[b::c]#decode") == "[b::c]#decode"
    assert names.of(front) == "test_x"
    assert names.of(f"{front}[gone]") == "[gone]"
    assert names.of("other.py::test[a]") == "other.py::test[a]"
    assert names.within(f"dominated by {front}[gone]") == "dominated by [gone]"


def test_names_of_a_named_front() -> None:
    names = front_names("digits", ["t.py::test_x[a]", "t.py::test_x[b]"])
    assert (names.title, names.of("t.py::test_x[a]")) == ("digits: t.py::test_x", "[a]")
    mixed = front_names("digits", ["t.py::test_x[a]", "t.py::test_y[a]"])
    assert (mixed.title, mixed.of("t.py::test_y[a]")) == ("digits", "t.py::test_y[a]")


def test_rivals_have_their_short_names(failing_run: Run) -> None:
    lost = next(all_cases(build_fronts(failing_run[0])))
    assert lost.fails[1].endswith("now dominated by [fp16-20]")
    assert lost.position == "Pareto position lost · off the front · dominated by [fp16-20]"


@pytest.mark.parametrize(
    ("verdict", "fails", "gate", "label"),
    [
        (Verdict.WORSE, ("x",), True, "WORSE"),
        (Verdict.WORSE, (), True, "worse"),
        (Verdict.WORSE, (), False, "worse, not gated"),
        (Verdict.TRADE_OFF, ("x",), True, "TRADE-OFF"),
        (Verdict.MISSING, ("x",), True, "MISSING"),
        (Verdict.UNCHANGED, (), True, "unchanged"),
    ],
)
def test_labels_are_capitals_only_where_the_build_fails(
    case: MakeCase, verdict: Verdict, fails: tuple[str, ...], gate: bool, label: str
) -> None:
    assert build_case(case("[a]", verdict, fails=fails, gate=gate)).label == label


def test_broken_budget_is_named(case: MakeCase, compared: Compare) -> None:
    budget = BudgetResult("latency", "<= 150 ms", 0.2, broken=True)
    block = build_case(
        case("[a]", Verdict.UNCHANGED, still(compared), budgets=(budget,), fails=("budget",))
    )
    assert block.label == "BUDGET BROKEN"
    assert block.budgets == ("budget broken: latency 200.0 ms, limit <= 150.0 ms",)
    undecided = replace(budget, broken=None, value=None, reason="no runs")
    block = build_case(case("[a]", Verdict.UNCHANGED, still(compared), budgets=(undecided,)))
    assert block.budgets == ("budget undecided: latency, limit <= 150 ms (no runs)",)
    stated = case(
        "[a]", Verdict.UNCHANGED, still(compared), budgets=(budget,), fails=(budget.message,)
    )
    assert build_case(stated).budgets == ()


def block_of(case_verdict: CaseVerdict, *modes: CommonMode) -> CaseBlock:
    return next(all_cases(build_fronts(Judgement((case_verdict,), common_modes=modes))))


@pytest.mark.parametrize(
    ("verdict", "changed"),
    [
        (Verdict.UNCHANGED, False), (Verdict.NOT_WORSE, False), (Verdict.INCONCLUSIVE, False),
        (Verdict.IMPROVED, True), (Verdict.NEW, True), (Verdict.MISSING, True),
        (Verdict.NOT_COMPARABLE, True), (Verdict.WORSE, True), (Verdict.BROKEN, True),
    ],
)  # fmt: skip
def test_changed_cases_are_shown_by_default(
    case: MakeCase, verdict: Verdict, changed: bool
) -> None:
    assert build_case(case("[a]", verdict)).changed is changed
    assert build_case(case("[a]", verdict, notices=("look",))).changed


def test_flagged_case_is_shown(case: MakeCase, compared: Compare) -> None:
    suspected = compared(LATENCY, (1.0, 1.2), (0.2, 0.1, 0.3), Outcome.INCONCLUSIVE, resolution=0.4)
    assert build_case(case("[a]", Verdict.INCONCLUSIVE, suspected)).changed


@pytest.mark.parametrize(
    ("harm", "confirmed", "shown"),
    [
        ((2.0, 0.01, 8.0), frozenset(), True),  # three times as slow, unproven
        ((2.0, -math.inf, math.inf), frozenset(), True),  # and without any spread
        ((0.03, -0.1, 0.2), frozenset({"latency"}), True),  # it looked worse before
        ((0.03, -0.1, 0.2), frozenset(), False),
    ],
)
def test_an_undecided_case_is_shown_where_it_looks_worse(
    case: MakeCase,
    compared: Compare,
    harm: tuple[float, float, float],
    confirmed: frozenset[str],
    shown: bool,
) -> None:
    undecided = compared(LATENCY, (1.0, 1.0 + harm[0]), harm, Outcome.INCONCLUSIVE, resolution=9.0)
    found = case("[a]", Verdict.INCONCLUSIVE, undecided, confirmed=confirmed)
    assert build_case(found).changed is shown


def test_improvement_is_shown_though_another_metric_is_undecided(
    case: MakeCase, compared: Compare
) -> None:
    better = compared(PEAK_MEMORY, (2.0, 1.0), (-0.5, -0.5, -0.5), Outcome.BETTER, resolution=0.1)
    undecided = compared(
        LATENCY, (1.0, 1.0), (0.0, -0.1, 0.2), Outcome.INCONCLUSIVE, resolution=0.4
    )
    assert build_case(case("[a]", Verdict.INCONCLUSIVE, better, undecided)).changed
    assert not build_case(case("[a]", Verdict.INCONCLUSIVE, undecided)).changed


def test_uncompared_case_has_its_reason(case: MakeCase, compared: Compare) -> None:
    power = "power limit (W) is 600 here, 700 in the baseline"
    gap = uncompared_result(Outcome.NOT_COMPARABLE, power)
    alone = case("[a]", Verdict.NOT_COMPARABLE, gap, notices=("x",))
    assert build_case(alone).uncompared == power
    partly = case("[a]", Verdict.UNCHANGED, still(compared), gap, notices=("x",))
    assert build_case(partly).uncompared == f"peak_memory: {power}"


def test_uncompared_metric_never_hides_other_changes(case: MakeCase, compared: Compare) -> None:
    gap = uncompared_result(Outcome.NEW, "not recorded")
    budget = BudgetResult("latency", "<= 1 s", 2.0, broken=True)
    overtaken = Place(Position.OVERTAKEN, on_front=False, rivals=("x",))
    assert build_case(case("[a]", Verdict.WORSE, worse(compared), gap)).uncompared == ""
    assert build_case(case("[a]", Verdict.NEW, gap, budgets=(budget,))).uncompared == ""
    assert build_case(case("[a]", Verdict.UNCHANGED, gap, place=overtaken)).uncompared == ""


def test_improvement_that_all_share_is_common(case: MakeCase, compared: Compare) -> None:
    better = compared(LATENCY, (1.0, 0.8), (-0.2, -0.22, -0.18), Outcome.BETTER, resolution=0.1)
    leaner = compared(PEAK_MEMORY, (2e9, 1e9), (-0.5, -0.5, -0.5), Outcome.BETTER, resolution=0.1)
    improved = case("[a]", Verdict.IMPROVED, better)
    mode = CommonMode("latency", (improved.case_id,), 1, -0.2, harmful=False)
    assert block_of(improved, mode).common
    assert not block_of(improved).common
    assert not block_of(case("[a]", Verdict.IMPROVED, better, leaner), mode).common
    assert not block_of(case("[a]", Verdict.IMPROVED, better, fails=("x",)), mode).common
