"""Recorded processes in turns: the product's order, either side first, blocks that follow."""

import math

import numpy as np

from benchmarks.calibration.recordings import Series
from benchmarks.calibration.taking_turns import Turns, as_they_ran, in_any_order
from benchmarks.calibration.twice import confirmed_alone, in_turn_alone
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import LATENCY


def series(*levels: float) -> Series:
    processes = tuple((level,) for level in levels)
    return Series("a", "ddim", LATENCY, processes, levels, (0,) * len(levels))


DRIFT = series(*(1.05**i for i in range(12)))


def test_the_second_block_mirrors_the_first() -> None:
    sides = Turns(DRIFT, tuple(range(8))).sides(2)
    assert (sides.baseline, sides.candidate) == ((0, 3, 5, 6), (1, 2, 4, 7))
    swapped = Turns(DRIFT, tuple(range(8)), swapped=True).sides(2)
    assert (swapped.baseline, swapped.candidate) == (sides.candidate, sides.baseline)


def test_blocks_follow_others() -> None:
    sides = Turns(DRIFT, tuple(range(12))).sides(2, after=1)
    assert (sides.baseline, sides.candidate) == ((5, 6, 8, 11), (4, 7, 9, 10))


def test_neighbours_start_anywhere_and_either_side_is_first() -> None:
    found = as_they_ran(DRIFT, 2)
    assert [turns.order[0] for turns in found] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert [turns.swapped for turns in found] == [False, True] * 5
    (drawn,) = in_any_order(DRIFT, 3, 1, np.random.default_rng(1))
    assert sorted(drawn.order) == list(range(12))


def test_a_drift_of_five_per_cent_a_process_is_no_change() -> None:
    change = Turns(DRIFT, tuple(range(8))).change(2, tolerance=0.0)
    assert math.isclose(change.estimate, 0.0, abs_tol=1e-12)


# One metric, screened and confirmed.

HELD = (1.0, 1.01, 0.99, 1.02, 0.98)
SLOW = tuple(1.2 * level for level in HELD)


def test_what_is_not_flagged_is_not_measured_again() -> None:
    change = confirmed_alone(HELD, HELD, SLOW, tolerance=0.05, session_spread=0.0)
    assert change.outcome is not Outcome.WORSE


def test_what_is_flagged_is_judged_by_what_is_measured_again() -> None:
    for again, outcome in ((SLOW, Outcome.WORSE), (HELD, Outcome.UNCHANGED)):
        change = confirmed_alone(HELD, SLOW, again, tolerance=0.05, session_spread=0.0)
        assert change.outcome is outcome


def test_in_turns_as_many_blocks_confirm_as_are_given_or_planned() -> None:
    old = HELD[:4] * 7
    slow, fast = SLOW[:4] * 7, (*SLOW[:4], *HELD[:4] * 6)
    for blocks in (5, None):
        assert in_turn_alone(old, slow, tolerance=0.05, blocks=blocks).outcome is Outcome.WORSE
        assert in_turn_alone(old, fast, tolerance=0.05, blocks=blocks).outcome is not Outcome.WORSE
    assert in_turn_alone(old, slow, tolerance=0.05, blocks=5).df == 3 * 5 - 1
    assert in_turn_alone(old, slow, tolerance=0.05).df == 3 * 4 - 1
