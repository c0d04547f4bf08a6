"""Tests of the plot of a front."""

from collections.abc import Callable
from dataclasses import replace
from textwrap import dedent

import pytest

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import LATENCY, PEAK_MEMORY, Better, Kind, Metric, Scope
from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import (
    CaseVerdict,
    Judgement,
    MetricResult,
    Place,
    Position,
    Verdict,
)
from pytest_pareto.report.plots import default_axes, plot_lines
from pytest_pareto.report.text import display_width

Run = tuple[Judgement, SessionFacts]
MakeCase = Callable[..., CaseVerdict]
SCORE = Metric("score", "", Better.HIGHER, Kind.PAIRED, Scope.GPU, 0.01, relative=False)
ON, OFF = Place(Position.KEPT, on_front=True), Place(Position.OFF, on_front=False)


def at(latency_s: float | None, score: float | None) -> tuple[MetricResult, MetricResult]:
    """Return unchanged levels, which suffice for a plot."""
    return (
        MetricResult(LATENCY, latency_s, latency_s, state=Outcome.NEW),
        MetricResult(SCORE, score, score, state=Outcome.NEW),
    )


def plotted(*cases: CaseVerdict, width: int = 80) -> list[str]:
    (lines,) = plot_lines(Judgement(cases), width)
    return [line.text for line in lines]


def test_front_plot(failing_run: Run) -> None:
    (lines,) = plot_lines(failing_run[0], 80)
    assert "\n".join(line.text for line in lines) == dedent(
        """\
        test_sd.py::test_generate
        ↑ label_accuracy, higher is better
        0.9620 │F*                                      1* C E   G    H    I
               │
               │                                        b
               │
               │
               │
               │
               │
               │                 a
               │
               │
               │
               │                                        B
               │
               │
        0.9240 │               A*
               └────────────────────────────────────────────────────────────
                64.0                                                   565.6
                ← latency (ms), lower is better
          a → A  [fp16-10]  * on the front
          b → B  [cached-20]
          c → C  [int8-20]
              D  [q0]  * on the front
              E  [q1]
              F  [ddim-4]  * on the front
              G  [q2]
              H  [q3]
              I  [q4]
          1 = c, D in one place"""
    )


def test_front_is_read_and_not_computed(case: MakeCase) -> None:
    """The mark follows the judgement, also where that contradicts the points."""
    best, bad = at(0.1, 0.9), at(0.2, 0.5)
    lines = plotted(
        case("[best]", Verdict.UNCHANGED, *best, place=OFF),
        case("[bad]", Verdict.UNCHANGED, *bad, place=ON),
    )
    assert [line for line in lines if "on the front" in line] == ["      B  [bad]  * on the front"]
    assert any(line.endswith("*B") for line in lines)
    assert not any("A*" in line or "*A" in line for line in lines)


def test_points_in_one_place_share_a_digit(case: MakeCase) -> None:
    lines = plotted(
        case("[a]", Verdict.UNCHANGED, *at(0.1, 0.9)),
        case("[b]", Verdict.UNCHANGED, *at(0.1, 0.9)),
        case("[c]", Verdict.UNCHANGED, *at(0.2, 0.5)),
    )
    assert "  1 = A, B in one place" in lines


def test_changed_case_shows_where_it_was(case: MakeCase) -> None:
    moved = (
        MetricResult(LATENCY, 0.1, 0.2, state=Outcome.NEW),
        MetricResult(SCORE, 0.9, 0.5, state=Outcome.NEW),
    )
    still = case("[still]", Verdict.UNCHANGED, *moved)
    assert any("    A  [still]" in line for line in plotted(still, still))
    lines = plotted(case("[moved]", Verdict.WORSE, *moved, fails=("x",)), still)
    drawn = "".join(line.partition("│")[2] for line in lines)
    assert "  a → A  [moved]  * on the front" in lines
    assert "a" in drawn


def test_missing_case_shows_only_where_it_was(case: MakeCase) -> None:
    gone = (
        MetricResult(LATENCY, 0.1, None, state=Outcome.MISSING),
        MetricResult(SCORE, 0.9, None, state=Outcome.MISSING),
    )
    lines = plotted(
        case("[gone]", Verdict.MISSING, *gone, place=OFF, fails=("x",)),
        case("[a]", Verdict.UNCHANGED, *at(0.2, 0.8)),
    )
    assert "  a      [gone]" in lines


@pytest.mark.parametrize(("slowest", "logarithmic"), [(0.19, False), (2.1, True)])
def test_wide_spans_are_logarithmic(case: MakeCase, slowest: float, logarithmic: bool) -> None:
    cases = [
        case(f"[{i}]", Verdict.UNCHANGED, *at(x, 0.5 + i / 10), place=OFF)
        for i, x in enumerate((0.1, (0.1 * slowest) ** 0.5, slowest))
    ]
    lines = plotted(*cases)
    label = "latency (s), lower is better" if logarithmic else "latency (ms), lower is better"
    assert lines[-4].strip() == f"← {label}" + (", logarithmic" if logarithmic else "")
    middle = next(line for line in lines if line.endswith("B") and "│" in line)
    in_the_middle = abs(len(middle.partition("│")[2]) - 30) <= 1
    assert in_the_middle is logarithmic


def test_two_costs_where_there_is_no_quality(case: MakeCase) -> None:
    def costs(latency_s: float, memory_b: float) -> tuple[MetricResult, MetricResult]:
        return (
            MetricResult(LATENCY, latency_s, latency_s, state=Outcome.NEW),
            MetricResult(PEAK_MEMORY, memory_b, memory_b, state=Outcome.NEW),
        )

    lines = plotted(
        case("[a]", Verdict.UNCHANGED, *costs(0.1, 2e9)),
        case("[b]", Verdict.UNCHANGED, *costs(0.2, 1e9)),
    )
    assert lines[1] == "↓ peak_memory (GiB), lower is better"


@pytest.mark.parametrize("results", [at(0.1, 0.9)[:1], at(None, 0.9), at(0.1, float("nan"))])
def test_missing_plot_has_a_reason(case: MakeCase, results: tuple[MetricResult, ...]) -> None:
    reason = (
        "test_sd.py::test_generate not drawn: a picture needs two gated metrics measured in two"
    )
    for cases in ([case("[a]", Verdict.UNCHANGED, *results)] * 2, [case("[a]", Verdict.NEW)]):
        assert plotted(*cases, width=100)[0].startswith(reason)


def test_cases_beyond_the_alphabet_are_dots(case: MakeCase) -> None:
    many = [
        case(f"[{i}]", Verdict.UNCHANGED, *at(0.1 + i / 100, i / 40), place=OFF) for i in range(30)
    ]
    changed = case("[last]", Verdict.WORSE, *at(0.05, 0.01), fails=("x",), place=OFF)
    lines = plotted(*many, changed)
    assert "  a → A  [last]" in lines  # changed cases have the first letters
    assert "      ·  5 more" in lines
    assert any("·" in line.partition("│")[2] for line in lines)


def test_all_points_at_one_value(case: MakeCase) -> None:
    lines = plotted(*[case(f"[{i}]", Verdict.UNCHANGED, *at(0.0, 0.0)) for i in range(2)])
    assert "  1 = A, B in one place" in lines


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_plot_fits(any_run: Run, width: int) -> None:
    judgement, _ = any_run
    renamed = tuple(
        replace(c, comparison=replace(c.comparison, front="模型" * 40)) for c in judgement.cases
    )
    for lines in plot_lines(Judgement(renamed), width):
        assert all(display_width(line.text) <= width for line in lines)


def test_a_lower_bound_is_not_drawn(case: MakeCase) -> None:
    x, y = at(0.05, 0.9)
    cases = [case(f"[{i}]", Verdict.UNCHANGED, *at(0.1 + i, 0.5 + i / 10)) for i in range(2)]
    bounded = case("[low]", Verdict.UNCHANGED, replace(x, lower_bound="without x"), y)
    assert any("[low]" in line for line in plotted(case("[low]", Verdict.UNCHANGED, x, y), *cases))
    assert not any("[low]" in line for line in plotted(bounded, *cases))


def results(**outcomes: Outcome) -> tuple[MetricResult, ...]:
    known = {each.name: each for each in (LATENCY, PEAK_MEMORY, SCORE)}
    return tuple(
        MetricResult(known[name], 1.0, 2.0, state=outcome) for name, outcome in outcomes.items()
    )


SAME, WORSE, BETTER = Outcome.UNCHANGED, Outcome.WORSE, Outcome.BETTER


@pytest.mark.parametrize(
    ("memory", "latency", "x"),
    [
        ([SAME, SAME, SAME], [SAME, SAME, SAME], PEAK_MEMORY),
        ([SAME, SAME, SAME], [SAME, WORSE, SAME], LATENCY),
        ([BETTER, BETTER, BETTER], [SAME, WORSE, SAME], LATENCY),
        ([SAME, SAME, SAME], [BETTER, SAME, SAME], LATENCY),
        ([WORSE, SAME, SAME], [WORSE, WORSE, SAME], LATENCY),
    ],
)
def test_the_axes_are_those_that_moved(
    case: MakeCase, memory: list[Outcome], latency: list[Outcome], x: Metric
) -> None:
    cases = [
        case(f"[{number}]", Verdict.WORSE, *results(peak_memory=m, latency=n, score=SAME))
        for number, (m, n) in enumerate(zip(memory, latency, strict=True))
    ]
    assert default_axes(cases) == (x, SCORE)


def test_what_few_cases_have_is_no_axis_although_it_moved(case: MakeCase) -> None:
    """With it, the other cases would have no place in the picture."""
    cases = [case(f"[{n}]", Verdict.WORSE, *results(latency=SAME, score=SAME)) for n in range(4)]
    one = case("[9]", Verdict.WORSE, *results(peak_memory=WORSE, latency=SAME, score=SAME))
    assert default_axes([one, *cases]) == (LATENCY, SCORE)
    assert default_axes([one, *cases[:1]]) == (PEAK_MEMORY, SCORE)
