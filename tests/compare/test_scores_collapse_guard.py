"""The guard beside the mean, and the looks that both pay for, through `compare_scores`."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import stdtr

from pytest_pareto.compare.scores import compare_scores
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.metric import Better
from pytest_pareto.model.run import Looks
from pytest_pareto.stats.skew_t import MeanShift

Array = npt.NDArray[np.float64]

IDS = [f"p{i:03}" for i in range(200)]


def compare(
    before: Array, after: Array, tolerance: float, better: Better = Better.HIGHER
) -> Change:
    return compare_scores(IDS, before, after, better=better, tolerance=tolerance)


def scores(seed: int) -> Array:
    return np.random.default_rng(seed).normal(0.8, 0.05, 200)


def collapsed(before: Array, share: float, depth: float, rng: np.random.Generator) -> Array:
    noise = rng.normal(0, 0.003, before.size)
    return before - depth * (rng.random(before.size) < share) + noise


def conviction_rate(share: float, draws: int) -> tuple[float, float]:
    """How often a collapse is WORSE, and how often the mean alone would have shown it.

    By 0.3 where the tolerance is .01, the drop .15, and the mean moves by .015 at 5 %.
    """
    rng = np.random.default_rng(3)
    convicted = by_mean = 0
    for _ in range(draws):
        change = compare(before := scores(4), collapsed(before, share, 0.3, rng), 0.01)
        convicted += change.outcome is Outcome.WORSE
        by_mean += change.low > 0.01
    return convicted / draws, by_mean / draws


def test_a_collapse_of_a_few_is_worse_though_the_mean_hides_it() -> None:
    convicted, by_mean = conviction_rate(0.05, 400)
    assert convicted >= 0.95
    assert by_mean < 0.5


def test_without_a_collapse_nothing_is_convicted() -> None:
    assert conviction_rate(0.0, 400) == (0.0, 0.0)


def test_the_reason_names_the_collapse() -> None:
    before = scores(4)
    after = before.copy()
    after[:11] -= 0.3
    change = compare(before, after, tolerance=0.025)
    assert change.outcome is Outcome.WORSE
    assert change.reason == "11 of 200 samples fell by more than 0.25"
    assert change.high < 0.03
    mirrored = compare(-before, -after, tolerance=0.025, better=Better.LOWER)
    assert mirrored.reason == "11 of 200 samples rose by more than 0.25"


def test_too_few_falls_are_not_named() -> None:
    before = scores(4)
    after = before.copy()
    after[:4] -= 0.3
    change = compare(before, after, tolerance=0.025)
    assert change.outcome is Outcome.UNCHANGED
    assert change.reason is None
    assert sorted(change.worst_ids) == ["p000", "p001", "p002", "p003"]


def test_a_shift_of_all_is_not_called_a_collapse() -> None:
    before = scores(4)
    after = before - 0.3 + np.random.default_rng(5).normal(0, 0.01, before.size)
    change = compare(before, after, tolerance=0.01)
    assert change.outcome is Outcome.WORSE
    assert change.reason is None


def test_constant_baseline_without_tolerance_has_no_guard() -> None:
    # Nothing says what a deep fall is, so the mean has all of alpha.
    before, after = np.full(200, 0.5), np.full(200, 0.5)
    after[:4] -= 0.1
    change = compare(before, after, tolerance=0.0)
    harm = before - after
    t = harm.mean() / harm.std(ddof=1) * math.sqrt(200)
    assert change.p_worse == pytest.approx(float(stdtr(199, -t)))
    assert change.outcome is Outcome.WORSE
    assert change.reason is None


def test_a_family_makes_the_resolution_coarser_and_nothing_else() -> None:
    before = scores(1)
    after = before + np.random.default_rng(7).normal(0, 0.01, before.size)

    def among(family: float) -> Change:
        return compare_scores(
            IDS, before, after, better=Better.HIGHER, tolerance=0.01, family=family
        )

    alone, crowded = among(1), among(60)
    assert crowded.resolution > alone.resolution
    # The guard's share of alpha is not the mean's.
    mean = MeanShift.of(before - after)
    assert crowded.resolution == pytest.approx(mean.resolution(0.01, 0.8 * 0.05 / 60))
    assert (crowded.p_worse, crowded.low) == (alone.p_worse, alone.low)


# Looks.


def look_at(before: Array, after: Array, looks: Looks | None, tolerance: float = 0.01) -> Change:
    used = before.size if looks is None else looks.used
    return compare_scores(
        IDS[:used],
        before[:used],
        after[:used],
        better=Better.HIGHER,
        tolerance=tolerance,
        looks=looks,
    )


def test_every_claim_pays_for_the_looks() -> None:
    before = scores(1)
    after = before - 0.01 + np.random.default_rng(11).normal(0, 0.05, 200)
    alone, paid = look_at(before, after, None), look_at(before, after, Looks(200, 5, 5, 0))
    assert alone.p_worse < paid.p_worse < 2 * alone.p_worse
    assert alone.p_better < paid.p_better
    assert paid.low < alone.low < alone.high < paid.high
    assert paid.resolution > alone.resolution


def test_one_planned_look_costs_nothing() -> None:
    before, after = scores(1), scores(2)
    assert look_at(before, after, Looks(200, 1, 1, 0)) == look_at(before, after, None)


def test_the_resolution_is_that_of_the_plan() -> None:
    before = scores(1)
    after = before + np.random.default_rng(12).normal(0, 0.05, 200)
    early, late = (look_at(before, after, Looks(200, 5, at, 0)) for at in (3, 5))
    assert early.resolution == pytest.approx(late.resolution, rel=0.1)
    alone = look_at(before[:120], after[:120], None)
    assert alone.resolution > 1.1 * early.resolution
    binary = [
        look_at((before > 0.8).astype(float), (after > 0.8).astype(float), Looks(200, 5, at, 0))
        for at in (3, 5)
    ]
    assert binary[0].resolution == pytest.approx(binary[1].resolution, rel=0.2)


def test_an_undecided_early_look_reports_how_many_samples_it_has() -> None:
    before = scores(1)
    after = before + np.random.default_rng(12).normal(0, 0.05, 200)
    assert look_at(before, after, Looks(200, 5, 2, 0)).reason == "undecided after 80 of 200 samples"
    reason = look_at(before, after, Looks(200, 5, 2, 0), tolerance=0.0).reason
    assert reason is not None
    assert "tolerance of 0" in reason


def stops_as_worse(draws: int, *, paid: bool) -> float:
    """At the tolerance exactly, with five looks."""
    rng, worse = np.random.default_rng(13), 0
    for _ in range(draws):
        before = rng.normal(size=200)
        after = before - 0.01 - 0.05 * rng.normal(size=200)
        plans = [Looks(200, 5, at, 0) for at in range(1, 6)]
        seen = (
            look_at(before, after, looks)
            if paid
            else look_at(before[: looks.used], after[: looks.used], None)
            for looks in plans
        )
        worse += any(change.outcome is Outcome.WORSE for change in seen)
    return worse / draws


def test_five_looks_stay_within_alpha_and_naive_peeking_does_not() -> None:
    assert stops_as_worse(500, paid=True) <= 0.065
    assert stops_as_worse(500, paid=False) >= 0.085
