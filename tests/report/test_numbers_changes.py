"""Changes to text: signs, digits, and the interval around them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_pareto.report.numbers import (
    Figure,
    Scale,
    absolute_change,
    fixed,
    relative_change,
    signed,
    trimmed,
    typeset,
)

BARE = Scale(1.0, "")


@pytest.mark.parametrize(
    ("estimate", "ends", "text", "interval"),
    [
        (0.063, (0.062, 0.064), "+6.3 %", "[+6.2, +6.4]"),
        (0.0631, (0.0629, 0.0633), "+6.31 %", "[+6.29, +6.33]"),
        (-0.11, (-0.13, -0.09), "−11.0 %", "[−13.0, −9.0]"),
        (0.048, (-0.06, 0.17), "+4.8 %", "[−6, +17]"),
        (1.0, (0.98, 1.02), "+100 %", "[+98, +102]"),
        (11.0, (10.8, 11.3), "×12", "[×12, ×12]"),
        (2.4, (2.3, 2.52), "×3.4", "[×3.3, ×3.5]"),
        (-0.997, (-0.998, -0.996), "−99.7 %", "[−99.8, −99.6]"),
        (0.1, (0.05, math.inf), "+10 %", "[+5, +∞]"),
        (0.1, (-math.inf, math.inf), "+10 %", ""),
        (0.0, (-0.01, 0.01), "0.0 %", "[−1.0, +1.0]"),
    ],
)
def test_relative_change(
    estimate: float, ends: tuple[float, float], text: str, interval: str
) -> None:
    assert relative_change(estimate, ends) == Figure(text, interval)


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (0.0, "0 %"), (0.0634, "+6.3 %"), (-0.5, "−50 %"), (-0.997, "−99.7 %"), (-1.0, "−100 %"),
        (1.0, "+100 %"), (1.9, "+190 %"), (2.0, "×3.0"), (11.0, "×12"), (2e-10, "+2e−8 %"),
        (-2e-10, "−2e−8 %"), (math.inf, "×∞"),
    ],
)  # fmt: skip
def test_relative_change_of_an_exact_metric(estimate: float, text: str) -> None:
    assert relative_change(estimate) == Figure(text)


@pytest.mark.parametrize(
    ("estimate", "ends", "scale", "text", "interval"),
    [
        (-0.027, (-0.040, -0.014), BARE, "−0.027", "[−.040, −.014]"),
        (-0.001, (-0.009, 0.007), BARE, "−0.001", "[−.009, +.007]"),
        (-1.2, (-2.3, -0.1), BARE, "−1.2", "[−2.3, −0.1]"),
        (0.012, (0.010, 0.014), Scale(1e-3, "ms"), "+12.0 ms", "[+10.0, +14.0]"),
        (-0.15, None, Scale(1.0, "dB"), "−0.15 dB", ""),
        (-0.15, (-math.inf, math.inf), Scale(1.0, "dB"), "−0.15 dB", ""),
        (0.0, (0.0, 0.0), BARE, "0", "[0, 0]"),
    ],
)
def test_absolute_change(
    estimate: float, ends: tuple[float, float] | None, scale: Scale, text: str, interval: str
) -> None:
    assert absolute_change(estimate, ends, scale) == Figure(text, interval)


@given(st.floats(-0.99, 1.99), st.floats(1e-5, 0.5))
def test_percentages_read_back(estimate: float, half: float) -> None:
    figure = relative_change(estimate, (estimate - half, estimate + half))
    shown = float(figure.text.removesuffix(" %").replace("−", "-"))
    assert shown == pytest.approx(100 * estimate, abs=max(0.5001, 100 * half))


@given(st.floats(-0.9, 1.9), st.floats(1e-4, 0.5))
def test_ends_of_an_interval_look_different_and_read_back(estimate: float, half: float) -> None:
    low, high = estimate - half, estimate + half
    texts = relative_change(estimate, (low, high)).interval.strip("[]").split(", ")
    assert texts[0] != texts[1]
    for text, end in zip(texts, (low, high), strict=True):
        assert float(text.replace("−", "-")) == pytest.approx(100 * end, abs=max(0.5001, 50 * half))


def test_zero_has_no_sign() -> None:
    assert signed(-0.0001, 2) == "0.00"
    assert signed(0.0001, 2) == "0.00"
    assert fixed(-0.0001, 2) == "0.00"
    assert signed(-0.01, 2) == "−0.01"


def test_nan_has_no_sign() -> None:
    assert signed(math.nan, 1) == "NaN"


def test_trimmed_keeps_zeros_that_count() -> None:
    assert trimmed(100.0, 2) == "100"
    assert trimmed(0.500, 3) == "0.5"
    assert trimmed(1e-9, 3, sign=True) == "+1e−9"


def test_typeset_exponents() -> None:
    assert typeset("1.5e+12") == "1.5e12"
    assert typeset("-1.5e-08") == "−1.5e−8"
    assert typeset("1e+00") == "1e0"
    assert typeset("-inf") == "−∞"
