"""Tests of front lines on chosen axes."""

from benchmarks.html_report import synthetic_session
from pytest_pareto.report.html.case_rows import build_sections
from pytest_pareto.report.html.picture import front_cases


def test_front_follows_the_chosen_axes() -> None:
    (section,) = build_sections(synthetic_session(30).judgement)
    costs = front_cases(section, "candidate", 0, 1)  # latency against device time: one is best
    assert len(costs) <= 3
    assert len(front_cases(section, "candidate", *section.start)) > 3
