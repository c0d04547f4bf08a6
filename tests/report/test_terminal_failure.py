"""Tests of the text of a failed case in pytest's own report."""

from collections.abc import Callable
from textwrap import dedent

import pytest

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import LATENCY, PEAK_MEMORY
from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import CaseVerdict, Judgement, MetricResult, Verdict
from pytest_pareto.report.terminal import failure_text

Run = tuple[Judgement, SessionFacts]


def test_doubled_latency(
    case: Callable[..., CaseVerdict], compared: Callable[..., MetricResult]
) -> None:
    doubled = compared(LATENCY, (0.231, 0.462), (1.0, 0.95, 1.05), Outcome.WORSE, resolution=0.09)
    message, text = failure_text(
        case("[a]", Verdict.DOMINATED, doubled, fails=("latency got worse beyond its limit",))
    )
    assert message == "latency WORSE: 231.0 → 462.0 ms (+100 %, limit 5 %)"
    assert text == dedent(
        """\
                  baseline →   now     change (90 %)     limit  outcome
          test_sd.py::test_generate[a]                          DOMINATED
            latency  231.0 → 462.0 ms  +100 % [+95, +105]  5 %  WORSE
            fails: latency got worse beyond its limit

        to look closer:
          pytest 'test_sd.py::test_generate[a]' --pareto --pareto-runs=5 -v
        to accept:  pytest 'test_sd.py::test_generate[a]' --pareto --pareto-update"""
    )


def test_lost_place_and_second_metric_are_in_the_message(
    failing_run: Run, case: Callable[..., CaseVerdict], compared: Callable[..., MetricResult]
) -> None:
    lost = next(c for c in failing_run[0].cases if c.case_id.endswith("[int8-20]"))
    message, _ = failure_text(lost)
    assert message == "LOST its place: device_time WORSE: 231.4 → 246.0 ms (+6.3 %, limit 1 %)"
    latency = compared(LATENCY, (1.0, 2.0), (1.0, 0.95, 1.05), Outcome.WORSE, resolution=0.09)
    memory = compared(PEAK_MEMORY, (1e9, 2e9), (1.0, 1.0, 1.0), Outcome.WORSE, resolution=0.01)
    message, _ = failure_text(case("[a]", Verdict.DOMINATED, latency, memory, fails=("x",)))
    assert message.endswith("(+100 %, limit 5 %), peak_memory WORSE +100 %")


def test_broken_case_has_a_reason_and_nothing_to_accept(incomplete_run: Run) -> None:
    broken = next(c for c in incomplete_run[0].cases if c.verdict is Verdict.BROKEN)
    message, text = failure_text(broken)
    assert message == "label_accuracy: nan at sample 'p7'"
    assert "--pareto" not in text


def test_case_without_rows_still_has_its_reasons(case: Callable[..., CaseVerdict]) -> None:
    message, text = failure_text(case("[a]", Verdict.BROKEN, fails=("it raised\nValueError",)))
    assert message == "it raised\\nValueError"
    assert text.splitlines() == [
        "  test_sd.py::test_generate[a]  BROKEN",
        "    fails: it raised\\nValueError",
    ]


@pytest.mark.parametrize("run", ["failing_run", "common_run", "incomplete_run"])
def test_every_failing_case_gets_a_message_of_one_line(
    run: str, request: pytest.FixtureRequest
) -> None:
    judgement: Judgement = request.getfixturevalue(run)[0]
    for case in (c for c in judgement.cases if c.fails):
        message, text = failure_text(case)
        assert message
        assert "\n" not in message
        assert case.case_id in text
