"""What keeps two sets of scores from being compared is said by name."""

import math

import numpy as np
import pytest

from pytest_pareto.compare.scores import align
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
