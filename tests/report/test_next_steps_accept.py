"""Tests of the steps that accept: from the candidate, or by measuring again."""

import shlex
from collections.abc import Callable
from dataclasses import replace

import pytest

from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import CaseVerdict, Judgement, Verdict
from pytest_pareto.report.next_steps import REASON, session_steps, trades_step
from pytest_pareto.report.terminal import failure_text, render_terminal

Run = tuple[Judgement, SessionFacts]
Cases = Callable[..., CaseVerdict]
FOLDER = ".pareto_candidate"


def offering(facts: SessionFacts, *cases: CaseVerdict) -> SessionFacts:
    ids = frozenset(case.case_id for case in cases)
    return replace(facts, candidate_path=FOLDER, acceptable=ids)


@pytest.fixture
def red(case: Cases, compared: Callable[..., object]) -> Callable[[str], CaseVerdict]:
    return lambda name: case(name, Verdict.DOMINATED, fails=("it got worse",))


def commands(run: Run) -> dict[str, tuple[str, ...]]:
    return {step.purpose: step.command for step in session_steps(*run)}


def test_one_case_is_accepted_as_measured_or_by_measuring_again(
    red: Callable[[str], CaseVerdict], facts: Callable[..., SessionFacts]
) -> None:
    one = red("[a b]")
    steps = commands((Judgement((one,)), offering(facts(), one)))
    nodeid = one.comparison.nodeid
    assert steps["to accept:"] == ("pytest-pareto", "accept", FOLDER, nodeid, "--reason", REASON)
    assert steps["or, measured anew:"] == ("pytest", nodeid, "--pareto", "--pareto-update")


def test_case_outside_the_candidate_is_accepted_by_measuring_again(
    red: Callable[[str], CaseVerdict], facts: Callable[..., SessionFacts]
) -> None:
    one = red("[a]")
    steps = commands((Judgement((one,)), offering(facts())))
    assert steps["to accept:"] == ("pytest", one.comparison.nodeid, "--pareto", "--pareto-update")


def test_a_few_tests_are_named_and_many_are_not(
    red: Callable[[str], CaseVerdict], facts: Callable[..., SessionFacts]
) -> None:
    for count, purpose in ((5, "to accept:"), (6, "to accept all that changed:")):
        cases = [red(f"[{i}]") for i in range(count)]
        steps = commands((Judgement(tuple(cases)), offering(facts(), *cases)))
        named = {case.comparison.nodeid for case in cases} & set(steps[purpose])
        assert len(named) == (count if count == 5 else 0)
        assert "--lf" in steps["or, measured anew:"]


def test_failed_test_and_section_have_the_same_step(
    red: Callable[[str], CaseVerdict], facts: Callable[..., SessionFacts]
) -> None:
    one = red("[a]")
    session = offering(facts(), one)
    _, text = failure_text(one, session)
    lines = render_terminal(Judgement((one,)), session, verbosity=0, plot=False, width=80)
    for steps in (text, "\n".join(line.text for line in lines)):
        words = shlex.split(steps[steps.index("pytest-pareto") :].replace("\\\n", " "))
        assert words[:4] == ["pytest-pareto", "accept", FOLDER, one.comparison.nodeid]
        assert words[4:6] == ["--reason", REASON]
    assert "pytest-pareto" not in failure_text(one)[1]


def test_a_trade_that_was_let_through_is_offered_once(failing_run: Run) -> None:
    judgement, facts = failing_run
    (traded,) = [case for case in judgement.cases if case.verdict is Verdict.TRADE_OFF]
    session = offering(facts, traded)
    step = trades_step(judgement.cases, session)
    assert step is not None
    assert traded.comparison.nodeid in step.command
    lines = render_terminal(Judgement((traded,)), session, verbosity=0, plot=False, width=120)
    assert sum("pytest-pareto accept" in line.text for line in lines) == 1
    assert trades_step(judgement.cases, facts) is None
