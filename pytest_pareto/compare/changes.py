"""Every metric of a matched case: tested, with its budgets and notes."""

import math
from collections.abc import Sequence
from dataclasses import replace

from pytest_pareto.compare.budgets import check_budget
from pytest_pareto.compare.exact import compare_exact
from pytest_pareto.compare.host_adjustment import for_now_apart
from pytest_pareto.compare.levels import Measured, level_for_people
from pytest_pareto.compare.matching import Match
from pytest_pareto.compare.pairs import MatchedCase
from pytest_pareto.compare.runs import compare_levels
from pytest_pareto.compare.scores import align, compare_scores
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.metric import Budget, Metric
from pytest_pareto.model.policy import AlphaShares, Terms
from pytest_pareto.model.verdict import BudgetResult, CaseComparison, MetricResult
from pytest_pareto.stats.variance import Spread


def compare_case(
    case: MatchedCase, terms: Terms, shares: AlphaShares, family: float, budgets: int
) -> CaseComparison:
    """Compare every metric of one case, and check its budgets.

    ``family`` and ``budgets`` are how many tests and budgets the session has in all.
    """
    results = compare_metrics(case, terms, family, shares.changes)
    # What cannot fail the build takes nothing from what can, and is told at the full level.
    alpha = terms.alpha * (shares.budgets / max(1, budgets) if case.run.gate else 1.0)
    return CaseComparison(
        case_id=case.case_id,
        nodeid=case.run.nodeid,
        front=case.run.front,
        metrics=results,
        gate=case.run.gate,
        budgets=tuple(_budget(b, case.own, alpha, terms) for b in case.run.budgets),
        notes=_notes(case, stored=not terms.interleaved),
        broken=None if case.measured else _measured_nothing(results),
        confirmed=case.confirmed,
    )


def _budget(budget: Budget, case: MatchedCase, alpha: float, terms: Terms) -> BudgetResult:
    found = case.matches.get(budget.metric)
    match found:
        # What broke was asked for and has no number: nothing says that the bound is kept.
        case MetricResult(outcome=Outcome.BROKEN, candidate=None, reason=reason):
            return BudgetResult(budget.metric, budget.text, None, broken=True, reason=reason)
    measured = case.measured.get(budget.metric)
    return check_budget(
        budget,
        measured,
        case.spreads.get(budget.metric),
        alpha,
        kept_alpha=terms.alpha,
        session_spread=_assumed(measured, terms),
    )


def compare_metrics(
    case: MatchedCase, terms: Terms, family: float, share: float
) -> tuple[MetricResult, ...]:
    """Compare every metric of one case, where ``family`` tests have a ``share`` of alpha."""
    # Testing m metrics with a share of alpha has the resolution of m / share of them.
    corrected = max(1, family) / share
    return tuple(
        _per_item(
            _compare(
                match,
                _terms_of(name, case, terms),
                corrected,
                case.priors.get(name),
            )
            if isinstance(match, Match)
            else match,
            case.run.items,
        )
        for name, match in case.matches.items()
    )


def _per_item(result: MetricResult, items: int | None) -> MetricResult:
    """Note how many items a reading works through, where dividing by them means something."""
    divisible = result.metric.unit in ("s", "J") and result.candidate is not None
    return replace(result, items=items) if items and divisible else result


def _terms_of(name: str, case: MatchedCase, terms: Terms) -> Terms:
    confirmed = name in case.confirmed
    return replace(terms, confirmed=confirmed, confirming=0 if confirmed else terms.confirming)


def _compare(match: Match, terms: Terms, family: float, prior: Spread | None) -> MetricResult:
    measured, metric = match.measured, match.measured.metric
    level = match.accepted_level()
    change = _change(match, terms, family, prior, level)
    return for_now_apart(match, change, terms) or MetricResult(
        metric,
        baseline=level_for_people(level, metric),
        candidate=level_for_people(measured.runs, metric),
        first=measured.first,
        change=change,
        notes=(*measured.notes, *match.notes),
        looks=measured.looks,
    )


def _change(
    match: Match, terms: Terms, family: float, prior: Spread | None, level: Sequence[float]
) -> Change:
    measured, metric = match.measured, match.measured.metric
    if match.exact:
        return compare_exact(
            match.sessions[-1].runs,
            measured.runs,
            better=metric.better,
            relative=metric.relative,
            tolerance=metric.tolerance,
            alpha=terms.alpha,
        )
    if metric.kind.sampled:
        assert measured.samples is not None
        ids, before, after = align(
            match.accepted_scores(),
            dict(zip(measured.samples.ids, measured.samples.values, strict=True)),
        )
        return compare_scores(
            ids,
            before,
            after,
            better=metric.better,
            tolerance=metric.tolerance,
            alpha=terms.alpha,
            family=family,
            kind=metric.kind,
            looks=measured.looks,
        )
    return compare_levels(
        match.sessions,
        match.runs,
        better=metric.better,
        relative=metric.relative,
        tolerance=metric.tolerance,
        alpha=terms.alpha,
        family=family,
        session_spread=session_sd(metric, match.session_spread, level),
        prior=prior,
        doubt=match.doubt,
        confirming=terms.confirming,
        interleaved=terms.interleaved,
        confirmed=terms.confirmed,
    )


def _assumed(measured: Measured | None, terms: Terms) -> float:
    return 0.0 if measured is None else terms.spreads.on_one_board(measured.metric.scope)


def session_sd(metric: Metric, spread: float, level: Sequence[float]) -> float:
    """Return the assumed spread between sessions on the working scale of the metric.

    ``spread`` is a fraction of the level.
    """
    return math.log1p(spread) if metric.relative else spread * max(map(abs, level))


_CHANGED = "the test itself changed since the baseline was recorded"
_CHANGED_NOW = "the test itself is another than that of the old code"


def _notes(case: MatchedCase, *, stored: bool) -> tuple[str, ...]:
    then = case.history.source if case.history is not None else ""
    if then and case.run.source and then != case.run.source:
        return (_CHANGED if stored else _CHANGED_NOW,)
    return ()


def _measured_nothing(results: Sequence[MetricResult]) -> str:
    reasons = dict.fromkeys(
        f"{r.metric.name}: {r.reason}" for r in results if r.outcome is not Outcome.MISSING
    )
    return f"nothing could be measured ({'; '.join(reasons)})"
