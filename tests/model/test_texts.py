import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.texts import require_text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_whatever_is_text_is_taken(text: str) -> None:
    require_text("the id", text)


@pytest.mark.parametrize("text", ["\udcff", "a\ud800b"])
def test_lone_surrogates_are_refused(text: str) -> None:
    with pytest.raises(ParetoError, match=r"the id .* is no text that a file can hold"):
        require_text("the id", text)
