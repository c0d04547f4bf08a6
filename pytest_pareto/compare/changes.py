"""The tests of a session: every metric of every case, its budgets, and the claims about fronts.

`test` turns pairs into changes. The kind of a metric selects the statistic: exact metrics are
compared directly, scores are paired by sample, noisy levels use Student's t over runs.
"""

from collections.abc import Sequence
from dataclasses import replace

from pytest_pareto.compare.budgets import check_budget
from pytest_pareto.compare.dominance import claim_fronts
from pytest_pareto.compare.exact import compare_exact
from pytest_pareto.compare.host_adjustment import not_comparable_now
from pytest_pareto.compare.levels import reported_level
from pytest_pareto.compare.matching import Pair
from pytest_pareto.compare.multiplicity import AlphaSplit
from pytest_pareto.compare.pairs import CasePairs, Pairs, family_size
from pytest_pareto.compare.runs import compare_levels
from pytest_pareto.compare.scores import align, compare_scores
from pytest_pareto.model.attribution import Attribution, attribute
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.metric import Budget
from pytest_pareto.model.policy import AlphaShares, Policy
from pytest_pareto.model.session_record import Changes
from pytest_pareto.model.verdict import BudgetResult, CaseComparison, ComparedRuns, MetricResult


def test(pairs: Pairs, alpha: AlphaSplit) -> Changes:
    """Test every pair of a session, and every claim about its fronts, at its part of alpha.

    All noisy metrics that gate share alpha, whether measured again or not: the confirming runs are
    compared with the same stored baseline as the first ones, and share its error. Simulated with 60
    metrics at their tolerances: a correction for the flagged metrics alone fails 13 to 16 % of the
    builds, this one 3 %. Where both sides were measured again, only the flagged metrics share
    alpha, unless so few are tested that all runs decide together (`Pairs.pooled`).
    """
    record, past = pairs.levels.record, pairs.past
    policy = record.policy
    comparisons = [
        compare_case(case, policy, alpha.shares, alpha.family, alpha.budgets)
        for case in pairs.cases
    ]
    if pairs.anchored is not None:
        family = family_size(pairs.anchored)
        drifts = {
            case.case_id: compare_metrics(case, policy, family, alpha.shares.anchor)
            for case in pairs.anchored
        }
        comparisons = [replace(c, anchor=drifts.get(c.case_id, ())) for c in comparisons]
    return Changes(
        record,
        past,
        tuple(comparisons),
        claim_fronts(past.baseline, pairs.cases, record.environment, policy.spreads),
        alpha.shares,
        alpha.tested,
        pairs.pooled,
    )


def compare_case(
    case: CasePairs, policy: Policy, shares: AlphaShares, family: float, budgets: int
) -> CaseComparison:
    """Compare every metric of one case, and check its budgets.

    ``family`` and ``budgets`` are how many tests and budgets the session has in all.
    """
    notes = _notes(case)
    results = compare_metrics(case, policy, family, shares.changes)
    # Budgets that cannot fail the build take no share of alpha, and are tested at its full level.
    alpha = policy.alpha * (shares.budgets / max(1, budgets) if case.run.gate else 1.0)
    return CaseComparison(
        case_id=case.case_id,
        nodeid=case.run.nodeid,
        front=case.run.front,
        metrics=results,
        gate=case.run.gate,
        budgets=tuple(_budget(b, case.own, alpha, policy) for b in case.run.budgets),
        notes=notes,
        broken=_measured_nothing(case, results),
        confirmed=case.confirmed,
    )


def compare_metrics(
    case: CasePairs, policy: Policy, family: float, share: float
) -> tuple[MetricResult, ...]:
    """Compare every metric of one case, where ``family`` tests divide a ``share`` of alpha."""
    # Testing m metrics with a share of alpha has the resolution of m / share of them.
    corrected = max(1, family) / share
    results = []
    for name, found in case.pairs.items():
        if isinstance(found, Pair):
            found = _compare(case, name, found, policy, corrected)  # noqa: PLW2901 - its result
        # Only a time or an energy can be divided by the items of a call.
        divisible = found.metric.unit in ("s", "J") and found.candidate is not None
        items = case.run.items if divisible else None
        results.append(replace(found, items=items) if items else found)
    return tuple(results)


def _compare(case: CasePairs, name: str, pair: Pair, policy: Policy, family: float) -> MetricResult:
    """Test one pair and return its result; NOT_COMPARABLE where its adjustment reached too far."""
    measured, metric = pair.measured, pair.measured.metric
    change = _change(case, name, pair, policy, family)
    if pair.apart is not None:
        confirming = policy.confirming > 0 and name not in case.confirmed
        apart = not_comparable_now(pair, change, alpha=policy.alpha, confirming=confirming)
        if apart is not None:
            return apart
    baseline = reported_level(pair.accepted_level(), metric)
    candidate = reported_level(measured.runs, metric)
    return MetricResult(
        metric,
        baseline=baseline,
        candidate=candidate,
        first=measured.first,
        change=change,
        notes=(*measured.notes, *pair.notes),
        looks=measured.looks,
        without_waiting=measured.runs if measured.without_waiting else (),
        attribution=_attribution(case.own, name, change, candidate - baseline),
        runs=_compared_runs(case, name, pair) if change.estimate > change.tolerance else None,
    )


def _compared_runs(case: CasePairs, name: str, pair: Pair) -> ComparedRuns:
    """Return the levels of the runs that were compared, and of those that flagged the metric.

    Of a metric that stopped early, the baseline is the mean of the samples scored so far.
    """
    epoch = pair.sessions[-1].epoch
    sessions = tuple(session.runs for session in pair.sessions if session.epoch == epoch)
    if not pair.measured.complete:
        sessions = (tuple(pair.accepted_level()),)
    first = case.own.pairs.get(name)
    screen = first.runs if name in case.confirmed and isinstance(first, Pair) else ()
    pooled = screen == pair.runs[: len(screen)]
    return ComparedRuns(sessions, pair.runs, () if pooled else screen)


def _attribution(
    own: CasePairs, name: str, change: Change, difference: float
) -> Attribution | None:
    """Attribute the change of a level that moved to its parts; None where a side has no parts.

    The parts are those of the session's own runs: confirming runs record none.
    """
    moved = change.outcome in {Outcome.WORSE, Outcome.BETTER} or change.suspected
    measured = own.measured.get(name)
    recorded = None if own.history is None else own.history.metrics.get(name)
    if not moved or measured is None or recorded is None:
        return None
    before, after = recorded.breakdown, measured.breakdown
    return None if before is None or after is None else attribute(before, after, difference)


def _change(case: CasePairs, name: str, pair: Pair, policy: Policy, family: float) -> Change:
    """Test one pair by the statistic for its kind of metric."""
    measured, metric = pair.measured, pair.measured.metric
    if pair.exact:
        return compare_exact(
            pair.sessions[-1].runs,
            measured.runs,
            better=metric.better,
            relative=metric.relative,
            tolerance=metric.tolerance,
            alpha=policy.alpha,
        )
    if metric.kind.sampled:
        assert measured.samples is not None
        ids, before, after = align(
            pair.accepted_scores(),
            dict(zip(measured.samples.ids, measured.samples.values, strict=True)),
        )
        return compare_scores(
            ids,
            before,
            after,
            better=metric.better,
            tolerance=metric.tolerance,
            alpha=policy.alpha,
            family=family,
            kind=metric.kind,
            looks=measured.looks,
        )
    confirmed = name in case.confirmed
    return compare_levels(
        pair.sessions,
        pair.runs,
        better=metric.better,
        relative=metric.relative,
        tolerance=metric.tolerance,
        alpha=policy.alpha,
        family=family,
        session_spread=pair.assumed_sd,
        between_sessions=case.between_sessions.get(name),
        prior=case.priors.get(name),
        adjustment_error=pair.adjustment_error,
        confirming=0 if confirmed else policy.confirming,
        interleaved=not case.stored,
        confirmed=confirmed,
    )


def _budget(budget: Budget, case: CasePairs, alpha: float, policy: Policy) -> BudgetResult:
    """Test one budget against the session's own runs of a case."""
    match case.pairs.get(budget.metric):
        # A broken metric has no number, so nothing shows that its bound is kept.
        case MetricResult(outcome=Outcome.BROKEN, candidate=None, reason=reason):
            return BudgetResult(budget.metric, budget.text, None, broken=True, reason=reason)
        case MetricResult(for_now=True, candidate=level, reason=reason):
            return BudgetResult(budget.metric, budget.text, level, broken=None, reason=reason)
    measured = case.measured.get(budget.metric)
    assumed = 0.0 if measured is None else policy.spreads.on_same_board(measured.metric.scope)
    return check_budget(
        budget,
        measured,
        case.spreads.get(budget.metric),
        alpha,
        kept_alpha=policy.alpha,
        session_spread=assumed,
    )


_CHANGED = "the test itself changed since the baseline was recorded"
_CHANGED_NOW = "the test itself is another than that of the old code"


def _notes(case: CasePairs) -> tuple[str, ...]:
    """Return a note where the source of the test changed."""
    then = case.history.source if case.history is not None else ""
    if then and case.run.source and then != case.run.source:
        return (_CHANGED if case.stored else _CHANGED_NOW,)
    return ()


def _measured_nothing(case: CasePairs, results: Sequence[MetricResult]) -> str | None:
    """Return the reason for which a case without any measured metric is broken, or None."""
    # What a busy host measured counts as well, whether or not it could be compared.
    if case.measured or any(r.for_now or r.change is not None for r in results):
        return None
    reasons = dict.fromkeys(
        f"{r.metric.name}: {r.reason}" for r in results if r.outcome is not Outcome.MISSING
    )
    return f"nothing could be measured ({'; '.join(reasons)})"
