"""Unchanged code on another board of the same product: what the other-board prior is for."""

from collections.abc import Iterator
from itertools import combinations, product

import numpy as np

from benchmarks.calibration.alone import PRIORS, OverRuns
from benchmarks.calibration.recordings import HOST_BOUND, Series, series
from benchmarks.calibration.rows import Effort, Row, Section, at_most, spread_out
from benchmarks.calibration.splits import Sides
from benchmarks.calibration.unchanged import row_of
from pytest_pareto.model.metric import DEVICE_TIME

HELD, MEASURED = 5, 3
SEED = 2


def on_boards(series: Series) -> dict[tuple[str, int], tuple[int, ...]]:
    """Return the places of a series' processes by host and board."""
    boards = sorted(set(series.boards))
    return {
        (series.host, board): tuple(i for i, b in enumerate(series.boards) if b == board)
        for board in boards
    }


def across_boards(series: Series, most: int, rng: np.random.Generator) -> list[Sides]:
    """Compare five processes on one board of a host with three on its other board."""
    places = on_boards(series)
    sides = [
        Sides(series, held, measured)
        for a, b in product(places, places)
        if a != b
        for held in combinations(places[a], HELD)
        for measured in combinations(places[b], MEASURED)
    ]
    return [sides[i] for i in rng.permutation(len(sides))[:most]]


def other_board(effort: Effort) -> Iterator[Row]:
    """Yield rows at the own tolerance of device time, with the prior for another board."""
    rng = np.random.default_rng(SEED)
    judge = OverRuns(spreads=PRIORS, other_board=True)
    for s in sorted(series(DEVICE_TIME), key=lambda s: s.workload):
        if len(set(s.boards)) > 1:
            sides = spread_out(across_boards(s, effort.splits, rng), effort.splits)
            bound = at_most(1) if s.workload in HOST_BOUND else None
            yield row_of(f"device_time, {s.workload}", [sides], judge, effort, bound)


SECTIONS = (
    Section("Unchanged code, another board: 5 processes against 3, session term .2 %", other_board),
)
