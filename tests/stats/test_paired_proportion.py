"""Tango's test compared with its definition, and the size of the claims by enumeration."""

import math
import subprocess
import sys
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar
from scipy.special import gammaln, ndtr, ndtri, stdtr, xlog1py, xlogy

from pytest_pareto.stats.paired_proportion import Flips, constrained_variance, is_binary

ALPHA = 0.05

Claim = Callable[[Flips, float], float]


def worse(flips: Flips, margin: float) -> float:
    return flips.p_above(margin)


def not_worse(flips: Flips, margin: float) -> float:
    return flips.p_below(margin)


def by_t_alone(flips: Flips, margin: float) -> float:
    spread = flips.harmed + flips.helped - flips.n * flips.estimate**2
    if spread <= 0:
        return float(flips.estimate >= margin)
    se = math.sqrt(spread / (flips.n - 1) / flips.n)
    return float(stdtr(flips.n - 1, (flips.estimate - margin) / se))


def by_score_alone(flips: Flips, margin: float) -> float:
    return float(ndtr(-flips.score(margin)))


def tables(n: int, harmed_rate: float, helped_rate: float) -> Iterator[tuple[Flips, float]]:
    """Yield every table with a relevant probability, and that probability."""

    def reach(rate: float) -> int:
        return min(n, math.ceil(n * rate + 6 * math.sqrt(n * rate) + 6))

    for harmed in range(reach(harmed_rate) + 1):
        for helped in range(min(reach(helped_rate), n - harmed) + 1):
            rest = n - harmed - helped
            log_p = (
                gammaln(n + 1) - gammaln(harmed + 1) - gammaln(helped + 1) - gammaln(rest + 1)
                + xlogy(harmed, harmed_rate) + xlogy(helped, helped_rate)
                + xlog1py(rest, -harmed_rate - helped_rate)
            )  # fmt: skip
            if log_p > -25:
                yield Flips(harmed, helped, n), math.exp(log_p)


def probability(claim: Claim, n: int, margin: float, shift: float, noise: float) -> float:
    """Return the exact probability of a claim at ALPHA if ``noise`` of the samples improve."""
    return sum(p for flips, p in tables(n, noise + shift, noise) if claim(flips, margin) <= ALPHA)


def largest_size(claim: Claim, n: int, margin: float) -> float:
    return max(probability(claim, n, margin, margin, noise) for noise in (1e-9, 0.005, 0.02, 0.05))


@pytest.mark.parametrize("claim", [worse, not_worse])
@pytest.mark.parametrize("margin", [0.01, 0.05])
def test_claims_are_rarely_made_at_the_margin(claim: Claim, margin: float) -> None:
    assert largest_size(claim, 200, margin) <= 0.052


def test_the_check_of_size_rejects_each_test_alone() -> None:
    assert largest_size(by_t_alone, 200, 0.01) > 0.13
    assert largest_size(by_score_alone, 200, 0.01) > 0.07


@pytest.mark.slow
@pytest.mark.parametrize("claim", [worse, not_worse])
@pytest.mark.parametrize("margin", [0.0, 0.01, 0.02, 0.05])
@pytest.mark.parametrize("n", [50, 100, 500])
def test_size_in_full(claim: Claim, n: int, margin: float) -> None:
    assert largest_size(claim, n, margin) <= (0.056 if n == 50 else 0.0555)


@pytest.mark.parametrize(
    ("harmed", "helped", "n", "low", "high"),
    [(1, 7, 21, -0.517, -0.026), (0, 0, 200, -0.0188, 0.0188)],
)
def test_published_intervals(harmed: int, helped: int, n: int, low: float, high: float) -> None:
    # The first: Fagerland, Lydersen and Laake (2013), "Recommended tests and confidence
    # intervals for paired binomial proportions". The second: z² / (n + z²).
    flips = Flips(harmed, helped, n)

    def limit(z: float) -> float:
        return float(brentq(lambda margin: flips.score(margin) - z, -0.99, 0.99))

    z = float(ndtri(0.975))
    assert limit(z) == pytest.approx(low, abs=5e-4)
    assert limit(-z) == pytest.approx(high, abs=5e-4)


@pytest.mark.parametrize(("harmed", "helped", "margin"), [(7, 3, 0.05), (2, 9, -0.1), (0, 5, 0.2)])
def test_the_closed_form_maximises_the_likelihood(harmed: int, helped: int, margin: float) -> None:
    n = 60

    def cost(rate: float) -> float:
        return -float(
            xlogy(harmed, rate + margin)
            + xlogy(helped, rate)
            + xlogy(n - harmed - helped, 1 - 2 * rate - margin)
        )

    bounds = (max(0.0, -margin) + 1e-9, (1 - margin) / 2 - 1e-9)
    best = minimize_scalar(cost, bounds=bounds, method="bounded", options={"xatol": 1e-10}).x
    expected = 2 * best + margin - margin**2
    assert constrained_variance(harmed, helped, n, margin) == pytest.approx(expected, abs=1e-5)


margins = st.integers(-900, 900).map(lambda thousandths: thousandths / 1_000)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(2, 60))
def test_limits_and_p_values_agree(harmed: int, helped: int, n: int) -> None:
    assume(harmed + helped <= n)
    flips = Flips(harmed, helped, n)
    low, high = flips.limits(ALPHA)
    assert -1 <= low <= flips.estimate <= high <= 1
    if low > -1:
        assert flips.p_above(low) == pytest.approx(ALPHA, abs=1e-6)
    if high < 1:
        assert flips.p_below(high) == pytest.approx(ALPHA, abs=1e-6)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(2, 60), margins)
def test_swapping_harm_and_help_mirrors_the_limits(
    harmed: int, helped: int, n: int, margin: float
) -> None:
    assume(harmed + helped <= n)
    one, other = Flips(harmed, helped, n), Flips(helped, harmed, n)
    assert one.p_above(margin) == pytest.approx(other.p_below(-margin), abs=1e-9)
    assert one.limits(ALPHA) == pytest.approx([-limit for limit in reversed(other.limits(ALPHA))])


def test_every_sample_flipped() -> None:
    assert Flips(20, 0, 20).limits(ALPHA)[1] == 1.0
    assert Flips(0, 20, 20).limits(ALPHA)[0] == -1.0
    assert Flips(20, 0, 20).p_above(0.5) < 0.01


@pytest.mark.parametrize(("n", "bounded"), [(200, False), (267, False), (268, True)])
def test_no_flips_bound_the_difference(n: int, bounded: bool) -> None:
    flips = Flips(0, 0, n)
    _, high = flips.limits(ALPHA)
    assert (high < 0.01) is bounded
    assert (n >= flips.pairs_needed(0.01, ALPHA)) is bounded
    if n == 200:
        assert high == pytest.approx(0.0133, abs=5e-5)


@pytest.mark.parametrize("margin", [0.0, 0.01, 0.05])
@pytest.mark.parametrize("flips", [Flips(2, 2, 200), Flips(10, 10, 200), Flips(0, 0, 100)])
def test_a_shift_of_the_resolution_is_detected(flips: Flips, margin: float) -> None:
    noise = flips.helped / flips.n
    caught = probability(worse, flips.n, margin, flips.resolution(margin, ALPHA), noise)
    assert 0.79 <= caught <= (0.9 if noise else 0.95)


def test_the_check_of_power_rejects_a_resolution_without_its_power_term() -> None:
    flips, margin = Flips(10, 10, 200), 0.01
    half = margin + float(ndtri(1 - ALPHA)) * math.sqrt(0.1 / 200)
    assert probability(worse, flips.n, margin, half, 0.05) < 0.6


def test_the_resolution_is_infinite_where_no_shift_is_left() -> None:
    assert Flips(1, 1, 2).resolution(0.1, ALPHA) == math.inf
    assert Flips(0, 0, 200).resolution(1.0, ALPHA) == math.inf
    assert Flips(0, 0, 2).resolution(0.5, ALPHA) == math.inf


def test_the_needed_pairs_bound_an_unchanged_rate() -> None:
    needed = math.ceil(Flips(6, 6, 300).pairs_needed(0.03, ALPHA))
    assert needed > 268
    # A Poisson number of flips is coarse, so the chance is near .8 rather than on it.
    assert 0.7 <= probability(not_worse, needed, 0.03, 0.0, 0.02) <= 0.9


@pytest.mark.parametrize(
    ("sides", "binary"),
    [
        (([0.0, 1.0], [1.0, 1.0]), True),
        (([0.0, 1.0], [1.0, 0.5]), False),
        (([0.0, 100.0], [0.0, 100.0]), False),
    ],
)
def test_binary_scores_are_zeros_and_ones(
    sides: tuple[list[float], list[float]], binary: bool
) -> None:
    arrays: list[npt.NDArray[np.float64]] = [np.array(side) for side in sides]
    assert is_binary(*arrays) is binary


def test_flips_are_counted_by_direction() -> None:
    assert Flips.of(np.array([1.0, 0.0, -1.0, 1.0])) == Flips(harmed=2, helped=1, n=4)


def test_comparing_does_not_import_scipy_optimize() -> None:
    code = "import sys, pytest_pareto.pipeline; print('scipy.optimize' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"
