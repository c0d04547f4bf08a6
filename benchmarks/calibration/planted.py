"""How often a slow-down is called WORSE that was planted into the recordings."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from benchmarks.calibration.alone import NO_SESSIONS, PRIORS, OverRuns
from benchmarks.calibration.gate import ADJUSTED_HOST_SPREAD, adjusted_alone
from benchmarks.calibration.recordings import Readings, Series, series
from benchmarks.calibration.rows import (
    Bound,
    Effort,
    Row,
    Section,
    at_least,
    at_most,
    row_or_lack,
)
from benchmarks.calibration.splits import Sides, random_sides
from benchmarks.calibration.unchanged import row_of
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import DEVICE_TIME, HOST_REFERENCE, LATENCY, Metric

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


def adjusted(effort: Effort) -> Iterator[Row]:
    """Yield host-bound latency with the host reference as a covariate: power, then size."""
    plant = Plant(LATENCY, 1.10, MANY, at_least(85))
    for what, factor, tolerance, spread, bound in (
        (plant.what, plant.factor, None, 0.0, plant.bound),
        (f"{plant.what}, session term", plant.factor, None, ADJUSTED_HOST_SPREAD, None),
        ("latency as it was, tolerance 0, 5:4", 1.0, 0.0, 0.0, at_most(7)),
    ):
        judge = Adjusted(tolerance, spread)
        yield row_or_lack(
            what, bound, partial(_adjusted, what, bound, plant, factor, judge, effort)
        )


@dataclass(frozen=True, slots=True)
class Adjusted:
    """The product's rule with the host reference; the own tolerance unless one is given."""

    tolerance: float | None
    session_spread: float

    def __call__(self, sides: Sides) -> bool:
        """Whether the candidate is called WORSE."""
        tolerance = sides.series.metric.tolerance if self.tolerance is None else self.tolerance
        change = adjusted_alone(
            sides.levels(), references(sides), tolerance=tolerance, spread=self.session_spread
        )
        return change.outcome is Outcome.WORSE


def references(sides: Sides) -> tuple[Readings, Readings]:
    """Return the level of the host reference in each process of both sides."""
    (beside,) = (
        s
        for s in series(HOST_REFERENCE)
        if (s.host, s.workload) == (sides.series.host, sides.series.workload)
    )
    return replace(sides, series=beside, factor=1.0).levels()


def _adjusted(
    what: str, bound: Bound | None, plant: Plant, factor: float, judge: Adjusted, effort: Effort
) -> Row:
    rng = np.random.default_rng(SEED)
    known = {(s.host, s.workload) for s in series(HOST_REFERENCE)}
    groups = [
        [side.planted(factor) for side in random_sides(s, plant.sizes, effort.splits, rng)]
        for s in plant.series()
        if (s.host, s.workload) in known
    ]
    return row_of(what, groups, judge, effort, bound, beside_peers=False)


SECTIONS = (
    Section("A planted slow-down, at each metric's own tolerance", caught),
    Section("The same with the host reference as a covariate", adjusted),
)
