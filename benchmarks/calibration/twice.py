"""One metric alone, screened and then confirmed, as a session would do it."""

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.calibration.alone import ALPHA, change_in_turn, change_of
from benchmarks.calibration.gate import CONFIRMING
from pytest_pareto.model.change import Change
from pytest_pareto.model.policy import RUNS_PER_BLOCK, SCREEN_ALPHA, SCREENING_BLOCKS
from pytest_pareto.stats.power import blocks_for


def confirmed_alone(
    baseline: Sequence[float],
    screened: Sequence[float],
    confirming: Sequence[float],
    *,
    tolerance: float,
    session_spread: float,
) -> Change:
    """Screen and confirm one metric of one case against a stored baseline.

    Levels, one per run; of the confirming ones, as many as the product plans. The resolution is
    what the screen says of both together.
    """
    first = change_of(baseline, screened, tolerance, session_spread, confirming=len(confirming))
    if first.p_worse > SCREEN_ALPHA:
        return first
    again = change_of(baseline, confirming[: first.confirming_runs], tolerance, session_spread)
    return replace(again, resolution=first.resolution)


def in_turn_alone(
    old: Sequence[float], new: Sequence[float], *, tolerance: float, blocks: int | None = None
) -> Change:
    """Screen and confirm one metric of one case whose old and new code took turns.

    Levels, two of each to a block. ``blocks`` confirm, or as many as the product plans; the
    resolution is what the screen says of both together.
    """
    start = RUNS_PER_BLOCK * SCREENING_BLOCKS
    confirming = RUNS_PER_BLOCK * CONFIRMING
    first = change_in_turn(old[:start], new[:start], tolerance, confirming=confirming)
    if first.p_worse > SCREEN_ALPHA:
        return first
    count = blocks_for([first], SCREENING_BLOCKS, ALPHA) if blocks is None else blocks
    end = start + RUNS_PER_BLOCK * count
    again = change_in_turn(old[start:end], new[start:end], tolerance)
    return replace(again, resolution=first.resolution)
