from collections import Counter
from itertools import pairwise

import pytest

from pytest_pareto.runs.leg_process import run_order
from pytest_pareto.runs.legs import Side

LETTER = {Side.REF: "A", Side.CANDIDATE: "B"}


def letters(blocks: int, after: int = 0) -> str:
    return "".join(
        LETTER[turn.side] for turn in run_order(blocks, after=after) if not turn.is_warm_up
    )


def test_blocks_mirror_each_other() -> None:
    assert letters(4) == "ABBABAABABBABAAB"
    assert [turn.block for turn in run_order(2)] == [0, 0, 1, 1, 1, 1, 2, 2, 2, 2]


def test_each_leg_warms_up_once_before_the_first_block() -> None:
    assert [turn.side for turn in run_order(3) if turn.is_warm_up] == [Side.REF, Side.CANDIDATE]
    assert [turn.is_warm_up for turn in run_order(1)] == [True, True, False, False, False, False]


def test_more_blocks_continue_the_numbering() -> None:
    assert letters(2) + letters(3, after=2) == letters(5)
    assert not any(turn.is_warm_up for turn in run_order(3, after=2))


def test_no_blocks_give_no_runs() -> None:
    assert list(run_order(0)) == []


@pytest.mark.parametrize("blocks", [2, 4, 6, 10])
def test_each_leg_has_each_place_equally_often(blocks: int) -> None:
    order = letters(blocks)
    firsts = Counter(order[::4])
    assert firsts["A"] == firsts["B"]
    followed = Counter(pairwise(order))
    assert followed["A", "A"] == followed["B", "B"] == blocks / 2


@pytest.mark.parametrize("blocks", [1, 2, 5])
def test_a_linear_drift_cancels(blocks: int) -> None:
    for start in range(0, 4 * blocks, 4):
        block = letters(blocks)[start : start + 4]
        assert sum(n if leg == "A" else -n for n, leg in enumerate(block)) == 0


def test_a_curved_drift_cancels_over_a_pair_of_blocks() -> None:
    order = letters(2)
    assert sum(n**2 if leg == "A" else -(n**2) for n, leg in enumerate(order)) == 0
    unmirrored = "ABBAABBA"
    assert sum(n**2 if leg == "A" else -(n**2) for n, leg in enumerate(unmirrored)) != 0
