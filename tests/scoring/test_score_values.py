"""Reading of values that user code returns."""

import pytest

from pytest_pareto.scoring.score import as_indexable, as_number


class Dataset:
    """Has a length and raises no IndexError, as many of torch's datasets."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, position: int) -> str:
        return f"sample {position % 3}"


class ByKey(Dataset):
    def __getitem__(self, position: int) -> str:
        return {0: "a", 1: "b", 2: "c"}[position]


def test_the_length_of_a_dataset_is_used() -> None:
    assert as_indexable(Dataset()) == ["sample 0", "sample 1", "sample 2"]
    assert as_indexable(ByKey()) == ["a", "b", "c"]


def test_an_iterator_becomes_a_list() -> None:
    assert as_indexable(str(n) for n in range(2)) == ["0", "1"]


@pytest.mark.parametrize("value", [10**400, -(10**400), "1", None, [1, 2]])
def test_a_value_that_is_no_float_gives_none(value: object) -> None:
    assert as_number(value) is None
