"""Holm's correction of the tests that can fail a build, against the baseline and the anchor."""

from collections.abc import Sequence
from dataclasses import replace

from pytest_pareto.model.verdict import CaseComparison, MetricResult


def correct_family(
    comparisons: Sequence[CaseComparison],
    share: float,
    family: frozenset[tuple[str, str]] | None = None,
) -> tuple[CaseComparison, ...]:
    """Correct the p-values of all changes of gated metrics by Holm's method.

    ``family`` names the metrics that are corrected and can be WORSE, by (case id, metric name). The
    p-values of all others are then 1. Without it, all gated metrics belong to the family. Exact
    metrics do not belong to it, because without noise no result is due to chance. ``share`` is the
    part of alpha for changes of metrics.
    """
    tested = [
        (comparison.case_id, result.metric.name, result.change.p_worse)
        for comparison in comparisons
        if comparison.gate
        for result in comparison.gated
        if result.change is not None and not result.change.exact
    ]
    members = [each for each in tested if family is None or each[:2] in family]
    adjusted = holm([p for _, _, p in members])
    corrected = {
        (case, name): min(1.0, p / share)
        for (case, name, _), p in zip(members, adjusted, strict=True)
    }
    corrected |= {(case, name): 1.0 for case, name, _ in tested if (case, name) not in corrected}
    return tuple(
        replace(
            c,
            metrics=tuple(
                _corrected(r, corrected.get((c.case_id, r.metric.name))) for r in c.metrics
            ),
        )
        for c in comparisons
    )


def correct_anchored(
    comparisons: Sequence[CaseComparison], share: float
) -> tuple[CaseComparison, ...]:
    """Correct the changes since the anchor in the same way, as a family of their own."""
    drifts = correct_family([replace(c, metrics=c.anchor) for c in comparisons], share)
    return tuple(
        replace(c, anchor=corrected.metrics)
        for c, corrected in zip(comparisons, drifts, strict=True)
    )


def _corrected(result: MetricResult, p_corrected: float | None) -> MetricResult:
    if result.change is None or p_corrected is None:
        return result
    return replace(result, change=result.change.corrected(p_corrected))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Return p-values adjusted for the family-wise error rate, in the order given, at most 1.

    Rejecting all that are at most alpha rejects a true hypothesis with a probability of at most
    alpha, under any dependence. Holm, "A simple sequentially rejective multiple test procedure",
    Scand. J. Statist. 6 (1979).
    """
    count = len(p_values)
    adjusted = [0.0] * count
    running = 0.0
    for rank, index in enumerate(sorted(range(count), key=lambda i: p_values[i])):
        running = max(running, (count - rank) * p_values[index])
        adjusted[index] = min(1.0, running)
    return tuple(adjusted)
