import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_pareto.judge.common_mode import find_common_modes, share_out
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.verdict import CaseComparison, Verdict
from tests.judge.conftest import judge_cases

if TYPE_CHECKING:
    from tests.judge.conftest import Case


def moved(case: "Case", result: Any, name: str, by: float, **about: Any) -> CaseComparison:
    outcome = Outcome.WORSE if by > 0.05 else Outcome.BETTER if by < -0.05 else Outcome.UNCHANGED
    latency = result("latency", outcome, estimate=by, low=by - 0.01, high=by + 0.01)
    return case(name, latency=latency, **about)


def session(case: "Case", result: Any, movements: list[float]) -> list[CaseComparison]:
    return [moved(case, result, f"c{i}", by) for i, by in enumerate(movements)]


def test_cases_that_move_together_are_one_event(case: "Case", result: Any) -> None:
    (mode,) = find_common_modes(session(case, result, [0.2, 0.21, 0.19, 0.2, 0.22, 0.2]))
    assert mode.metric == "latency"
    assert len(mode.case_ids) == mode.total == 6
    assert math.isclose(mode.estimate, 0.2, abs_tol=0.01)
    assert mode.harmful


def test_four_are_reported_one_by_one(case: "Case", result: Any) -> None:
    assert find_common_modes(session(case, result, [0.2] * 4)) == ()


def test_different_movements_are_different_events(case: "Case", result: Any) -> None:
    assert find_common_modes(session(case, result, [0.1, 0.3, 0.6, 1.0, 2.0, 4.0])) == ()


def test_where_most_stood_still_the_machine_is_cleared(case: "Case", result: Any) -> None:
    assert find_common_modes(session(case, result, [0.2] * 5 + [0.0] * 6)) == ()


def test_improvements_can_be_common_too(case: "Case", result: Any) -> None:
    (mode,) = find_common_modes(session(case, result, [-0.2] * 6))
    assert not mode.harmful


def test_a_shared_improvement_asks_once_where_it_comes_from(case: "Case", result: Any) -> None:
    judged = judge_cases(session(case, result, [-0.6, -0.605, -0.61, -0.605, -0.6]))
    assert not judged.failed
    assert {c.verdict for c in judged.cases} == {Verdict.IMPROVED}
    assert {c.common for c in judged.cases} == {"latency"}
    (asking,) = [c for c in judged.cases if c.notices]
    assert asking.case_id == "c2"
    assert "cannot tell a change of the code from one of the machine" in asking.notices[0]


def test_one_that_improved_alone_asks_nothing(case: "Case", result: Any) -> None:
    judged = judge_cases(session(case, result, [-0.6] * 4))
    assert not any(c.common or c.notices for c in judged.cases)


def test_an_improvement_in_turn_with_the_old_code_is_of_the_code(case: "Case", result: Any) -> None:
    cases = session(case, result, [-0.6] * 6)
    modes = [replace(m, of_the_code=True) for m in find_common_modes(cases)]
    assert share_out(modes, cases, {c.case_id: Verdict.IMPROVED for c in cases}) == {}


def test_one_that_improved_in_more_than_that_stands_for_itself(case: "Case", result: Any) -> None:
    cases = session(case, result, [-0.6] * 6)
    cases.append(moved(case, result, "c6", -0.6, score=Outcome.BETTER))
    found = {c.case_id: c.common for c in judge_cases(cases).cases}
    assert found.pop("c6") is None
    assert set(found.values()) == {"latency"}


def test_metrics_that_do_not_depend_on_the_machine_have_no_common_mode(case: "Case") -> None:
    cases = [case(f"c{i}", score=Outcome.WORSE, memory=Outcome.WORSE) for i in range(6)]
    assert find_common_modes(cases) == ()


def test_an_unbounded_interval_cannot_testify(case: "Case", result: Any) -> None:
    blind = result("latency", Outcome.INCONCLUSIVE, estimate=0.2, low=-1.0, high=math.inf)
    cases = [*session(case, result, [0.2] * 4), case("c4", latency=blind)]
    assert find_common_modes(cases) == ()


def test_undecided_movements_alone_are_no_event(case: "Case", result: Any) -> None:
    undecided = result("latency", Outcome.INCONCLUSIVE, estimate=0.2, low=0.01, high=0.4)
    assert find_common_modes([case(f"c{i}", latency=undecided) for i in range(6)]) == ()


def test_a_shared_movement_fails_once_at_the_worst(case: "Case", result: Any) -> None:
    judged = judge_cases(session(case, result, [0.2, 0.21, 0.19, 0.2, 0.22, 0.2]))
    failing = [c for c in judged.cases if c.fails]
    assert [c.case_id for c in failing] == ["c4"]
    assert "cannot tell a change of the code from one of the machine" in failing[0].fails[0]
    assert {c.common for c in judged.cases} == {"latency"}
    assert {c.verdict for c in judged.cases} == {Verdict.DOMINATED}


def test_one_that_moved_further_stands_for_itself(case: "Case", result: Any) -> None:
    judged = judge_cases(session(case, result, [0.2] * 6 + [2.0]))
    assert sorted(c.case_id for c in judged.cases if c.fails) == ["c0", "c6"]


def test_one_with_another_trouble_stands_for_itself(case: "Case", result: Any) -> None:
    cases = session(case, result, [0.2] * 6)
    cases.append(moved(case, result, "c6", 0.2, score=Outcome.WORSE))
    judged = judge_cases(cases)
    assert sorted(c.case_id for c in judged.cases if c.fails) == ["c0", "c6"]


def test_a_budget_is_not_excused_by_company(case: "Case", result: Any) -> None:
    from pytest_pareto.model.verdict import BudgetResult

    cases = session(case, result, [0.2] * 6)
    broken = BudgetResult("latency", "<= 1 s", 2.0, broken=True)
    cases.append(moved(case, result, "c6", 0.2, budgets=(broken,)))
    judged = judge_cases(cases)
    assert any("budget" in text for c in judged.cases if c.case_id == "c6" for text in c.fails)


def test_only_gated_cases_report_the_common_mode(case: "Case", result: Any) -> None:
    cases = [moved(case, result, f"c{i}", 0.2, gate=False) for i in range(6)]
    modes = find_common_modes(cases)
    parts = share_out(modes, cases, {c.case_id: Verdict.DOMINATED for c in cases})
    assert not any(part.reports for _, part in parts.values())
