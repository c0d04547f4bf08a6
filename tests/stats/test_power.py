"""Resolutions, tested by simulation: a candidate worse by the resolution is detected."""

import math

import numpy as np
import pytest

from pytest_pareto.compare.runs import compare_levels
from pytest_pareto.model.baseline import Session
from pytest_pareto.model.change import Change
from pytest_pareto.model.metric import Better
from pytest_pareto.stats.power import detectable_in_one_stage, detectable_in_two_stages
from pytest_pareto.stats.variance import Spread

FAMILY = 20


def change(
    baseline: list[float], candidate: list[float], confirming: int, family: int = FAMILY
) -> Change:
    return compare_levels(
        [Session("env", 0, tuple(map(math.exp, baseline)))],
        [math.exp(x) for x in candidate],
        better=Better.LOWER,
        relative=True,
        tolerance=0.03,
        alpha=0.05,
        family=family,
        confirming=confirming,
    )


def detected(draws: int, *, stated_for: int = 5) -> float:
    """Return how often a candidate worse by the resolution is flagged and confirmed."""
    rng, convicted = np.random.default_rng(31), 0
    for _ in range(draws):
        past = rng.normal(0, 0.01, 5).tolist()
        screen = rng.normal(0, 0.01, 2)
        shift = math.log1p(change(past, screen.tolist(), stated_for).resolution)
        suspected = change(past, (shift + screen).tolist(), 0).p_worse <= 0.2
        confirmed = change(past, (shift + rng.normal(0, 0.01, 5)).tolist(), 0)
        convicted += suspected and confirmed.p_worse <= 0.05 / FAMILY
    return convicted / draws


def test_the_resolution_is_detected_with_confirmation() -> None:
    assert 0.75 <= detected(2_000) <= 0.85


def test_the_resolution_of_one_stage_is_not_enough_for_two() -> None:
    assert detected(1_000, stated_for=0) > 0.9


def test_the_chance_of_confirming_is_what_fresh_runs_come_to() -> None:
    """Over changes of every size, in steps of the predicted probability."""
    rng = np.random.default_rng(32)
    confirmed: dict[str, list[tuple[float, bool]]] = {"low": [], "middle": [], "high": []}
    for _ in range(6_000):
        past, shift = rng.normal(0, 0.01, 5).tolist(), rng.uniform(-0.05, 0.15)
        first = change(past, [shift + rng.normal(0, 0.01)], 5)
        again = change(past, (shift + rng.normal(0, 0.01, 5)).tolist(), 0)
        predicted = first.p_confirming
        assert predicted is not None
        name = "low" if predicted < 0.05 else "high" if predicted > 0.95 else "middle"
        confirmed[name].append((predicted, again.p_worse <= 0.05))
    shares = {name: np.mean(found, axis=0) for name, found in confirmed.items()}
    assert shares["low"][1] < 0.02
    assert shares["high"][1] > 0.98
    assert shares["middle"][1] == pytest.approx(shares["middle"][0], abs=0.06)


def test_only_a_planned_confirmation_has_a_chance() -> None:
    assert change([0.0, 0.01], [0.0], 0).p_confirming is None


def planned(first: Change) -> int:
    assert first.confirming_runs is not None
    return first.confirming_runs


def test_the_planned_runs_confirm_as_often_as_all_of_them() -> None:
    """Over changes of every size: a large one needs two runs, and a small one all five."""
    rng = np.random.default_rng(34)
    confirmed: dict[str, list[bool]] = {"planned": [], "all": []}
    counts = []
    for _ in range(4_000):
        past, shift = rng.normal(0, 0.01, 5).tolist(), rng.uniform(0.03, 0.25)
        first = change(past, [shift + rng.normal(0, 0.01)], 5)
        if first.p_worse > 0.2:
            continue
        again = (shift + rng.normal(0, 0.01, 5)).tolist()
        counts.append(planned(first))
        for name, runs in (("planned", counts[-1]), ("all", 5)):
            confirmed[name].append(change(past, again[:runs], 0).p_worse <= 0.05 / FAMILY)
    assert set(counts) == {2, 3, 4, 5}
    assert np.mean(counts) < 4
    assert np.mean(confirmed["all"]) - 0.01 < np.mean(confirmed["planned"])


def test_planned_runs_convict_at_their_level() -> None:
    """Exactly at the tolerance; what a screen does not flag is measured again here too."""
    rng, level, found = np.random.default_rng(35), 0.05, []
    for _ in range(8_000):
        past, shift = rng.normal(0, 0.01, 5).tolist(), math.log1p(0.03)
        first = change(past, [shift + rng.normal(0, 0.01)], 5, family=1)
        again = (shift + rng.normal(0, 0.01, first.confirming_runs or 5)).tolist()
        found.append(change(past, again, 0).p_worse <= level)
    assert np.mean(found) == pytest.approx(level, abs=0.01)


def test_two_stages_detect_less_than_either() -> None:
    screen, second = Spread(2e-4, 4.0), Spread(1e-4, 8.0)
    both = detectable_in_two_stages(screen, second, 0.05, shared_df=3.0)
    assert both > detectable_in_one_stage(screen, 0.2)
    assert both > detectable_in_one_stage(second, 0.05)


@pytest.mark.parametrize("df", [1.0, 3.0, math.inf])
def test_an_exact_screen_leaves_the_confirmation(df: float) -> None:
    second = Spread(1e-4, df)
    alone = detectable_in_one_stage(second, 0.01)
    both = detectable_in_two_stages(Spread(1e-12, df), second, 0.01, shared_df=df)
    assert both == pytest.approx(alone, rel=0.01)


def test_a_shared_error_lowers_the_detectable_distance() -> None:
    """Simulated: the baseline and the session are the same for the screen and the confirmation."""
    rng, draws, shared = np.random.default_rng(33), 200_000, 0.7e-4
    screen, second = Spread(1e-4, math.inf), Spread(0.9e-4, math.inf)

    def detected_at(distance: float) -> float:
        common = math.sqrt(shared) * rng.normal(size=draws)
        first, again = (
            distance + common + math.sqrt(each.variance - shared) * rng.normal(size=draws)
            for each in (screen, second)
        )
        # The normal quantiles of 0.2 and of 0.05.
        suspected = first > 0.8416 * math.sqrt(screen.variance)
        return float(np.mean(suspected & (again > 1.6449 * math.sqrt(second.variance))))

    def stated(variance: float) -> float:
        return detectable_in_two_stages(
            screen, second, 0.05, shared_df=math.inf, shared_variance=variance
        )

    assert detected_at(stated(shared)) == pytest.approx(0.8, abs=0.01)
    assert detected_at(stated(0.0)) > 0.82
