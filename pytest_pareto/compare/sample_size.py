"""Sample size of scores: how many samples a tolerance needs, and when those so far decide a case.

`coarse_scores` warns of scores that are recorded with too few samples for their own tolerance, for
which `sample_size` computes resolution and need from one side alone. `is_decided` is called at each
look of an evaluation that may stop early. It compares the partial scores as a session would, and
tests with `pytest_pareto.stats.sequential.final_outcome` whether further samples could change a
result.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pytest_pareto.compare.changes import compare_case
from pytest_pareto.compare.levels import CaseLevels, measured_metrics
from pytest_pareto.compare.pairs import pair_cases
from pytest_pareto.model.baseline import Baseline, Past
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.formatting import plural, significant
from pytest_pareto.model.metric import Kind, Metric
from pytest_pareto.model.policy import AlphaShares, Policy, TradeOffs
from pytest_pareto.model.run import CaseRun
from pytest_pareto.model.session_record import Judged
from pytest_pareto.model.verdict import CaseComparison, MetricResult
from pytest_pareto.stats.paired_change import MEAN_SHARE, Shift
from pytest_pareto.stats.paired_proportion import Flips, is_binary
from pytest_pareto.stats.sequential import final_outcome
from pytest_pareto.stats.skew_t import MeanShift

ASSUMED_CORRELATION = 0.5
"""The correlation of a sample's old and new score that is assumed before both are known."""

_SHARES = AlphaShares.of(has_budgets=True, has_anchor=True)


def assumed_shift(scores: npt.NDArray[np.float64], kind: Kind) -> Shift:
    """Return the shift that unchanged code would show, estimated from the scores of one side.

    How old and new scores differ is not known yet. Were they drawn independently, differences would
    have the variance 2 σ², and of scores that are 0, 1 or grades, 1 - Σ pₖ² would differ, where pₖ
    is the share of each value. With a correlation of `ASSUMED_CORRELATION` it is half of that: σ²
    and, of 0 and 1, p (1 - p) flips, as many for the better as for the worse. With fixed seeds
    scores often correlate more, and without seeds less. The scores of a set are not meant.
    """
    n, apart = scores.size, 1 - ASSUMED_CORRELATION
    if kind is Kind.ORDINAL or is_binary(scores):
        shares = np.unique(scores, return_counts=True)[1] / n
        flips = math.ceil(n * apart * (1 - float(shares @ shares)) / 2)
        return Flips(flips, flips, n)
    sd = float(scores.std(ddof=1)) if n > 1 else 0.0
    return MeanShift(n, 0.0, math.sqrt(2 * apart) * sd, 0.0)


@dataclass(frozen=True, slots=True)
class SampleSize:
    """What the samples of a score can show of its tolerance, before there is a change to test.

    ``resolution`` is the loss that is called WORSE with a probability of .8, and ``needed`` the
    number of samples with which an unchanged score is shown to be within the tolerance as often.
    """

    samples: int
    resolution: float
    needed: float

    @property
    def share(self) -> float:
        """The number of samples as a share of those needed."""
        return self.samples / self.needed if self.needed else math.inf


def sample_size(scores: Iterable[float], metric: Metric, alpha: float) -> SampleSize:
    """Return what scores of one side will show of a tolerance > 0, tested alone at ``alpha``.

    It rests on the assumption of `assumed_shift`.
    """
    values = np.array([*scores], float)
    shift = assumed_shift(values, metric.kind)
    level = alpha if isinstance(shift, Flips) else MEAN_SHARE * alpha
    resolution = shift.resolution(metric.tolerance, level) if values.size > 1 else math.inf
    return SampleSize(values.size, resolution, shift.pairs_needed(metric.tolerance, alpha))


_MAX_NAMED = 5


def coarse_scores(
    judged: Judged, added: Collection[tuple[str, str]], alpha: float
) -> Iterator[str]:
    """Yield a message for each of the ``added`` scores with too few samples for its tolerance.

    ``added`` are recorded for the first time, as (case id, metric name). Those with the least of
    what they need come first. A tolerance of 0 needs no number of samples, and the number of a set
    is not estimated.
    """
    found = [
        (f"{case.case_id} {metric.name}", metric, sample_size(values, metric, alpha))
        for case in judged.judgement.cases
        for metric in (result.metric for result in case.comparison.gated)
        if (key := (case.case_id, metric.name)) in added
        and key in judged.samples
        and metric.kind is not Kind.SET
        and metric.tolerance > 0
        for values in [judged.samples[key].values]
    ]
    coarse = sorted((one for one in found if one[2].share < 1), key=lambda one: one[2].share)
    for name, metric, seen in coarse[:_MAX_NAMED]:
        unit = f" {metric.unit}" if metric.unit else ""
        caught = f"{seen.resolution:.2g}{unit}" if math.isfinite(seen.resolution) else "nothing"
        yield (
            f"{name}: {plural(seen.samples, 'sample')} resolve {caught}; its tolerance "
            f"{metric.tolerance:g}{unit} needs about {significant(seen.needed, 2):,.0f}"
        )
    if len(coarse) > _MAX_NAMED:
        yield f"{len(coarse) - _MAX_NAMED} more scores have too few samples for their tolerance"
    if coarse:
        yield (
            "numbers of samples are estimates before there are two sides: old and new scores are "
            f"taken to correlate by {ASSUMED_CORRELATION:g}"
        )


@dataclass(frozen=True, slots=True)
class EarlyStopContext:
    """What partial scores are judged against: the past, the environment that scores, the policy."""

    past: Past
    now: Environment
    policy: Policy


def is_decided(scored: CaseRun, grounds: EarlyStopContext, others: Sequence[Metric] = ()) -> bool:
    """Return whether every gated score of a case, and every budget, is decided at its latest look.

    ``scored`` holds the scores so far, with their `Looks`. ``others`` are the other metrics of the
    case. The process that scores does not know which tests the session runs. It therefore uses the
    level of a session that tests everything in the baseline: what is decided at that level is
    decided in any smaller session. For the same reason a budget counts as decided only where it is
    kept, because that level is not divided. A score without a baseline is never decided.
    """
    compared = _compared(scored, grounds.past.baseline, grounds, _SHARES.changes)
    gating = [m.metric for m in scored.measurements if m.metric.gates]
    results = {result.metric.name: result for result in compared.metrics}
    rescuers = _rescuers(results, gating, [*others, *_remembered(scored, grounds.past.baseline)])
    return (
        bool(gating)
        and all(_is_final(results[m.name], compared, grounds, rescuers - {m.name}) for m in gating)
        and all(b.broken is False for b in compared.comparison.budgets)
        and _drift_is_decided(scored, gating, grounds)
    )


@dataclass(frozen=True, slots=True)
class _Compared:
    """A case compared with one past; ``family`` is the number of tests by their share of alpha."""

    comparison: CaseComparison
    family: float

    @property
    def metrics(self) -> tuple[MetricResult, ...]:
        """The results of the metrics scored so far."""
        return self.comparison.metrics


def _compared(
    scored: CaseRun, past: Baseline, grounds: EarlyStopContext, share: float
) -> _Compared:
    """Compare the scores so far with one past, as a session that tests all of it would."""
    policy = grounds.policy
    levels = {scored.case_id: CaseLevels((scored,), measured_metrics((scored,)))}
    (case,) = pair_cases(levels, past, grounds.now, policy)
    family = _gated(past) + len(scored.measurements)
    return _Compared(compare_case(case, policy, _SHARES, family, budgets=1), family / share)


def _is_final(
    result: MetricResult, compared: _Compared, grounds: EarlyStopContext, rescuers: set[str]
) -> bool:
    """Return whether further samples cannot change the outcome of one metric."""
    if result.change is None:
        return False
    outcome = final_outcome(result.change, compared.family)
    if outcome is Outcome.WORSE and rescuers and grounds.policy.trade_offs is TradeOffs.BOUNDED:
        # A worse metric that may yet be traded is decided where it exceeds what a trade may cost.
        return result.change.low > result.metric.trade_bound
    return outcome is not None


def _rescuers(
    results: Mapping[str, MetricResult], gating: Sequence[Metric], others: Sequence[Metric]
) -> set[str]:
    """Return the names of metrics that may turn out better, and so make a trade-off.

    These are the gated metrics that are not scored here, and the scores that may be better.
    """
    scored = {metric.name for metric in gating}
    better = {
        name
        for name in scored
        if results[name].outcome in (Outcome.BETTER, Outcome.NOT_WORSE, Outcome.INCONCLUSIVE)
    }
    return better | {m.name for m in others if m.gates and m.name not in scored}


def _remembered(scored: CaseRun, baseline: Baseline) -> list[Metric]:
    """Return the gated metrics that the baseline holds of the case."""
    history = baseline.cases.get(scored.case_id)
    return [
        Metric(name, past.unit, past.better, past.kind, past.scope, 0.0, relative=False)
        for name, past in (history.metrics.items() if history is not None else ())
        if past.gates
    ]


def _drift_is_decided(scored: CaseRun, gating: Sequence[Metric], grounds: EarlyStopContext) -> bool:
    """Return whether the comparison with the anchor, too, is decided for these scores."""
    if grounds.past.anchor is None:
        return True
    since = _compared(scored, grounds.past.anchor, grounds, _SHARES.anchor)
    names = {metric.name for metric in gating}
    changes = [r.change for r in since.metrics if r.metric.name in names and r.change is not None]
    return all(final_outcome(change, since.family) is not None for change in changes)


def _gated(baseline: Baseline) -> int:
    """Count the noisy metrics of a baseline that gate."""
    return sum(
        metric.gates and metric.kind is not Kind.EXACT
        for case in baseline.cases.values()
        for metric in case.metrics.values()
    )
