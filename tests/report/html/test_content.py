"""Tests of the content of the page: findings, steps and facts."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from benchmarks.html_report import synthetic_session
from pytest_pareto.model.attribution import Contribution
from pytest_pareto.model.baseline import FailingHistory
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import PYTHON_CALLS
from pytest_pareto.model.session_record import SessionFacts, SessionReport
from pytest_pareto.model.verdict import (
    CaseVerdict,
    ComparedRuns,
    Failure,
    Judgement,
    MetricResult,
    Verdict,
)
from pytest_pareto.report.headline import resolution_texts, unchanged_resolutions
from pytest_pareto.report.html import case_rows
from pytest_pareto.report.html.content import (
    MAX_NOTES,
    build_page,
    conditions,
    machine_facts,
    session_facts,
    why_tables,
)
from pytest_pareto.report.markdown import render_markdown
from pytest_pareto.report.terminal import render_terminal

Run = tuple[Judgement, SessionFacts]


def test_what_fails_comes_first_and_what_passes_with_a_notice_apart(failing_run: Run) -> None:
    page = build_page(SessionReport(*failing_run))
    assert page.header.word == "FAIL"
    assert [finding.label for finding in page.failed.shown] == ["LOST ITS PLACE", "DOMINATED"]
    assert page.failed.shown[0].text.startswith("LOST its place: device_time WORSE: 231.4 → 246.0")
    assert [finding.label for finding in page.noted.shown] == ["trade-off"]
    assert page.failed.shown[0].anchor == "f0c0"
    assert page.sections[0].cases[0].block.case_id == page.failed.shown[0].name


def test_the_first_screen_has_room_for_a_few_and_counts_the_rest() -> None:
    page = build_page(synthetic_session(200))
    assert (len(page.failed.shown), page.failed.more) == (6, 2)
    assert (len(page.noted.shown), page.noted.more) == (3, 5)
    assert build_page(synthetic_session(12)).failed.more == 0


def test_steps_are_those_of_the_terminal_and_trades_can_be_accepted(failing_run: Run) -> None:
    page = build_page(SessionReport(*failing_run))
    commands = [step.command for step in page.commands]
    assert commands[:2] == [
        "pytest --lf --pareto --pareto-runs=5 -v",
        "pytest --lf --pareto --pareto-update",
    ]
    assert commands[2] == "pytest 'test_sd.py::test_generate[fp16-10]' --pareto --pareto-update"


def test_against_a_ref_nothing_can_be_accepted(failing_run: Run) -> None:
    judgement, facts = failing_run
    page = build_page(SessionReport(judgement, replace(facts, ref="main", against="main at 1a2b")))
    assert not any("--pareto-update" in step.command for step in page.commands)


def test_command_that_cannot_be_typed_is_described(
    case: Callable[..., CaseVerdict], failing_run: Run
) -> None:
    odd = case("[\x1b]", Verdict.WORSE, fails=("worse",))
    page = build_page(SessionReport(Judgement((odd,)), failing_run[1]))
    assert page.commands
    assert all(
        step.command == "" and "run this test with" in step.instead for step in page.commands
    )


def test_common_movement_is_shown_once(common_run: Run) -> None:
    page = build_page(SessionReport(*common_run))
    (lines,) = page.common
    assert lines[0].text.startswith("latency is worse in 40 of 45 cases together, by about +8")
    assert len(page.failed.shown) == 1


def test_process_output_keeps_its_lines(incomplete_run: Run) -> None:
    judgement, facts = incomplete_run
    judgement = replace(judgement, failures=(Failure("died:\n  \x1b[31mline"),))
    page = build_page(SessionReport(judgement, facts))
    assert page.failures == ("died:\n  \\x1b[31mline",)
    assert page.header.caveats == ("incomplete: 1 of 2 workers crashed",)


def test_the_bill_is_of_the_cases_on_the_page() -> None:
    page = build_page(synthetic_session(12))
    ((section, lines),) = page.bill
    assert section is page.sections[0]
    assert [line.name for line in lines] == [case.block.name for case in section.cases]
    assert dict(page.billed) == {"time": "s", "energy": "Wh"}
    assert not page.bills_calls


def test_session_facts_have_differences_and_alpha_shares(failing_run: Run) -> None:
    facts = dict(session_facts(SessionReport(*failing_run)))
    assert build_page(SessionReport(*failing_run)).differences == ("torch 2.12.0 → 2.13.0",)
    assert facts["confirmed"] == "no: judged on this session's runs alone"
    assert facts["alpha is spent on"] == "changes 100 %"


def test_notes_of_meters_are_gathered(failing_run: Run) -> None:
    report = SessionReport(*failing_run)
    assert conditions(report) == ["latency: the host drifts between runs"]
    twice = replace(failing_run[0], cases=failing_run[0].cases * 2)
    assert conditions(SessionReport(twice, failing_run[1])) == [
        "latency: the host drifts between runs (2 readings)"
    ]


def test_notes_of_many_cases_are_limited_and_the_rest_is_counted(failing_run: Run) -> None:
    case = failing_run[0].cases[0]
    result = next(result for result in case.comparison.metrics if result.metric.gates)
    noted = replace(result, notes=tuple(f"{watts} W" for watts in range(40)))
    comparison = replace(case.comparison, metrics=(noted,))
    cases = (replace(case, comparison=comparison),)
    listed = conditions(SessionReport(replace(failing_run[0], cases=cases), failing_run[1]))
    assert len(listed) == MAX_NOTES + 1
    assert listed[-1] == f"and {40 - MAX_NOTES} more, with their cases"


@pytest.mark.parametrize("gpu", ["NVIDIA H200", None])
def test_machine_with_and_without_a_gpu(gpu: str | None) -> None:
    machine = Environment("EPYC", 16, 8, gpu, 2 if gpu else 0, software={"torch": "2.13.0"})
    facts = dict(machine_facts(machine))
    assert facts["GPU"] == ("2 × NVIDIA H200" if gpu else "none")
    assert facts["torch"] == "2.13.0"
    assert "MIG profile" not in facts
    assert machine_facts(None) == []


def test_most_severe_case_comes_first_in_any_section(
    case: Callable[..., CaseVerdict], failing_run: Run
) -> None:
    broken = case("", Verdict.BROKEN, fails=("nan",), front="test_z.py::test_alone")
    judgement, facts = failing_run
    page = build_page(SessionReport(replace(judgement, cases=(*judgement.cases, broken)), facts))
    assert page.sections[-1].title == "Cases without rivals"
    assert [finding.label for finding in page.failed.shown] == [
        "LOST ITS PLACE",
        "BROKEN",
        "DOMINATED",
    ]
    assert page.failed.shown[1].anchor == "f1c0"


def test_page_terminal_and_markdown_have_the_same_resolutions(
    failing_run: Run,
) -> None:
    judgement, facts = failing_run
    # Negative control: the resolution of undecided cases is larger.
    assert resolution_texts(judgement.cases) != unchanged_resolutions(judgement)[0][1]
    ((lead, parts),) = build_page(SessionReport(judgement, facts)).resolutions
    listed = f"{lead} {', '.join(parts)}"
    assert (
        listed
        == "minimum detectable regression in 5 unchanged cases: latency 9-13 %, peak_memory 1 %, "
        "label_accuracy 0.02"
    )
    terminal = render_terminal(judgement, facts, verbosity=0, plot=False, width=200)
    assert listed in [line.text for line in terminal]
    assert listed.replace("peak_memory", "`peak_memory`").replace(
        "label_accuracy", "`label_accuracy`"
    ) in render_markdown(SessionReport(judgement, facts))


def test_failures_that_the_page_tells_in_brief_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    report = synthetic_session(200)
    cases = tuple(
        replace(c, comparison=replace(c.comparison, front=f"test_{number % 10}.py::test_it"))
        for number, c in enumerate(report.judgement.cases)
    )
    report = replace(report, judgement=replace(report.judgement, cases=cases))
    whole = build_page(report)
    monkeypatch.setattr(case_rows, "MAX_CASES", 20)
    page = build_page(report)
    assert (page.cases_in_full, page.cases_in_brief) == (20, 180)
    assert len(page.failed.shown) + page.failed.more == 8
    assert page.commands == whole.commands
    assert page.header == whole.header


def test_each_metric_that_moved_has_a_table_of_its_parts(
    case: Callable[..., CaseVerdict], slower: MetricResult, dispatched: MetricResult
) -> None:
    latency, count = why_tables(case("[a]", Verdict.WORSE, dispatched, slower))
    assert (latency.metric, count.metric) == ("latency", "dispatches")  # as the rows above
    shown = [(line.row.name, line.row.levels, line.row.count, line.bars) for line in latency.parts]
    assert shown == [
        ("aten::addmm in Net.fc2", "2.1 → 14.2 ms", "1 → 7", (18, 120)),
        ("aten::copy_ in Net.fc1", "new, or under 0.03 ms before", "28", (0, 27)),
        ("aten::relu in Net.act", "1.5 → 0.3 ms", "2", (13, 3)),
        ("aten::mul in Net.scale", "gone", "1", (8, 0)),
        ("aten::add in Net.fc1", "new", "1", (0, 1)),
    ]
    assert [(line.row.name, line.bars) for line in latency.rest] == [("not in the profile", None)]
    assert latency.more == count.rest == ()


def test_parts_after_the_tenth_unfold(
    case: Callable[..., CaseVerdict],
    dispatched: MetricResult,
    attributed: Callable[..., MetricResult],
) -> None:
    count = replace(dispatched, metric=PYTHON_CALLS)
    parts = [Contribution(f"f{number}", 0, 100 - number) for number in range(12)]
    (table,) = why_tables(case("[a]", Verdict.WORSE, attributed(count, *parts, other=500.0)))
    assert [line.row.name for line in table.parts] == [f"f{number}" for number in range(10)]
    assert [line.row.name for line in table.more] == ["f10", "f11"]
    assert [line.row.change for line in table.rest] == ["+500"]


def test_a_metric_without_attribution_has_no_table(failing_run: Run) -> None:
    assert not any(list(why_tables(verdict)) for verdict in failing_run[0].cases)


def test_the_largest_parts_are_beside_the_runs(
    case: Callable[..., CaseVerdict], slower: MetricResult, failing_run: Run
) -> None:
    assert slower.baseline is not None
    drawn = replace(slower, runs=ComparedRuns(((slower.baseline,),), (2 * slower.baseline,)))
    judged = case("[a]", Verdict.WORSE, drawn, fails=("latency got worse",))
    page = build_page(SessionReport(Judgement((judged,)), failing_run[1]))
    (table,) = page.failed.shown[0].why
    (whole,) = why_tables(judged)
    assert table.parts == whole.parts[:3] != whole.parts
    assert table.rest == ()
    assert page.draws_runs


def test_commits_that_differ_are_at_the_top_and_a_lack_of_history_is_stated() -> None:
    report = synthetic_session(12)
    page = build_page(report)
    assert page.differences == (
        "torch 2.12.0 → 2.13.0",
        "commit 000000c of 2026-01-12 → 9ab81c2, 17 commits later",
    )
    assert page.no_history == ""
    lacking = build_page(replace(report, history=FailingHistory(missing="it is\x1b shallow")))
    assert lacking.no_history == "it is\\x1b shallow"
    assert lacking.differences == ("torch 2.12.0 → 2.13.0",)
    assert page.draws_courses
    assert lacking.draws_runs
    assert not lacking.draws_courses
