"""What is news of a case: whether it deserves a word of its own, or is told with others."""

from collections.abc import Collection

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.verdict import CaseVerdict, Position, Verdict
from pytest_pareto.report.rows import build_row
from pytest_pareto.report.text import clean

_WITHOUT_NEWS = {Verdict.UNCHANGED, Verdict.NOT_WORSE}
_FOLDED = {Outcome.NEW, Outcome.NOT_COMPARABLE, Outcome.MISSING}


def is_merely_undecided(case: CaseVerdict) -> bool:
    """Whether all there is to say of a case is that something could not be decided."""
    return (
        case.verdict is Verdict.INCONCLUSIVE
        and not case.fails
        and not case.notices
        and not has_news(case)
    )


def has_news(case: CaseVerdict) -> bool:
    """Whether something changed in a case, or may have, beside what fails or is noticed."""
    if case.verdict is not Verdict.INCONCLUSIVE:
        return case.verdict not in _WITHOUT_NEWS
    return any(
        change.suspected or (result.metric.gates and change.outcome is Outcome.BETTER)
        for result in case.comparison.metrics
        if (change := result.change) is not None
    )


def only_moves(case: CaseVerdict, moving: Collection[str]) -> bool:
    """Whether all the news of a case is of its metrics that are ``moving`` with other cases."""
    if case.fails or case.notices or not moving or case.verdict is Verdict.INCONCLUSIVE:
        return False
    told = {r.metric.name for r in case.comparison.metrics if build_row(r).remarkable}
    return bool(told) and told.issubset(moving)


def uncompared_text(case: CaseVerdict) -> str:
    """Join why metrics were not compared, "" where the case has other news to tell."""
    lack = case.comparison.missing or case.comparison.skipped
    if lack is not None:
        return clean(lack)
    gated = [result for result in case.comparison.metrics if result.metric.gates]
    if (
        case.verdict not in _WITHOUT_NEWS | {Verdict.NEW, Verdict.NOT_COMPARABLE, Verdict.MISSING}
        or any(budget.broken is not False for budget in case.comparison.budgets)
        or case.place.position in {Position.LOST, Position.OVERTAKEN}
        or case.crept
        or any(r.outcome not in _FOLDED and build_row(r).remarkable for r in gated)
    ):
        return ""
    reasons: dict[str, list[str]] = {}
    for result in gated:
        if result.outcome in _FOLDED:
            reasons.setdefault(result.reason or str(result.outcome), []).append(result.metric.name)
    if len(reasons) == 1 and all(r.outcome in _FOLDED for r in gated):
        return clean(next(iter(reasons)))
    return clean("; ".join(f"{', '.join(who)}: {why}" for why, who in reasons.items()))
