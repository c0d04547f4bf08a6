"""Where cases stood that were not measured now: points from what the baseline holds alone."""

from collections.abc import Mapping

from pytest_pareto.compare.matching import sessions_here
from pytest_pareto.compare.points import Axis, Point, exact_axis, paired_axis, remembered_axis
from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import Kind, Metric
from pytest_pareto.stats.variance import case_spread


def resting_point(
    history: CaseHistory, policy: Mapping[str, Metric], baseline: Baseline, now: Environment
) -> Point:
    """Place a case that was not measured now, under the tolerances of those that were."""
    axes = {
        name: axis
        for name, past in history.metrics.items()
        if name in policy
        and policy[name].gates
        and (axis := axis_at_rest(past, policy[name], baseline, now)) is not None
    }
    return Point(history.case_id, axes)


def axis_at_rest(
    past: MetricHistory, metric: Metric, baseline: Baseline, now: Environment
) -> Axis | None:
    """Place a metric where its baseline has it, or nowhere if that was not measured here."""
    sessions = sessions_here(past, metric.scope, baseline, now)
    if past.disagreement(metric) is not None or not sessions:
        return None
    if past.samples is not None:
        return paired_axis(past.samples.ids, past.samples.values, metric)
    if past.kind is Kind.EXACT:
        return exact_axis(sessions[-1].runs, metric)
    spread = case_spread(sessions[:-1], sessions[-1].runs, relative=metric.relative)
    return remembered_axis(sessions, metric, spread)
