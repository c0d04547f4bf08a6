"""Holm's correction of all tests that can convict: of the baseline, and of the anchor."""

from collections.abc import Sequence
from dataclasses import replace

from pytest_pareto.model.verdict import CaseComparison, MetricResult


def correct_family(
    comparisons: Sequence[CaseComparison],
    share: float,
    family: frozenset[tuple[str, str]] | None = None,
) -> tuple[CaseComparison, ...]:
    """Correct what can convict for everything else that could: Holm over the ``family``.

    All gated metrics, or those named by case id and metric name: then no other convicts.

    Exact metrics stand outside: without noise there is nothing to be unlucky with.
    ``share`` is the part of alpha that changes of metrics may spend.
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
    """Correct what was compared with the anchor in the same way, by a family of its own."""
    beside = correct_family([replace(c, metrics=c.anchor) for c in comparisons], share)
    return tuple(
        replace(c, anchor=corrected.metrics)
        for c, corrected in zip(comparisons, beside, strict=True)
    )


def _corrected(result: MetricResult, p_convicting: float | None) -> MetricResult:
    if result.change is None or p_convicting is None:
        return result
    return replace(result, change=result.change.corrected(p_convicting))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjust p-values so that rejecting all at most alpha errs once with probability alpha.

    Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6
    (1979). Valid under any dependence. Returned in the order given, at most 1.
    """
    count = len(p_values)
    adjusted = [0.0] * count
    running = 0.0
    for rank, index in enumerate(sorted(range(count), key=lambda i: p_values[i])):
        running = max(running, (count - rank) * p_values[index])
        adjusted[index] = min(1.0, running)
    return tuple(adjusted)
