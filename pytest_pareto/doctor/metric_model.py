"""Data model of the discriminative power of metrics: how well they separate a front's variants.

`MetricsReport` is the result of `examine_metrics` in `metric_study`. Numbers of samples are
numbers of runs where a metric is measured run by run.
"""

from dataclasses import dataclass

from pytest_pareto.model.metric import Kind

LARGEST_PLAN = 100_000
"""The largest number of samples that a plan may need."""


@dataclass(frozen=True, slots=True)
class Separation:
    """The number of pairs of variants that differ significantly, and the samples for more.

    ``for_half`` and ``for_all`` are the numbers of samples of each variant that would separate
    half of the pairs and all of them, given the observed differences; infinite where more than
    `LARGEST_PLAN` would be needed.
    """

    pairs: int
    separated: int
    for_half: float
    for_all: float

    @property
    def share(self) -> float:
        """The share of the pairs that are separated."""
        return self.separated / self.pairs


@dataclass(frozen=True, slots=True)
class Ranking:
    """The best variants of a front, and the stability of the order under resampling.

    ``best_stays`` is the share of resamples in which no other variant ranks as high as ``best``;
    ``tau`` is the mean of Kendall's tau-b between a resample's order and the observed order.
    """

    best: tuple[str, ...]
    best_stays: float
    tau: float


@dataclass(frozen=True, slots=True)
class MetricPower:
    """The discriminative power of one metric between the variants of a front.

    ``n`` is the number of samples of each variant, the smallest where they differ. ``signal`` is
    the difference of two variants in standard errors. ``signal_without`` is the signal without
    ``main_variant``, the variant that contributes most to it; ``main_variant`` is None where there
    are two variants only. ``paired`` is the separation on the same samples, None for a metric
    without common samples; ``unpaired`` that with separate samples for each variant.
    """

    metric: str
    kind: Kind
    case_ids: tuple[str, ...]
    n: int
    signal: float
    main_variant: str | None
    signal_without: float
    paired: Separation | None
    unpaired: Separation
    ranking: Ranking
    all_equal: bool = False

    @property
    def separation(self) -> Separation:
        """The separation with the samples as recorded: paired if possible."""
        return self.unpaired if self.paired is None else self.paired

    @property
    def needs_pairing(self) -> bool:
        """Whether most of the separated pairs are separated on common samples only."""
        return self.paired is not None and 2 * self.unpaired.separated < self.paired.separated

    @property
    def depends_on_one(self) -> bool:
        """Whether more than half of the signal comes from one variant."""
        return self.main_variant is not None and 2 * self.signal_without < self.signal

    @property
    def sort_key(self) -> tuple[float, float, str]:
        """The sort key of metrics: the share of separated pairs, then the signal.

        The share of pairs is what T. Sakai (2006), "Evaluating evaluation metrics based on the
        bootstrap", SIGIR, calls sensitivity. It does not measure whether a metric is right.
        """
        return -self.separation.share, -self.signal, self.metric


@dataclass(frozen=True, slots=True)
class RankAgreement:
    """The agreement of two metrics in the ranking of the variants that both have.

    ``tau`` is Kendall's tau-b, 0 where one of the metrics ranks nothing; it is between ``low``
    and ``high`` in 90 % of resamples. ``both`` is the number of pairs that both metrics separate,
    and ``opposite`` the number of those pairs that are in opposite order.
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
    """The metrics of one front, sorted by the share of pairs that they separate."""

    front: str
    case_ids: tuple[str, ...]
    metrics: tuple[MetricPower, ...]
    agreements: tuple[RankAgreement, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def best_unpaired(self) -> tuple[MetricPower, MetricPower] | None:
        """The metric that separates most without pairing, and the first metric, which it passes.

        None where the first of the metrics with scores per sample is the first in both cases.
        """
        scored = [metric for metric in self.metrics if metric.paired is not None]
        if not scored:
            return None
        first = scored[0]
        best = max(scored, key=lambda metric: (metric.unpaired.share, metric is first))
        return None if best is first else (best, first)


@dataclass(frozen=True, slots=True)
class MetricsReport:
    """The discriminative power of all metrics; ``left_out`` lists cases and fronts without any."""

    alpha: float
    fronts: tuple[FrontMetrics, ...]
    left_out: tuple[str, ...] = ()
