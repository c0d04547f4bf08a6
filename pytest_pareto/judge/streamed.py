"""Streams of other lengths than before, whose times are of other work."""

from pytest_pareto.model.metric import ITEMS, STREAMED
from pytest_pareto.model.verdict import CaseComparison, MetricResult


def other_items(case: CaseComparison) -> str | None:
    """Say how a stream's number of items is another than the baseline's, or no one number.

    A stream that was cut short is quicker, and no better: its times alone would say that it is.
    None for what is no stream, and where nothing of a stream could be measured.
    """
    items = case.metric(ITEMS.name)
    if items is None or items.metric.unit != ITEMS.unit:
        return None
    if items.candidate is None:
        if not any(_measured(case.metric(name)) for name in STREAMED):
            return None
        return f"the stream has no one number of items: {items.reason}"
    change = items.change
    if change is not None and change.estimate:
        return (
            f"the stream has {items.candidate:g} items, and before it had "
            f"{items.baseline:g}: what is measured of whole calls (latency) is of other work"
        )
    if change is not None and change.reason:
        return f"the stream has no one number of items: {change.reason}"
    return None


def _measured(result: MetricResult | None) -> bool:
    return result is not None and result.candidate is not None
