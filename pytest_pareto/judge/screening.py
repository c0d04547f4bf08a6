"""What looks worse, and is measured again before anybody is told that it is."""

from collections.abc import Iterable, Iterator

from pytest_pareto.judge.case import gated
from pytest_pareto.judge.creep import against_anchor
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.policy import SCREEN_ALPHA
from pytest_pareto.model.verdict import CaseComparison, Judgement, MetricResult


def flagged(judgement: Judgement) -> frozenset[tuple[str, str]]:
    """Name what looks worse to a session's own runs, as (case id, metric name).

    At α = 0.2, uncorrected, beside the baseline or the anchor. With them goes what is better in
    the same case, since it could rescue it. Scores of samples are a function of their seeds, and
    measuring them again says nothing new.
    """
    cases = [case.comparison for case in judgement.cases if case.comparison.gate]
    return frozenset(
        (case.case_id, result.metric.name)
        for case in cases
        if case.broken is None
        for side in (case, against_anchor(case))
        for result in _to_confirm(side)
    )


def suspected_changes(judgement: Judgement, names: Iterable[tuple[str, str]]) -> tuple[Change, ...]:
    """Return the changes of what was `flagged`, those since the anchor among them."""
    cases = {case.case_id: case.comparison for case in judgement.cases}
    found = (
        side.metric(name)
        for case, name in names
        for side in (cases[case], against_anchor(cases[case]))
    )
    return tuple(r.change for r in found if r is not None and r.change is not None)


def confirming_level(
    judgement: Judgement, names: frozenset[tuple[str, str]], alpha: float
) -> float:
    """Return the level at which each of these is judged, once both sides of it are measured anew.

    Scores share ``alpha`` with them, since they are judged as well, and not measured again.
    """
    tested = [
        name
        for case in judgement.cases
        if case.comparison.gate
        for result in gated(case.comparison)
        if result.change is not None and not result.change.exact
        for name in [(case.case_id, result.metric.name)]
        if name in names or result.metric.kind.sampled
    ]
    return alpha * judgement.shares.changes / max(1, len(tested))


def only_exact(judgement: Judgement, names: Iterable[tuple[str, str]]) -> bool:
    """Whether all of these are compared as they stand, so that one more look will do."""
    return all(change.exact for change in suspected_changes(judgement, names))


def _to_confirm(case: CaseComparison) -> Iterator[MetricResult]:
    results = [result for result in gated(case) if result.change is not None]
    if not any(_looks_worse(result) for result in results):
        return
    for result in results:
        repeatable = not result.metric.kind.sampled
        if repeatable and (_looks_worse(result) or result.outcome is Outcome.BETTER):
            yield result


def _looks_worse(result: MetricResult) -> bool:
    return result.change is not None and result.change.p_worse <= SCREEN_ALPHA
