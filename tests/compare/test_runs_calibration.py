"""Simulated sizes, powers and coverage of the test over runs, each beside a wrong formula."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ndtri, stdtr, stdtrit

from pytest_pareto.compare.runs import compare_runs
from pytest_pareto.model.change import Change, Outcome

TOLERANCE = 0.05
MARGIN = math.log1p(TOLERANCE)
Runs = NDArray[np.float64]
Verdict = Callable[[Runs, Runs], bool]


def near(rate: float, nominal: float, draws: int) -> bool:
    """Whether a simulated rate is what it should be, within four standard errors."""
    return abs(rate - nominal) <= 4 * math.sqrt(nominal * (1 - nominal) / draws)


@dataclass(frozen=True)
class Bench:
    """Two sides of fresh processes: a process shifts all of its calls, calls add little."""

    baseline: int
    candidate: int
    effect: float = MARGIN
    run_sd: float = 0.02
    session_sd: float = 0.0
    calls: int = 12

    def draw(self, draws: int, seed: int = 11) -> Iterator[tuple[Runs, Runs]]:
        rng = np.random.default_rng(seed)
        for _ in range(draws):
            yield self._side(rng, self.baseline, 0.0), self._side(rng, self.candidate, self.effect)

    def _side(self, rng: np.random.Generator, runs: int, effect: float) -> Runs:
        level = effect + rng.normal(0, self.session_sd) + rng.normal(0, self.run_sd, (runs, 1))
        return np.exp(level + rng.normal(0, 0.005, (runs, self.calls)))

    def rate(self, verdict: Verdict, draws: int) -> float:
        return sum(verdict(base, cand) for base, cand in self.draw(draws)) / draws


def change_of(base: Runs, cand: Runs, session_spread: float = 0.0) -> Change:
    return compare_runs(
        base.tolist(), cand.tolist(), tolerance=TOLERANCE, session_spread=session_spread
    )


def convicts(base: Runs, cand: Runs) -> bool:
    return change_of(base, cand).outcome is Outcome.WORSE


def welch_over_calls_convicts(base: Runs, cand: Runs) -> bool:
    x, y = np.log(base).ravel(), np.log(cand).ravel()
    u, v = x.var(ddof=1) / x.size, y.var(ddof=1) / y.size
    df = (u + v) ** 2 / (u**2 / (x.size - 1) + v**2 / (y.size - 1))
    return bool(stdtr(df, (MARGIN - (y.mean() - x.mean())) / math.sqrt(u + v)) <= 0.05)


def mann_whitney_over_calls_convicts(base: Runs, cand: Runs) -> bool:
    x, y = np.log(base).ravel() + MARGIN, np.log(cand).ravel()
    wins = float((y[:, None] > x).sum())
    sd = math.sqrt(x.size * y.size * (x.size + y.size + 1) / 12)
    return bool((wins - x.size * y.size / 2) / sd >= ndtri(0.95))


def normal_quantiles_convict(base: Runs, cand: Runs) -> bool:
    change = change_of(base, cand)
    assert change.df is not None
    return bool(-stdtrit(change.df, change.p_worse) >= ndtri(0.95))


SIDES = [(1, 2), (2, 1), (5, 1), (5, 3), (10, 5)]


@pytest.mark.parametrize(("baseline", "candidate"), SIDES)
def test_a_change_at_the_tolerance_is_convicted_five_times_in_a_hundred(
    baseline: int, candidate: int
) -> None:
    assert near(Bench(baseline, candidate).rate(convicts, 1_000), 0.05, 1_000)


@pytest.mark.slow
@pytest.mark.parametrize(("baseline", "candidate"), SIDES)
def test_the_size_to_half_a_per_cent(baseline: int, candidate: int) -> None:
    assert abs(Bench(baseline, candidate).rate(convicts, 40_000) - 0.05) <= 0.005


@pytest.mark.parametrize("verdict", [welch_over_calls_convicts, mann_whitney_over_calls_convicts])
def test_calls_taken_for_replicates_convict_several_times_as_often(verdict: Verdict) -> None:
    rate = Bench(5, 3).rate(verdict, 500)
    assert rate > 0.2
    assert not near(rate, 0.05, 500)


def test_normal_quantiles_convict_too_often() -> None:
    rate = Bench(2, 2).rate(normal_quantiles_convict, 1_000)
    assert rate > 0.1
    assert not near(rate, 0.05, 1_000)


def test_an_improvement_at_the_mirror_image_is_claimed_five_times_in_a_hundred() -> None:
    bench = Bench(5, 3, effect=-MARGIN)
    assert near(bench.rate(lambda b, c: change_of(b, c).p_better <= 0.05, 1_000), 0.05, 1_000)


@pytest.mark.parametrize(("baseline", "candidate"), [(2, 1), (5, 3)])
def test_the_interval_covers_nine_times_in_ten(baseline: int, candidate: int) -> None:
    def covers(base: Runs, cand: Runs) -> bool:
        change = change_of(base, cand)
        return change.low <= TOLERANCE <= change.high

    assert near(Bench(baseline, candidate).rate(covers, 1_000), 0.9, 1_000)


def _caught(bench: Bench, draws: int, shrink: Callable[[Change], float]) -> float:
    """How often a candidate shifted by a comparison's own resolution is called WORSE."""

    def catches(base: Runs, cand: Runs) -> bool:
        return convicts(base, cand * (1 + shrink(change_of(base, cand))))

    return bench.rate(catches, draws)


def _by_normal_quantiles(change: Change) -> float:
    """The resolution as textbooks plan it: normal quantiles in place of Student's."""
    assert change.df is not None
    sd = (math.log1p(change.resolution) - MARGIN) / (
        stdtrit(change.df, 0.95) + stdtrit(change.df, 0.8)
    )
    return math.expm1(MARGIN + sd * (ndtri(0.95) + ndtri(0.8)))


DF = [(2, 2), (3, 3), (5, 5)]  # 2, 4 and 8 degrees of freedom


@pytest.mark.parametrize(("baseline", "candidate"), DF)
def test_the_stated_resolution_is_caught_four_times_in_five(baseline: int, candidate: int) -> None:
    bench = Bench(baseline, candidate, effect=0.0, calls=4)
    assert 0.78 <= _caught(bench, 2_000, lambda change: change.resolution) <= 0.82


@pytest.mark.slow
@pytest.mark.parametrize(("baseline", "candidate"), DF)
def test_the_power_at_the_resolution_to_one_per_cent(baseline: int, candidate: int) -> None:
    bench = Bench(baseline, candidate, effect=0.0, calls=4)
    assert abs(_caught(bench, 30_000, lambda change: change.resolution) - 0.8) <= 0.01


@pytest.mark.parametrize(("baseline", "candidate"), DF)
def test_a_resolution_of_normal_quantiles_promises_too_much(baseline: int, candidate: int) -> None:
    bench = Bench(baseline, candidate, effect=0.0, calls=4)
    assert _caught(bench, 1_000, _by_normal_quantiles) < 0.76
