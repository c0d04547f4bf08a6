from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pareto.judge.case import judge_case
from pytest_pareto.judge.gate import item_count_notice, rule
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.metric import ITEMS, TIME_TO_FIRST_ITEM
from pytest_pareto.model.policy import Policy
from pytest_pareto.model.verdict import MetricResult, Place, Position

if TYPE_CHECKING:
    from tests.judge.conftest import Case

FIRST = MetricResult(TIME_TO_FIRST_ITEM, candidate=0.2, state=Outcome.NEW)


def items(then: float, now: float, reason: str | None = None) -> MetricResult:
    harm = (then - now) / now
    change = Change(harm, harm, harm, 0.0, True, 0.05, 1.0, 1.0, 0.0, exact=True, reason=reason)
    return MetricResult(ITEMS, then, now, change=change)


def lacking(state: Outcome) -> MetricResult:
    return MetricResult(ITEMS, state=state, reason="it differs from call to call (3 to 11)")


@pytest.mark.parametrize(("then", "now"), [(33, 17), (17, 33)])
def test_another_number_than_the_baselines_gives_a_notice(
    case: "Case", then: int, now: int
) -> None:
    notice = item_count_notice(case(items=items(then, now), time_to_first_item=FIRST))
    assert notice is not None
    assert notice.startswith(f"the stream has {now} items, and before it had {then}")


@pytest.mark.parametrize("state", [Outcome.ABSENT, Outcome.MISSING])
def test_numbers_that_differ_from_call_to_call_give_a_notice(case: "Case", state: Outcome) -> None:
    notice = item_count_notice(case(items=lacking(state), time_to_first_item=FIRST))
    assert notice == "the stream has no one number of items: it differs from call to call (3 to 11)"


def test_numbers_that_differ_from_run_to_run_give_a_notice(case: "Case") -> None:
    notice = item_count_notice(case(items=items(3, 3, "its runs differ"), time_to_first_item=FIRST))
    assert notice == "the stream has no one number of items: its runs differ"


def test_no_notice_where_nothing_changed_or_was_measured(case: "Case") -> None:
    new = MetricResult(ITEMS, candidate=3.0, state=Outcome.NEW)
    unmeasured = replace(FIRST, candidate=None, state=Outcome.ABSENT, reason="traced")
    own = replace(items(3, 4), metric=replace(ITEMS, unit=""))
    for results in (
        {},
        {"items": items(3, 3), "time_to_first_item": FIRST},
        {"items": new, "time_to_first_item": FIRST},
        {"items": lacking(Outcome.ABSENT), "time_to_first_item": unmeasured},
        {"items": own},  # a test's own score of that name
    ):
        fields: dict[str, Any] = {"latency": Outcome.UNCHANGED, **results}
        assert item_count_notice(case(**fields)) is None


def test_it_is_a_notice_and_fails_nothing(case: "Case") -> None:
    comparison = case(latency=Outcome.BETTER, items=items(8, 4), time_to_first_item=FIRST)
    kept = Place(Position.KEPT, on_front=True)
    ruling = rule(comparison, judge_case(comparison), kept, Policy(accepts_new=True))
    assert ruling.fails == ()
    assert ruling.notices == (item_count_notice(comparison),)
