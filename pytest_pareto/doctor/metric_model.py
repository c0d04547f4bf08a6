"""Which metrics can tell the variants of a front apart, as far as recorded results say.

Numbers of samples are of runs where a metric is measured run by run.
"""

from dataclasses import dataclass

from pytest_pareto.model.metric import Kind

LARGEST_PLAN = 100_000
"""Beyond so many samples a plan is none."""


@dataclass(frozen=True, slots=True)
class Apart:
    """How many of the pairs of variants are told apart, and what it would take to tell more.

    ``half`` and ``every`` are how many samples of each variant would do for half of the pairs
    and for all of them, by the differences that were seen; infinite where no more than
    `LARGEST_PLAN` would.
    """

    pairs: int
    apart: int
    half: float
    every: float

    @property
    def share(self) -> float:
        """The share of the pairs that are told apart."""
        return self.apart / self.pairs


@dataclass(frozen=True, slots=True)
class Ranking:
    """The variants that come first, and how far the whole order outlives a resampling.

    ``stays`` is the share of resamples in which no other variant comes as high as ``best``;
    ``tau`` the mean of Kendall's tau-b between a resample's order and the order seen.
    """

    best: tuple[str, ...]
    stays: float
    tau: float


@dataclass(frozen=True, slots=True)
class Discernment:
    """What one metric tells of the variants of a front.

    ``n`` is how many samples each variant has, the fewest where they differ. ``signal`` is by
    how many standard errors two variants differ, and ``without`` what is left of it when the
    variant is left out that it owes most to, ``leaning``; None where two are all there are.
    ``same`` is what is told apart on the same samples, None of what has no samples in common;
    ``other`` with samples of its own for each variant.
    """

    metric: str
    kind: Kind
    case_ids: tuple[str, ...]
    n: int
    signal: float
    leaning: str | None
    without: float
    same: Apart | None
    other: Apart
    ranking: Ranking
    all_equal: bool = False

    @property
    def apart(self) -> Apart:
        """What is told apart as this metric was recorded."""
        return self.other if self.same is None else self.same

    @property
    def rests_on_pairing(self) -> bool:
        """Whether most of what is told apart needs the variants to share their samples."""
        return self.same is not None and 2 * self.other.apart < self.same.apart

    @property
    def rests_on_one(self) -> bool:
        """Whether more than half of the signal is owed to one variant."""
        return self.leaning is not None and 2 * self.without < self.signal

    @property
    def order(self) -> tuple[float, float, str]:
        """What metrics are sorted by: pairs told apart, and the signal where that is the same.

        The share of pairs is what T. Sakai (2006), "Evaluating evaluation metrics based on the
        bootstrap", SIGIR, calls sensitivity. It does not ask whether a metric is right.
        """
        return -self.apart.share, -self.signal, self.metric


@dataclass(frozen=True, slots=True)
class Agreement:
    """How alike two metrics rank the variants that both have.

    ``tau`` is Kendall's tau-b, 0 where one of them ranks nothing, and ``low`` to ``high`` where
    it lies in 90 % of resamples. Of the pairs that both tell apart, ``both``, as many as
    ``opposite`` are in opposite order.
    """

    metrics: tuple[str, str]
    variants: int
    tau: float
    low: float
    high: float
    both: int
    opposite: int


@dataclass(frozen=True, slots=True)
class FrontMetrics:
    """The metrics of one front, the one that tells most apart first."""

    front: str
    case_ids: tuple[str, ...]
    metrics: tuple[Discernment, ...]
    agreements: tuple[Agreement, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def unpaired_rival(self) -> tuple[Discernment, Discernment] | None:
        """The metric that tells most apart without pairing, and the one it then overtakes.

        None where the first of the metrics that have scores per sample is the first either way.
        """
        scored = [found for found in self.metrics if found.same is not None]
        if not scored:
            return None
        first = scored[0]
        rival = max(scored, key=lambda found: (found.other.share, found is first))
        return None if rival is first else (rival, first)


@dataclass(frozen=True, slots=True)
class MetricsReport:
    """All that recorded results say of metrics; ``left_out`` is what they say nothing of."""

    alpha: float
    fronts: tuple[FrontMetrics, ...]
    left_out: tuple[str, ...] = ()
