import math

import numpy as np
import pytest

from pytest_pareto.stats.scale import trimmed_mean, trimmed_mean_error


def test_a_fifth_is_left_out_at_either_end() -> None:
    assert trimmed_mean([1000.0, 2.0, 3.0, 4.0, -1000.0]) == 3.0
    assert trimmed_mean([5.0]) == 5.0
    assert trimmed_mean([1.0, 2.0]) == 1.5


def test_the_error_is_that_of_yuen() -> None:
    """Worked by hand: of ten values two are Winsorized at either end."""
    values = [float(n) for n in range(10)]
    winsorized = [2, 2, 2, 3, 4, 5, 6, 7, 7, 7]
    expected = float(np.std(winsorized, ddof=1)) / (0.6 * math.sqrt(10))
    assert trimmed_mean_error(values) == pytest.approx(expected)
    assert trimmed_mean_error([1.0]) == 0.0


@pytest.mark.parametrize(("tails", "ratio"), [(1.5, 1.3), (30.0, 0.9)], ids=["heavy", "normal"])
def test_heavy_tails_disturb_it_less_than_the_mean(tails: float, ratio: float) -> None:
    rng = np.random.default_rng(5)
    draws = rng.standard_t(tails, size=(2000, 100))
    trimmed = [trimmed_mean(row) for row in draws.tolist()]
    assert np.std(draws.mean(axis=1)) / np.std(trimmed) > ratio


def test_the_error_is_the_scatter_of_the_mean() -> None:
    rng = np.random.default_rng(6)
    draws = rng.standard_t(3, size=(2000, 60)).tolist()
    stated = np.mean([trimmed_mean_error(row) ** 2 for row in draws])
    assert math.sqrt(stated) == pytest.approx(np.std([trimmed_mean(r) for r in draws]), rel=0.06)
