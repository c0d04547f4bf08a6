"""Tests of table layout."""

from collections.abc import Callable

import pytest

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import LATENCY
from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import Judgement, MetricResult
from pytest_pareto.report.case_lines import dropped_texts, fit_columns, header_text, row_text
from pytest_pareto.report.fronts import all_cases, build_fronts
from pytest_pareto.report.rows import Row, build_row
from pytest_pareto.report.text import display_width

Run = tuple[Judgement, SessionFacts]


@pytest.fixture
def rows(failing_run: Run) -> list[Row]:
    return [row for case in all_cases(build_fronts(failing_run[0])) for row in case.rows]


@pytest.mark.parametrize("width", [50, 60, 70, 80, 90, 100, 140])
def test_outcomes_are_aligned(rows: list[Row], width: int) -> None:
    columns = fit_columns(rows, width)
    start = columns.start("outcome")
    assert header_text(columns, {"90 %"})[start:] == "outcome"
    for row in rows:
        assert row_text(row, columns)[start:] == row.word
        assert display_width(row_text(row, columns)) <= width


def test_dropped_columns_are_shown_below(rows: list[Row]) -> None:
    shown = [dropped_texts(rows[0], fit_columns(rows, width)) for width in (100, 70, 50)]
    interval = f"90 % interval {rows[0].interval}"
    assert shown == [[], [interval], [interval, f"limit {rows[0].limit}"]]


def test_coverage_is_shown_where_all_intervals_share_it(rows: list[Row]) -> None:
    columns = fit_columns(rows, 100)
    assert "change (90 %)" in header_text(columns, {"90 %"})
    assert "change " in header_text(columns, {"90 %", "80 %"})
    assert "90 %" not in header_text(fit_columns(rows, 70), {"90 %"})


def test_one_sided_row_has_a_dash() -> None:
    row = build_row(MetricResult(LATENCY, candidate=0.4, state=Outcome.NEW, reason="x"))
    assert row_text(row, fit_columns([row], 80)) == "    latency  — → 400.0 ms  new"


def test_long_metric_names_lose_their_middle(compared: Callable[..., MetricResult]) -> None:
    row = build_row(compared(LATENCY, (1.0, 2.0), (1.0, 0.9, 1.1), Outcome.WORSE, resolution=0.1))
    long = Row(
        **{name: getattr(row, name) for name in Row.__slots__} | {"metric": "m" * 70 + "end"}
    )
    text = row_text(long, fit_columns([long], 80))
    assert display_width(text) <= 80
    assert "…" in text
    assert "end " in text
    assert text.endswith("WORSE")
