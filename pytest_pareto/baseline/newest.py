"""The newest session of a baseline as runs, to be compared with something else."""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain

from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import BUILT_IN, HOST_REFERENCE, LATENCY, Kind, Metric
from pytest_pareto.model.run import CaseRun, Measurement, Run

Policies = Mapping[tuple[str, str], Metric]


def newest_runs(baseline: Baseline, policies: Policies) -> tuple[Run, ...]:
    """Return what the newest session of each metric measured.

    A baseline holds no tolerances: they come from ``policies``, by case id and metric name, else
    from the built-in metrics, and are 0 elsewhere. The runs are of the environment that most of
    the newest sessions have; what another one measured is absent where its scope forbids that.
    """
    newest = [h.newest for case in baseline.cases.values() for h in case.metrics.values()]
    ((name, _),) = Counter(session.env for session in newest).most_common(1)
    here = baseline.environments[name]
    cases = baseline.cases.values()
    finished = frozenset(case.case_id for case in cases)
    return tuple(
        Run(
            here,
            {case.case_id: _case(case, at, baseline, here, policies) for case in cases},
            finished=finished,
        )
        for at in range(max(len(session.runs) for session in newest))
    )


def _case(
    case: CaseHistory, at: int, baseline: Baseline, here: Environment, policies: Policies
) -> CaseRun:
    found = chain.from_iterable(
        _measured(
            _policy(case.case_id, name, history, policies),
            history,
            at,
            here.mismatch(baseline.environments[history.newest.env], history.scope),
        )
        for name, history in case.metrics.items()
    )
    return CaseRun(case.case_id, case.case_id, case.front, case.source, tuple(found))


def _policy(case_id: str, name: str, history: MetricHistory, policies: Policies) -> Metric:
    for known in (policies.get((case_id, name)), BUILT_IN.get(name)):
        if known is not None and history.disagreement(known) is None:
            return known.with_policy(gates=history.gates)
    return Metric(
        name,
        history.unit,
        history.better,
        history.kind,
        history.scope,
        tolerance=0.0,
        relative=False,
        gates=history.gates,
    )


def _measured(
    metric: Metric, history: MetricHistory, at: int, mismatch: str | None
) -> Iterator[Measurement]:
    session, samples = history.newest, history.samples
    # An exact metric that came out the same in every run is written once.
    place = 0 if metric.kind is Kind.EXACT and len(session.runs) == 1 else at
    if mismatch is not None:
        yield Measurement(metric, absent=f"its newest session is of another machine: {mismatch}")
    elif place >= len(session.runs):
        yield Measurement(metric, absent="its newest session has no more runs")
    elif samples is not None:
        whole = session.runs[place] if metric.kind is Kind.SET else None
        yield Measurement(metric, samples.values, samples.ids, whole=whole)
    else:
        yield Measurement(metric, (session.runs[place],))
        if metric.name == LATENCY.name and session.reference:
            yield Measurement(HOST_REFERENCE, (session.reference[place],))
