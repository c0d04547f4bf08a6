"""The collapse guard: detection, false alarms, and simpler guards as controls."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import bdtrc
from scipy.stats import binom

from pytest_pareto.model.run import Looks
from pytest_pareto.stats.paired_change import (
    COLLAPSE_RATE,
    GUARD_SHARE,
    MEAN_SHARE,
    collapse_guard,
    default_drop,
)

Array = npt.NDArray[np.float64]

ALPHA = 0.05


def differences(n: int, fell: int, rose: int = 0) -> Array:
    harm = np.zeros(n)
    harm[:fell], harm[fell : fell + rose] = 1.0, -1.0
    return harm


@pytest.mark.parametrize(
    ("n", "fell", "rose", "is_significant"),
    [
        (200, 4, 0, False),
        (200, 5, 0, True),
        (200, 5, 1, False),
        (200, 7, 1, True),
        (200, 0, 9, False),
        (1_000, 11, 0, False),
        (1_000, 12, 0, True),
        (20, 4, 0, False),
        (20, 5, 0, True),
    ],
)
def test_the_number_of_falls_that_is_significant(
    n: int, fell: int, rose: int, is_significant: bool
) -> None:
    guard = collapse_guard(differences(n, fell, rose), drop=0.5)
    assert (guard.fell, guard.rose) == (fell, rose)
    assert (guard.p <= ALPHA) is is_significant


def test_a_fall_equal_to_the_drop_does_not_count() -> None:
    assert collapse_guard(differences(200, 9), drop=1.0).fell == 0


def test_the_shares_add_up_to_alpha() -> None:
    assert pytest.approx(1.0) == MEAN_SHARE + GUARD_SHARE


def level(is_significant: Callable[[int, int], bool], n: int) -> float:
    """Return how often so many falls are significant at the permitted rate of falls."""
    return sum(float(binom.pmf(k, n, COLLAPSE_RATE)) for k in range(n + 1) if is_significant(k, n))


@pytest.mark.parametrize("n", [20, 50, 100, 200, 500])
def test_the_permitted_rate_of_falls_stays_within_the_guards_share(n: int) -> None:
    def guarded(fell: int, n: int) -> bool:
        return collapse_guard(differences(n, fell), drop=0.5).p <= ALPHA

    def more_than_expected(fell: int, n: int) -> bool:
        return fell > COLLAPSE_RATE * n

    assert level(guarded, n) <= GUARD_SHARE * ALPHA
    assert level(more_than_expected, n) > GUARD_SHARE * ALPHA


def test_the_drop_is_the_largest_of_three() -> None:
    scores = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    still, restless = np.zeros(5), np.array([-3.0, -1.0, 0.0, 1.0, 3.0])
    sd = float(scores.std(ddof=1))
    assert default_drop(scores, still, 0.1) == pytest.approx(3 * sd)
    assert default_drop(scores, still, 1.0) == pytest.approx(10.0)
    assert default_drop(scores, restless, 0.1) == pytest.approx(5 * 1.4826)
    assert default_drop(np.ones(5), still, 0.0) == 0.0


NOISE: dict[str, Callable[[np.random.Generator, int], Array]] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "t with 3 df": lambda rng, n: rng.standard_t(3, size=n),
    "log-normal": lambda rng, n: rng.lognormal(size=n),
}


def false_alarms(kind: str, n: int, draws: int, *, plain: bool = False) -> float:
    """Return how often independent scores of unchanged code, as without seeds, are significant."""
    rng = np.random.default_rng(30)
    alarms = 0
    for _ in range(draws):
        before = NOISE[kind](rng, n)
        harm = before - NOISE[kind](rng, n)
        if plain:  # the binomial test alone, with a drop that ignores the differences
            fell = int((harm > 3 * before.std(ddof=1)).sum())
            alarms += fell > 0 and float(bdtrc(fell - 1, n, COLLAPSE_RATE)) <= GUARD_SHARE * ALPHA
        else:
            alarms += collapse_guard(harm, default_drop(before, harm, 0.01)).p <= ALPHA
    return alarms / draws


@pytest.mark.parametrize("kind", NOISE)
def test_noise_without_a_fixed_seed_is_seldom_significant(kind: str) -> None:
    assert false_alarms(kind, 200, 800) <= 0.03


def test_the_check_of_false_alarms_rejects_a_plain_binomial_guard() -> None:
    assert false_alarms("normal", 200, 800, plain=True) > 0.2


@pytest.mark.slow
@pytest.mark.parametrize("n", [100, 200, 1_000])
@pytest.mark.parametrize("kind", NOISE)
def test_false_alarms_in_full(kind: str, n: int) -> None:
    limit = 0.045 if kind == "log-normal" else 0.002
    assert false_alarms(kind, n, 10_000) <= limit


@pytest.mark.parametrize(("share", "least"), [(0.05, 0.95), (0.1, 0.99)])
def test_a_collapse_is_detected(share: float, least: float) -> None:
    assert float(bdtrc(4, 200, share)) >= least  # 5 of 200 are significant, as tested above


# Looks: 5 of them over 200 samples.


def falls(rng: np.random.Generator, fell: float, rose: float, draws: int) -> Array:
    luck = rng.random((draws, 200))
    return (luck < fell).astype(float) - (luck > 1 - rose)


def detected(harms: Array, *, looked: bool) -> float:
    """Return the share of rows that the guard calls significant at any of the looks."""
    count = 0
    for harm in harms:
        plans = [Looks(200, 5, at, 0) for at in range(1, 6)]
        count += any(
            collapse_guard(harm[: look.used], 0.5, look if looked else None).p <= ALPHA
            for look in plans
        )
    return count / len(harms)


def test_a_count_that_is_significant_early_stays_so() -> None:
    for fell in (4, 5, 8):
        at_end = collapse_guard(differences(200, fell), 0.5)
        early = collapse_guard(differences(80, fell), 0.5, Looks(200, 5, 2, 0))
        assert early.p >= at_end.p
    nine = collapse_guard(differences(120, 9), 0.5, Looks(200, 5, 3, 0))
    assert nine.p <= ALPHA


def test_counts_against_planned_samples_need_no_correction() -> None:
    used = np.array([40, 80, 120, 160, 200])
    drawn = np.random.default_rng(31).binomial(40, COLLAPSE_RATE, (40_000, 5)).cumsum(axis=1)
    level = GUARD_SHARE * ALPHA
    at_end = float((bdtrc(drawn[:, -1] - 1, 200, COLLAPSE_RATE) <= level).mean())
    planned = bdtrc(drawn - 1, 200, COLLAPSE_RATE) <= level
    assert float(planned.any(axis=1).mean()) == at_end <= level
    seen_so_far = bdtrc(drawn - 1, used, COLLAPSE_RATE) <= level
    assert float(seen_so_far.any(axis=1).mean()) >= 2 * at_end


def test_looks_at_tails_on_both_sides_stay_within_alpha() -> None:
    harms = falls(np.random.default_rng(32), 0.2, 0.2, 1_000)
    assert detected(harms, looked=True) <= 0.06
    assert detected(harms, looked=False) >= 0.09
