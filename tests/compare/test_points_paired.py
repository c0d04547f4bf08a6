"""Claims about scored points: of grades, of whole sets, and of evaluations that stopped early."""

import time

import numpy as np
import numpy.typing as npt
import pytest

from pytest_pareto.compare.points import PairedAxis, paired_axis, paired_claims
from pytest_pareto.model.metric import Better, Kind, Metric, Scope
from pytest_pareto.model.run import Looks
from pytest_pareto.stats.jackknife import BlockShift
from pytest_pareto.stats.paired_change import ENOUGH
from pytest_pareto.stats.sequential import sequential_p
from pytest_pareto.stats.skew_t import MeanShift

Array = npt.NDArray[np.float64]

MARGIN = 0.05
WAY = np.random.default_rng(1).permutation(200)
"""The order in which samples are scored."""


def axis(harms: Array, looks: Looks | None = None, kind: Kind = Kind.PAIRED) -> PairedAxis:
    """Place a case by as many of 200 samples as it came to; lower is better."""
    metric = Metric("m", "", Better.LOWER, kind, Scope.GPU, MARGIN, relative=False)
    places = WAY[: len(harms) if looks is None else looks.used]
    return paired_axis([f"s{i:03}" for i in places], harms[places].tolist(), metric, looks)


def claims(mine: PairedAxis, theirs: PairedAxis) -> list[float]:
    return [float(p) for p in paired_claims([mine], [theirs])[:, 0, 0]]


def expected(differences: Array, looks: Looks | None = None) -> list[float]:
    shift = MeanShift.of(differences)
    p = shift.p_above(0.0), shift.p_above(MARGIN), shift.p_below(-MARGIN)
    return [sequential_p(x, looks) for x in p]


@pytest.fixture
def scores() -> tuple[Array, Array]:
    rng = np.random.default_rng(2)
    return rng.exponential(size=200), rng.normal(0.8, 0.5, size=200)


def test_grades_are_compared_by_the_signs_of_their_differences(
    scores: tuple[Array, Array],
) -> None:
    mine, theirs = (np.round(side) for side in scores)
    found = claims(axis(mine, kind=Kind.ORDINAL), axis(theirs, kind=Kind.ORDINAL))
    assert found == pytest.approx(expected(np.sign(mine - theirs)))
    stretched = claims(axis(mine**3, kind=Kind.ORDINAL), axis(theirs**3, kind=Kind.ORDINAL))
    assert stretched == found
    assert found != pytest.approx(expected(mine - theirs))


def test_of_a_set_its_pseudo_values_are_compared_by_t_alone(scores: tuple[Array, Array]) -> None:
    mine, theirs = scores
    found = claims(axis(mine, kind=Kind.SET), axis(theirs, kind=Kind.SET))
    shift = BlockShift.of(mine - theirs)
    assert found == pytest.approx(
        [shift.p_above(0.0), shift.p_above(MARGIN), shift.p_below(-MARGIN)]
    )
    assert found != pytest.approx(expected(mine - theirs))


@pytest.mark.parametrize("kind", [Kind.PAIRED, Kind.SET])
@pytest.mark.parametrize("unit", [1e-200, 1e-120, 1e120, 1e149])
def test_the_unit_of_the_scores_is_no_matter(
    scores: tuple[Array, Array], unit: float, kind: Kind
) -> None:
    names = tuple(f"s{i:03}" for i in range(200))

    def at(unit: float) -> list[float]:
        mine, theirs = (PairedAxis(names, x * unit, MARGIN * unit, kind=kind) for x in scores)
        return claims(mine, theirs)

    assert at(unit) == pytest.approx(at(1.0))
    assert at(1.0)[0] < 0.1


def test_a_margin_far_beyond_all_scores_is_clear(scores: tuple[Array, Array]) -> None:
    names = tuple(f"s{i:03}" for i in range(200))
    mine, theirs = (PairedAxis(names, x * 1e-250, 1e120) for x in scores)
    assert claims(mine, theirs)[1:] == [1.0, 1.0]


@pytest.mark.parametrize("other", [Looks(200, 5, 4, 7), Looks(200, 5, 5, 7), None])
def test_what_stopped_early_is_compared_on_what_both_scored(
    scores: tuple[Array, Array], other: Looks | None
) -> None:
    mine, theirs = scores
    looks = Looks(200, 5, 3, 7)
    both = WAY[: looks.used]
    there = claims(axis(mine, looks), axis(theirs, other))
    assert there == pytest.approx(expected(mine[both] - theirs[both], looks))
    assert there != pytest.approx(expected(mine[both] - theirs[both]))
    back = claims(axis(theirs, other), axis(mine, looks))
    assert back == pytest.approx(expected(theirs[both] - mine[both], looks))


def test_looks_that_were_planned_are_paid_for_though_all_was_scored(
    scores: tuple[Array, Array],
) -> None:
    mine, theirs = scores
    looks = Looks(200, 5, 5, 7)
    for pair in ((looks, looks), (looks, None), (None, looks)):
        found = claims(axis(mine, pair[0]), axis(theirs, pair[1]))
        assert found == pytest.approx(expected(mine - theirs, looks))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Looks(200, 5, 3, 7), Looks(200, 4, 4, 7)),
        (Looks(200, 5, 3, 7), Looks(200, 5, 4, 8)),
        (Looks(200, 5, 5, 7), Looks(200, 4, 4, 7)),
    ],
    ids=["other looks", "another order", "other looks, all scored"],
)
def test_looks_of_two_plans_are_not_comparable(
    scores: tuple[Array, Array], one: Looks, other: Looks
) -> None:
    assert np.isnan(claims(axis(scores[0], one), axis(scores[1], other))).all()


def test_fewer_samples_without_looks_are_not_comparable(scores: tuple[Array, Array]) -> None:
    few = PairedAxis(("s000", "s001", "s002"), np.arange(3.0), MARGIN)
    assert np.isnan(claims(few, axis(scores[0]))).all()
    assert np.isnan(claims(axis(scores[0], Looks(200, 5, 3, 7)), few)).all()


def test_other_samples_are_not_comparable(scores: tuple[Array, Array]) -> None:
    looks = Looks(200, 5, 3, 7)
    mine = axis(scores[0], looks)
    strange = PairedAxis(("other", *mine.ids[1:]), mine.harms, MARGIN, looks=looks)
    assert np.isnan(claims(strange, axis(scores[1]))).all()


def test_kinds_are_not_comparable(scores: tuple[Array, Array]) -> None:
    mine, theirs = axis(scores[0]), axis(scores[1], kind=Kind.ORDINAL)
    assert np.isnan(claims(mine, theirs)).all()


def test_too_early_a_look_claims_nothing(scores: tuple[Array, Array]) -> None:
    first = Looks(200, 5, 1, 7)
    assert first.used < ENOUGH
    assert claims(axis(scores[0] + 9, first), axis(scores[1])) == [1.0, 1.0, 1.0]
    second = Looks(200, 5, 2, 7)
    assert claims(axis(scores[0] + 9, second), axis(scores[1]))[0] < 0.001


def test_many_that_stopped_at_different_looks_fill_the_right_places() -> None:
    rng = np.random.default_rng(3)
    axes = [axis(rng.normal(size=200), Looks(200, 5, at, 7)) for at in (5, 2, 3, 2, 5, 4)]
    found = paired_claims(axes, axes)
    for i, mine in enumerate(axes):
        for j, theirs in enumerate(axes):
            assert found[:, i, j] == pytest.approx(claims(mine, theirs))


@pytest.mark.parametrize("kind", [Kind.PAIRED, Kind.ORDINAL])
def test_a_thousand_points_take_no_longer_than_three_seconds(kind: Kind) -> None:
    rng = np.random.default_rng(4)
    axes = [
        axis(rng.integers(0, 5, 200).astype(float), Looks(200, 5, 2 + at % 4, 7), kind)
        for at in range(1_000)
    ]
    start = time.process_time()
    for first in range(0, 1_000, 10):
        paired_claims(axes[first : first + 10], axes[first : first + 10])
    assert time.process_time() - start <= 3.0
