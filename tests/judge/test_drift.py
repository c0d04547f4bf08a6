"""Drift: a case compared with the anchor."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pareto.judge.case import judge_case
from pytest_pareto.judge.drift import Drift, find_drift, uncompared_with_anchor
from pytest_pareto.judge.gate import flagged, rule
from pytest_pareto.model.baseline import Baseline, CaseHistory, Past
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.policy import AlphaShares, Policy, TradeOffs
from pytest_pareto.model.run import Run
from pytest_pareto.model.session_record import Changes, SessionRecord
from pytest_pareto.model.verdict import CaseComparison, MetricResult, Place, Position
from tests.judge.conftest import judge_cases

if TYPE_CHECKING:
    from tests.judge.conftest import Case

KEPT = Place(Position.KEPT, on_front=True)
SHARES = AlphaShares.of(has_budgets=False, has_anchor=True)
CREPT = "latency drifted beyond its limit since the anchor"


def with_anchor(comparison: CaseComparison, *anchor: MetricResult) -> CaseComparison:
    return replace(comparison, anchor=anchor)


def found(comparison: CaseComparison, policy: Policy = Policy()) -> Drift | None:  # noqa: B008
    return find_drift(comparison, judge_case(comparison), KEPT, policy)


@pytest.mark.parametrize(
    ("now", "since", "drifts"),
    [
        (Outcome.UNCHANGED, Outcome.WORSE, True),
        (Outcome.BETTER, Outcome.WORSE, True),
        (Outcome.INCONCLUSIVE, Outcome.WORSE, True),
        (Outcome.NEW, Outcome.WORSE, True),
        (Outcome.UNCHANGED, Outcome.UNCHANGED, False),
        (Outcome.UNCHANGED, Outcome.INCONCLUSIVE, False),
        (Outcome.UNCHANGED, Outcome.NOT_COMPARABLE, False),
        (Outcome.UNCHANGED, Outcome.MISSING, False),
        (Outcome.UNCHANGED, Outcome.BROKEN, False),
        (Outcome.WORSE, Outcome.WORSE, False),  # it fails already, and is reported once
    ],
)
def test_what_drifts(case: "Case", result: Any, now: Outcome, since: Outcome, drifts: bool) -> None:
    drift = found(with_anchor(case(latency=now), result("latency", since)))
    assert drift == (Drift(("latency",), CREPT) if drifts else None)


def test_what_cannot_be_compared_hides_nothing(case: "Case", result: Any) -> None:
    comparison = with_anchor(
        case(latency=Outcome.UNCHANGED),
        result("latency", Outcome.WORSE),
        result("score", Outcome.BROKEN),
        result("memory", Outcome.MISSING),
    )
    assert found(comparison) is not None


def test_diagnostics_do_not_drift(case: "Case", result: Any) -> None:
    assert found(with_anchor(case(flops=Outcome.UNCHANGED), result("flops", Outcome.WORSE))) is None


def test_a_broken_case_has_other_worries(case: "Case", result: Any) -> None:
    broken = case(latency=Outcome.UNCHANGED, broken="it failed")
    assert found(with_anchor(broken, result("latency", Outcome.WORSE))) is None


def test_accepting_into_the_baseline_does_not_silence_the_anchor(case: "Case", result: Any) -> None:
    comparison = with_anchor(case(latency=Outcome.WORSE), result("latency", Outcome.WORSE))
    accepting = Policy(accepts_changes=True, accepts_all=True)
    drift = found(comparison, accepting)
    ruling = rule(comparison, judge_case(comparison), KEPT, accepting, None, drift)
    assert ruling.fails == (CREPT,)
    assert ruling.notices == ("accepted: latency got worse beyond its limit",)


def traded(case: "Case", result: Any, high: float, **now: Outcome) -> CaseComparison:
    return with_anchor(
        case(**now),
        result("latency", Outcome.WORSE, high=high),
        result("score", Outcome.BETTER),
    )


def test_a_trade_since_the_anchor_is_bounded_like_any_other(case: "Case", result: Any) -> None:
    still = {"latency": Outcome.UNCHANGED, "score": Outcome.UNCHANGED}
    within = found(traded(case, result, 0.14, **still))
    assert within is not None
    assert within.let_through
    assert within.text == "since the anchor, latency traded for score, within its bound"
    beyond = found(traded(case, result, 0.16, **still))
    assert beyond is not None
    assert not beyond.let_through
    strict = found(traded(case, result, 0.14, **still), Policy(trade_offs=TradeOffs.FAIL))
    assert strict is not None
    assert not strict.let_through


def test_the_same_trade_is_reported_once(case: "Case", result: Any) -> None:
    assert found(traded(case, result, 0.14, latency=Outcome.WORSE, score=Outcome.BETTER)) is None


def test_what_does_not_gate_is_reported_and_does_not_fail(case: "Case", result: Any) -> None:
    comparison = with_anchor(
        case(gate=False, latency=Outcome.UNCHANGED), result("latency", Outcome.WORSE)
    )
    (judged,) = judge_cases([comparison], shares=SHARES).cases
    assert judged.fails == ()
    assert judged.notices == (f"not gated: {CREPT}",)


# The share of alpha


def test_the_anchors_tests_are_a_family_of_their_own(case: "Case", result: Any) -> None:
    comparisons = [
        with_anchor(
            case(name, latency=result("latency", Outcome.WORSE, p_worse=0.01)),
            result("latency", Outcome.WORSE, p_worse=0.001),
        )
        for name in "ab"
    ]
    for judged in judge_cases(comparisons, shares=SHARES).cases:
        now, since = judged.comparison.metrics[0].change, judged.comparison.anchor[0].change
        assert now is not None
        assert since is not None
        assert now.p_convicting == pytest.approx(2 * 0.01 / 0.9)
        assert since.p_convicting == pytest.approx(2 * 0.001 / 0.1)


# Screening


@pytest.mark.parametrize(("p_worse", "suspected"), [(0.2, True), (0.21, False)])
def test_what_looks_worse_than_the_anchor_is_flagged(
    case: "Case", result: Any, p_worse: float, suspected: bool
) -> None:
    looks = result("latency", Outcome.INCONCLUSIVE, p_worse=p_worse)
    comparison = with_anchor(case(latency=Outcome.UNCHANGED), looks)
    judged = judge_cases([comparison], shares=SHARES)
    assert flagged(judged) == ({("a", "latency")} if suspected else set())


def test_a_rescue_beside_the_anchor_is_looked_at_again(case: "Case", result: Any) -> None:
    comparison = with_anchor(
        case(latency=Outcome.UNCHANGED, memory=Outcome.UNCHANGED),
        result("latency", Outcome.WORSE),
        result("memory", Outcome.BETTER),
    )
    judged = judge_cases([comparison], shares=SHARES)
    assert flagged(judged) == {("a", "latency"), ("a", "memory")}


# What is not compared


def uncompared(comparisons: list[CaseComparison], *gone: CaseHistory) -> str | None:
    """Return the notice, where the anchor has these cases that nothing else has."""
    record = SessionRecord((Run(Environment("a CPU", 2, 1)),), Policy())
    empty = Baseline("key", {}, {})
    past = Past(empty, replace(empty, cases={history.case_id: history for history in gone}))
    return uncompared_with_anchor(Changes(record, past, tuple(comparisons)), comparisons)


def test_what_is_not_compared_is_reported_by_its_reason(case: "Case", result: Any) -> None:
    comparisons = [
        with_anchor(
            case(name, latency=Outcome.UNCHANGED),
            result("latency", Outcome.NEW),
            result("score", Outcome.NEW),
            result("memory", Outcome.NOT_COMPARABLE),
            result("flops", Outcome.NEW),
        )
        for name in "ab"
    ]
    comparisons.append(
        with_anchor(
            case("c", gate=False, latency=Outcome.UNCHANGED), result("latency", Outcome.NEW)
        )
    )
    gone = CaseHistory("test_gone.py::test", "f", "s", {})
    assert uncompared(comparisons, gone) == (
        "not compared with the anchor: latency, score of 2 cases (newer than it); "
        "memory of 2 cases (for a reason); 1 case of it (gone)"
    )


def test_where_all_was_compared_there_is_no_notice(case: "Case", result: Any) -> None:
    compared = with_anchor(case(latency=Outcome.UNCHANGED), result("latency", Outcome.WORSE))
    assert uncompared([compared, case("b", latency=Outcome.NEW)]) is None
    assert compared.against_anchor().metrics == compared.anchor
