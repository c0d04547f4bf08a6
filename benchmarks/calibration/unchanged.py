"""How often one metric of unchanged code is called WORSE: recordings, split in two."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.calibration import peers
from benchmarks.calibration.alone import PRIORS, OverRuns
from benchmarks.calibration.recordings import METRICS, Series, series
from benchmarks.calibration.rows import (
    Bound,
    Effort,
    Row,
    Section,
    at_most,
    peer_shares,
    share_of_groups,
    spread_out,
)
from benchmarks.calibration.splits import Sides, block_sides, random_sides
from pytest_pareto.model.metric import DEVICE_TIME, LATENCY, Metric

SIZES = ((5, 3), (5, 4))
SEED = 1

Judge = Callable[[Sides], bool]


@dataclass(frozen=True, slots=True)
class Split:
    """All splits of one series into sides of these sizes."""

    series: Series
    sizes: tuple[int, int]
    sides: list[Sides]


def splits(effort: Effort) -> list[Split]:
    """Split every series at random into 5 against 3 and, where it is long enough, 4 processes."""
    rng = np.random.default_rng(SEED)
    return [
        Split(s, sizes, random_sides(s, sizes, effort.splits, rng))
        for metric in METRICS
        for s in series(metric)
        for sizes in SIZES
        if len(s.levels) >= sum(sizes)
    ]


def row_of(
    what: str,
    groups: Sequence[Sequence[Sides]],
    judge: Judge,
    effort: Effort,
    bound: Bound | None,
    *,
    beside_peers: bool = True,
) -> Row:
    """Judge groups of splits; every group, such as a recording, has the same weight."""
    picked = [
        side.calls()
        for sides in groups
        for side in spread_out(sides, max(1, effort.peers // len(groups)))
    ]
    return Row(
        what,
        draws=sum(map(len, groups)),
        share=share_of_groups(groups, judge),
        bound=bound,
        peers=peer_shares(picked, peers.rules(effort.resamples)) if beside_peers else {},
    )


def by_workload(found: Sequence[Split], metric: Metric) -> dict[str, list[list[Sides]]]:
    """Gather the splits of a metric by workload."""
    groups: dict[str, list[list[Sides]]] = {}
    for split in found:
        if split.series.metric == metric:
            groups.setdefault(split.series.workload, []).append(split.sides)
    return dict(sorted(groups.items()))


def at_no_tolerance(effort: Effort, judge: Judge | None = None) -> Iterator[Row]:
    """Yield a row for each workload and metric, then all together, then neighbouring blocks."""
    judge = judge or OverRuns(tolerance=0.0)
    found = splits(effort)
    for metric in METRICS:
        for workload, groups in by_workload(found, metric).items():
            yield row_of(f"{metric.name}, {workload}", groups, judge, effort, at_most(7.5))
    for sizes in SIZES:
        groups = [split.sides for split in found if split.sizes == sizes]
        what = f"all of them, {sizes[0]} processes against {sizes[1]}"
        yield row_of(what, groups, judge, effort, at_most(6))
    for metric in METRICS:
        # A recording has a handful of such splits, which overlap: all in one group.
        blocks = [
            side
            for split in found
            if split.series.metric == metric
            for side in block_sides(split.series, split.sizes)
        ]
        yield row_of(f"{metric.name}, neighbouring blocks", [blocks], judge, effort, None)


def tolerated(series: Series) -> Bound | None:
    """Return the bound on alarms at the metric's own tolerance, where one was promised."""
    if series.metric == LATENCY:
        return at_most(3) if series.host_bound else at_most(1)
    return at_most(1) if series.metric == DEVICE_TIME and series.host_bound else None


def at_default_tolerance(effort: Effort) -> Iterator[Row]:
    """Yield rows without a session term, and with the one that sessions are assumed to have."""
    found = splits(effort)
    for judge, told in ((OverRuns(), ""), (OverRuns(spreads=PRIORS), ", session term")):
        for metric in METRICS:
            for workload, groups in by_workload(found, metric).items():
                bound = tolerated(groups[0][0].series)
                what = f"{metric.name}, {workload}{told}"
                yield row_of(what, groups, judge, effort, bound, beside_peers=not told)


def one_against_one(effort: Effort) -> Iterator[Row]:
    """Yield what is said of one process against another, which is how most tools are used.

    Ours says nothing: one run on each side has no spread to judge by.
    """
    rng = np.random.default_rng(SEED)
    for host_bound, told in ((True, "host"), (False, "GPU")):
        groups = [
            random_sides(s, (1, 1), effort.peers, rng)
            for s in series(LATENCY)
            if s.host_bound == host_bound
        ]
        yield row_of(
            f"latency where the {told} is the bottleneck", groups, OverRuns(), effort, None
        )


SECTIONS = (
    Section("Unchanged code: one metric, tolerance 0, 5 processes against 3 or 4", at_no_tolerance),
    Section("Unchanged code: the same at each metric's own tolerance", at_default_tolerance),
    Section("Unchanged code: one process against one, own tolerance", one_against_one),
)
