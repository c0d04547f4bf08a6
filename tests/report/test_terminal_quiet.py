"""Tests of the report in one line."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import LATENCY
from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import CaseVerdict, Failure, Judgement, MetricResult, Verdict
from pytest_pareto.report.terminal import quiet_line
from pytest_pareto.report.text import Tone

Run = tuple[Judgement, SessionFacts]


@pytest.mark.parametrize(
    ("width", "text"),
    [
        (
            120,
            (
                "pareto: pass · 9 cases unchanged or better · "
                "minimum detectable latency 9-16 %, peak_memory 1 %, label_accuracy 0.02"
            ),
        ),
        (
            100,
            (
                "pareto: pass · 9 cases unchanged or better · "
                "detects latency 9-16 %, peak_memory 1 %, +1 more"
            ),
        ),
        (80, "pareto: pass · 9 cases unchanged or better · detects latency 9-16 %, +2 more"),
    ],
)
def test_passing(passing_run: Run, width: int, text: str) -> None:
    assert quiet_line(*passing_run, width).text == text


@pytest.mark.parametrize(
    ("width", "text"),
    [
        (
            170,
            (
                "pareto: FAIL · 2 of 9 cases regressed: "
                "test_sd.py::test_generate[int8-20] (device_time WORSE +6.3 %), "
                "test_sd.py::test_generate[cached-20] (label_accuracy WORSE −0.027)"
            ),
        ),
        (
            120,
            (
                "pareto: FAIL · 2 of 9 cases regressed: [int8-20] (device_time WORSE +6.3 %), "
                "[cached-20] (label_accuracy WORSE −0.027)"
            ),
        ),
        (80, "pareto: FAIL · 2 of 9 regressed: [int8-20] (device_time WORSE +6.3 %), +1 more"),
    ],
)
def test_failing(failing_run: Run, width: int, text: str) -> None:
    assert quiet_line(*failing_run, width).text == text


def test_no_baseline(first_run: Run) -> None:
    line = quiet_line(*first_run, 100)
    assert line.text == "pareto: no baseline for apple-m3-max yet · 9 new cases, nothing judged"
    assert line.tone is Tone.YELLOW


def test_incomplete_session_is_marked(incomplete_run: Run, passing_run: Run) -> None:
    assert "incomplete" in quiet_line(*incomplete_run, 80).text
    judgement, facts = passing_run
    partial = replace(facts, partial="deselected by -k")
    assert quiet_line(judgement, partial, 80).text.startswith(
        "pareto: pass · incomplete: deselected by -k · 9 cases"
    )
    stopped = quiet_line(judgement, replace(facts, partial="interrupted " * 9), 80).text
    assert "… · 9 cases" in stopped


@pytest.mark.parametrize("confirmed", [frozenset(), frozenset({"latency"})])
def test_an_undecided_case_beyond_its_limit_is_named(
    case: Callable[..., CaseVerdict],
    compared: Callable[..., MetricResult],
    facts_alone: SessionFacts,
    confirmed: frozenset[str],
) -> None:
    slower = compared(
        LATENCY, (4e-3, 12e-3), (2.0, 0.01, 8.0), Outcome.INCONCLUSIVE, resolution=9.0
    )
    undecided = case("[a]", Verdict.INCONCLUSIVE, slower, confirmed=confirmed)
    quiet = case("[b]", Verdict.UNCHANGED)
    text = quiet_line(Judgement((undecided, quiet)), facts_alone, 90).text
    assert text.endswith("1 inconclusive · 1 unchanged · inconclusive: [a] (latency ×3.0)")
    text = quiet_line(Judgement((undecided, quiet)), facts_alone, 70).text
    assert text == "pareto: pass · 1 of 2 cases inconclusive: [a] (latency ×3.0)"


def test_other_verdicts_are_counted(update_run: Run) -> None:
    text = quiet_line(*update_run, 120).text
    assert text.startswith(
        "pareto: pass · wrote 2 metrics · 3 cases · 1 worse, let through · 1 new · 1 unchanged · "
    )


def test_session_without_cases_is_not_green(facts_alone: SessionFacts) -> None:
    line = quiet_line(Judgement(()), facts_alone, 80)
    assert (line.text, line.tone) == ("pareto: pass · no case was judged", Tone.YELLOW)


def test_failure_of_the_session_alone(facts_alone: SessionFacts) -> None:
    line = quiet_line(Judgement((), failures=(Failure("nothing was measured"),)), facts_alone, 80)
    assert line.text == "pareto: FAIL · no case was judged: nothing was measured"


@pytest.fixture
def facts_alone(passing_run: Run) -> SessionFacts:
    return passing_run[1]
