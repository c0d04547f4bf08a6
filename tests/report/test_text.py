"""Tests of fitting text into terminal cells."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_pareto.report import text as text_module
from pytest_pareto.report.text import clean, clip, display_width, pack, pad, shorten, wrap

anything = st.text(st.characters())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain[x]", "plain[x]"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("abc\u202edef", "abc\\u202edef"),
        ("a\u2028b", "a\\u2028b"),
        ("a\ud800b", "a\\ud800b"),
        ("\U000e0041", "\\ue0041"),
        ("模型 é µ", "模型 é µ"),
    ],
)
def test_clean_makes_control_characters_visible(text: str, shown: str) -> None:
    assert clean(text) == shown


@given(anything)
def test_clean_leaves_no_control_characters(text: str) -> None:
    assert all(unicodedata.category(character)[0] != "C" for character in clean(text))
    assert clean(clean(text)) == clean(text)
    assert len(clean(text).splitlines()) <= 1


def test_width_counts_cells() -> None:
    assert display_width("abc") == 3
    assert display_width("模型") == 4
    assert display_width("e\u0301") == 1


@given(anything.map(clean), st.integers(1, 30))
def test_shortened_and_clipped_texts_fit(text: str, width: int) -> None:
    for short in (shorten(text, width), clip(text, width)):
        assert display_width(short) <= width
        assert (short == text) == (display_width(text) <= width)


def test_shorten_keeps_both_ends() -> None:
    assert shorten("test_generate[fp16-20]", 11) == "test_…6-20]"
    assert shorten("模型模型模型", 7) == "模…型"
    assert shorten("abc", 2) == "ab"


def test_pad() -> None:
    assert pad("模", 4) == "模  "
    assert pad("ab", 4, right=True) == "  ab"


@given(anything, st.integers(2, 40), st.sampled_from(["", "  ", "        "]))
def test_wrapped_lines_fit_and_lose_nothing(text: str, width: int, hanging: str) -> None:
    lines = wrap(text, width, hanging=hanging)
    assert all(display_width(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(clean(text).split())


def test_a_word_of_any_length_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = 0

    def cell_width(character: str) -> int:
        nonlocal counted
        counted += 1
        return 1

    monkeypatch.setattr(text_module, "_cell_width", cell_width)
    assert wrap("x" * 9_000, 90) == ["x" * 90] * 100
    assert counted < 5 * 9_000


def test_wrap_hangs() -> None:
    assert wrap("one two three", 9, indent="- ", hanging="  ") == ["- one two", "  three"]


def test_wrap_of_nothing() -> None:
    assert wrap("", 10, indent="  ") == []


def test_pack_breaks_between_parts_first() -> None:
    assert pack(["a b", "c d", "e f"], 9) == ["a b · c d", "e f"]
    assert pack(["a b c d"], 5, hanging="  ") == ["a b c", "  d"]
    assert pack(["abcdefgh"], 5, hanging="  ") == ["abcde", "  fgh"]


def test_a_per_cent_sign_stays_with_its_number() -> None:
    assert wrap("sees 12 % and 7 %, or 100 %s", 7) == ["sees", "12 %", "and", "7 %, or", "100 %s"]
    assert wrap("up to 12 %", 9) == ["up to", "12 %"]
    assert wrap(" ", 9) == []
