from typing import TYPE_CHECKING, Any

import pytest

from pytest_pareto.judge.case import gated, judge_case
from pytest_pareto.model.change import Outcome as O
from pytest_pareto.model.verdict import Verdict

if TYPE_CHECKING:
    from conftest import Case

TABLE: list[tuple[dict[str, Any], Verdict]] = [
    ({"latency": O.UNCHANGED, "score": O.UNCHANGED}, Verdict.UNCHANGED),
    ({"latency": O.BETTER, "score": O.UNCHANGED}, Verdict.IMPROVED),
    ({"latency": O.BETTER, "score": O.NOT_WORSE}, Verdict.IMPROVED),
    ({"latency": O.NOT_WORSE, "score": O.UNCHANGED}, Verdict.NOT_WORSE),
    ({"latency": O.INCONCLUSIVE, "score": O.BETTER}, Verdict.INCONCLUSIVE),
    ({"latency": O.WORSE, "score": O.UNCHANGED}, Verdict.DOMINATED),
    ({"latency": O.WORSE, "score": O.WORSE}, Verdict.DOMINATED),
    ({"latency": O.WORSE}, Verdict.DOMINATED),
    ({"latency": O.WORSE, "score": O.INCONCLUSIVE}, Verdict.WORSE),
    ({"latency": O.WORSE, "score": O.NOT_WORSE}, Verdict.WORSE),
    ({"latency": O.WORSE, "score": O.BETTER}, Verdict.TRADE_OFF),
    ({"latency": O.WORSE, "flops": O.BETTER}, Verdict.DOMINATED),
    ({"latency": O.WORSE, "score": O.MISSING}, Verdict.WORSE),
    ({"latency": O.WORSE, "score": O.NEW}, Verdict.WORSE),
    ({"latency": O.UNCHANGED, "score": O.MISSING}, Verdict.MISSING),
    ({"latency": O.UNCHANGED, "score": O.BROKEN}, Verdict.BROKEN),
    ({"latency": O.WORSE, "score": O.BROKEN}, Verdict.BROKEN),
    ({"latency": O.UNCHANGED, "flops": O.WORSE}, Verdict.UNCHANGED),
    ({"latency": O.UNCHANGED, "memory": O.ABSENT}, Verdict.UNCHANGED),
    ({"latency": O.WORSE, "memory": O.ABSENT}, Verdict.DOMINATED),
    ({"latency": O.NEW, "score": O.NEW}, Verdict.NEW),
    ({"latency": O.NOT_COMPARABLE, "score": O.NEW}, Verdict.NOT_COMPARABLE),
    ({"latency": O.NOT_COMPARABLE, "score": O.UNCHANGED}, Verdict.UNCHANGED),
    ({"flops": O.UNCHANGED}, Verdict.INCONCLUSIVE),
    ({"latency": O.UNCHANGED, "broken": "it failed"}, Verdict.BROKEN),
    ({"missing": "it is gone"}, Verdict.MISSING),
]


@pytest.mark.parametrize(("about", "verdict"), TABLE)
def test_verdict(case: "Case", about: dict[str, Any], verdict: Verdict) -> None:
    assert judge_case(case(**about)) is verdict


def test_a_rescue_is_corrected_for_the_metrics_looked_at(case: "Case", result: Any) -> None:
    # Better at 0.04, but found among two metrics: 0.08 does not rescue.
    weak = result("score", O.BETTER, p_better=0.04)
    assert judge_case(case(latency=O.WORSE, score=weak)) is Verdict.TRADE_OFF
    also = result("memory", O.UNCHANGED)
    assert judge_case(case(latency=O.WORSE, score=weak, memory=also)) is Verdict.WORSE


def test_diagnostics_and_what_was_never_measured_have_no_say(case: "Case") -> None:
    comparison = case(latency=O.UNCHANGED, flops=O.WORSE, memory=O.ABSENT)
    assert [r.metric.name for r in gated(comparison)] == ["latency"]
