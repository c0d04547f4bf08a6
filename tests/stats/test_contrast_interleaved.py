"""Interleaved contrast: drifts cancel, and the size holds under the noise of real machines."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from pytest_pareto.compare.runs import compare_levels
from pytest_pareto.model.baseline import Session
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.metric import Better
from pytest_pareto.stats.contrast import spread_within_blocks
from pytest_pareto.stats.variance import SessionValues

Runs = NDArray[np.float64]
TOLERANCE = 0.03
MARGIN = math.log1p(TOLERANCE)
OLD_FIRST = (0, 1, 1, 0)


def _autocorrelated(rng: np.random.Generator, count: int) -> Runs:
    values = [rng.normal(0, 0.005)]
    for _ in range(count - 1):
        values.append(0.6 * values[-1] + rng.normal(0, 0.004))
    return np.array(values)


NOISE: dict[str, Callable[[np.random.Generator, int], Runs]] = {
    "normal": lambda rng, n: rng.normal(0, 0.005, n),
    "exponential": lambda rng, n: rng.exponential(0.005, n),
    "bimodal": lambda rng, n: rng.choice([0.0, 0.01], n) + rng.normal(0, 0.001, n),
    "drift": lambda rng, n: np.cumsum(rng.normal(0, 0.002, n)) + rng.normal(0, 0.005, n),
    "steady drift": lambda rng, n: np.arange(n) * 0.004 + rng.normal(0, 0.005, n),
    "autocorrelated": _autocorrelated,
}


def measured(noise: Runs, shift: float) -> tuple[list[tuple[float, float]], list[float]]:
    """Return old runs by block and new runs, in logs, of a time series old, new, new, old, ..."""
    sides = np.array(OLD_FIRST * (len(noise) // 4))
    values = noise + shift * sides
    old = values[sides == 0].reshape(-1, 2)
    return [(float(a), float(b)) for a, b in old], values[sides == 1].tolist()


def changed(
    old: list[tuple[float, float]], new: list[float], *, interleaved: bool = True
) -> Change:
    return compare_levels(
        [Session("", 0, (math.exp(a), math.exp(b))) for a, b in old],
        [math.exp(x) for x in new],
        better=Better.LOWER,
        relative=True,
        tolerance=TOLERANCE,
        alpha=0.05,
        interleaved=interleaved,
    )


def alarms(noise: str, draws: int, *, shift: float = MARGIN, blocks: int = 4) -> float:
    rng, found = np.random.default_rng(41), 0
    for _ in range(draws):
        change = changed(*measured(NOISE[noise](rng, 4 * blocks), shift))
        found += change.outcome is Outcome.WORSE
    return found / draws


@pytest.mark.parametrize("noise", NOISE)
def test_the_size_is_held(noise: str) -> None:
    assert alarms(noise, 1_000) <= 0.065


@pytest.mark.slow
@pytest.mark.parametrize("blocks", [2, 4, 6])
@pytest.mark.parametrize("noise", NOISE)
def test_the_size_is_held_at_length(noise: str, blocks: int) -> None:
    assert alarms(noise, 20_000, blocks=blocks) <= 0.06


def test_a_drift_does_not_hide_a_change() -> None:
    assert alarms("drift", 500, shift=math.log1p(0.06)) > 0.95
    assert alarms("steady drift", 500, shift=math.log1p(0.06)) > 0.95


def test_a_drift_would_distort_sequential_runs() -> None:
    """With all of the old code first, the same drift is mistaken for a change of the code."""
    rng, found = np.random.default_rng(42), 0
    for _ in range(500):
        noise = NOISE["steady drift"](rng, 16)
        old = [(float(a), float(b)) for a, b in noise[:8].reshape(-1, 2)]
        found += changed(old, (noise[8:]).tolist(), interleaved=False).low > 0
    assert found > 400
    assert alarms("steady drift", 500, shift=0.0) == 0


def test_means_of_blocks_and_sides_are_removed() -> None:
    blocks = [SessionValues(0, (1.0, 1.2)), SessionValues(0, (2.0, 2.2))]
    spread = spread_within_blocks(blocks, [1.6, 1.6, 2.6, 2.6])
    assert spread.df == 3 * 2 - 1
    assert spread.variance == pytest.approx(4 * 0.1**2 / 5)


def test_incomplete_blocks_are_compared_without_blocks() -> None:
    blocks = [SessionValues(0, (1.0, 1.2)), SessionValues(0, (2.0, 2.2))]
    spread = spread_within_blocks(blocks, [1.6, 1.6, 2.6])
    assert spread.df == 3 + 2
    assert spread.variance > 0.2


def test_the_advice_counts_blocks() -> None:
    rng = np.random.default_rng(43)
    change = changed(*measured(rng.normal(0, 0.02, 8), 0.0))
    assert change.outcome is Outcome.INCONCLUSIVE
    assert change.reason is not None
    assert "--pareto-runs" in change.reason


@pytest.mark.parametrize("confirming", [0, 12])
def test_the_resolution_is_detected(confirming: int) -> None:
    rng, caught, draws = np.random.default_rng(44), 0, 1_000

    def compare(noise: Runs, shift: float) -> Change:
        old, new = measured(noise, shift)
        return compare_levels(
            [Session("", 0, (math.exp(a), math.exp(b))) for a, b in old],
            [math.exp(x) for x in new],
            better=Better.LOWER,
            relative=True,
            tolerance=TOLERANCE,
            alpha=0.05,
            confirming=confirming,
            interleaved=True,
        )

    for _ in range(draws):
        screen = rng.normal(0, 0.005, 8)
        shift = math.log1p(compare(screen, 0.0).resolution)
        seen = compare(screen, shift)
        if not confirming:
            caught += seen.p_worse <= 0.05
            continue
        again = compare(rng.normal(0, 0.005, 2 * confirming), shift)
        caught += seen.p_worse <= 0.2 and again.p_worse <= 0.05
    assert 0.75 <= caught / draws <= 0.85


def test_the_advice_names_no_baseline() -> None:
    """In both cases, a tolerance of 0 and one run of each side, there is no stored baseline."""
    even = [Session("e", 0, (1.0, 1.1)), Session("e", 0, (1.1, 1.0))]
    now = [1.0, 1.1, 1.1, 1.0]
    for blocks, runs in ((even, now), ([Session("e", 0, (1.0,))], [1.0])):
        told = [
            compare_levels(
                blocks, runs, better=Better.LOWER, relative=True, tolerance=0.0, alpha=0.05,
                interleaved=interleaved,
            ).reason or ""
            for interleaved in (True, False)
        ]  # fmt: skip
        assert "baseline" not in told[0]
        assert told[0]
        assert "baseline" in told[1]
