"""What outcomes, verdicts and counts are called, and which case is told first."""

from collections.abc import Iterable

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import Metric
from pytest_pareto.model.verdict import CaseVerdict, MetricResult, Position, Verdict

_OUTCOMES = {
    Outcome.WORSE: "WORSE",
    Outcome.BETTER: "BETTER",
    Outcome.UNCHANGED: "unchanged",
    Outcome.NOT_WORSE: "not worse",
    Outcome.INCONCLUSIVE: "inconclusive",
    Outcome.NEW: "new",
    Outcome.MISSING: "MISSING",
    Outcome.NOT_COMPARABLE: "not comparable",
    Outcome.BROKEN: "BROKEN",
    Outcome.ABSENT: "absent",
}
_VERDICTS = {
    Verdict.DOMINATED: "dominated",
    Verdict.WORSE: "worse",
    Verdict.TRADE_OFF: "trade-off",
    Verdict.IMPROVED: "improved",
    Verdict.UNCHANGED: "unchanged",
    Verdict.NOT_WORSE: "not worse",
    Verdict.INCONCLUSIVE: "inconclusive",
    Verdict.NEW: "new",
    Verdict.MISSING: "missing",
    Verdict.SKIPPED: "skipped",
    Verdict.NOT_COMPARABLE: "not comparable",
    Verdict.BROKEN: "broken",
}
HARMED = frozenset({Verdict.DOMINATED, Verdict.WORSE, Verdict.TRADE_OFF})
HARMLESS = frozenset({Verdict.IMPROVED, Verdict.UNCHANGED, Verdict.NOT_WORSE})
BROKE_A_BUDGET = "broke a budget"
NO_GRAVER_THAN_A_BUDGET = HARMLESS | {Verdict.INCONCLUSIVE, Verdict.NEW, Verdict.NOT_COMPARABLE}
_SEVERITY = (
    Verdict.BROKEN,
    Verdict.DOMINATED,
    Verdict.WORSE,
    Verdict.MISSING,
    Verdict.TRADE_OFF,
    Verdict.INCONCLUSIVE,
    Verdict.SKIPPED,
    Verdict.NOT_COMPARABLE,
    Verdict.IMPROVED,
    Verdict.NEW,
    Verdict.NOT_WORSE,
    Verdict.UNCHANGED,
)
_GRAVITY = {
    Outcome.WORSE: 0,
    Outcome.BROKEN: 1,
    Outcome.MISSING: 2,
    Outcome.BETTER: 3,
    Outcome.INCONCLUSIVE: 4,
    Outcome.NOT_COMPARABLE: 5,
}


def gravest_first(results: Iterable[MetricResult]) -> list[MetricResult]:
    """Order the metrics of a case: what it fails for, what got better, diagnostics at the end."""
    return sorted(results, key=lambda r: (not r.metric.gates, _GRAVITY.get(r.outcome, 9)))


def outcome_word(outcome: Outcome, metric: Metric) -> str:
    """Name a metric's outcome; capitals are for what a reader must not miss."""
    return _OUTCOMES[outcome] if metric.gates else _OUTCOMES[outcome].lower()


def case_label(case: CaseVerdict) -> str:
    """Name what became of a case: in capitals where it fails the build."""
    if case.place.position is Position.LOST:
        word = "lost its place"
    elif only_crept(case):
        word = "crept"
    elif _mainly_breaks_a_budget(case):
        word = "budget broken"
        if case.verdict not in HARMLESS:
            word = f"{_VERDICTS[case.verdict]}, {word}"
    else:
        word = _VERDICTS[case.verdict]
    if case.verdict in HARMLESS and is_partly_compared(case):
        word = f"{word}, only partly compared"
    if case.fails:
        return word.upper()
    return word if case.comparison.gate else f"{word}, not gated"


def count_word(case: CaseVerdict) -> str:
    """Name the group in which the headline counts a case."""
    if case.common is not None:
        return "moved together"
    if case.fails:
        return _failing_word(case)
    if not case.comparison.gate and (case.verdict in HARMED or case.crept):
        return "crept, not gated" if only_crept(case) else "worse, not gated"
    if case.verdict is Verdict.TRADE_OFF:
        return "traded"
    if case.verdict in HARMLESS and is_partly_compared(case):
        return "only partly compared"
    return "worse, let through" if case.verdict in HARMED else _VERDICTS[case.verdict]


def _failing_word(case: CaseVerdict) -> str:
    if only_crept(case):
        return "crept"
    if case.verdict in HARMED or case.place.position is Position.LOST:
        return "regressed"
    if _mainly_breaks_a_budget(case):
        return BROKE_A_BUDGET
    unmeasured = {
        Verdict.NEW: "with nothing to compare with",
        Verdict.NOT_COMPARABLE: "not comparable",
    }
    if case.verdict in HARMLESS:
        return "only partly compared"
    return unmeasured.get(case.verdict, _VERDICTS[case.verdict])


def only_crept(case: CaseVerdict) -> bool:
    """Whether all that is worse in a case, and not accepted, is so since the anchor."""
    worse = {
        r.metric.name
        for r in case.comparison.metrics
        if r.metric.gates and r.outcome is Outcome.WORSE
    }
    graver = case.verdict in {Verdict.BROKEN, Verdict.MISSING} or worse - {*case.crept}
    return bool(case.crept) and not graver and case.place.position is not Position.LOST


def uncompared(case: CaseVerdict) -> list[MetricResult]:
    """Return the metrics that could fail the build and had nothing to be compared with."""
    return [
        r
        for r in case.comparison.metrics
        if r.metric.gates and r.outcome in (Outcome.NEW, Outcome.NOT_COMPARABLE)
    ]


def is_partly_compared(case: CaseVerdict) -> bool:
    """Whether a metric that could fail the build had nothing to be compared with."""
    return bool(uncompared(case))


def breaks_a_budget(case: CaseVerdict) -> bool:
    """Whether a case is beyond a bound that it may not cross."""
    return any(budget.broken for budget in case.comparison.budgets)


def _mainly_breaks_a_budget(case: CaseVerdict) -> bool:
    """Whether a broken budget is the gravest that is to be said of a case."""
    lost = case.place.position is Position.LOST
    return (
        breaks_a_budget(case)
        and case.verdict in NO_GRAVER_THAN_A_BUDGET
        and not lost
        and not only_crept(case)
    )


def severity(case: CaseVerdict) -> tuple[bool, int]:
    """Sort key: failing cases before others, and among each the gravest first."""
    lost = case.place.position is Position.LOST
    return not case.fails, 0 if lost else _SEVERITY.index(case.verdict)
