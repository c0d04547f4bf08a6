"""Tests of the wording of an attribution: which parts moved a metric, and what they leave."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from pytest_pareto.model.attribution import Attribution, Contribution
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import (
    DISPATCHES,
    FLOPS,
    LATENCY,
    PEAK_MEMORY,
    PYTHON_CALLS,
    Metric,
)
from pytest_pareto.model.verdict import MetricResult
from pytest_pareto.report.wording import attribution_rows, build_why, build_why_instead

Attributed = Callable[..., MetricResult]


def moved(metric: Metric = LATENCY) -> MetricResult:
    return MetricResult(metric, 1.0, 2.0, state=Outcome.WORSE)


def texts(result: MetricResult, most: int | None = None) -> list[tuple[str, str, str]]:
    return [(row.change, row.name, row.detail) for row in attribution_rows(result, most)]


def test_the_largest_parts_and_what_they_leave(slower: MetricResult) -> None:
    assert texts(slower, 3) == [
        ("+12.1 ms", "aten::addmm in Net.fc2", "2.1 → 14.2 ms, 1 → 7 times"),
        ("+3.17 ms", "aten::copy_ in Net.fc1", "new, or under 0.03 ms before"),
        ("−1.2 ms", "aten::relu in Net.act", "1.5 → 0.3 ms"),
        ("+2.35 ms", "not in the profile", ""),
    ]


def test_without_a_limit_every_part_is_worded(slower: MetricResult) -> None:
    rows = attribution_rows(slower)
    assert slower.attribution is not None
    parts = [row.name for row in rows if row.is_part]
    assert parts == [part.name for part in slower.attribution.contributions]
    assert [(row.levels, row.count) for row in rows[:5]] == [
        ("2.1 → 14.2 ms", "1 → 7"),
        ("new, or under 0.03 ms before", "28"),
        ("1.5 → 0.3 ms", "2"),
        ("gone", "1"),
        ("new", "1"),
    ]


@pytest.mark.parametrize(
    ("part", "detail"),
    [
        (Contribution("x", 0.0, 0.002), "new"),
        (Contribution("x", 0.0, 0.002, None, 1), "new"),
        (Contribution("x", 0.0, 0.002, None, 28), "new, 28 times"),
        (Contribution("x", 0.0, 0.002, None, 28, at_most=0.0001), "new, or under 0.1 ms before"),
        (Contribution("x", 0.002, 0.0, 3, None), "gone"),
        (Contribution("x", 0.002, 0.0, 3, None, at_most=0.0001), "gone, or under 0.1 ms now"),
        (Contribution("x", 0.002, 0.004, 2, 2), "2 → 4 ms"),
        (Contribution("x", 0.002, 0.004, 2, None), "2 → 4 ms"),
        (Contribution("x", 0.002, 0.004, 1, 1.5), "2 → 4 ms, 1 → 1.5 times"),
    ],
)
def test_a_part_that_is_new_or_gone_is_called_so(
    attributed: Attributed, part: Contribution, detail: str
) -> None:
    ((_, _, found),) = texts(attributed(moved(), part), 3)
    assert found == detail


def test_parts_of_a_count_have_no_unit_and_no_times(dispatched: MetricResult) -> None:
    assert texts(dispatched, 3) == [("+1", "aten::clone in Net.fc1", "3 → 4")]


def test_bytes_that_differ_read_differently(attributed: Attributed) -> None:
    part = Contribution("float32 [4096, 4096]", 2.0**32, 2.0**32 + 512)
    assert texts(attributed(moved(PEAK_MEMORY), part)) == [
        ("+512 B", "float32 [4096, 4096]", "4294967296 → 4294967808 B")
    ]


def test_small_parts_explain_nothing(attributed: Attributed) -> None:
    small = Contribution("small", 0.0, 0.00049)
    assert texts(attributed(moved(), small, unexplained=0.00951), 3) == []
    assert build_why(attributed(moved(), small, unexplained=0.00951)) is None
    large = replace(small, candidate=0.0005)
    assert texts(attributed(moved(), large, unexplained=0.0095), 3) == [
        ("+0.5 ms", "small", "new"),
        ("+9.5 ms", "not in the profile", ""),
    ]


@pytest.mark.parametrize(
    ("left", "named"),
    [
        ({}, []),
        ({"other": 1.0}, []),
        ({"other": 1.2}, ["other parts"]),
        ({"unexplained": 1.2}, ["not in the profile"]),
        ({"other": 3.0, "unexplained": -3.0}, ["other parts", "not in the profile"]),
        ({"other": 0.7, "unexplained": 0.7}, ["other parts", "not in the profile"]),
        ({"other": 1e-17, "unexplained": 1.2}, ["not in the profile"]),
    ],
)
def test_what_is_left_is_told_from_a_tenth_on(
    attributed: Attributed, left: dict[str, float], named: list[str]
) -> None:
    result = attributed(moved(), Contribution("x", 1.0, 10.0), **left)
    rows = attribution_rows(result, 3)
    assert [row.name for row in rows[1:]] == named
    assert not any(row.is_part or row.detail for row in rows[1:])


def test_parts_that_are_not_shown_count_among_the_others(attributed: Attributed) -> None:
    parts = [Contribution(f"k{number}", 0.0, 1.0) for number in range(12)]
    result = attributed(moved(), *parts, other=0.5)
    assert texts(result, 3)[3:] == [("+9.5 s", "other parts", "")]
    assert texts(result, 10)[10:] == [("+2.5 s", "other parts", "")]
    assert len(texts(result)) == 12
    why = build_why(result)
    assert why is not None
    assert (len(why.rows), len(why.more)) == (4, 11)


def test_the_unit_suits_the_largest_change(attributed: Attributed) -> None:
    long, short = Contribution("x", 1.5, 1.52), Contribution("y", 3e-5, 9e-5)
    assert texts(attributed(moved(), long, short)) == [
        ("+20 ms", "x", "1500 → 1520 ms"),
        ("+0.06 ms", "y", "0.03 → 0.09 ms"),
    ]


def test_counts_are_whole_as_long_as_that_is_readable(attributed: Attributed) -> None:
    calls = attributed(moved(PYTHON_CALLS), Contribution("f", 3, 1483))
    assert texts(calls) == [("+1480", "f", "3 → 1483")]
    flops = attributed(moved(FLOPS), Contribution("aten::mm", 1e9, 2.5e9))
    assert texts(flops) == [("+1.5 G", "aten::mm", "1 → 2.5 G")]


def test_a_metric_without_attribution_has_no_parts() -> None:
    assert attribution_rows(moved()) == ()
    assert build_why(moved()) is None
    nothing = replace(moved(), attribution=Attribution((), 0.0, 1.0, 1.0))
    assert attribution_rows(nothing) == ()


def test_a_host_count_states_its_own_change(
    dispatched: MetricResult, attributed: Attributed
) -> None:
    why = build_why_instead(dispatched)
    assert why is not None
    assert why.instead == "44 → 45 dispatches"
    many = MetricResult(PYTHON_CALLS, 12340.0, 13820.0, state=Outcome.WORSE)
    why = build_why_instead(attributed(many, Contribution("Net.forward (net.py:3)", 3, 1483)))
    assert why is not None
    assert why.instead == "12.34 → 13.82 k Python calls"
    assert why.rows[0].detail == "3 → 1483"


def test_names_are_cleaned(attributed: Attributed) -> None:
    metric = replace(DISPATCHES, unit="\x1b[31m")
    (row,) = attribution_rows(attributed(moved(metric), Contribution("a\nb", 1, 2)))
    assert row.name == "a\\nb"
    assert "\x1b" not in row.change + row.levels + row.detail
