"""Layout of text and digits of numbers."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_pareto.baseline.codec import Tree, json_block, json_line
from pytest_pareto.model.formatting import exact_number, significant

STEADY = settings(deadline=None, derandomize=True)
_FINITE = st.floats(allow_nan=False, allow_infinity=False)


def test_leaves_have_lines_of_their_own_in_sorted_order() -> None:
    tree: Tree = {"b": {"y": '{"k": 1}', "x": "[]"}, "a": "1", "c": {}}
    expected = """\
{
  "a": 1,
  "b": {
    "x":
      [],
    "y":
      {"k": 1}
  },
  "c": {}
}"""
    assert json_block(tree) == expected
    assert json.loads(json_block(tree)) == {"a": 1, "b": {"x": [], "y": {"k": 1}}, "c": {}}


@STEADY
@given(st.text())
def test_a_line_is_one_line_of_ascii_whatever_the_text(text: str) -> None:
    written = json_line({text: text})
    assert written.isascii()
    assert len(written.splitlines()) == 1
    assert json.loads(written) == {text: text}


@STEADY
@given(_FINITE, st.sampled_from([4, 7]))
def test_rounding_is_within_half_a_digit_and_idempotent(value: float, digits: int) -> None:
    rounded = significant(value, digits)
    assert significant(rounded, digits) == rounded
    assert math.copysign(1, rounded) == math.copysign(1, value) or rounded == 0
    assert abs(rounded - value) <= 0.5001 * 10.0 ** (1 - digits) * abs(value) + 5e-324


@pytest.mark.parametrize(
    ("value", "digits", "rounded"),
    [
        (0.123456789, 7, 0.1234568),
        (0.123456789, 4, 0.1235),
        (1234567890.0, 7, 1234568000.0),
        (1.7976931348623157e308, 4, 1.7976931348623157e308),
    ],
)
def test_rounding_keeps_significant_digits(value: float, digits: int, rounded: float) -> None:
    assert significant(value, digits) == rounded


def test_negative_zero_is_zero() -> None:
    assert math.copysign(1, significant(-0.0, 7)) == 1
    assert json_line(exact_number(-0.0)) == "0"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (8589934593.0, "8589934593"),
        (2.0**53, "9007199254740992"),
        (1e300, "1e+300"),
        (0.1 + 0.2, "0.30000000000000004"),
        (-3.0, "-3"),
    ],
)
def test_exact_values_are_written_in_full(value: float, text: str) -> None:
    assert json_line(exact_number(value)) == text
    assert json.loads(text) == value
