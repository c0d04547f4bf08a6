import pytest

from pytest_pareto.model.formatting import plural


@pytest.mark.parametrize(("count", "words"), [(0, "0 runs"), (1, "1 run"), (2, "2 runs")])
def test_only_one_is_singular(count: int, words: str) -> None:
    assert plural(count, "run") == words
