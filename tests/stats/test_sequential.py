"""Boundaries compared with published ones, and p-values that hold at whichever look one stops."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import ndtr, ndtri

from pytest_pareto.model.run import Looks
from pytest_pareto.stats.sequential import (
    crossing_probability,
    information_fraction,
    nominal_alpha,
    sequential_p,
    sequential_ps,
)

Array = npt.NDArray[np.float64]


def last(planned: int, samples: int = 1_000) -> Looks:
    return Looks(samples, planned, planned, 0)


def boundary(planned: int, alpha: float) -> float:
    return float(-ndtri(nominal_alpha(alpha, last(planned))))


# C. Jennison and B. W. Turnbull (2000), Group Sequential Methods, table 2.3: constants of
# two-sided tests at twice this alpha, where both sides at once are next to impossible.
@pytest.mark.parametrize(
    ("planned", "alpha", "constant"),
    [
        (1, 0.05, 1.645),
        (2, 0.05, 1.678),
        (5, 0.05, 1.751),
        (2, 0.025, 1.977),
        (3, 0.025, 2.004),
        (4, 0.025, 2.024),
        (5, 0.025, 2.040),
        (10, 0.025, 2.087),
        (5, 0.005, 2.621),
    ],
)
def test_boundaries_are_those_of_o_brien_and_fleming(
    planned: int, alpha: float, constant: float
) -> None:
    assert boundary(planned, alpha) == pytest.approx(constant, abs=6e-4)


def test_the_first_look_requires_near_certainty() -> None:
    levels = [nominal_alpha(0.05, Looks(225, 5, at, 0)) for at in range(1, 6)]
    assert levels == pytest.approx([0.0000452, 0.00282, 0.0119, 0.0251, 0.0400], rel=2e-3)


@pytest.mark.parametrize("alpha", [0.4, 0.05, 0.05 / 30, 0.05 / 1_000, 1e-9])
@pytest.mark.parametrize(("samples", "planned"), [(225, 5), (7, 5), (1_000, 10), (40, 2)])
def test_a_p_value_at_the_nominal_level_is_corrected_to_alpha(
    alpha: float, samples: int, planned: int
) -> None:
    for at in range(1, planned + 1):
        looks = Looks(samples, planned, at, 0)
        assert sequential_p(nominal_alpha(alpha, looks), looks) == pytest.approx(alpha, rel=1e-5)


def test_the_table_matches_the_integral() -> None:
    heights = np.array([-1.0, 0.0, 0.7, 1.751, 3.3, 6.1, 9.0])
    times = np.arange(1, 6) / 5
    p = ndtr(-heights)  # at the last look
    assert sequential_ps(p, last(5)) == pytest.approx(
        crossing_probability(heights, times), rel=1e-5
    )


def test_the_integral_matches_random_walks() -> None:
    times = np.array([0.3, 0.4, 0.9, 1.0])
    steps = np.sqrt(np.diff(times, prepend=0.0))
    walks = np.cumsum(steps * np.random.default_rng(1).normal(size=(200_000, 4)), axis=1)
    heights = np.array([0.2, 1.0, 1.8])
    reached = (walks.max(axis=1)[:, None] >= heights).mean(axis=0)
    assert crossing_probability(heights, times) == pytest.approx(reached, abs=0.004)


def stopped(looks: int, draws: int, seed: int = 2) -> tuple[npt.NDArray[np.intp], Array]:
    """Stop each walk at its most favourable look, as someone with hindsight would."""
    rng, times = np.random.default_rng(seed), np.arange(1, looks + 1) / looks
    scores = np.cumsum(rng.normal(size=(draws, looks)), axis=1) / np.sqrt(looks * times)
    at = (scores * np.sqrt(times)).argmax(axis=1)
    return at, ndtr(-scores[np.arange(draws), at])


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_p_values_hold_at_the_most_favourable_look(alpha: float) -> None:
    at, p = stopped(5, 100_000)
    paid = np.empty_like(p)
    for look in range(5):
        paid[at == look] = sequential_ps(p[at == look], Looks(1_000, 5, look + 1, 0))
    assert (paid <= alpha).mean() == pytest.approx(alpha, abs=0.003)
    assert (p <= alpha).mean() > 1.3 * alpha  # the uncorrected p-value


def test_no_looks_or_a_single_look_need_no_correction() -> None:
    assert sequential_p(0.0123, None) == 0.0123
    assert sequential_p(0.0123, last(1)) == 0.0123
    assert nominal_alpha(0.0123, None) == 0.0123
    assert nominal_alpha(0.0123, last(1)) == 0.0123


def test_p_values_of_zero_and_one_are_unchanged() -> None:
    found = sequential_ps(np.array([0.0, 1e-300, 0.5, 1.0, np.nan]), Looks(100, 5, 2, 0))
    assert found[0] == 0.0
    assert 0 < found[1] < 1e-100
    assert 0.5 < found[2] < 0.8
    assert found[3] == 1.0
    assert np.isnan(found[4])


def test_the_correction_is_monotone_and_never_lowers_a_p_value() -> None:
    p = np.geomspace(1e-40, 1.0, 5_000)
    for at in range(1, 6):
        paid = sequential_ps(p, Looks(223, 5, at, 0))
        assert (np.diff(paid) >= 0).all()
        assert (paid >= p * (1 - 1e-9)).all()


def test_the_information_fraction_counts_samples() -> None:
    assert information_fraction(Looks(7, 5, 1, 0)) == 2 / 7
