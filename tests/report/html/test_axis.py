"""Tests of axes: ticks are where their text is, within the axis, in one readable unit."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_pareto.model.metric import LATENCY, PEAK_MEMORY, Better, Kind, Metric, Scope
from pytest_pareto.report.html.axis import Span, build_axis

SCORE = Metric("score", "", Better.HIGHER, Kind.PAIRED, Scope.GPU, 0.01, relative=False)


def texts(span: Span | None) -> list[str]:
    assert span is not None
    return [text for _, text in span.ticks]


def test_ticks_are_even_and_in_one_unit() -> None:
    axis = build_axis(LATENCY, [0.025, 0.14])
    assert axis is not None
    assert axis.label == "latency (ms), lower is better"
    assert texts(axis.linear) == ["25", "50", "75", "100", "125"]
    assert [value for value, _ in axis.linear.ticks] == pytest.approx(
        [0.025 * n for n in range(1, 6)]
    )


def test_bytes_are_even_in_their_own_unit() -> None:
    axis = build_axis(PEAK_MEMORY, [1.0 * 2**30, 3.0 * 2**30])
    assert axis is not None
    assert axis.linear.ticks[0] == (1.0 * 2**30, "1.0")


def test_a_logarithmic_axis_starts_where_values_differ_twentyfold() -> None:
    far, near = build_axis(LATENCY, [0.01, 1.0]), build_axis(LATENCY, [0.1, 1.0])
    assert far is not None
    assert near is not None
    assert (far.span, near.span) == (far.log, near.linear)
    assert texts(far.log) == ["0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1"]


def test_equal_ratios_are_equally_far_apart_where_logarithmic_and_only_there() -> None:
    axis = build_axis(LATENCY, [1.0, 4.0])
    assert axis is not None
    assert axis.log is not None
    for span, equal in ((axis.log, True), (axis.linear, False)):
        low, middle, high = map(span.share, (1.0, 2.0, 4.0))
        assert math.isclose(middle - low, high - middle) is equal


@pytest.mark.parametrize("values", [[0.0, 1.0], [-1.0, 1.0]])
def test_what_is_not_positive_has_no_logarithm(values: list[float]) -> None:
    axis = build_axis(SCORE, values)
    assert axis is not None
    assert axis.log is None


def test_one_value_has_room_on_both_sides() -> None:
    axis = build_axis(SCORE, [0.0])
    assert axis is not None
    assert axis.linear.share(0.0) == 0.5


def test_values_beyond_what_floats_can_span_have_no_axis() -> None:
    assert build_axis(SCORE, [-1.7e308, 1.7e308]) is None


@given(st.lists(st.floats(-1e12, 1e12) | st.floats(1e-12, 1.0), min_size=1, max_size=5))
def test_whatever_the_values_they_and_the_ticks_are_on_the_axis(values: list[float]) -> None:
    axis = build_axis(SCORE, values)
    if axis is None:
        return
    for span in (axis.linear, axis.log):
        if span is not None:
            assert all(0 <= span.share(value) <= 1 for value in values)
            at = [value for value, _ in span.ticks]
            assert at == sorted(at)
            assert len(at) <= 24
            assert all(-1e-6 <= span.share(value) <= 1 + 1e-6 for value in at)
