"""How often a slow-down is called WORSE that was planted into the recordings."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.calibration.alone import NO_SESSIONS, PRIORS, OverRuns
from benchmarks.calibration.recordings import Series, series
from benchmarks.calibration.rows import Bound, Effort, Row, Section, at_least
from benchmarks.calibration.splits import random_sides
from benchmarks.calibration.unchanged import row_of
from pytest_pareto.model.metric import DEVICE_TIME, LATENCY, Metric

SEED = 4
SIZES = (5, 3)
MANY = (5, 4)


@dataclass(frozen=True, slots=True)
class Plant:
    """A factor on the candidate's readings of one metric, where host or GPU is the bottleneck."""

    metric: Metric
    factor: float
    sizes: tuple[int, int]
    bound: Bound | None
    host_bound: bool = True

    @property
    def what(self) -> str:
        """Such as "latency +10 %, host, 5:4"."""
        bound = "host" if self.host_bound else "GPU"
        harm = f"{self.metric.name} +{100 * (self.factor - 1):.3g} %"
        return f"{harm}, {bound}, {self.sizes[0]}:{self.sizes[1]}"

    def series(self) -> list[Series]:
        """The recordings that are long enough."""
        return [
            s
            for s in series(self.metric)
            if s.host_bound == self.host_bound and len(s.levels) >= sum(self.sizes)
        ]


PLANTS = (
    Plant(DEVICE_TIME, 1.015, SIZES, at_least(99)),
    Plant(LATENCY, 1.10, SIZES, at_least(95), host_bound=False),
    Plant(LATENCY, 1.10, MANY, None),
)


def caught(effort: Effort) -> Iterator[Row]:
    """Yield each plant without a session term, and with the one sessions are assumed to have."""
    for plant in PLANTS:
        rng = np.random.default_rng(SEED)
        groups = [
            [
                side.planted(plant.factor)
                for side in random_sides(s, plant.sizes, effort.splits, rng)
            ]
            for s in plant.series()
        ]
        for spreads, told in ((NO_SESSIONS, ""), (PRIORS, ", session term")):
            judge = OverRuns(spreads=spreads)
            bound = None if told else plant.bound
            what = f"{plant.what}{told}"
            yield row_of(what, groups, judge, effort, bound, beside_peers=not told)


SECTIONS = (Section("A planted slow-down, at each metric's own tolerance", caught),)
