"""A/A test: noise, drift, false alarms and repeatability from runs of unchanged code.

`examine_noise` is the entry point. Noisy metrics are examined for scatter, drift and false alarms
(`examine_metric`), metrics that should be the same in every run for differences
(`repeatability_of`).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import chdtri

from pytest_pareto.compare.levels import Measured, case_levels
from pytest_pareto.compare.matching import Pair
from pytest_pareto.compare.multiplicity import alpha_shares
from pytest_pareto.compare.pairs import own_spread
from pytest_pareto.doctor.false_alarms import (
    Forecast,
    compare_split,
    false_alarms,
    split_pair,
    split_sizes,
)
from pytest_pareto.doctor.noise_model import (
    CaseNoise,
    MetricNoise,
    NoiseReport,
    Plan,
    Repeatability,
    Scatter,
)
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.formatting import round_samples
from pytest_pareto.model.metric import Kind
from pytest_pareto.model.policy import (
    MIN_BLOCKS_MANY_FLAGGED,
    RUNS_PER_BLOCK,
    SCREENING_BLOCKS,
    Policy,
)
from pytest_pareto.model.run import CaseRun, Measurement, Run
from pytest_pareto.model.verdict import MetricResult
from pytest_pareto.stats.scale import all_same, to_fraction
from pytest_pareto.stats.variance import Spread, case_spread, session_sd

MIN_RUNS = 4
"""With fewer runs there are not two on each side of a split."""

_COVERAGE = 0.9
_PLANNED_RUNS = (1, 3, 5)
_INTERLEAVED = Plan(
    runs=RUNS_PER_BLOCK * SCREENING_BLOCKS,
    confirming=RUNS_PER_BLOCK * MIN_BLOCKS_MANY_FLAGGED,
    interleaved=True,
)
"""Two blocks that screen, and six that confirm, each of two runs of either side."""

_RunsByCase = Mapping[str, Sequence[CaseRun]]
_MetricsByCase = Mapping[str, Mapping[str, Measured | MetricResult]]


@dataclass(frozen=True, slots=True)
class PlannedSessions:
    """The parameters of future sessions that they share with this one, measured ``here``.

    ``alpha_share`` is the part of alpha for the changes of metrics, ``family`` the number of
    tests that share it.
    """

    here: Environment
    policy: Policy
    baseline_runs: int
    family: int
    alpha_share: float

    @property
    def plans(self) -> tuple[Plan, ...]:
        """The plans that a user can choose from."""
        unconfirmed = tuple(Plan(runs) for runs in _PLANNED_RUNS)
        confirmed = (Plan(1, self.policy.confirming),) if self.policy.confirming else ()
        return (*unconfirmed, *confirmed, _INTERLEAVED)


def examine_noise(
    runs: Sequence[Run], policy: Policy, *, baseline_runs: int, has_anchor: bool = False
) -> NoiseReport:
    """Examine ``runs``, four or more, of unchanged code, in order of time.

    ``baseline_runs`` is the number of runs with which a baseline is recorded. The plans are for
    sessions that measure the same cases on the same terms; ``has_anchor`` is whether those
    sessions are also compared with an anchor.
    """
    levels = case_levels(runs)
    by_case = {case_id: case.runs for case_id, case in levels.items()}
    metrics = {case_id: case.metrics for case_id, case in levels.items()}
    latest = [case[-1] for case in by_case.values()]
    shares = alpha_shares(latest, has_anchor=has_anchor)
    planned = PlannedSessions(
        runs[-1].environment,
        policy,
        baseline_runs,
        family=max(1, _family(by_case, metrics)),
        alpha_share=shares.changes,
    )
    measured = [(by_case[case_id], metric) for case_id, metric in _measured(metrics)]
    return NoiseReport(
        runs=len(runs),
        alpha=policy.alpha,
        baseline_runs=baseline_runs,
        family=planned.family,
        splits=split_sizes(len(runs)),
        metrics=_by_metric(
            [examine_metric(case[-1], m, planned) for case, m in measured if _is_noisy(m)]
        ),
        repeatability=tuple(repeatability_of(case, m) for case, m in measured if should_repeat(m)),
        left_out=tuple(_left_out(by_case, metrics, len(runs))),
    )


def _measured(by_case: _MetricsByCase) -> Iterator[tuple[str, Measured]]:
    """Yield the metrics that were measured in enough runs, with their case ids."""
    for case_id, metrics in by_case.items():
        for metric in metrics.values():
            if isinstance(metric, Measured) and len(metric.runs) >= MIN_RUNS:
                yield case_id, metric


def _is_noisy(measured: Measured) -> bool:
    metric = measured.metric
    return metric.kind is Kind.RUN and metric.gates and not should_repeat(measured)


def _family(by_case: _RunsByCase, metrics: _MetricsByCase) -> int:
    """Return the number of tests that would share alpha: noisy metrics, and scores per sample."""
    return sum(
        by_case[case_id][-1].gate
        and measured.metric.gates
        and (_is_noisy(measured) or measured.metric.kind.sampled)
        for case_id, measured in _measured(metrics)
    )


def _by_metric(cases: Sequence[CaseNoise]) -> tuple[MetricNoise, ...]:
    groups: dict[tuple[str, float], list[CaseNoise]] = {}
    for case in cases:
        groups.setdefault((case.metric.name, case.metric.tolerance), []).append(case)
    return tuple(MetricNoise(group[0].metric, tuple(group)) for group in groups.values())


def _left_out(by_case: _RunsByCase, metrics: _MetricsByCase, runs: int) -> Iterator[str]:
    for case_id, by_name in metrics.items():
        count = len(by_case[case_id])
        if count < runs:
            yield f"{case_id} was measured in {count} of {runs} runs"
        for name, metric in by_name.items():
            if isinstance(metric, Measured):
                if len(metric.runs) < min(count, MIN_RUNS):
                    yield f"{name} of {case_id} was measured in {len(metric.runs)} of {runs} runs"
            elif metric.outcome is Outcome.BROKEN:
                yield f"{name} of {case_id}: {metric.reason}"


def examine_metric(case: CaseRun, measured: Measured, planned: PlannedSessions) -> CaseNoise:
    """Return the noise of one metric of a case over runs of unchanged code."""
    metric, policy = measured.metric, planned.policy
    raw = case_spread((), measured.runs, relative=metric.relative)
    halves = _halves(measured, planned)
    adjusted = halves.adjusted
    spread = own_spread(measured, halves) if adjusted else raw
    forecast = Forecast(
        variance=spread.variance,
        session_sd=session_sd(metric, halves.session_spread, measured.runs),
        adjustment_error=halves.adjustment_error.variance,
        baseline_runs=planned.baseline_runs,
        alpha=policy.alpha * planned.alpha_share,
        family=planned.family,
        relative=metric.relative,
    )
    return CaseNoise(
        case_id=case.case_id,
        front=case.front,
        metric=metric,
        scatter=scatter_of(spread, relative=metric.relative),
        raw=scatter_of(raw, relative=metric.relative) if adjusted else None,
        drift=_drift(halves, policy.alpha),
        alarms=false_alarms(measured, planned.here, policy),
        resolutions=forecast.resolutions(planned.plans, metric.tolerance),
        session_spread=halves.session_spread,
        enough_runs=forecast.enough_runs(metric.tolerance),
        sessions_forbid=forecast.sessions_forbid(metric.tolerance),
        notes=(*measured.notes, *halves.notes),
    )


def _halves(measured: Measured, planned: PlannedSessions) -> Pair:
    """Return a pair of the second half of the runs with the first.

    Adjusted by the host reference where possible. Without adjustment, and with a note, where the
    host reference changed so much in between that the halves are not comparable.
    """
    count = len(measured.runs)
    second = tuple(range(count // 2, count))
    pair = split_pair(measured, second, planned.here, planned.policy)
    if pair.apart is None:
        return pair
    raw = split_pair(replace(measured, reference=()), second, planned.here, planned.policy)
    return replace(raw, notes=(f"the second half of the runs is not comparable: {pair.apart}",))


def scatter_of(spread: Spread, *, relative: bool) -> Scatter:
    """Return the standard deviation √s² and its interval, from ν s² / σ² ~ χ²(ν)."""

    def sd(variance: float) -> float:
        return to_fraction(math.sqrt(variance), relative=relative)

    squares, tail = spread.df * spread.variance, (1 - _COVERAGE) / 2
    return Scatter(
        sd(spread.variance),
        sd(squares / float(chdtri(spread.df, tail))),
        sd(squares / float(chdtri(spread.df, 1 - tail))),
    )


def _drift(halves: Pair, alpha: float) -> Change | None:
    """Return the change between the halves if it is significant, two-sided, at level alpha."""
    change = compare_split(halves, 0.0, alpha)
    return change if min(change.p_worse, change.p_better) <= alpha / 2 else None


def should_repeat(measured: Measured) -> bool:
    """Whether a metric should be the same in every run.

    Exact metrics and scores per sample should. A recorded number may be noisy; it should repeat
    if it was the same in every run.
    """
    if measured.metric.kind is Kind.RUN:
        return not measured.metric.relative and all_same(measured.runs)
    return True


def repeatability_of(runs: Sequence[CaseRun], measured: Measured) -> Repeatability:
    """Count the values of a repeatable metric that were not the same in every run."""
    case_id, metric = runs[-1].case_id, measured.metric
    if metric.kind.sampled:
        measurements = (run.measurement(metric.name) for run in runs)
        scored = [m for m in measurements if m is not None and m.values]
        return _score_repeatability(case_id, scored)
    low, high = min(measured.runs), max(measured.runs)
    # A recorded number is only here if it repeated, except for rounding.
    others = (value for value in measured.runs if value != measured.runs[0])
    differing = sum(1 for _ in others) if metric.kind is Kind.EXACT else 0
    return Repeatability(case_id, metric, len(measured.runs), differing, low, high)


def _score_repeatability(case_id: str, measurements: Sequence[Measurement]) -> Repeatability:
    """Compare scores per sample, rounded to the digits that a baseline keeps."""
    ids = measurements[0].ids
    table = np.array([_rounded(m, ids) for m in measurements])
    low, high = table.min(axis=0), table.max(axis=0)
    widest = int(np.argmax(high - low))
    return Repeatability(
        case_id,
        measurements[0].metric,
        values=len(ids),
        differing=int(np.count_nonzero(high > low)),
        low=float(low[widest]),
        high=float(high[widest]),
        sample=ids[widest],
    )


def _rounded(measurement: Measurement, ids: Sequence[str]) -> tuple[float, ...]:
    scores = dict(zip(measurement.ids, round_samples(measurement.values), strict=True))
    return tuple(scores[name] for name in ids)
