"""Tests of the static plot: positions of points, arrows, intervals and labels."""

import re
from itertools import combinations

import pytest

from benchmarks.html_report import synthetic_session
from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import Judgement
from pytest_pareto.report.html.axis import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, level
from pytest_pareto.report.html.case_rows import Mark, build_sections
from pytest_pareto.report.html.picture import draw

Run = tuple[Judgement, SessionFacts]


def test_more_is_to_the_right_and_upwards() -> None:
    (section,) = build_sections(synthetic_session(30).judgement)
    drawing = draw(section)
    at = {dot.case: dot.at for dot in drawing.dots}
    known = []
    for number, case in enumerate(section.cases):
        levels = [
            level(case.verdict.comparison.metric(axis.metric.name), axis.metric, "candidate")
            for axis in (drawing.x, drawing.y)
        ]
        assert at[number] is not None
        known.append((levels, at[number] or (0.0, 0.0)))
    rightwards = [spot[0] for _, spot in sorted(known, key=lambda one: one[0][0] or 0)]
    upwards = [-spot[1] for _, spot in sorted(known, key=lambda one: one[0][1] or 0)]
    assert rightwards == sorted(rightwards)
    assert upwards == sorted(upwards)
    assert rightwards != sorted(rightwards, reverse=True)


def test_everything_is_within_the_plot() -> None:
    (section,) = build_sections(synthetic_session(100).judgement)
    drawing = draw(section)
    for dot in drawing.dots:
        assert dot.at is not None
        assert LEFT <= dot.at[0] <= WIDTH - RIGHT
        assert TOP <= dot.at[1] <= HEIGHT - BOTTOM
    for _, path in drawing.bars:
        for x, y, end in re.findall(r"M([\d.]+) ([\d.]+)H([\d.]+)", path):
            assert LEFT <= float(x) <= float(end) <= WIDTH - RIGHT
            assert TOP <= float(y) <= HEIGHT - BOTTOM


@pytest.mark.parametrize("count", [12, 100])
def test_only_changed_cases_have_arrows_and_among_many_bars(count: int) -> None:
    (section,) = build_sections(synthetic_session(count).judgement)
    drawing = draw(section)
    changed = {n for n, case in enumerate(section.cases) if case.block.changed}
    assert {arrow.case for arrow in drawing.arrows} == changed
    barred = {number for number, _ in drawing.bars}
    assert barred == (set(range(count)) if count == 12 else changed)
    assert {label.case for label in drawing.labels} <= (
        set(range(count)) if count == 12 else changed
    )


def test_names_do_not_cover_one_another() -> None:
    (section,) = build_sections(synthetic_session(100).judgement)
    boxes = []
    for label in draw(section).labels:
        width = 6.3 * len(label.text)
        left = label.x - width if label.ends else label.x
        boxes.append((left, label.y - 10, left + width, label.y + 3))
    assert len(boxes) > 2
    for a, b in combinations(boxes, 2):
        assert a[0] >= b[2] or b[0] >= a[2] or a[1] >= b[3] or b[1] >= a[3]


def test_the_lines_are_steps_down_to_the_worse_sides(failing_run: Run) -> None:
    (section,) = build_sections(failing_run[0])
    drawing = draw(section)
    assert re.fullmatch(r"M[\d.]+ 408V[\d.]+(H[\d.]+V[\d.]+)*H704", drawing.new_line)
    assert drawing.old_line != drawing.new_line


def test_missing_case_is_drawn_at_its_old_level(incomplete_run: Run) -> None:
    sections = build_sections(incomplete_run[0])
    assert all(not section.axes for section in sections)  # one case has two metrics
    (section,) = build_sections(synthetic_session(12).judgement)
    assert not any(dot.gone for dot in draw(section).dots)


def test_marks_of_the_legend_are_those_in_the_plot() -> None:
    (section,) = build_sections(synthetic_session(100).judgement)
    drawing = draw(section)
    assert set(drawing.marks) == {dot.mark for dot in drawing.dots}
    assert drawing.marks[0] is Mark.FAILS
