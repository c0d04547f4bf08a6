"""Groups of processes: disjoint, all of them where they are few, blocks where order matters."""

import numpy as np
import pytest

from benchmarks.calibration.recordings import Series
from benchmarks.calibration.splits import Sides, block_groups, groupings, random_groups
from pytest_pareto.model.metric import LATENCY


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


@pytest.mark.parametrize(
    ("count", "sizes", "ways"), [(8, (5, 3), 56), (9, (5, 3), 504), (6, (2, 2, 2), 90)]
)
def test_few_groups_are_all_drawn_once(count: int, sizes: tuple[int, ...], ways: int) -> None:
    assert groupings(count, sizes) == ways
    drawn = list(random_groups(count, sizes, ways, rng()))
    assert len(set(drawn)) == len(drawn) == ways


@pytest.mark.parametrize("most", [50, 10_000])
def test_groups_are_disjoint(most: int) -> None:
    for groups in random_groups(8, (4, 2, 1), most, rng()):
        assert [len(group) for group in groups] == [4, 2, 1]
        assert len({i for group in groups for i in group}) == 7


def test_many_groups_are_sampled_by_their_seed() -> None:
    drawn = [list(random_groups(12, (5, 4), 30, rng())) for _ in range(2)]
    assert len(drawn[0]) == 30
    assert drawn[0] == drawn[1]


def test_blocks_are_neighbours_and_either_comes_first() -> None:
    assert list(block_groups(4, (2, 1))) == [
        ((0, 1), (2,)),
        ((1, 2), (0,)),
        ((1, 2), (3,)),
        ((2, 3), (1,)),
    ]


def test_a_factor_is_planted_into_the_candidate_alone() -> None:
    series = Series("a", "ddim", LATENCY, ((1.0, 2.0), (4.0,)), (1.5, 4.0), (0, 0))
    sides = Sides(series, (0,), (1,)).planted(1.1)
    held, slower = sides.levels()
    assert (held, slower) == ((1.5,), (4.0 * 1.1,))
    base, new = sides.calls()
    assert (base.tolist(), new.tolist()) == ([1.0, 2.0], [pytest.approx(4.4)])
