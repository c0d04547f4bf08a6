"""Rounding must be the same on both sides of a comparison."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_pareto.model.formatting import SAMPLE_DIGITS, round_samples, significant

SCORES = st.lists(st.floats(allow_nan=False, allow_infinity=False))


@pytest.mark.parametrize(
    ("value", "rounded"),
    [(0.123456, 0.1235), (-98765.4, -98770.0), (1.0, 1.0), (4e-320, 4e-320), (0.99999, 1.0)],
)
def test_four_significant_digits_are_kept(value: float, rounded: float) -> None:
    assert round_samples([value]) == (rounded,)


@given(SCORES)
def test_many_values_are_rounded_like_single_ones(values: list[float]) -> None:
    assert round_samples(values) == tuple(significant(v, SAMPLE_DIGITS) for v in values)


@given(SCORES)
def test_rounding_twice_changes_nothing(values: list[float]) -> None:
    once = round_samples(values)
    assert round_samples(once) == once


@pytest.mark.parametrize("value", [1.7976931348623157e308, -1.7976931348623157e308])
def test_the_largest_numbers_do_not_become_infinite(value: float) -> None:
    assert round_samples([1.0, value]) == (1.0, value)


def test_no_negative_zero_is_kept() -> None:
    (zero,) = round_samples([-0.0])
    assert math.copysign(1.0, zero) == 1.0
