import math
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import stdtrit

from pytest_pareto.compare.runs import compare_levels
from pytest_pareto.model.baseline import Session
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.metric import Better
from pytest_pareto.model.policy import LEAST_BLOCKS, MOST_BLOCKS
from pytest_pareto.stats.contrast import Contrast
from pytest_pareto.stats.power import blocks_for, what_settles
from pytest_pareto.stats.variance import NO_SPREAD, Level, Spread


def undecided(
    *,
    distance: float = 0.0,
    sd: float = 0.05,
    session_sd: float = 0.0,
    baseline: int = 5,
    runs: int = 1,
    seen: int = 0,
) -> Contrast:
    return Contrast(
        distance=distance,
        baseline=Level(0.0, baseline, 1.0),
        runs=runs,
        between_runs=Spread(sd**2, baseline + runs - 2.0),
        between_sessions=Spread(session_sd**2, 8.0) if session_sd else NO_SPREAD,
        sessions_seen=seen,
    )


def settles(contrast: Contrast, *, margin: float = 0.05, relative: bool = True) -> str:
    return what_settles(contrast, margin, 0.05, relative=relative)


def half_interval(contrast: Contrast, runs: int) -> float:
    error = contrast.with_runs(runs).error
    return float(-stdtrit(error.df, 0.05)) * math.sqrt(error.variance)


@pytest.mark.parametrize("sd", [0.03, 0.05])
def test_the_planned_runs_are_the_fewest_whose_interval_fits(sd: float) -> None:
    contrast = undecided(sd=sd)
    found = re.fullmatch(
        r"about (\d+) runs would settle it \(--pareto-runs \1\)", settles(contrast)
    )
    assert found is not None
    runs = int(found[1])
    assert half_interval(contrast, runs) <= 0.05 < half_interval(contrast, runs - 1)


def test_a_change_on_its_way_to_the_tolerance_is_planned_for_as_if_absent() -> None:
    message = settles(undecided(distance=0.02, sd=0.05))
    assert re.fullmatch(r"about \d+ runs would settle it if nothing changed .*", message)


def test_a_change_at_the_tolerance_cannot_be_planned_for() -> None:
    expected = "too close to the tolerance to settle with 100 runs"
    assert settles(undecided(distance=0.049, sd=0.01)) == expected
    assert settles(undecided(distance=0.049, sd=0.2, baseline=100, runs=100)) == expected


def test_a_short_baseline_is_named_where_it_is_the_obstacle() -> None:
    message = settles(undecided(sd=0.05, baseline=1, runs=3))
    assert message.startswith("more runs now would not settle this: the baseline holds 1 run;")
    assert "holds 2 runs;" in settles(undecided(sd=0.08, baseline=2, runs=3))


def test_sessions_that_differ_too_much_are_named_with_their_basis() -> None:
    message = settles(undecided(sd=0.01, session_sd=math.log1p(0.04)))
    assert message == (
        "no number of runs settles this: sessions differ by about 4 % (assumed); "
        "record more sessions (--pareto-update=runs), or state your own pareto_session_spread"
    )
    seen = settles(undecided(sd=0.01, session_sd=0.04, seen=3))
    assert "(assumed and 3 sessions)" in seen
    assert "about 0.04 (" in settles(undecided(sd=0.01, session_sd=0.04), relative=False)


def test_a_large_change_is_settled_in_spite_of_them() -> None:
    message = settles(undecided(distance=0.2, sd=0.15, session_sd=0.04))
    assert message.startswith("about ")


def test_the_plan_is_kept() -> None:
    """With the planned runs, half of the sessions of unchanged code are settled."""
    found = re.search(r"\d+", settles(undecided(sd=0.05)))
    assert found is not None
    rng, draws = np.random.default_rng(6), 2_000
    changes = [
        compare_levels(
            [Session("env", 0, tuple(rng.normal(1.0, 0.05, 5).tolist()))],
            rng.normal(1.0, 0.05, int(found[0])).tolist(),
            better=Better.LOWER,
            relative=False,
            tolerance=0.05,
            alpha=0.05,
        )
        for _ in range(draws)
    ]
    assert np.mean([change.high < 0.05 for change in changes]) == pytest.approx(0.5, abs=0.05)


# How many blocks to measure again in


def suspect(estimate: float, half: float, *, seen: int = 2, tolerance: float = 0.05) -> Change:
    """A change that ``seen`` blocks showed, with the half-width of its interval, as fractions."""
    return Change(
        estimate=estimate,
        low=math.expm1(math.log1p(estimate) - math.log1p(half)),
        high=math.expm1(math.log1p(estimate) + math.log1p(half)),
        tolerance=tolerance,
        relative=True,
        alpha=0.05,
        p_worse=0.1,
        p_better=1.0,
        resolution=0.2,
        df=3.0 * seen - 1,
    )


def test_what_stands_out_needs_the_least() -> None:
    assert blocks_for([suspect(0.5, 0.01)], 2, 0.05) == LEAST_BLOCKS


def test_many_suspects_need_more_to_survive_the_correction() -> None:
    assert blocks_for([suspect(0.5, 0.01)] * 11, 2, 0.05) == 6


def test_noise_needs_more_and_has_an_end() -> None:
    quiet, noisy, hopeless = (suspect(0.10, half) for half in (0.02, 0.08, 0.3))
    few, more, most = (blocks_for([each], 2, 0.05) for each in (quiet, noisy, hopeless))
    assert LEAST_BLOCKS == few < more < most == MOST_BLOCKS


def test_what_is_exact_needs_one_more_look() -> None:
    assert blocks_for([replace(suspect(0.5, 0.01), exact=True)], 2, 0.05) == 1


def test_so_many_blocks_convict_what_was_seen() -> None:
    """Simulated: the true change is the one that was seen, and so is the spread."""
    rng, sd, shift = np.random.default_rng(51), 0.05, math.log1p(0.10)
    half = math.expm1(2.015 * sd / math.sqrt(2))  # t(0.95) at 5 degrees of freedom
    blocks, convicted = blocks_for([suspect(0.10, half)], 2, 0.05), 0
    assert LEAST_BLOCKS < blocks < MOST_BLOCKS
    for _ in range(1_000):
        old, new = rng.normal(0, sd, 2 * blocks), rng.normal(shift, sd, 2 * blocks)
        change = compare_levels(
            [Session("", 0, tuple(np.exp(pair).tolist())) for pair in old.reshape(-1, 2)],
            np.exp(new).tolist(),
            better=Better.LOWER,
            relative=True,
            tolerance=0.05,
            alpha=0.05,
            interleaved=True,
        )
        convicted += change.p_worse <= 0.05
    assert 0.75 <= convicted / 1_000 <= 0.93  # whole blocks catch a little more than asked for


@pytest.mark.parametrize(("undecided_only", "most"), [(False, 0.06), (True, 0.08)])
def test_runs_that_the_spread_alone_asks_for_keep_the_level(
    undecided_only: bool, most: float
) -> None:
    """Simulated, exactly at the tolerance: asking only where it is undecided convicts too many."""
    rng, draws, convicted = np.random.default_rng(53), 4_000, 0
    past = rng.normal(0, 0.03, (draws, 5))
    for old in np.exp(past).tolist():
        new = (1.05 * np.exp(rng.normal(0, 0.03, 30))).tolist()
        change = against(old, new[:3])
        asks = not undecided_only or change.outcome is Outcome.INCONCLUSIVE
        if change.runs_to_settle is not None and asks:
            change = against(old, new[: min(change.runs_to_settle, 30)])
        convicted += change.outcome is Outcome.WORSE
    assert most - 0.02 <= convicted / draws <= most


def against(old: list[float], new: list[float]) -> Change:
    return compare_levels(
        [Session("", 0, tuple(old))],
        new,
        better=Better.LOWER,
        relative=True,
        tolerance=0.05,
        alpha=0.05,
    )
