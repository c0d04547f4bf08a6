"""Tests of the figures after the name of a test that passed."""

import pytest

from pytest_pareto.model.metric import (
    DEVICE_TIME,
    ENERGY,
    LATENCY,
    PEAK_MEMORY,
    Better,
    Kind,
    Metric,
    Scope,
)
from pytest_pareto.report.terminal import MetricLevels, figures_text
from pytest_pareto.report.text import display_width

SCORE = Metric("score", "", Better.HIGHER, Kind.PAIRED, Scope.GPU, 0.01, relative=False)
COSTS: MetricLevels = (
    (LATENCY, 0.0412345),
    (ENERGY, 12.34),
    (DEVICE_TIME, 0.03),
    (PEAK_MEMORY, 2**31),
)


@pytest.mark.parametrize(
    ("cases", "text"),
    [
        ({"": COSTS[:2]}, "latency 41.2 ms · energy 12.3 J"),
        ({"": COSTS}, "latency 41.2 ms · energy 12.3 J · device_time 30 ms"),
        ({"": (*COSTS, (SCORE, 0.94321))}, "latency 41.2 ms · energy 12.3 J · score 0.943"),
        ({"": ((SCORE, 1.0),)}, "score 1"),
        (
            {"#encode": COSTS[:1], "#decode": COSTS[:3]},
            "#encode: latency 41.2 ms · #decode: latency 41.2 ms · energy 12.3 J",
        ),
    ],
)
def test_three_figures_at_most_with_a_quality_among_them(
    cases: dict[str, MetricLevels], text: str
) -> None:
    assert figures_text(cases, 200) == text


@pytest.mark.parametrize(("room", "count"), [(200, 3), (51, 3), (50, 2), (31, 2), (30, 1), (-9, 1)])
def test_figures_that_do_not_fit_are_left_out_but_for_one(room: int, count: int) -> None:
    text = figures_text({"": COSTS}, room)
    assert text.count("·") == count - 1
    assert count == 1 or display_width(text) <= room


def test_control_characters_of_names_are_escaped() -> None:
    bad = Metric("a\x1b[31m\n", "\u202e", Better.LOWER, Kind.RUN, Scope.GPU, 0.0, relative=False)
    text = figures_text({"#b\r": ((bad, 2.0),)}, 200)
    assert text == r"#b\r: a\x1b[31m\n 2 \u202e"
