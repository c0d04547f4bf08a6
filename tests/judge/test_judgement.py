from typing import TYPE_CHECKING, Any

import pytest

from pytest_pareto.judge.holm import correct_family
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.policy import AlphaShares
from pytest_pareto.model.verdict import CaseComparison, FrontClaims, Position, Verdict
from tests.judge.conftest import judge_cases

if TYPE_CHECKING:
    from tests.judge.conftest import Case


def p_of(comparison: CaseComparison, name: str) -> float | None:
    result = comparison.metric(name)
    assert result is not None
    assert result.change is not None
    return result.change.p_convicting


def test_the_family_is_every_noisy_metric_that_gates(case: "Case", result: Any) -> None:
    cases = [
        case(
            "a",
            latency=result("latency", Outcome.WORSE, p_worse=0.02),
            memory=Outcome.WORSE,
            flops=Outcome.WORSE,
        ),
        case("b", latency=result("latency", Outcome.WORSE, p_worse=0.03), score=Outcome.NEW),
        case("c", gate=False, latency=result("latency", Outcome.WORSE, p_worse=0.001)),
    ]
    a, b, c = correct_family(cases, share=1.0)
    assert p_of(a, "latency") == pytest.approx(0.04)
    assert p_of(b, "latency") == pytest.approx(0.04)
    assert p_of(a, "memory") is None  # exact: no luck to be corrected for
    assert p_of(c, "latency") is None


def test_only_a_share_of_alpha_is_spent_on_changes(case: "Case", result: Any) -> None:
    comparison = case("a", latency=result("latency", Outcome.WORSE, p_worse=0.04))
    (whole,) = correct_family([comparison], share=1.0)
    (share,) = correct_family([comparison], share=0.5)
    assert p_of(whole, "latency") == pytest.approx(0.04)
    assert p_of(share, "latency") == pytest.approx(0.08)


def test_correction_turns_worse_into_suspected(case: "Case", result: Any) -> None:
    cases = [
        case(f"c{i}", latency=result("latency", Outcome.WORSE, p_worse=0.04, low=0.051))
        for i in range(3)
    ]
    judged = judge_cases(cases)
    assert {c.verdict for c in judged.cases} == {Verdict.INCONCLUSIVE}
    change = judged.cases[0].comparison.metrics[0].change
    assert change is not None
    assert change.suspected
    assert not judged.failed


def test_session_failures_fail(case: "Case") -> None:
    cases = [case("a", latency=Outcome.UNCHANGED)]
    assert not judge_cases(cases).failed
    judged = judge_cases(cases, failures=("nothing ran",), notices=("note",))
    assert judged.failed
    assert judged.notices == ("note",)


def test_places_are_part_of_the_judgement(case: "Case", duels: Any) -> None:
    ids = frozenset("ab")
    now = duels(dominated_by={"a": {"b"}})
    front = FrontClaims(ids, ids, duels(ahead_of={"a": {"b"}}), now, now)
    judged = judge_cases(
        [case("a", latency=Outcome.WORSE), case("b", latency=Outcome.UNCHANGED)],
        claims={"f": front},
        shares=AlphaShares.of(has_budgets=True),
    )
    assert judged.cases[0].place.position is Position.LOST
    assert len(judged.cases[0].fails) == 2
    assert judged.counts == {Verdict.DOMINATED: 1, Verdict.UNCHANGED: 1}


@pytest.mark.parametrize("budgets", [False, True])
def test_shares_add_up(budgets: bool) -> None:
    shares = AlphaShares.of(has_budgets=budgets)
    assert shares.changes + shares.budgets == pytest.approx(1.0)
    assert (shares.budgets > 0) is budgets
