"""Unchanged code on another board of the same product: what the other-board priors are for."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, permutations, product
from statistics import fmean

import numpy as np

from benchmarks.calibration.alone import PRIORS, OverRuns, change_of
from benchmarks.calibration.recordings import CALL_BY_CALL, HOST_BOUND, Readings, Series, series
from benchmarks.calibration.rows import Effort, Row, Section, at_most, share_of, spread_out
from benchmarks.calibration.splits import Sides
from benchmarks.calibration.unchanged import row_of
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import DEVICE_TIME, ENERGY, LATENCY, Metric
from pytest_pareto.model.policy import SessionSpreads

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


HERE = Environment("EPYC", 16, 16, "NVIDIA H200", 1, boards=("a",))
THERE = replace(HERE, boards=("b",))
WITHOUT_ITS_HOST = SessionSpreads(energy_other_board=0.0015, host_other_board=0.0)
"""Energy as it was assumed to differ before: as little as device time."""


def _levels(metric: Metric, workload: str) -> dict[str, Readings]:
    """Return a level of each process, by host; those of one workload alike on each."""
    return {
        s.host: s.levels
        for s in series(metric)
        if s.workload == workload and s.host in CALL_BY_CALL
    }


def waiting_share(workload: str) -> float:
    """Return the share of a call without kernels, over the hosts that recorded both times."""
    latency, busy = (_levels(metric, workload) for metric in (LATENCY, DEVICE_TIME))
    both = latency.keys() & busy.keys()
    return max(0.0, 1 - fmean(fmean(busy[host]) / fmean(latency[host]) for host in both))


def other_machine(effort: Effort) -> Iterator[Row]:
    """Yield how often energy is WORSE against the baseline of another machine, by workload.

    Then the same where energy is assumed to differ as device time does, without a bound.
    """
    for what, spreads, bound in (
        ("energy", PRIORS, at_most(7)),
        ("energy, as device time", WITHOUT_ITS_HOST, None),
    ):
        for workload in sorted({s.workload for s in series(ENERGY)}):
            rng = np.random.default_rng(SEED)
            spread = spreads.of_energy(waiting_share(workload), HERE, THERE)
            verdicts = []
            for held, measured in permutations(_levels(ENERGY, workload).values(), 2):
                for _ in range(max(2, effort.splits // 10)):
                    then = rng.permutation(held)[:HELD].tolist()
                    now = rng.permutation(measured)[:MEASURED].tolist()
                    change = change_of(then, now, ENERGY.tolerance, spread)
                    verdicts.append(change.outcome is Outcome.WORSE)
            yield Row(f"{what}, {workload}", len(verdicts), share_of(verdicts), bound)


SECTIONS = (
    Section("Unchanged code, another board: 5 processes against 3, session term .2 %", other_board),
    Section("Unchanged code, another machine: 5 processes against 3", other_machine),
)
