import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.formatting import percent, require_text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_utf8_text_is_accepted(text: str) -> None:
    require_text("the id", text)


@pytest.mark.parametrize("text", ["\udcff", "a\ud800b"])
def test_lone_surrogates_are_refused(text: str) -> None:
    with pytest.raises(ParetoError, match=r"the id .* is no text that a file can hold"):
        require_text("the id", text)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (percent(0.126), "13 %"),
        (percent(0.0133, 2), "1.33 %"),
        (percent(-0.0044, 1, signed=True), "−0.4 %"),
        (percent(0.0431, 1, signed=True), "+4.3 %"),
    ],
)
def test_shares_have_a_space_and_a_true_minus(written: str, text: str) -> None:
    assert written == text
