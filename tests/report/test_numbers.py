"""Tests of number formatting: text reads back within the digits shown."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_pareto.report.numbers import (
    Levels,
    Scale,
    amount,
    detectable_text,
    duration,
    fraction,
    levels,
)

UNITS = ["s", "J", "B", "count", "", "dB"]
values = st.floats(min_value=1e-12, max_value=1e15)


def number(text: str) -> float:
    return float(text.replace("−", "-"))


def reads_back(found: Levels, values: tuple[float, ...]) -> bool:
    """Whether every text is its value, rounded to the last digit that it shows."""
    return all(
        math.isclose(number(text) * found.scale.factor, value, rel_tol=1e-9, abs_tol=0)
        or abs(number(text) * found.scale.factor - value) <= 0.5000001 * last_digit(text, found)
        for text, value in zip(found.texts, values, strict=True)
    )


def last_digit(text: str, found: Levels) -> float:
    digits, _, exponent = text.replace("−", "-").partition("e")
    decimals = len(digits.partition(".")[2])
    return float(10.0 ** (int(exponent or 0) - decimals)) * found.scale.factor


@given(values, values, st.sampled_from(UNITS), st.booleans())
def test_levels_read_back_within_the_precision_shown(
    baseline: float, candidate: float, unit: str, exact: bool
) -> None:
    found = levels((baseline, candidate), unit, exact=exact)
    assert reads_back(found, (baseline, candidate))


def test_the_check_of_reading_back_can_fail() -> None:
    found = levels((0.2314, 0.2460), "s")
    assert reads_back(found, (0.2314, 0.2460))
    assert not reads_back(replace(found, scale=Scale(1e-6, "µs")), (0.2314, 0.2460))
    assert not reads_back(found, (0.23147, 0.2460))


@given(values, values, st.sampled_from(UNITS))
def test_levels_of_a_row_show_the_same_decimals(one: float, other: float, unit: str) -> None:
    found = levels((one, other), unit)
    decimals = {len(text.partition("e")[0].partition(".")[2]) for text in found.texts}
    assert len(decimals) == 1


@given(values, st.sampled_from(UNITS))
def test_the_largest_level_has_four_significant_digits(value: float, unit: str) -> None:
    shown = number(levels((value,), unit).texts[0]) * levels((value,), unit).scale.factor
    assert shown == pytest.approx(value, rel=5.001e-4)


@given(values, st.floats(1e-15, 1e-6), st.sampled_from(UNITS))
def test_exact_levels_that_differ_look_different(value: float, step: float, unit: str) -> None:
    other = value * (1 + step)
    texts = levels((value, other), unit, exact=True).texts
    assert (texts[0] != texts[1]) == (value != other)


@pytest.mark.parametrize(
    ("pair", "unit", "texts", "shown"),
    [
        ((0.2314, 0.246), "s", ("231.4", "246.0"), "ms"),
        ((9e-4, 1.1e-3), "s", ("0.900", "1.100"), "ms"),
        ((2e-9, 3e-9), "s", ("2.000", "3.000"), "ns"),
        ((41.5, 42.0), "s", ("41.50", "42.00"), "s"),
        ((0.00099996, 0.00099996), "s", ("1.000", "1.000"), "ms"),
        ((5e-6, 4e-6), "J", ("5.000", "4.000"), "µJ"),
        ((1250.0, 1300.0), "J", ("1.250", "1.300"), "kJ"),
        ((512.0, 700.0), "B", ("512", "700"), "B"),
        ((2.0**31, 2.0**31), "B", ("2.000", "2.000"), "GiB"),
        ((812.0, 815.0), "count", ("812", "815"), ""),
        ((1200.0, 3e12), "count", ("0.000000", "3.000000"), "T"),
        ((0.9621, 0.9), "", ("0.9621", "0.9000"), ""),
        ((31.2, 31.05), "dB", ("31.20", "31.05"), "dB"),
        ((1e9, 2e9), "", ("1.000e9", "2.000e9"), ""),
        ((1e-13, 2e-13), "s", ("1.000e−4", "2.000e−4"), "ns"),
        ((0.0, 1.0), "s", ("0.000", "1.000"), "s"),
        ((0.0, 0.0), "s", ("0", "0"), "s"),
        ((None, 3.5), "s", ("", "3.500"), "s"),
        ((math.nan, 1.0), "", ("NaN", "1.000"), ""),
        ((math.inf, 1.0), "s", ("∞", "1.000"), "s"),
        ((-0.5, -0.25), "", ("−0.5000", "−0.2500"), ""),
    ],
)
def test_levels(
    pair: tuple[float | None, ...], unit: str, texts: tuple[str, ...], shown: str
) -> None:
    found = levels(pair, unit)
    assert (found.texts, found.scale.unit) == (texts, shown)


def test_one_byte_more_is_seen() -> None:
    found = levels((5368709120, 5368709121), "B", exact=True)
    assert found == Levels(("5368709120", "5368709121"), Scale(1.0, "B"))


def test_noise_gets_no_extra_digits() -> None:
    assert levels((0.23141, 0.23142), "s").texts == ("231.4", "231.4")
    assert levels((0.23141, 0.23142), "s", exact=True).texts == ("231.41", "231.42")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.05, "5 %"), (0.005, "0.5 %"), (0.07, "7 %"), (0.0525, "5.25 %"), (0.0, "0 %"),
        (1.0, "100 %"), (3.0, "×4"), (2e-9, "2e−7 %"), (math.inf, "nothing"),
    ],
)  # fmt: skip
def test_fraction(value: float, text: str) -> None:
    assert fraction(value) == text


def test_resolution_has_two_digits() -> None:
    assert fraction(0.01234, 2) == "1.2 %"
    assert amount(0.01234, "", 2) == "0.012"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.01, "", "0.01"),
        (0.0125, "s", "12.5 ms"),
        (0.5, "dB", "0.5 dB"),
        (math.inf, "s", "nothing"),
    ],
)
def test_amount(value: float, unit: str, text: str) -> None:
    assert amount(value, unit) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(212.3, "212 s"), (3.21, "3.2 s"), (0.354, "0.35 s"), (0.0, "0 s")]
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("resolution", "text"),
    [
        ("12 %", "minimum detectable regression 12 %"),
        ("any change", "any change is detectable"),
        ("nothing", "no regression is detectable"),
    ],
)
def test_a_resolution_as_a_phrase(resolution: str, text: str) -> None:
    assert detectable_text(resolution) == text
