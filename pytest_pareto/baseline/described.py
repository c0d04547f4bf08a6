"""What an edit is about, in a few words and in the metric's own unit."""

from pytest_pareto.baseline.actions import Action, Choice, Recorded
from pytest_pareto.baseline.emit import in_full
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.metric import Kind, Metric
from pytest_pareto.model.verdict import MetricResult


def describe(choice: Choice, result: MetricResult, recorded: Recorded | None) -> str:
    """Say in a few words what an action is about; figures in the metric's own unit."""
    if choice.action is Action.DROP or recorded is None:
        return "no longer measured"
    if not choice.action.accepts:
        return plural(len(recorded.levels), "run")
    if choice.afresh or result.baseline is None or result.candidate is None:
        return result.reason or "recorded afresh"
    return step_words(result.baseline, result.candidate, result.metric)


def step_words(then: float | None, now: float, metric: Metric) -> str:
    """Write the step from one accepted level to another in the metric's own unit: "0.2 → 0.1 s"."""
    texts = [_figure(level, metric) for level in (then, now) if level is not None]
    return f"{' → '.join(texts)} {metric.unit}".rstrip()


def _figure(level: float, metric: Metric) -> str:
    return str(in_full(level)) if metric.kind is Kind.EXACT else f"{level:.4g}"
