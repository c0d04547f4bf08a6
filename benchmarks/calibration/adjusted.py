"""Host-bound latency of the recordings, with the host reference as a covariate."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.calibration.alone import NO_SESSIONS, PRIORS
from benchmarks.calibration.recordings import Readings, series
from benchmarks.calibration.reference import BesideReference, adjusted_alone
from benchmarks.calibration.rows import (
    Bound,
    Effort,
    Row,
    Section,
    at_least,
    at_most,
    share_of,
    share_of_groups,
)
from benchmarks.calibration.splits import Sides, random_sides
from pytest_pareto.model.metric import HOST_REFERENCE, LATENCY
from pytest_pareto.model.policy import SessionSpreads

SEED = 4
SIZES = (5, 4)
FACTOR = 1.10
RECORDED = {"r": "recording 1", "e": "recording 2"}
"""What has a reference: nine processes, one after the other; and twelve, two at a time."""

Splits = Mapping[str, Sequence[Sides]]


@dataclass(frozen=True, slots=True)
class Judge:
    """The product's rule, at the metric's own tolerance unless one is given."""

    tolerance: float | None = None
    spreads: SessionSpreads = NO_SESSIONS

    def said(self, sides: Sides) -> BesideReference:
        """Compare both sides."""
        tolerance = sides.series.metric.tolerance if self.tolerance is None else self.tolerance
        return adjusted_alone(
            sides.levels(), references(sides), tolerance=tolerance, spreads=self.spreads
        )

    def __call__(self, sides: Sides) -> bool:
        """Whether the candidate is called WORSE."""
        return self.said(sides).worse


def references(sides: Sides) -> tuple[Readings, Readings]:
    """Return the level of the host reference in each process of both sides."""
    (beside,) = (
        s
        for s in series(HOST_REFERENCE)
        if (s.host, s.workload) == (sides.series.host, sides.series.workload)
    )
    return replace(sides, series=beside, factor=1.0).levels()


def splits(effort: Effort) -> Splits:
    """Split each recording of host-bound latency that has a reference, by what it is called."""
    rng = np.random.default_rng(SEED)
    known = {(s.host, s.workload) for s in series(HOST_REFERENCE)}
    return {
        f"{s.workload} of {RECORDED[s.host]}": random_sides(s, SIZES, effort.splits, rng)
        for s in sorted(series(LATENCY), key=lambda s: (-len(s.levels), s.workload), reverse=True)
        if s.host_bound and (s.host, s.workload) in known
    }


def each_and_all(
    told: str, found: Splits, judge: Judge, bound: Bound | None, *, factor: float = 1.0
) -> Iterator[Row]:
    """Yield a row for each recording and workload, and one for all of them together."""
    planted = {what: [side.planted(factor) for side in sides] for what, sides in found.items()}
    groups = {**{what: [sides] for what, sides in planted.items()}, "all": [*planted.values()]}
    for what, of_them in groups.items():
        draws = sum(map(len, of_them))
        yield Row(f"{told}, {what}", draws, share_of_groups(of_them, judge), bound)


def power(effort: Effort) -> Iterator[Row]:
    """Yield how often a planted slow-down is caught, without a session term and with it."""
    found = splits(effort)
    yield from each_and_all("+10 %", found, Judge(), at_least(85), factor=FACTOR)
    with_term = Judge(spreads=PRIORS)
    yield from each_and_all("+10 %, session term", found, with_term, None, factor=FACTOR)


def size(effort: Effort) -> Iterator[Row]:
    """Yield how often unchanged code is called WORSE at tolerance 0, and what is adjusted."""
    found = splits(effort)
    judge = Judge(tolerance=0.0)
    yield from each_and_all("unchanged", found, judge, at_most(7))
    for what, sides in found.items():
        used = share_of(judge.said(side).used for side in sides)
        yield Row(f"adjusted at all, {what}", len(sides), used)


SECTIONS = (
    Section("Latency with the host reference as a covariate: planted, own tolerance, 5:4", power),
    Section("Latency with the host reference as a covariate: tolerance 0, 5:4", size),
)
