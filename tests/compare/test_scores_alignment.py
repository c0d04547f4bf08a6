"""What keeps two sets of scores from being compared is said by name."""

import math
from typing import Any

import numpy as np
import pytest

from pytest_pareto.compare.scores import align, compare_paired
from pytest_pareto.model.errors import ParetoError


def test_scores_are_put_into_the_order_of_their_ids() -> None:
    ids, before, after = align({"b": 2, "a": 1.0}, {"a": np.float64(0.5), "b": True})
    assert ids == ["a", "b"]
    assert before.tolist() == [1.0, 2.0]
    assert after.tolist() == [0.5, 1.0]


def test_different_ids_are_named_up_to_three_a_side() -> None:
    with pytest.raises(ParetoError) as error:
        align(dict.fromkeys("abcdex", 1.0), dict.fromkeys("xz", 1.0))
    assert str(error.value) == (
        "the two sides hold different samples: 5 only in the baseline ('a', 'b', 'c', ...) "
        "and 1 only in the candidate ('z'); pass scores of the same ids on both sides"
    )


def test_a_side_without_ids_of_its_own_is_not_named() -> None:
    with pytest.raises(ParetoError, match=r"samples: 1 only in the baseline \('b'\); pass"):
        align({"a": 1.0, "b": 1.0}, {"a": 1.0})


@pytest.mark.parametrize("score", [math.nan, math.inf, None, "good", [1.0, 2.0]])
def test_a_score_that_is_no_finite_number_names_its_sample(score: float) -> None:
    with pytest.raises(ParetoError, match="the candidate's score of sample 'p7' is"):
        align({"p1": 1.0, "p7": 1.0}, {"p1": 1.0, "p7": score})
    with pytest.raises(ParetoError, match="the baseline's score of sample 'p7' is"):
        align({"p1": 1.0, "p7": score}, {"p1": 1.0, "p7": 1.0})


@pytest.mark.parametrize("other", [[0.1, 0.2], None, 0.5])
def test_scores_without_ids_are_refused(other: Any) -> None:
    with pytest.raises(ParetoError, match=r"^the candidate is a \w+; scores are a mapping from"):
        compare_paired({"a": 0.1, "b": 0.2}, other, tolerance=0.01)
    with pytest.raises(ParetoError, match=r"^the baseline is a \w+; scores are a mapping from"):
        compare_paired(other, {"a": 0.1, "b": 0.2}, tolerance=0.01)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("scale", [1e-180, 1e-140, 1e140, 1e149])
def test_scores_of_any_size_are_compared(scale: float) -> None:
    before = {f"s{i}": scale * (i + 1) / 30 for i in range(30)}
    after = {name: 0.9 * value for name, value in before.items()}
    found = compare_paired(before, after, tolerance=0.0)
    assert found.estimate == pytest.approx(0.1 * scale * 31 / 60)


@pytest.mark.filterwarnings("error")
def test_scores_whose_squares_are_no_floats_are_refused() -> None:
    scores = {f"s{i}": 1e200 * (i + 1) for i in range(30)}
    with pytest.raises(ParetoError, match=r"'s0' is 1e\+200; numbers beyond 1e\+150 cannot be"):
        compare_paired(scores, scores, tolerance=0.01)


@pytest.mark.parametrize("tolerance", ["3%", None])
def test_a_tolerance_that_is_no_number_is_refused(tolerance: Any) -> None:
    with pytest.raises(ParetoError, match=r"^tolerance must be a finite number >= 0, not"):
        compare_paired({"a": 0.1}, {"a": 0.1}, tolerance=tolerance)
