"""An A/A test: what the runs of unchanged code say of the machine that measured them."""

from collections.abc import Iterator, Mapping, Sequence

from pytest_pareto.compare.family import alpha_shares
from pytest_pareto.compare.measured import Measured, measured_metrics, runs_by_case
from pytest_pareto.compare.noisy import Prospect, examine_metric
from pytest_pareto.compare.repetition import is_repeatable, repetition_of
from pytest_pareto.compare.splits import split_sizes
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import Kind
from pytest_pareto.model.noise import CaseNoise, MetricNoise, NoiseReport
from pytest_pareto.model.policy import Terms
from pytest_pareto.model.run import CaseRun, Run
from pytest_pareto.model.verdict import MetricResult

LEAST_RUNS = 4
"""With fewer runs there are not two on each side of a split."""

_Gathered = Mapping[str, Sequence[CaseRun]]
_Found = Mapping[str, Mapping[str, Measured | MetricResult]]


def examine_noise(
    runs: Sequence[Run], terms: Terms, *, baseline_runs: int, has_anchor: bool = False
) -> NoiseReport:
    """Examine ``runs``, four or more, of code that did not change, in the order of time.

    ``baseline_runs`` is how many runs a baseline is recorded with. What is planned is for
    sessions that measure the same cases, on the same terms; ``has_anchor`` is whether they
    are compared with an anchor too.
    """
    gathered = runs_by_case(runs)
    found = {case_id: measured_metrics(case) for case_id, case in gathered.items()}
    cases = [case[-1] for case in gathered.values()]
    prospect = Prospect(
        runs[-1].environment,
        terms,
        baseline_runs,
        family=max(1, _family(gathered, found)),
        share=alpha_shares([case.front for case in cases], cases, has_anchor=has_anchor).changes,
    )
    examined = [(gathered[case_id], m) for case_id, m in _measured(found)]
    return NoiseReport(
        runs=len(runs),
        alpha=terms.alpha,
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
