import pytest

from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.metric import LATENCY, PEAK_MEMORY
from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import (
    CaseComparison,
    CaseVerdict,
    Failure,
    FrontClaims,
    Judgement,
    MetricResult,
    NoClaims,
    Place,
    Position,
    Verdict,
)

WORSE = Change(
    0.2, 0.1, 0.3, tolerance=0.05, relative=True, alpha=0.05, p_worse=0, p_better=1, resolution=0.1
)


def judged(case_id: str, verdict: Verdict, *fails: str) -> CaseVerdict:
    comparison = CaseComparison(case_id, case_id, "f", ())
    return CaseVerdict(comparison, verdict, Place(Position.KEPT), fails)


def test_the_change_takes_precedence_over_the_state() -> None:
    assert MetricResult(LATENCY, change=WORSE).outcome is Outcome.WORSE
    assert MetricResult(LATENCY, change=WORSE, state=Outcome.NEW).outcome is Outcome.WORSE
    assert MetricResult(LATENCY, state=Outcome.NEW).outcome is Outcome.NEW


def test_a_result_without_numbers_needs_a_state() -> None:
    with pytest.raises(AssertionError):
        _ = MetricResult(LATENCY).outcome


def test_a_metric_is_found_by_name() -> None:
    latency, memory = (MetricResult(m, state=Outcome.NEW) for m in (LATENCY, PEAK_MEMORY))
    comparison = CaseComparison("a", "a", "f", (latency, memory))
    assert comparison.metric("peak_memory") is memory
    assert comparison.metric("energy") is None


def test_the_gate_fails_for_any_reason_of_a_case_or_of_the_session() -> None:
    fine, bad = judged("a", Verdict.UNCHANGED), judged("b", Verdict.WORSE, "latency got worse")
    assert not Judgement((fine,), notices=("a word",)).failed
    assert Judgement((fine, bad)).failed
    assert Judgement((fine,), failures=(Failure("nothing was measured"),)).failed
    assert not Judgement(()).failed


def test_verdicts_are_counted_in_order_without_absent_ones() -> None:
    verdicts = (Verdict.NEW, Verdict.UNCHANGED, Verdict.DOMINATED, Verdict.UNCHANGED)
    judgement = Judgement(tuple(judged(str(i), v) for i, v in enumerate(verdicts)))
    assert list(judgement.counts.items()) == [
        (Verdict.DOMINATED, 1),
        (Verdict.UNCHANGED, 2),
        (Verdict.NEW, 1),
    ]


def test_a_case_verdict_has_the_id_of_its_case() -> None:
    assert judged("a", Verdict.NEW).case_id == "a"


def test_a_front_without_claims_decides_nothing() -> None:
    claims = FrontClaims()
    assert claims.old == claims.new == frozenset()
    for side in (claims.then, claims.across, claims.now):
        assert isinstance(side, NoClaims)
        assert side.dominated("a", "b") is None
        assert side.ahead("a", "b") is None


def test_a_session_is_complete_and_writes_nothing_by_default() -> None:
    facts = SessionFacts("pareto_baselines/x", "x", 1, 5, 3, 12.0)
    assert facts.partial is None
    assert not facts.updating
    assert facts.edits == ()
