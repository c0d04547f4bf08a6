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
from pytest_pareto.model.policy import MAX_BLOCKS, MIN_BLOCKS, MIN_POOLED_BLOCKS
from pytest_pareto.stats.contrast import Contrast
from pytest_pareto.stats.power import blocks_for, settling_advice
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


def advice(contrast: Contrast, *, margin: float = 0.05, relative: bool = True) -> str:
    return settling_advice(contrast, margin, 0.05, relative=relative)


def half_interval(contrast: Contrast, runs: int) -> float:
    error = contrast.with_runs(runs).error
    return float(-stdtrit(error.df, 0.05)) * math.sqrt(error.variance)


@pytest.mark.parametrize("sd", [0.03, 0.05])
def test_the_planned_runs_are_the_fewest_whose_interval_fits(sd: float) -> None:
    contrast = undecided(sd=sd)
    found = re.fullmatch(r"about (\d+) runs would settle it \(--pareto-runs \1\)", advice(contrast))
    assert found is not None
    runs = int(found[1])
    assert half_interval(contrast, runs) <= 0.05 < half_interval(contrast, runs - 1)


def test_a_change_near_the_tolerance_is_planned_as_no_change() -> None:
    message = advice(undecided(distance=0.02, sd=0.05))
    assert re.fullmatch(r"about \d+ runs would settle it if nothing changed .*", message)


def test_a_change_at_the_tolerance_cannot_be_planned() -> None:
    expected = "too close to the tolerance to settle with 100 runs"
    assert advice(undecided(distance=0.049, sd=0.01)) == expected
    assert advice(undecided(distance=0.049, sd=0.2, baseline=100, runs=100)) == expected


def test_the_advice_names_a_short_baseline() -> None:
    message = advice(undecided(sd=0.05, baseline=1, runs=3))
    assert message.startswith("more runs now will not help: the baseline holds 1 run;")
    assert "holds 2 runs;" in advice(undecided(sd=0.08, baseline=2, runs=3))


def test_the_advice_names_a_large_session_spread() -> None:
    message = advice(undecided(sd=0.01, session_sd=math.log1p(0.04)))
    assert message == (
        "more runs will not help: sessions differ by up to 4 % (assumed); "
        "record more sessions (--pareto-update=runs), state your own pareto_session_spread, or use "
        "--pareto-against"
    )
    seen = advice(undecided(sd=0.01, session_sd=0.04, seen=3))
    assert "(assumed and 3 sessions)" in seen
    assert "up to 0.04 (" in advice(undecided(sd=0.01, session_sd=0.04), relative=False)


def test_a_large_change_is_settled_despite_the_session_spread() -> None:
    message = advice(undecided(distance=0.2, sd=0.15, session_sd=0.04))
    assert message.startswith("about ")


def test_the_planned_runs_settle_half_of_the_sessions() -> None:
    """With the planned runs, half of the sessions of unchanged code are settled."""
    found = re.search(r"\d+", advice(undecided(sd=0.05)))
    assert found is not None
    rng, draws = np.random.default_rng(6), 1_000
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


def flagged(estimate: float, half: float, *, seen: int = 2, tolerance: float = 0.05) -> Change:
    """Return a change observed over ``seen`` blocks; ``half`` is the half-width of its interval."""
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


def test_a_clear_change_needs_the_fewest_blocks() -> None:
    assert blocks_for([flagged(0.5, 0.01)], 2, 0.05) == MIN_BLOCKS


def test_blocks_that_screened_count_where_they_are_pooled() -> None:
    assert blocks_for([flagged(0.5, 0.01)], 3, 0.05, pooled=True) == MIN_POOLED_BLOCKS
    apart, pooled = (
        blocks_for([flagged(0.10, 0.05, seen=3)], 3, 0.05, pooled=each) for each in (False, True)
    )
    assert MIN_POOLED_BLOCKS < pooled < apart


def test_many_flagged_changes_need_more_blocks() -> None:
    assert blocks_for([flagged(0.5, 0.01)] * 11, 2, 0.05) == 6


def test_noise_needs_more_blocks_up_to_a_limit() -> None:
    quiet, noisy, hopeless = (flagged(0.10, half) for half in (0.02, 0.08, 0.3))
    few, more, most = (blocks_for([each], 2, 0.05) for each in (quiet, noisy, hopeless))
    assert MIN_BLOCKS == few < more < most == MAX_BLOCKS


def test_an_exact_change_needs_one_block() -> None:
    assert blocks_for([replace(flagged(0.5, 0.01), exact=True)], 2, 0.05) == 1


def test_the_planned_blocks_confirm_the_observed_change() -> None:
    """Simulated: the true change and spread are the observed ones."""
    rng, sd, shift = np.random.default_rng(51), 0.05, math.log1p(0.10)
    half = math.expm1(2.015 * sd / math.sqrt(2))  # t(0.95) at 5 degrees of freedom
    blocks, confirmed = blocks_for([flagged(0.10, half)], 2, 0.05), 0
    assert MIN_BLOCKS < blocks < MAX_BLOCKS
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
        confirmed += change.p_worse <= 0.05
    assert 0.75 <= confirmed / 1_000 <= 0.93  # whole blocks detect a little more than required


@pytest.mark.parametrize(("undecided_only", "most"), [(False, 0.06), (True, 0.08)])
def test_runs_planned_by_the_spread_alone_keep_the_level(undecided_only: bool, most: float) -> None:
    """Simulated at the tolerance: adding runs only to undecided sessions exceeds the level."""
    rng, draws, confirmed = np.random.default_rng(53), 2_000, 0
    past = rng.normal(0, 0.03, (draws, 5))
    for old in np.exp(past).tolist():
        new = (1.05 * np.exp(rng.normal(0, 0.03, 30))).tolist()
        change = against(old, new[:3])
        asks = not undecided_only or change.outcome is Outcome.INCONCLUSIVE
        if change.runs_to_settle is not None and asks:
            change = against(old, new[: min(change.runs_to_settle, 30)])
        confirmed += change.outcome is Outcome.WORSE
    assert most - 0.02 <= confirmed / draws <= most


def against(old: list[float], new: list[float]) -> Change:
    return compare_levels(
        [Session("", 0, tuple(old))],
        new,
        better=Better.LOWER,
        relative=True,
        tolerance=0.05,
        alpha=0.05,
    )
