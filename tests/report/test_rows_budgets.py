"""Tests of budgets: measured value and limit in one unit, in every report."""

import json
from collections.abc import Callable

import pytest

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import LATENCY, PEAK_MEMORY, Better, Kind, Metric, Scope
from pytest_pareto.model.session_record import SessionFacts, SessionReport
from pytest_pareto.model.verdict import BudgetResult, CaseVerdict, Judgement, MetricResult, Verdict
from pytest_pareto.report.github import annotation_lines
from pytest_pareto.report.html.page import render_page
from pytest_pareto.report.markdown import render_markdown
from pytest_pareto.report.rows import budget_text
from pytest_pareto.report.terminal import failure_text, render_terminal

MakeCase = Callable[..., CaseVerdict]
Compare = Callable[..., MetricResult]
Facts = Callable[..., SessionFacts]
SCORE = Metric("score", "", Better.HIGHER, Kind.PAIRED, Scope.GPU, 0.01, relative=False)


def now(metric: Metric, level: float, baseline: float | None = None) -> MetricResult:
    return MetricResult(metric, baseline, level, state=Outcome.NEW, reason="new")


@pytest.mark.parametrize(
    ("result", "text", "expected"),
    [
        (now(LATENCY, 0.431), "<= 0.4 s", "latency 431.0 ms, limit <= 400.0 ms"),
        (now(LATENCY, 0.431), "<= 400 ms", "latency 431.0 ms, limit <= 400.0 ms"),
        (now(LATENCY, 0.96, 1.02), "<= 900 ms", "latency 0.9600 s, limit <= 0.9000 s"),
        (now(LATENCY, 1.02, 0.96), "<= 900 ms", "latency 1.020 s, limit <= 0.900 s"),
        (now(LATENCY, 0.015), ">= 20 ms, <= 30 ms",
         "latency 15.00 ms, limit >= 20.00 ms, <= 30.00 ms"),
        (now(SCORE, 0.85), ">= 90 %", "score 0.8500, limit >= 0.9000"),
        (now(LATENCY, 0.40001), "<= 0.4", "latency 400.01 ms, limit <= 400.00 ms"),
        (now(PEAK_MEMORY, 3 * 2.0**30), "<= 2 GiB", "peak_memory 3.000 GiB, limit <= 2.000 GiB"),
        (now(LATENCY, 0.431), "<= 2 GiB", "latency 431.0 ms, limit <= 2 GiB"),
        (now(LATENCY, 0.431), "fast", "latency 431.0 ms, limit fast"),
    ],
)  # fmt: skip
def test_what_was_measured_and_the_limit_are_in_one_unit(
    result: MetricResult, text: str, expected: str
) -> None:
    budget = BudgetResult(result.metric.name, text, result.candidate, broken=True)
    assert budget_text(budget, result) == f"budget broken: {expected}"


def test_a_budget_of_nothing_that_was_measured() -> None:
    budget = BudgetResult("latency", "<= 1 s", None, broken=None, reason="it was not measured")
    expected = "budget undecided: latency, limit <= 1 s (it was not measured)"
    assert budget_text(budget, None) == expected


FIGURES = "latency 404.0 ms, limit <= 150.0 ms"
BROKEN = BudgetResult("latency", "<= 150 ms", 0.404, broken=True)


def judged(case: MakeCase, compared: Compare, verdict: Verdict = Verdict.UNCHANGED) -> Judgement:
    still = compared(LATENCY, (0.402, 0.404), (0.0, -0.02, 0.02), Outcome.UNCHANGED, resolution=0.1)
    found = still if verdict is Verdict.UNCHANGED else now(LATENCY, 0.404)
    broken = case("[a]", verdict, found, budgets=(BROKEN,), fails=(BROKEN.message,))
    return Judgement((broken, case("[b]", Verdict.UNCHANGED, still)))


def test_every_report_has_the_figures_first(
    case: MakeCase, compared: Compare, facts: Facts
) -> None:
    judgement, session = judged(case, compared), facts()
    report = SessionReport(judgement, session)
    lines = [
        t.text for t in render_terminal(judgement, session, verbosity=0, plot=False, width=100)
    ]
    assert lines[0] == f"FAIL  1 of 2 cases broke a budget ({FIGURES}) · 1 unchanged"
    assert f"    fails: budget broken: {FIGURES}" in lines
    (quiet,) = render_terminal(judgement, session, verbosity=-1, plot=False, width=200)
    assert quiet.text.endswith(f"1 of 2 cases broke a budget: test_sd.py::test_generate[a] "
                               f"({FIGURES})")  # fmt: skip
    head = render_markdown(report).split("\n\n")[1]
    assert "latency 404.0 ms, limit `<=` 150.0 ms" in head
    assert f"budget broken: {FIGURES}" in "\n".join(annotation_lines(report, {}))
    assert f"budget broken: {FIGURES.replace('<', '&lt;')}" in render_page(report)
    message, text = failure_text(judgement.cases[0], session)
    assert message == f"budget broken: {FIGURES}"
    assert "in the test's marker" in text


def test_headline_has_the_first_of_many_broken_budgets(
    case: MakeCase, compared: Compare, facts: Facts
) -> None:
    first, _ = judged(case, compared).cases
    again = BudgetResult("latency", "<= 1 ms", 0.404, broken=True)
    other = case("[c]", Verdict.UNCHANGED, *first.comparison.metrics, budgets=(again,),
                 fails=(again.message,))  # fmt: skip
    lines = render_terminal(Judgement((first, other)), facts(), verbosity=0, plot=False, width=100)
    assert lines[0].text == f"FAIL  2 of 2 cases broke a budget ({FIGURES}; and 1 more)"


def test_a_budget_broken_without_a_baseline_is_the_headline(
    case: MakeCase, compared: Compare, facts: Facts
) -> None:
    judgement = judged(case, compared, Verdict.NEW)
    lines = render_terminal(judgement, facts(), verbosity=0, plot=False, width=100)
    assert lines[0].text.startswith("FAIL  1 of 2 cases broke a budget (latency 404.0 ms")
    assert any("NEW, BUDGET BROKEN" in line.text for line in lines)


def test_what_is_worse_does_not_hide_a_broken_budget(case: MakeCase, compared: Compare) -> None:
    worse = compared(LATENCY, (0.3, 0.404), (0.35, 0.3, 0.4), Outcome.WORSE, resolution=0.1)
    broken = case("[a]", Verdict.WORSE, worse, budgets=(BROKEN,), fails=("it", BROKEN.message))
    assert failure_text(broken)[0].endswith(f"; budget broken: {FIGURES}")


def test_ungated_budget_has_its_figures(case: MakeCase, compared: Compare, facts: Facts) -> None:
    still, other = judged(case, compared).cases
    ungated = case("[a]", Verdict.UNCHANGED, *still.comparison.metrics, gate=False,
                   budgets=(BROKEN,), notices=(f"not gated: {BROKEN.message}",))  # fmt: skip
    report = SessionReport(Judgement((ungated, other)), facts())
    assert f"not gated: budget broken: {FIGURES}" in json.dumps(annotation_lines(report, {}))
