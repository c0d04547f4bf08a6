"""Which rules of a session are not those by which its baseline was recorded."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_pareto.baseline.sources import load_recorded, newest_runs
from pytest_pareto.judge.judgement import changed_rules
from pytest_pareto.model.baseline import Baseline
from pytest_pareto.model.metric import Rule, budget_loosens, parse_budget
from pytest_pareto.model.policy import Missing, Policy, SessionSpreads, TradeOffs
from pytest_pareto.model.session_record import Asked, SessionRecord
from pytest_pareto.model.verdict import RuleChange, RuleKind
from tests.sessions import DEVICE, baseline, case_runs, five, remembered, session

ROOT = Path(__file__).resolve().parents[2]
CASE = "t.py::test"
USUAL = Policy(confirming=5)


def recorded(rule: Rule | None, **other: Any) -> Baseline:
    history = remembered(CASE, {"device": five(0.1)})
    metrics = {"device": replace(history.metrics["device"], rule=rule, **other)}
    return replace(baseline(replace(history, metrics=metrics)), policy=USUAL)


def record(policy: Policy = USUAL, asked: Asked | None = None, **about: Any) -> SessionRecord:
    runs = session(case_runs(CASE, {"device": five(0.1)}, **about))
    return SessionRecord(tuple(runs), policy, asked or Asked())


RECORDED = Rule(0.01, relative=True)


def test_equal_rules_are_not_told() -> None:
    assert changed_rules(record(), recorded(RECORDED)) == ()
    assert changed_rules(record(), recorded(None)) == ()


@pytest.mark.parametrize(
    ("rule", "kind", "then", "loosens"),
    [
        (Rule(0.005, relative=True), RuleKind.TOLERANCE, "0.5 %", True),
        (Rule(0.02, relative=True), RuleKind.TOLERANCE, "2 %", False),
        (Rule(0.01), RuleKind.TOLERANCE, "0.01 s", None),
        (replace(RECORDED, give_up=0.02), RuleKind.GIVE_UP, "2 %", True),
        (replace(RECORDED, give_up=0.04), RuleKind.GIVE_UP, "4 %", False),
        (replace(RECORDED, budget="<= 1 s"), RuleKind.BUDGET, "<= 1 s", True),
        (replace(RECORDED, gate=False), RuleKind.GATE, "gate=False", False),
    ],
)
def test_each_rule_of_a_metric(rule: Rule, kind: RuleKind, then: str, loosens: bool | None) -> None:
    (found,) = changed_rules(record(), recorded(rule))
    assert (found.kind, found.case, found.recorded, found.loosens) == (kind, CASE, then, loosens)


def test_the_tolerance_of_what_decides_nothing_is_no_rule() -> None:
    diagnostic = replace(DEVICE, gates=False)
    loose = Rule(0.5, relative=True)
    assert changed_rules(record(device=diagnostic), recorded(loose, gates=False)) == ()
    (found,) = changed_rules(record(device=diagnostic), recorded(RECORDED))
    assert (found.kind, found.now, found.loosens) == (RuleKind.GATE, "reported only", True)


@pytest.mark.parametrize(
    ("policy", "name", "loosens"),
    [
        (replace(USUAL, alpha=0.01), "pareto_alpha", True),
        (replace(USUAL, missing=Missing.WARN), "pareto_missing", True),
        (replace(USUAL, missing=Missing.FAIL), "pareto_missing", False),
        (replace(USUAL, fail_inconclusive=True), "pareto_inconclusive", False),
        (replace(USUAL, fail_rules=True), "pareto_rules", False),
        (replace(USUAL, trade_offs=TradeOffs.FAIL), "pareto_tradeoff", False),
        (replace(USUAL, confirming=1), "pareto_confirm", True),
        (replace(USUAL, spreads=SessionSpreads(host=0.5)), "pareto_session_spread host", True),
    ],
)
def test_each_setting_of_the_policy(policy: Policy, name: str, loosens: bool) -> None:
    for past, said in ((recorded(None), ""), (replace(recorded(None), policy=None), " (default)")):
        (found,) = changed_rules(record(policy), past)
        assert (found.kind, found.name, found.loosens) == (RuleKind.POLICY, name, loosens)
        assert found.recorded.endswith(" (default)") == bool(said)


def test_what_depends_on_the_session_is_no_rule() -> None:
    accepting = replace(USUAL, ci=True, accepts_all=True, accepts_changes=True, accepts_new=True)
    assert changed_rules(record(accepting), recorded(RECORDED)) == ()
    # The report itself says that nothing is confirmed.
    assert changed_rules(record(replace(USUAL, confirming=0)), recorded(RECORDED)) == ()
    # There is nothing yet whose rules could have changed.
    assert changed_rules(record(replace(USUAL, alpha=0.2)), baseline()) == ()


def test_loosened_rules_come_first() -> None:
    policy = replace(USUAL, alpha=0.2, trade_offs=TradeOffs.PASS)
    found = changed_rules(record(policy), recorded(RECORDED, edited=True))
    assert [rule.loosens for rule in found] == [True, None, False]


def test_a_case_that_the_configuration_left_out() -> None:
    other = remembered("t.py::other", {"device": five(0.1)})
    past = replace(recorded(RECORDED), cases={**recorded(RECORDED).cases, other.case_id: other})
    left_out = Asked(partial="1 deselected", configured="addopts (-k test)")
    expected = RuleChange(RuleKind.DESELECTED, "addopts (-k test)", other.case_id, loosens=True)
    assert changed_rules(record(asked=left_out), past) == (expected,)
    for asked in (
        replace(left_out, configured=""),  # a user's own
        replace(left_out, covered=("elsewhere",)),  # nor was it asked for
        replace(left_out, stopped="interrupted"),
        replace(left_out, skipped_modules=("t.py",)),
    ):
        assert changed_rules(record(asked=asked), past) == ()


@pytest.mark.parametrize(
    ("then", "now", "loosens"),
    [
        (">= 0.9", ">= 0.1", True),
        (">= 0.1", ">= 0.9", False),
        ("<= 250 ms", "", True),
        ("", "<= 250 ms", False),
        ("<= 250 ms", "<= 0.25 s", None),
        (">= 1, <= 2", ">= 1.5, <= 3", None),
    ],
)
def test_budgets(then: str, now: str, loosens: bool | None) -> None:
    assert budget_loosens("x", then, now) is loosens


def test_a_new_budget_is_told() -> None:
    (found,) = changed_rules(
        record(budgets=(parse_budget("device", "<= 1 s"),)), recorded(RECORDED)
    )
    assert (found.kind, found.now, found.loosens) == (RuleKind.BUDGET, "<= 1 s", False)


def committed() -> Iterator[Baseline]:
    yield load_recorded(ROOT / "tests/data/older/pareto_baselines")
    yield load_recorded(ROOT / "tests/data/h200_session/pareto_baselines")


def test_committed_baselines_of_an_older_version_are_read_and_nothing_is_told() -> None:
    for past in committed():
        histories = [h for case in past.cases.values() for h in case.metrics.values()]
        assert histories
        assert not any(h.edited or h.rule for h in histories)
        runs = newest_runs(past, {})
        assert changed_rules(SessionRecord(runs, USUAL), past) == ()
        # The control: the same session under another policy.
        assert len(changed_rules(SessionRecord(runs, replace(USUAL, alpha=0.2)), past)) == 1
