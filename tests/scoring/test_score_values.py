"""What users' code returns, read for what it is."""

import pytest

from pytest_pareto.scoring.score import as_number, listed


class Dataset:
    """As many of torch's: it has a length, and raises no IndexError."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, position: int) -> str:
        return f"sample {position % 3}"


class ByKey(Dataset):
    def __getitem__(self, position: int) -> str:
        return {0: "a", 1: "b", 2: "c"}[position]


def test_a_dataset_is_as_long_as_it_says() -> None:
    assert listed(Dataset()) == ["sample 0", "sample 1", "sample 2"]
    assert listed(ByKey()) == ["a", "b", "c"]


def test_what_can_only_be_iterated_is() -> None:
    assert listed(str(n) for n in range(2)) == ["0", "1"]


@pytest.mark.parametrize("value", [10**400, -(10**400), "1", None, [1, 2]])
def test_what_is_no_number_that_a_float_holds_is_none(value: object) -> None:
    assert as_number(value) is None
