"""Tests of contrast: texts meet WCAG AA in the light, dark and print schemes."""

import re
from itertools import product
from pathlib import Path

import pytest

import pytest_pareto.report.html

STYLE = Path(pytest_pareto.report.html.__file__).with_name("page.css").read_text(encoding="utf-8")
ROOTS = [dict(re.findall(r"--(\w+):(#\w+)", block)) for block in re.findall(r":root{(.*?)}", STYLE)]
AA = 4.5


def luminance(colour: str) -> float:
    """Relative luminance of a colour, https://www.w3.org/TR/WCAG21/#dfn-relative-luminance."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_contrast_matches_reference_values() -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#fff") < AA < contrast("#767676", "#fff")


@pytest.mark.parametrize("scheme", [0, 1, 2], ids=["light", "dark", "print"])
def test_texts_have_enough_contrast(scheme: int) -> None:
    colours = ROOTS[0] | ROOTS[scheme]
    assert len(ROOTS) == 3
    texts = ("ink", "muted", "red", "yellow", "green", "blue")
    for text, ground in product(texts, ("paper", "soft")):
        assert contrast(colours[text], colours[ground]) >= AA, (text, ground)
    for tone in ("red", "yellow"):
        for text in ("ink", tone):
            assert contrast(colours[text], colours[f"{tone}soft"]) >= AA, (text, tone)


def test_nothing_is_fetched_by_the_style() -> None:
    assert "url(" not in STYLE
    assert "@import" not in STYLE


@pytest.mark.parametrize("tone", ["red", "yellow", "green"])
def test_the_first_line_has_a_ground_of_its_tone(tone: str) -> None:
    assert f".top.{tone} h1 strong{{background:var(--{tone})}}" in STYLE
