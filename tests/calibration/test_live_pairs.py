"""Live processes that took turns: windows that do not overlap, halves that meet, and the trap."""

from dataclasses import replace

import pytest

from benchmarks.calibration.live_pairs import (
    Comparison,
    Process,
    Recording,
    over_rounds,
    recordings,
    slower,
    unchanged,
)
from benchmarks.calibration.rows import FULL, at_most

NO_PEERS = replace(FULL, peers=1, resamples=5)


def process(rounds: range, of: int) -> Process:
    """A process whose readings are the numbers of its rounds, from 1."""
    return tuple((float(r + 1),) if r in rounds else () for r in range(of))


AT_ONCE = Recording("x", 100, (process(range(10), 10),) * 4)
PAIRS = Recording("x", 100, (process(range(6), 10),) * 2 + (process(range(6, 10), 10),) * 2)


def numbers(found: Process) -> list[int]:
    return [int(x) for readings in found for x in readings]


def test_windows_follow_each_other() -> None:
    windows = [numbers(window[0]) for window in AT_ONCE.windows(30)]
    assert windows == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]


def test_a_window_has_a_part_of_every_pair() -> None:
    halves = [[numbers(each) for each in window] for window in PAIRS.windows(50)]
    assert halves == [
        [[1, 2, 3], [1, 2, 3], [7, 8], [7, 8]],
        [[4, 5, 6], [4, 5, 6], [9, 10], [9, 10]],
    ]


def test_either_half_may_be_the_new_one_and_pairs_are_split() -> None:
    splits = AT_ONCE.splits()
    assert len(splits) == len(set(splits)) == 6
    assert {(new, old) for old, new in splits} == set(splits)
    assert [old for old, _ in PAIRS.splits()] == [(0, 2), (0, 3), (1, 2), (1, 3)]


def test_few_comparisons_are_of_every_split() -> None:
    recording = replace(AT_ONCE, seconds=200)
    assert len(recording.comparisons(50, FULL)) == 6 * 4
    few = recording.comparisons(50, replace(FULL, splits=4 * 6))
    assert len(few) == 6


def test_a_factor_is_planted_into_the_new_side_alone() -> None:
    old, new = Comparison((((1.0,), (3.0,)),), (((2.0,), ()),), factor=1.1).calls()
    assert (old.tolist(), new.tolist()) == ([1.0, 3.0], [pytest.approx(2.2)])


def test_every_recording_is_there() -> None:
    found = {each.name: (len(each.processes), each.lengths) for each in recordings()}
    assert found == {
        "e own cores": (6, (25, 50, 100, 200)),
        "g own cores": (4, (25, 50, 100)),
        "h free": (6, (25, 50, 100, 200)),
        "h shared core": (6, (25, 50, 100, 200)),
        "i free": (6, (25, 50)),
        "i shared core": (6, (25, 50, 100, 200)),
    }


def test_bounds_hold_and_rounds_for_replicates_miss_them() -> None:
    assert not any(row.missed for row in (*unchanged(NO_PEERS), *slower(NO_PEERS)))
    wrong = {row.what: row.share for row in over_rounds(NO_PEERS)}
    for name in ("h free", "h shared core", "i free", "i shared core"):
        assert not at_most(7).holds(wrong[f"{name}, all windows"]), name
