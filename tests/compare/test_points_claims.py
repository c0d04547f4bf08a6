import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import stdtr

from pytest_pareto.compare.points import Axis, ExactAxis, PairedAxis, RunAxis, claims_of
from pytest_pareto.stats.skew_t import MeanShift
from pytest_pareto.stats.variance import NO_SPREAD, Spread

WORSE, BEYOND, AHEAD = 0, 1, 2


def run(level: float, *, variance: float = 0.01, df: float = 4.0, sessions: float = 1.0) -> RunAxis:
    return RunAxis(level, variance, df, sessions, margin=0.05)


def exact(level: float, rounding: float = 0.0) -> ExactAxis:
    return ExactAxis(level, margin=0.05, rounding=rounding)


def paired(harms: NDArray[np.float64] | list[float], prefix: str = "p") -> PairedAxis:
    ids = tuple(f"{prefix}{i:04}" for i in range(len(harms)))
    return PairedAxis(ids, np.asarray(harms, dtype=np.float64), margin=0.05)


def claims(mine: Axis | None, theirs: Axis | None, sessions: Spread = NO_SPREAD) -> list[float]:
    return [float(p) for p in claims_of([mine], [theirs], sessions)[:, 0, 0]]


def test_noisy_levels_are_compared_by_t_with_welch_degrees_of_freedom() -> None:
    mine, theirs = run(0.3, variance=0.02, df=3.0), run(0.1, variance=0.01, df=5.0)
    df = 0.03**2 / (0.02**2 / 3 + 0.01**2 / 5)
    expected = [stdtr(df, x / math.sqrt(0.03)) for x in (-0.2, 0.05 - 0.2, 0.2 + 0.05)]
    assert claims(mine, theirs) == pytest.approx(expected)


def test_points_of_different_sessions_differ_by_sessions_too() -> None:
    mine, theirs = run(0.3, sessions=1.0), run(0.1, sessions=2.0)
    apart = 0.04 * (1 + 1 / 2)
    df = (0.02 + apart) ** 2 / (2 * 0.01**2 / 4 + apart**2 / 8)
    found = claims(mine, theirs, Spread(0.04, 8.0))
    assert found[WORSE] == pytest.approx(stdtr(df, -0.2 / math.sqrt(0.02 + apart)))


def test_nothing_is_claimed_without_degrees_of_freedom() -> None:
    assert claims(run(9.0, df=0.0), run(0.0)) == [1.0, 1.0, 1.0]
    assert claims(run(0.0), run(9.0, df=0.0)) == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (0.0, [0.0, 1.0, 1.0]),  # a tie speaks against no one
        (0.04, [0.0, 1.0, 1.0]),
        (0.05, [0.0, 1.0, 1.0]),
        (0.06, [0.0, 0.0, 1.0]),
        (-0.04, [1.0, 1.0, 1.0]),
        (-0.06, [1.0, 1.0, 0.0]),
        (math.inf, [0.0, 0.0, 1.0]),
        (-math.inf, [1.0, 1.0, 0.0]),
    ],
)
def test_exact_levels_are_compared_as_they_stand(level: float, expected: list[float]) -> None:
    assert claims(exact(level), exact(0.0)) == expected


def test_levels_of_nothing_tie() -> None:
    assert claims(exact(-math.inf), exact(-math.inf)) == [0.0, 1.0, 1.0]


def test_levels_apart_by_rounding_tie() -> None:
    assert claims(exact(-4e-7, 5e-7), exact(0.0, 5e-7)) == [0.0, 1.0, 1.0]
    assert claims(exact(0.05 + 4e-7, 5e-7), exact(0.0)) == [0.0, 1.0, 1.0]
    assert claims(exact(-0.05 - 4e-7, 5e-7), exact(0.0)) == [1.0, 1.0, 1.0]
    assert claims(exact(-6e-7, 5e-7), exact(0.0, 5e-7)) == [1.0, 1.0, 1.0]


def test_a_repeatable_level_beside_a_noisy_one_has_no_error_of_its_own() -> None:
    expected = [stdtr(4.0, x / 0.1) for x in (-0.2, -0.15, 0.25)]
    assert claims(run(0.3), exact(0.1)) == pytest.approx(expected)
    assert claims(exact(0.3), run(0.1)) == pytest.approx(expected)
    assert claims(exact(-math.inf), run(0.1)) == pytest.approx([1.0, 1.0, 0.0])


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (None, run(0.0)),
        (run(0.0), None),
        (None, None),
        (run(0.0), paired([1.0, 2.0])),
        (paired([1.0, 2.0]), exact(0.0)),
        (paired([1.0, 2.0]), paired([1.0, 2.0], prefix="other")),
        (paired([1.0, 2.0]), paired([1.0, 2.0, 3.0])),
    ],
)
def test_what_cannot_be_compared_is_nan(mine: Axis | None, theirs: Axis | None) -> None:
    assert np.isnan(claims(mine, theirs)).all()


def test_paired_scores_are_judged_as_their_differences_would_be() -> None:
    rng = np.random.default_rng(21)
    skewed = [rng.exponential(1.0, 60) * scale + rng.normal(0, 0.3, 60) for scale in (1, -1, 0.5)]
    axes = [paired(harms) for harms in skewed]
    found = claims_of(axes, axes, NO_SPREAD)
    for i, mine in enumerate(skewed):
        for j, theirs in enumerate(skewed):
            if i == j:
                continue
            shift = MeanShift.of(mine - theirs)
            expected = shift.p_above(0.0), shift.p_above(0.05), shift.p_below(-0.05)
            assert found[:, i, j] == pytest.approx(expected, rel=1e-6)


def test_a_mixture_of_axes_fills_the_right_places() -> None:
    mine: list[Axis | None] = [exact(1.0), None, run(0.3), paired([1.0, 2.0, 4.0])]
    theirs: list[Axis | None] = [paired([0.0, 0.0, 0.5]), run(0.1), exact(0.0)]
    found = claims_of(mine, theirs, NO_SPREAD)
    for i, p in enumerate(mine):
        for j, q in enumerate(theirs):
            assert found[:, i, j] == pytest.approx(claims(p, q), nan_ok=True)


def test_identical_scores_claim_nothing() -> None:
    same = np.random.default_rng(22).random(50)
    worse, beyond, ahead = claims(paired(same), paired(same))
    assert worse >= 0.5
    assert (beyond, ahead) == (1.0, 1.0)


@pytest.mark.parametrize("seed", range(30))
def test_scores_that_differ_by_rounding_are_within_any_tolerance(seed: int) -> None:
    # Of such differences rounding alone is left, which may even make their variance negative.
    same = np.random.default_rng(seed).random(50)
    rounded = (same + 0.1 * (seed + 1)) - 0.1 * (seed + 1)
    _, beyond, ahead = claims(paired(rounded), paired(same))
    assert (beyond, ahead) == (1.0, 1.0)


def test_one_shift_of_all_scores_is_a_claim() -> None:
    base = np.random.default_rng(23).random(50)
    worse, beyond, ahead = claims(paired(base + 0.1), paired(base))
    assert worse < 1e-20
    assert beyond < 1e-10
    assert ahead == pytest.approx(1.0)


def test_one_sample_has_no_spread() -> None:
    assert claims(paired([1.0]), paired([0.0])) == [1.0, 1.0, 1.0]


def _skewed_alarms(*, hall: bool, draws: int) -> float:
    """How often scores that are not worse in truth are claimed to be, with a tail to "better"."""
    rng, alarms, n = np.random.default_rng(24), 0, 40
    for _ in range(draws // 40):
        noise = rng.normal(0, 1.0, n)
        points = [paired(noise + 1.0 - rng.exponential(1.0, n)) for _ in range(40)]
        found = claims_of(points, [paired(noise)], NO_SPREAD)[WORSE, :, 0]
        if not hall:
            differences = np.stack([p.harms for p in points]) - noise
            se = differences.std(1, ddof=1) / math.sqrt(n)
            found = stdtr(n - 1, -differences.mean(1) / se)
        alarms += int((found <= 0.05).sum())
    return alarms / draws


def test_a_skewed_difference_keeps_the_size() -> None:
    assert _skewed_alarms(hall=True, draws=8_000) <= 0.065


def test_t_alone_would_not() -> None:
    assert _skewed_alarms(hall=False, draws=8_000) > 0.075
