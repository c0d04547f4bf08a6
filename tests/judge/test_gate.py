from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pareto.judge.case import judge_case
from pytest_pareto.judge.gate import Ruling, rule
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.policy import Missing, Policy, TradeOffs
from pytest_pareto.model.verdict import BudgetResult, CaseComparison, Place, Position

if TYPE_CHECKING:
    from tests.judge.conftest import Case

KEPT = Place(Position.KEPT, on_front=True)
DEFAULT = Policy()


def ruled(comparison: CaseComparison, policy: Policy = DEFAULT, place: Place = KEPT) -> Ruling:
    return rule(comparison, judge_case(comparison), place, policy)


@pytest.mark.parametrize(
    ("about", "fails"),
    [
        ({"latency": Outcome.UNCHANGED}, False),
        ({"latency": Outcome.BETTER}, False),
        ({"latency": Outcome.WORSE}, True),
        ({"latency": Outcome.WORSE, "score": Outcome.INCONCLUSIVE}, True),
        ({"latency": Outcome.INCONCLUSIVE}, False),
        ({"latency": Outcome.MISSING}, True),
        ({"latency": Outcome.NEW}, False),
        ({"latency": Outcome.NOT_COMPARABLE}, False),
        ({"latency": Outcome.BROKEN}, True),
        ({"latency": Outcome.UNCHANGED, "broken": "it failed"}, True),
        ({"missing": "it is gone"}, True),
        ({"latency": Outcome.UNCHANGED, "flops": Outcome.WORSE}, False),
        ({"latency": Outcome.UNCHANGED, "flops": Outcome.MISSING}, False),
    ],
)
def test_the_default_policy(case: "Case", about: dict[str, Any], fails: bool) -> None:
    assert bool(ruled(case(**about)).fails) is fails
    assert ruled(case(**about, gate=False)).fails == ()


@pytest.mark.parametrize("outcome", [Outcome.NEW, Outcome.NOT_COMPARABLE])
def test_what_was_never_recorded_here_fails_in_ci(case: "Case", outcome: Outcome) -> None:
    comparison = case(latency=outcome)
    assert not ruled(comparison).fails
    assert ruled(comparison, Policy(ci=True)).fails
    assert ruled(comparison, Policy(missing=Missing.FAIL)).fails
    assert not ruled(comparison, Policy(ci=True, missing=Missing.WARN)).fails
    assert ruled(comparison, Policy(ci=True, missing=Missing.WARN)).notices
    assert ruled(comparison, Policy(accepts_new=True)) == Ruling()


@pytest.mark.parametrize(
    ("about", "notices"),
    [
        ({"latency": Outcome.NEW, "score": Outcome.NEW}, ("for a reason",)),
        (
            {"latency": Outcome.NEW, "score": Outcome.NOT_COMPARABLE, "memory": Outcome.UNCHANGED},
            ("latency, score have nothing to be compared with: for a reason",),
        ),
        (
            {"latency": Outcome.NEW, "score": Outcome.UNCHANGED},
            ("latency has nothing to be compared with: for a reason",),
        ),
    ],
)
def test_metrics_without_a_counterpart_have_one_notice_for_each_reason(
    case: "Case", about: dict[str, Any], notices: tuple[str, ...]
) -> None:
    assert ruled(case(**about)).notices == notices


def test_what_cannot_be_compared_for_now_fails_where_undecided_does(
    case: "Case", result: Any
) -> None:
    uncomparable = replace(
        result("latency", Outcome.NOT_COMPARABLE), for_now=True, reason="the host is slower"
    )
    expected = ("latency could not be compared: the host is slower",)
    assert ruled(case(latency=uncomparable), Policy(ci=True)).notices == expected
    assert not ruled(case(latency=uncomparable), Policy(ci=True)).fails
    assert ruled(case(latency=uncomparable), Policy(fail_inconclusive=True)).fails == expected


@pytest.mark.parametrize("about", [{"latency": Outcome.MISSING}, {"missing": "it is gone"}])
def test_what_vanished_fails_unless_the_policy_allows_it(
    case: "Case", about: dict[str, Any]
) -> None:
    assert ruled(case(**about)).fails
    let_pass = ruled(case(**about), Policy(missing=Missing.WARN))
    assert not let_pass.fails
    assert let_pass.notices


def test_inconclusive_fails_where_configured(case: "Case", result: Any) -> None:
    assert ruled(case(latency=Outcome.INCONCLUSIVE)) == Ruling()
    suspect = case(latency=result("latency", Outcome.INCONCLUSIVE, low=0.06))
    assert ruled(suspect).notices == ("latency likely worse, not proven",)
    assert ruled(suspect, Policy(fail_inconclusive=True)).fails
    assert ruled(case(latency=Outcome.INCONCLUSIVE), Policy(fail_inconclusive=True)).fails
    assert ruled(case(flops=Outcome.UNCHANGED)).notices == ("no metric of this case can gate",)


def trade(case: "Case", result: Any, high: float) -> CaseComparison:
    given_up = result("score", Outcome.WORSE, high=high, estimate=high - 0.005, low=0.011)
    return case(latency=Outcome.BETTER, score=given_up)


def test_a_trade_passes_while_it_is_shown_to_be_bounded(case: "Case", result: Any) -> None:
    within = trade(case, result, 0.029)
    assert ruled(within) == Ruling((), ("score traded for latency, within its bound",))
    assert ruled(trade(case, result, 0.031)).fails
    for position, on_front in (
        (Position.LOST, False),
        (Position.OVERTAKEN, False),
        (Position.OFF, False),
        (Position.AMBIGUOUS, None),
    ):
        assert ruled(within, place=Place(position, on_front)).fails
    assert not ruled(within, place=Place(Position.AMBIGUOUS, on_front=True)).fails


def test_the_trade_off_policy(case: "Case", result: Any) -> None:
    within, beyond = trade(case, result, 0.029), trade(case, result, 0.05)
    assert ruled(within, Policy(trade_offs=TradeOffs.FAIL)).fails
    passed = ruled(beyond, Policy(trade_offs=TradeOffs.PASS))
    assert passed == Ruling((), ("score traded for latency",))


def test_places(case: "Case") -> None:
    lost = ruled(case(latency=Outcome.UNCHANGED), place=Place(Position.LOST, False, ("b",)))
    assert lost.fails == ("it lost its place on the front: now dominated by b",)
    overtaken = ruled(
        case(latency=Outcome.UNCHANGED), place=Place(Position.OVERTAKEN, False, ("b",))
    )
    assert overtaken == Ruling((), ("overtaken: b got better",))


REAL = (
    Outcome.WORSE,
    Outcome.BETTER,
    Outcome.UNCHANGED,
    Outcome.NOT_WORSE,
    Outcome.INCONCLUSIVE,
)


@pytest.mark.parametrize("trade_offs", TradeOffs)
def test_a_lost_place_decides_only_trades_that_all_pass(
    case: "Case", trade_offs: TradeOffs
) -> None:
    """Beside a metric that is WORSE, which every LOST has; else the place changes no exit code."""
    policy = Policy(trade_offs=trade_offs)
    decides = set()
    for outcomes in product(REAL, repeat=3):
        if Outcome.WORSE not in outcomes:
            continue
        made = case(**dict(zip(("latency", "score", "memory"), outcomes, strict=True)))
        fails = {
            position: bool(ruled(made, policy, place=Place(position, on_front, ("b",))).fails)
            for position, on_front in ((Position.LOST, False), (Position.AMBIGUOUS, None))
        }
        if fails[Position.LOST] != fails[Position.AMBIGUOUS]:
            decides.add(Outcome.BETTER in outcomes)
    assert decides == ({True} if trade_offs is TradeOffs.PASS else set())


def test_budgets(case: "Case") -> None:
    budgets = (
        BudgetResult("score", ">= 0.9", 0.8, broken=True),
        BudgetResult("latency", "<= 1 s", 0.5, broken=False),
        BudgetResult("memory", "<= 1 GiB", 1.01, broken=None, reason="noise"),
    )
    ruling = ruled(case(latency=Outcome.UNCHANGED, budgets=budgets))
    assert ruling.fails == ("budget broken: score >= 0.9",)
    assert ruling.notices == ("budget undecided: memory <= 1 GiB (noise)",)


def test_several_metrics_have_several_limits(case: "Case") -> None:
    worse = case(latency=Outcome.WORSE, score=Outcome.WORSE)
    assert ruled(worse).fails == ("latency, score got worse beyond their limits",)


def test_an_update_does_not_accept_what_a_busy_host_measured(case: "Case", result: Any) -> None:
    """It is compared, but nothing of it is written."""
    everything = Policy(accepts_new=True, accepts_changes=True, accepts_all=True)
    busy = replace(result("latency", Outcome.WORSE), without_waiting=(1.0,))
    why = "on a busy host, of which nothing can be recorded"
    assert ruled(case(latency=busy), everything).fails == (
        f"latency got worse beyond its limit, {why}",
    )
    traded = trade(case, result, 0.05)
    assert ruled(traded, everything).notices[0].startswith("accepted: ")
    faster, lost = traded.metrics
    of_busy = replace(traded, metrics=(faster, replace(lost, without_waiting=(1.0,))))
    assert ruled(of_busy, everything).fails[0].endswith(why)


def test_an_update_accepts_what_it_writes_and_nothing_else(case: "Case", result: Any) -> None:
    changed = Policy(accepts_new=True, accepts_changes=True)
    assert ruled(case(latency=Outcome.WORSE), changed).notices == (
        "accepted: latency got worse beyond its limit",
    )
    assert not ruled(trade(case, result, 0.05), changed).fails
    assert ruled(case(latency=Outcome.BROKEN), changed).fails
    assert ruled(case(latency=Outcome.MISSING), changed).fails
    assert ruled(case(latency=Outcome.UNCHANGED, broken="it failed"), changed).fails
    everything = Policy(accepts_new=True, accepts_changes=True, accepts_all=True)
    assert ruled(case(latency=Outcome.BROKEN), everything).fails  # measured nothing to write
    contradiction = replace(result("latency", Outcome.BROKEN), candidate=1.0)
    assert not ruled(case(latency=contradiction), everything).fails
    assert not ruled(case(latency=Outcome.MISSING), everything).fails
    assert ruled(case(latency=Outcome.UNCHANGED, broken="it failed"), everything).fails


def test_what_could_not_be_measured_is_not_accepted_as_gone(case: "Case", result: Any) -> None:
    absent = replace(result("latency", Outcome.MISSING), unmeasured=True)
    assert ruled(case(latency=absent), Policy(accepts_all=True)).fails


def test_a_skipped_case_is_reported_and_fails_where_configured(case: "Case") -> None:
    skipped = case(skipped="its test was skipped")
    assert ruled(skipped) == Ruling((), ("its test was skipped",))
    assert ruled(skipped, Policy(missing=Missing.FAIL)).fails == ("its test was skipped",)


def test_a_missing_metric_does_not_hide_an_undecided_one(case: "Case") -> None:
    both = case(latency=Outcome.INCONCLUSIVE, score=Outcome.MISSING)
    policy = Policy(missing=Missing.WARN, fail_inconclusive=True)
    assert ruled(both, policy).fails == ("latency inconclusive",)


def test_a_budget_of_what_was_not_measured_fails_where_nothing_may_lack(case: "Case") -> None:
    unmeasured = BudgetResult("memory", "<= 1 GiB", None, broken=None, reason="not measured")
    comparison = case(latency=Outcome.UNCHANGED, budgets=(unmeasured,))
    assert not ruled(comparison).fails
    assert ruled(comparison, Policy(ci=True)).fails


def test_a_lower_bound_is_a_notice_in_ci_too(case: "Case", result: Any) -> None:
    """No update of the baseline could make it comparable."""
    bound = replace(
        result("memory", Outcome.NOT_COMPARABLE), lower_bound="without x", reason="without x"
    )
    expected = ("memory could not be compared: without x",)
    assert ruled(case(memory=bound), Policy(ci=True)) == Ruling(notices=expected)
    assert ruled(case(memory=bound), Policy(fail_inconclusive=True)).fails == expected
    # The control: what another machine recorded fails there.
    assert ruled(case(memory=replace(bound, lower_bound=None)), Policy(ci=True)).fails
