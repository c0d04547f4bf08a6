"""An A/A test: what the runs of unchanged code say of the machine that measured them.

One noisy metric of one case: how far its runs scatter, drift, and raise false alarms.

What should be the same in every run, and whether it was.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import chdtri

from pytest_pareto.compare.levels import Measured, case_levels, session_sd
from pytest_pareto.compare.matching import Pair
from pytest_pareto.compare.multiplicity import alpha_shares
from pytest_pareto.compare.pairs import own_spread
from pytest_pareto.doctor.false_alarms import Outlook, compare, false_alarms, parted, split_sizes
from pytest_pareto.doctor.noise_model import (
    CaseNoise,
    MetricNoise,
    NoiseReport,
    Plan,
    Repetition,
    Scatter,
)
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.formatting import round_samples
from pytest_pareto.model.metric import Kind
from pytest_pareto.model.policy import LEAST_OF_MANY, PER_BLOCK, SCREENING_BLOCKS, Policy
from pytest_pareto.model.run import CaseRun, Measurement, Run
from pytest_pareto.model.verdict import MetricResult
from pytest_pareto.stats.scale import all_same, to_fraction
from pytest_pareto.stats.variance import Spread, case_spread

LEAST_RUNS = 4
"""With fewer runs there are not two on each side of a split."""

_Gathered = Mapping[str, Sequence[CaseRun]]
_Found = Mapping[str, Mapping[str, Measured | MetricResult]]


def examine_noise(
    runs: Sequence[Run], policy: Policy, *, baseline_runs: int, has_anchor: bool = False
) -> NoiseReport:
    """Examine ``runs``, four or more, of code that did not change, in the order of time.

    ``baseline_runs`` is how many runs a baseline is recorded with. What is planned is for
    sessions that measure the same cases, on the same terms; ``has_anchor`` is whether they
    are compared with an anchor too.
    """
    levels = case_levels(runs)
    gathered = {case_id: case.runs for case_id, case in levels.items()}
    found = {case_id: case.metrics for case_id, case in levels.items()}
    cases = [case[-1] for case in gathered.values()]
    prospect = Prospect(
        runs[-1].environment,
        policy,
        baseline_runs,
        family=max(1, _family(gathered, found)),
        share=alpha_shares([case.front for case in cases], cases, has_anchor=has_anchor).changes,
    )
    examined = [(gathered[case_id], m) for case_id, m in _measured(found)]
    return NoiseReport(
        runs=len(runs),
        alpha=policy.alpha,
        baseline_runs=baseline_runs,
        family=prospect.family,
        splits=split_sizes(len(runs)),
        metrics=_by_metric(
            [examine_metric(case[-1], m, prospect) for case, m in examined if _is_noisy(m)]
        ),
        repetitions=tuple(repetition_of(case, m) for case, m in examined if is_repeatable(m)),
        left_out=tuple(_left_out(gathered, found, len(runs))),
    )


def _measured(found: _Found) -> Iterator[tuple[str, Measured]]:
    """Go through what was measured often enough."""
    for case_id, metrics in found.items():
        for metric in metrics.values():
            if isinstance(metric, Measured) and len(metric.runs) >= LEAST_RUNS:
                yield case_id, metric


def _is_noisy(found: Measured) -> bool:
    return found.metric.kind is Kind.RUN and found.metric.gates and not is_repeatable(found)


def _family(gathered: _Gathered, found: _Found) -> int:
    """Count what would share alpha in a session: what is noisy, and scores per sample."""
    return sum(
        gathered[case_id][-1].gate
        and metric.metric.gates
        and (_is_noisy(metric) or metric.metric.kind.sampled)
        for case_id, metric in _measured(found)
    )


def _by_metric(cases: Sequence[CaseNoise]) -> tuple[MetricNoise, ...]:
    groups: dict[tuple[str, float], list[CaseNoise]] = {}
    for case in cases:
        groups.setdefault((case.metric.name, case.metric.tolerance), []).append(case)
    return tuple(MetricNoise(group[0].metric, tuple(group)) for group in groups.values())


def _left_out(gathered: _Gathered, found: _Found, runs: int) -> Iterator[str]:
    for case_id, metrics in found.items():
        count = len(gathered[case_id])
        if count < runs:
            yield f"{case_id} was measured in {count} of {runs} runs"
        for name, metric in metrics.items():
            if isinstance(metric, Measured):
                if len(metric.runs) < min(count, LEAST_RUNS):
                    yield f"{name} of {case_id} was measured in {len(metric.runs)} of {runs} runs"
            elif metric.outcome is Outcome.BROKEN:
                yield f"{name} of {case_id}: {metric.reason}"


_COVERAGE = 0.9
_RUNS_PLANNED = (1, 3, 5)
_IN_TURN = Plan(
    runs=PER_BLOCK * SCREENING_BLOCKS, confirming=PER_BLOCK * LEAST_OF_MANY, interleaved=True
)
"""Two blocks that screen, and six that convict, each of two runs of either side."""


@dataclass(frozen=True, slots=True)
class Prospect:
    """What the sessions to come have in common with this one, measured ``here``.

    ``share`` is how much of alpha the changes of metrics have, ``family`` how many share it.
    """

    here: Environment
    policy: Policy
    baseline_runs: int
    family: int
    share: float

    @property
    def plans(self) -> tuple[Plan, ...]:
        """The ways to measure that a user can choose from."""
        alone = tuple(Plan(runs) for runs in _RUNS_PLANNED)
        confirmed = (Plan(1, self.policy.confirming),) if self.policy.confirming else ()
        return (*alone, *confirmed, _IN_TURN)


def examine_metric(case: CaseRun, found: Measured, prospect: Prospect) -> CaseNoise:
    """Examine one metric of a case over runs of unchanged code."""
    metric, policy = found.metric, prospect.policy
    raw = case_spread((), found.runs, relative=metric.relative)
    halves = _halves(found, prospect)
    adjusted = halves.adjusted
    spread = own_spread(found, halves) if adjusted else raw
    outlook = Outlook(
        variance=spread.variance,
        session_sd=session_sd(metric, halves.session_spread, found.runs),
        doubt=halves.doubt.variance,
        baseline_runs=prospect.baseline_runs,
        alpha=policy.alpha * prospect.share,
        family=prospect.family,
        relative=metric.relative,
    )
    return CaseNoise(
        case_id=case.case_id,
        front=case.front,
        metric=metric,
        scatter=scatter_of(spread, relative=metric.relative),
        raw=scatter_of(raw, relative=metric.relative) if adjusted else None,
        drift=_drift(halves, policy.alpha),
        alarms=false_alarms(found, prospect.here, policy),
        sights=outlook.sights(prospect.plans, metric.tolerance),
        session_spread=halves.session_spread,
        enough_runs=outlook.enough_runs(metric.tolerance),
        sessions_forbid=outlook.sessions_forbid(metric.tolerance),
        notes=(*found.notes, *halves.notes),
    )


def _halves(found: Measured, prospect: Prospect) -> Pair:
    """Set the second half of the runs against the first.

    Adjusted by the host reference where it may be; as they were measured where the host's mood
    changed so much in between that the product would call them not comparable.
    """
    count = len(found.runs)
    second = tuple(range(count // 2, count))
    match = parted(found, second, prospect.here, prospect.policy)
    if match.apart is None:
        return match
    raw = parted(replace(found, reference=()), second, prospect.here, prospect.policy)
    return replace(raw, notes=(f"the second half of the runs is not comparable: {match.apart}",))


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
    """Return the change between the halves if it is shown, either way, at the level alpha."""
    change = compare(halves, 0.0, alpha)
    return change if min(change.p_worse, change.p_better) <= alpha / 2 else None


def is_repeatable(found: Measured) -> bool:
    """Whether a metric is one that should repeat: exact, scored per sample, or a number that did.

    A recorded number may be noisy; it is not if it came out the same in every run.
    """
    if found.metric.kind is Kind.RUN:
        return not found.metric.relative and all_same(found.runs)
    return True


def repetition_of(runs: Sequence[CaseRun], found: Measured) -> Repetition:
    """Say how many values of a repeatable metric were not the same in every run."""
    case_id, metric = runs[-1].case_id, found.metric
    if metric.kind.sampled:
        measured = (run.measurement(metric.name) for run in runs)
        return _scores(case_id, [m for m in measured if m is not None and m.values])
    low, high = min(found.runs), max(found.runs)
    # A recorded number is here because it repeated, but for rounding.
    others = (value for value in found.runs if value != found.runs[0])
    differing = sum(1 for _ in others) if metric.kind is Kind.EXACT else 0
    return Repetition(case_id, metric, len(found.runs), differing, low, high)


def _scores(case_id: str, measured: Sequence[Measurement]) -> Repetition:
    """Compare scores per sample to the digits that a baseline keeps."""
    ids = measured[0].ids
    table = np.array([_rounded(m, ids) for m in measured])
    low, high = table.min(axis=0), table.max(axis=0)
    widest = int(np.argmax(high - low))
    return Repetition(
        case_id,
        measured[0].metric,
        values=len(ids),
        differing=int(np.count_nonzero(high > low)),
        low=float(low[widest]),
        high=float(high[widest]),
        sample=ids[widest],
    )


def _rounded(measurement: Measurement, ids: Sequence[str]) -> tuple[float, ...]:
    scores = dict(zip(measurement.ids, round_samples(measurement.values), strict=True))
    return tuple(scores[name] for name in ids)
