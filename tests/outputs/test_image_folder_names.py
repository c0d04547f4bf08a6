import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_pareto.outputs.image_folder import case_name, file_name

ANY_TEXT = st.text(st.characters(), max_size=300)  # lone surrogates too


@given(st.lists(ANY_TEXT, min_size=2, max_size=8, unique=True))
@example(["a/b", "a\\b", "a b", "A B", "../..", "", ".", "\x00", "\x1b[31m", "\u202eabc"])
@example(["\xe9", "e\u0301"])
@example(["con", "CON", "nul", "x" * 300, "x" * 301, "\ud800", "中", "id"])
def test_names_are_safe_and_unique(ids: list[str]) -> None:
    names = [file_name(text) for text in ids]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,43}", name) for name in names)
    assert not {name.lower() for name in names} & {"con", "nul", "aux", "prn", "com1"}
    assert len({name.lower() for name in names}) == len(ids)


def test_names_without_the_hash_are_not_unique() -> None:
    """The check of `test_names_are_safe_and_unique` fails for the readable parts alone."""
    readable = [file_name(text).rpartition("-")[0].lower() for text in ("a/b", "a b", "A/B")]
    assert len(set(readable)) == 1


@pytest.mark.parametrize("plain", ["cat", "007", "prompt_12"])
def test_a_plain_word_is_its_own_name(plain: str) -> None:
    assert file_name(plain) == plain


def test_the_name_of_a_case_shows_its_test() -> None:
    assert case_name("tests/deep/down/test_a.py::test_digits[4-fp16]").startswith("test_digits-4-")
    assert case_name("a.py::test_x") != case_name("b.py::test_x")
