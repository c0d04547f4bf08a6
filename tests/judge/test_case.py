from typing import TYPE_CHECKING, Any

import pytest

from pytest_pareto.judge.case import judge_case
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.verdict import Verdict

if TYPE_CHECKING:
    from tests.judge.conftest import Case

TABLE: list[tuple[dict[str, Any], Verdict]] = [
    ({"latency": Outcome.UNCHANGED, "score": Outcome.UNCHANGED}, Verdict.UNCHANGED),
    ({"latency": Outcome.BETTER, "score": Outcome.UNCHANGED}, Verdict.IMPROVED),
    ({"latency": Outcome.BETTER, "score": Outcome.NOT_WORSE}, Verdict.IMPROVED),
    ({"latency": Outcome.NOT_WORSE, "score": Outcome.UNCHANGED}, Verdict.NOT_WORSE),
    ({"latency": Outcome.INCONCLUSIVE, "score": Outcome.BETTER}, Verdict.INCONCLUSIVE),
    ({"latency": Outcome.WORSE, "score": Outcome.UNCHANGED}, Verdict.DOMINATED),
    ({"latency": Outcome.WORSE, "score": Outcome.WORSE}, Verdict.DOMINATED),
    ({"latency": Outcome.WORSE}, Verdict.DOMINATED),
    ({"latency": Outcome.WORSE, "score": Outcome.INCONCLUSIVE}, Verdict.WORSE),
    ({"latency": Outcome.WORSE, "score": Outcome.NOT_WORSE}, Verdict.WORSE),
    ({"latency": Outcome.WORSE, "score": Outcome.BETTER}, Verdict.TRADE_OFF),
    ({"latency": Outcome.WORSE, "flops": Outcome.BETTER}, Verdict.DOMINATED),
    ({"latency": Outcome.WORSE, "score": Outcome.MISSING}, Verdict.WORSE),
    ({"latency": Outcome.WORSE, "score": Outcome.NEW}, Verdict.WORSE),
    ({"latency": Outcome.UNCHANGED, "score": Outcome.MISSING}, Verdict.MISSING),
    ({"latency": Outcome.UNCHANGED, "score": Outcome.BROKEN}, Verdict.BROKEN),
    ({"latency": Outcome.WORSE, "score": Outcome.BROKEN}, Verdict.BROKEN),
    ({"latency": Outcome.UNCHANGED, "flops": Outcome.WORSE}, Verdict.UNCHANGED),
    ({"latency": Outcome.UNCHANGED, "memory": Outcome.ABSENT}, Verdict.UNCHANGED),
    ({"latency": Outcome.WORSE, "memory": Outcome.ABSENT}, Verdict.DOMINATED),
    ({"latency": Outcome.NEW, "score": Outcome.NEW}, Verdict.NEW),
    ({"latency": Outcome.NOT_COMPARABLE, "score": Outcome.NEW}, Verdict.NOT_COMPARABLE),
    ({"latency": Outcome.NOT_COMPARABLE, "score": Outcome.UNCHANGED}, Verdict.UNCHANGED),
    ({"flops": Outcome.UNCHANGED}, Verdict.INCONCLUSIVE),
    ({"latency": Outcome.UNCHANGED, "broken": "it failed"}, Verdict.BROKEN),
    ({"missing": "it is gone"}, Verdict.MISSING),
    ({"skipped": "its test was skipped"}, Verdict.SKIPPED),
]


@pytest.mark.parametrize(("about", "verdict"), TABLE)
def test_verdict(case: "Case", about: dict[str, Any], verdict: Verdict) -> None:
    assert judge_case(case(**about)) is verdict


def test_a_rescue_is_corrected_for_the_metrics_looked_at(case: "Case", result: Any) -> None:
    # Better at 0.04, but found among two metrics: 0.08 does not rescue.
    weak = result("score", Outcome.BETTER, p_better=0.04)
    assert judge_case(case(latency=Outcome.WORSE, score=weak)) is Verdict.TRADE_OFF
    also = result("memory", Outcome.UNCHANGED)
    assert judge_case(case(latency=Outcome.WORSE, score=weak, memory=also)) is Verdict.WORSE


def test_diagnostics_and_unmeasured_metrics_do_not_count(case: "Case") -> None:
    comparison = case(latency=Outcome.UNCHANGED, flops=Outcome.WORSE, memory=Outcome.ABSENT)
    assert [r.metric.name for r in comparison.gated] == ["latency"]
