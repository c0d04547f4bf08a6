"""Whether what has been scored of a case decides about it, so that the rest can be saved."""

from pytest_pareto.compare.cases import compare_case
from pytest_pareto.compare.matched import match_cases
from pytest_pareto.compare.stopping import decided
from pytest_pareto.compare.terms import Terms
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.history import Baseline
from pytest_pareto.model.metric import Kind
from pytest_pareto.model.policy import AlphaShares
from pytest_pareto.model.run import CaseRun

_SHARES = AlphaShares.of(has_rivals=True, has_budgets=True, has_anchor=True)


def is_decided(scored: CaseRun, baseline: Baseline, now: Environment, terms: Terms) -> bool:
    """Return whether every gated score of a case is decided at its latest look, budgets too.

    ``scored`` holds the scores so far, with their `Looks`. The process that scores knows neither
    what else the session tests nor its budgets, so the level is that of a session which tests
    all that the baseline holds: what is decided then, is in any smaller one. What has nothing to
    be compared with is never decided.
    """
    (case,) = match_cases(baseline, {scored.case_id: (scored,)}, now, terms)
    family = _gated(baseline) + len(scored.measurements)
    budgets = len(scored.budgets) * (len(baseline.cases) + 1)
    compared = compare_case(case, terms, _SHARES, family, budgets)
    measured = {m.metric.name for m in scored.measurements if m.metric.gates}
    changes = [result.change for result in compared.metrics if result.metric.name in measured]
    corrected = family / _SHARES.changes
    return (
        bool(changes)
        and all(change is not None and decided(change, corrected) for change in changes)
        and all(b.broken is not None for b in compared.budgets if b.metric in measured)
    )


def _gated(baseline: Baseline) -> int:
    return sum(
        metric.gates and metric.kind is not Kind.EXACT
        for case in baseline.cases.values()
        for metric in case.metrics.values()
    )
