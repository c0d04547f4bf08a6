"""Tests of steps: commands are whole, quoted, and use existing options."""

import shlex
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import ENERGY, LATENCY
from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import BudgetResult, CaseVerdict, Judgement, MetricResult, Verdict
from pytest_pareto.report.next_steps import Step, accept_step, case_steps, session_steps, step_lines
from pytest_pareto.report.text import clean, display_width

Run = tuple[Judgement, SessionFacts]
EXISTING = {
    "pytest", "--lf", "-v", "--pareto", "--pareto-update", "--pareto-update=new",
    "--pareto-update=all", "--pareto-runs=5", "--pareto-runs=10",
    "--pareto-against=origin/main",
}  # fmt: skip


def copied(lines: list[str], purpose: str) -> list[str]:
    """Parse a step as a shell does."""
    text = "\n".join(lines).strip().removeprefix(purpose)
    return shlex.split(text.replace("\\\n", " "))


@given(st.text(st.characters(), min_size=1, max_size=50), st.integers(60, 120))
def test_a_shell_reads_the_node_id_back_or_there_is_no_command(nodeid: str, width: int) -> None:
    step = accept_step(nodeid)
    lines = step_lines([step], width, "    ")
    assert all(display_width(line) <= width for line in lines)
    if "run this test" in " ".join(lines):
        assert clean(nodeid) != nodeid or display_width(shlex.quote(nodeid)) > width - 12
    else:
        assert copied(lines, "to accept:") == list(step.command)


def test_reading_back_needs_the_quotes() -> None:
    nodeid = "t.py::test[$(reboot) 'x']"
    lines = step_lines([accept_step(nodeid)], 80)
    assert nodeid in copied(lines, "to accept:")
    unquoted = [line.replace(shlex.quote(nodeid), nodeid) for line in lines]
    assert nodeid not in copied(unquoted, "to accept:")


def test_node_id_precedes_the_option_that_would_consume_it(failing_run: Run) -> None:
    for case in failing_run[0].cases:
        for step in case_steps(case):
            words = list(step.command)
            assert words.index(case.comparison.nodeid) < words.index("--pareto")


def test_only_options_that_exist_are_named(any_run: Run) -> None:
    judgement, facts = any_run
    nodeids = {case.comparison.nodeid for case in judgement.cases}
    for session_facts in (facts, replace(facts, updating=False), replace(facts, runs=5)):
        for step in session_steps(judgement, session_facts):
            assert set(step.command) <= EXISTING | nodeids


def test_update_has_no_step_to_update(update_run: Run) -> None:
    judgement, facts = update_run
    assert list(session_steps(judgement, facts)) == []
    assert list(session_steps(judgement, replace(facts, updating=False))) != []


def test_passing_run_has_nothing_to_do(passing_run: Run) -> None:
    assert list(session_steps(*passing_run)) == []


def test_more_runs_than_were_taken_are_proposed(failing_run: Run) -> None:
    judgement, facts = failing_run
    commands = [s.command for s in session_steps(judgement, replace(facts, runs=5))]
    assert any("--pareto-runs=10" in command for command in commands)


def test_broken_case_cannot_be_accepted(
    case: Callable[..., CaseVerdict],
) -> None:
    assert list(case_steps(case("[a]", Verdict.BROKEN, fails=("nan",)))) == []


def test_undecided_failure_can_be_looked_at_but_not_accepted(
    case: Callable[..., CaseVerdict], compared: Callable[..., MetricResult]
) -> None:
    open_ = compared(LATENCY, (1.0, 1.0), (0.0, -0.1, 0.1), Outcome.INCONCLUSIVE, resolution=0.3)
    steps = case_steps(case("[a]", Verdict.INCONCLUSIVE, open_, fails=("latency undecided",)))
    assert [step.purpose for step in steps] == ["to look closer:"]


def test_named_measurements_of_one_test_are_one_selection(
    case: Callable[..., CaseVerdict], facts: Callable[..., SessionFacts]
) -> None:
    pair = [case(f"[a]#{part}", Verdict.WORSE, fails=("x",)) for part in ("encode", "decode")]
    closer = next(session_steps(Judgement(tuple(pair)), facts()))
    assert pair[0].comparison.nodeid in closer.command


def test_steps_are_aligned() -> None:
    steps = [Step("a:", ("pytest",)), Step("long:", instead="in words that go on and on")]
    assert step_lines(steps, 24) == ["a:     pytest", "long:  in words that go", "       on and on"]


def test_long_step_prevents_alignment() -> None:
    steps = [Step("a:", ("pytest",)), Step("longer:", ("pytest", "t.py::test_x[abc]", "--pareto"))]
    assert step_lines(steps, 30) == [
        "a:  pytest",
        "longer:",
        "  pytest 't.py::test_x[abc]' \\",
        "    --pareto",
    ]


def partly(
    case: Callable[..., CaseVerdict],
    compared: Callable[..., MetricResult],
    state: Outcome,
    *,
    for_now: bool = False,
    fails: tuple[str, ...] = (),
) -> CaseVerdict:
    still = compared(LATENCY, (1.0, 1.0), (0.0, -0.01, 0.01), Outcome.UNCHANGED, resolution=0.1)
    lack = MetricResult(ENERGY, candidate=3.0, state=state, reason="why", for_now=for_now)
    return case("[a]", Verdict.UNCHANGED, still, lack, fails=fails)


@pytest.mark.parametrize(
    ("state", "for_now", "option"),
    [
        (Outcome.NEW, False, "--pareto-update=new"),
        (Outcome.NOT_COMPARABLE, False, "--pareto-update=new"),
        (Outcome.NOT_COMPARABLE, True, "--pareto-against=origin/main"),
    ],
)
@pytest.mark.parametrize("fails", [(), ("energy has nothing to be compared with",)])
def test_partly_compared_case_has_a_step(
    state: Outcome, for_now: bool, option: str, fails: tuple[str, ...],
    case: Callable[..., CaseVerdict], compared: Callable[..., MetricResult],
    facts: Callable[..., SessionFacts],
) -> None:  # fmt: skip
    found = partly(case, compared, state, for_now=for_now, fails=fails)
    (step,) = session_steps(Judgement((found,)), facts())
    assert step.command == ("pytest", "--pareto", option)


@pytest.mark.parametrize(
    ("verdict", "fails"), [(Verdict.WORSE, ("it moved together",)), (Verdict.IMPROVED, ())]
)
def test_what_moved_together_has_the_step_that_settles_it(
    case: Callable[..., CaseVerdict], facts: Callable[..., SessionFacts],
    verdict: Verdict, fails: tuple[str, ...],
) -> None:  # fmt: skip
    together = replace(case("[a]", verdict, fails=fails), common="latency")
    (step,) = session_steps(Judgement((together,)), facts())
    assert step.purpose == "code or machine?"
    alone = replace(together, common=None)
    assert step not in session_steps(Judgement((alone,)), facts())


def test_one_step_records_failing_and_passing_cases(
    case: Callable[..., CaseVerdict], compared: Callable[..., MetricResult],
    facts: Callable[..., SessionFacts],
) -> None:  # fmt: skip
    failing = partly(case, compared, Outcome.NEW, fails=("x",))
    passing = partly(case, compared, Outcome.NEW)
    passing = replace(passing, comparison=replace(passing.comparison, case_id="other"))
    assert len([*session_steps(Judgement((failing, passing)), facts())]) == 1


def test_a_test_that_failed_has_nothing_to_record(
    case: Callable[..., CaseVerdict], compared: Callable[..., MetricResult],
    facts: Callable[..., SessionFacts],
) -> None:  # fmt: skip
    found = partly(case, compared, Outcome.NEW, fails=("the test failed",))
    broken = replace(found, comparison=replace(found.comparison, broken="the test failed"))
    assert [*session_steps(Judgement((found,)), facts())]
    assert not [*session_steps(Judgement((broken,)), facts())]


def test_without_a_baseline_what_fails_is_recorded_by_the_same_step(
    case: Callable[..., CaseVerdict], compared: Callable[..., MetricResult],
    facts: Callable[..., SessionFacts],
) -> None:  # fmt: skip
    failing = partly(case, compared, Outcome.NEW, fails=("x",))
    (step,) = session_steps(Judgement((failing,)), facts(baseline_sessions=0))
    assert step.command == ("pytest", "--pareto", "--pareto-update")


def test_a_broken_budget_is_looked_at_closer_and_changed_in_the_marker(
    case: Callable[..., CaseVerdict], facts: Callable[..., SessionFacts]
) -> None:
    budget = BudgetResult("latency", "<= 1 s", 2.0, broken=True)
    broken = case("[a]", Verdict.UNCHANGED, budgets=(budget,), fails=(budget.message,))
    for session in (facts(), facts(updating=True), facts(ref="main", against="main")):
        texts = [step.instead for step in session_steps(Judgement((broken,)), session)]
        assert "change it in the test's marker; no update writes it" in texts
    assert "--pareto-runs=5" in next(session_steps(Judgement((broken,)), facts())).command
    kept = replace(broken, comparison=replace(broken.comparison, budgets=()), fails=())
    assert not [*session_steps(Judgement((kept,)), facts())]


def test_recording_a_lower_bound_is_no_step(
    case: Callable[..., CaseVerdict], compared: Callable[..., MetricResult],
    facts: Callable[..., SessionFacts],
) -> None:  # fmt: skip
    found = partly(case, compared, Outcome.NOT_COMPARABLE)
    metrics = tuple(
        replace(r, lower_bound="without x") if r.change is None else r
        for r in found.comparison.metrics
    )
    bounded = replace(found, comparison=replace(found.comparison, metrics=metrics))
    assert [*session_steps(Judgement((found,)), facts())]
    assert not [*session_steps(Judgement((bounded,)), facts())]


def test_a_failed_test_of_an_update_is_not_told_to_update(failing_run: Run) -> None:
    judgement, facts = failing_run
    case = next(each for each in judgement.cases if each.fails)
    assert any("--pareto-update" in step.command for step in case_steps(case, facts))
    assert not list(case_steps(case, replace(facts, updating=True)))
