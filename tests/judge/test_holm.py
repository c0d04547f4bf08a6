from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_pareto.judge.holm import holm

P_VALUES = st.lists(st.floats(0, 1), max_size=20)


def test_the_textbook_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))


@given(P_VALUES)
def test_adjusted_values_keep_the_order_and_never_shrink(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))
    ranked = sorted(zip(p_values, adjusted, strict=True))
    assert all(a[1] <= b[1] for a, b in pairwise(ranked))


@given(P_VALUES)
def test_it_rejects_no_less_than_bonferroni(p_values: list[float]) -> None:
    for p, q in zip(p_values, holm(p_values), strict=True):
        assert q <= min(1, p * len(p_values)) + 1e-12


def family_error(adjust: Any, draws: int, seed: int) -> float:
    """How often anything is rejected at 0.05 when 20 correlated nulls are all true."""
    rng = np.random.default_rng(seed)
    shared, own = rng.normal(size=(draws, 1)), rng.normal(size=(draws, 20))
    from scipy.special import ndtr

    p_values = ndtr(0.5**0.5 * (shared + own))
    return float(np.mean([min(adjust(row.tolist())) <= 0.05 for row in p_values]))


def test_one_error_in_twenty_families() -> None:
    assert family_error(holm, 2_000, 1) <= 0.06


def test_without_correction_the_same_check_fails() -> None:
    assert family_error(lambda p: p, 500, 1) > 0.3


@pytest.mark.slow
def test_one_error_in_twenty_families_to_half_a_per_cent() -> None:
    assert family_error(holm, 20_000, 2) <= 0.055
