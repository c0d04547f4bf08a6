"""Wording of outcomes, verdicts and counts, and the order of severity in which reports list cases.

`case_label` words one case, `count_word` names the group in which a summary counts it, and
`severity` is the sort key of all reports. `rule_texts` words which rules changed, and
`attribution_rows` which parts of a metric moved.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import fsum

from pytest_pareto.model.attribution import PART_DIGITS, Attribution, Contribution
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.metric import HOST_COUNTS, Metric
from pytest_pareto.model.verdict import (
    CaseVerdict,
    MetricResult,
    Position,
    RuleChange,
    RuleKind,
    Verdict,
)
from pytest_pareto.report.numbers import (
    Scale,
    absolute_change,
    amount,
    levels,
    result_levels,
    trimmed,
)
from pytest_pareto.report.text import clean, shorten

_OUTCOME_WORDS = {
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
_VERDICT_WORDS = {
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
HARMFUL_VERDICTS = frozenset({Verdict.DOMINATED, Verdict.WORSE, Verdict.TRADE_OFF})
HARMLESS_VERDICTS = frozenset({Verdict.IMPROVED, Verdict.UNCHANGED, Verdict.NOT_WORSE})
BROKE_BUDGET = "broke a budget"
PARTLY_COMPARED = "only partly compared"
_METRICS_SHOWN = 3
LESS_SEVERE_THAN_BUDGET = HARMLESS_VERDICTS | {
    Verdict.INCONCLUSIVE,
    Verdict.NEW,
    Verdict.NOT_COMPARABLE,
}
_VERDICT_ORDER = (
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
_OUTCOME_ORDER = {
    Outcome.WORSE: 0,
    Outcome.BROKEN: 1,
    Outcome.MISSING: 2,
    Outcome.BETTER: 3,
    Outcome.INCONCLUSIVE: 4,
    Outcome.NOT_COMPARABLE: 5,
}


def sort_by_severity(results: Iterable[MetricResult]) -> list[MetricResult]:
    """Return the metrics of a case, the most severe outcome first and diagnostics last."""
    return sorted(results, key=lambda r: (not r.metric.gates, _OUTCOME_ORDER.get(r.outcome, 9)))


def outcome_word(outcome: Outcome, metric: Metric) -> str:
    """Return the wording of a metric's outcome.

    Capitals mark harmful and improved outcomes of gated metrics, which a reader must not miss.
    """
    return _OUTCOME_WORDS[outcome] if metric.gates else _OUTCOME_WORDS[outcome].lower()


def case_label(case: CaseVerdict) -> str:
    """Return the wording of a case's result, in capitals where it fails the build."""
    if case.place.position is Position.LOST:
        word = "lost its place"
    elif only_drifted(case):
        word = "drifted"
    elif _budget_is_main_failure(case):
        word = "budget broken"
        if case.verdict not in HARMLESS_VERDICTS:
            word = f"{_VERDICT_WORDS[case.verdict]}, {word}"
    else:
        word = _VERDICT_WORDS[case.verdict]
    if case.verdict in HARMLESS_VERDICTS and is_partly_compared(case):
        word = f"{word}, {PARTLY_COMPARED}"
    if case.fails:
        return word.upper()
    return word if case.comparison.gate else f"{word}, not gated"


def count_word(case: CaseVerdict) -> str:
    """Return the name of the group in which the headline counts a case."""
    if case.common is not None:
        return "moved together"
    if case.fails:
        return _failing_word(case)
    if not case.comparison.gate and (case.verdict in HARMFUL_VERDICTS or case.crept):
        return "drifted, not gated" if only_drifted(case) else "worse, not gated"
    if case.verdict is Verdict.TRADE_OFF:
        return "traded"
    if case.verdict in HARMLESS_VERDICTS and is_partly_compared(case):
        return PARTLY_COMPARED
    return (
        "worse, let through" if case.verdict in HARMFUL_VERDICTS else _VERDICT_WORDS[case.verdict]
    )


def _failing_word(case: CaseVerdict) -> str:
    if only_drifted(case):
        return "drifted"
    if case.verdict in HARMFUL_VERDICTS or case.place.position is Position.LOST:
        return "regressed"
    if _budget_is_main_failure(case):
        return BROKE_BUDGET
    unmeasured = {
        Verdict.NEW: "with nothing to compare with",
        Verdict.NOT_COMPARABLE: "not comparable",
    }
    if case.verdict in HARMLESS_VERDICTS:
        return PARTLY_COMPARED
    return unmeasured.get(case.verdict, _VERDICT_WORDS[case.verdict])


def only_drifted(case: CaseVerdict) -> bool:
    """Whether a case is worse only since the anchor.

    Metrics whose change against the baseline is accepted do not count as worse.
    """
    worse = {
        r.metric.name
        for r in case.comparison.metrics
        if r.metric.gates and r.outcome is Outcome.WORSE
    }
    more_severe = case.verdict in {Verdict.BROKEN, Verdict.MISSING} or worse - {*case.crept}
    return bool(case.crept) and not more_severe and case.place.position is not Position.LOST


def uncompared_metrics(case: CaseVerdict) -> list[MetricResult]:
    """Return the gated metrics of a case that had nothing to be compared with."""
    return [
        r
        for r in case.comparison.metrics
        if r.metric.gates and r.outcome in (Outcome.NEW, Outcome.NOT_COMPARABLE)
    ]


def is_partly_compared(case: CaseVerdict) -> bool:
    """Whether some gated metric of a case had nothing to be compared with."""
    return bool(uncompared_metrics(case))


def unchecked_text(cases: Iterable[CaseVerdict]) -> str:
    """Name the metrics that had nothing to be compared with, in cases counted for that."""
    partly = [case for case in cases if count_word(case) == PARTLY_COMPARED]
    names = list(dict.fromkeys(r.metric.name for case in partly for r in uncompared_metrics(case)))
    more = [f"{len(names) - _METRICS_SHOWN} more"] if len(names) > _METRICS_SHOWN else []
    return clean(", ".join([*names[:_METRICS_SHOWN], *more]))


def breaks_budget(case: CaseVerdict) -> bool:
    """Whether a case is beyond a bound that one of its budgets sets."""
    return any(budget.broken for budget in case.comparison.budgets)


def _budget_is_main_failure(case: CaseVerdict) -> bool:
    """Whether a broken budget is the most severe finding of a case."""
    lost = case.place.position is Position.LOST
    return (
        breaks_budget(case)
        and case.verdict in LESS_SEVERE_THAN_BUDGET
        and not lost
        and not only_drifted(case)
    )


def severity(case: CaseVerdict) -> tuple[bool, int]:
    """Return the sort key of a case by severity.

    Failing cases come before others, and among each the most severe verdicts first.
    """
    lost = case.place.position is Position.LOST
    return not case.fails, 0 if lost else _VERDICT_ORDER.index(case.verdict)


_RULE_WORDS = {True: "loosened", None: "changed", False: "tightened"}
_RULES_SHOWN = 4
_CASE_CELLS = 40


def rule_word(rules: Sequence[RuleChange]) -> str:
    """Return in two words that rules changed: the most severe, the loosened ones, come first."""
    return f"rules {_RULE_WORDS[rules[0].loosens]}"


def rule_texts(rules: Sequence[RuleChange], *, names: bool = False) -> tuple[str, ...]:
    """Return one text for the rules that were loosened, one for others, one for tightened ones.

    Equal changes of several cases are counted, and after some the different ones are; with
    ``names`` all are listed, each with its cases.
    """
    texts = []
    for loosens, word in _RULE_WORDS.items():
        alike: dict[tuple[str, ...], list[RuleChange]] = {}
        for rule in rules:
            if rule.loosens is loosens:
                # A tolerance is counted with its equals, an edited entry with all others.
                what = () if rule.kind is RuleKind.EDITED else (rule.name, rule.recorded, rule.now)
                alike.setdefault((rule.kind, *what), []).append(rule)
        found = [_rule_text(same, names=names) for same in alike.values()]
        more = 0 if names else len(found) - _RULES_SHOWN
        if more > 0:
            found[_RULES_SHOWN:] = [f"and {more} more (-v names all)"]
        if found:
            texts.append(f"rules {word} since the baseline was recorded: {'; '.join(found)}")
    return tuple(texts)


def _rule_text(same: Sequence[RuleChange], *, names: bool) -> str:
    """Word a change that one case has, several or the session."""
    rule = same[0]
    cases = list(dict.fromkeys(each.case for each in same if each.case is not None))
    if names:
        where = ", ".join(clean(case) for case in cases)
    elif len(cases) == 1:
        where = shorten(clean(cases[0].partition("::")[2] or cases[0]), _CASE_CELLS)
    else:
        where = plural(len(cases), "case")
    step = f"{rule.recorded or 'none'} → {rule.now or 'none'}"
    match rule.kind:
        case RuleKind.DESELECTED:
            listed = f": {where}" if names else ""
            text = f"{plural(len(cases), 'case')} deselected by {rule.name}{listed}"
        case RuleKind.EDITED:
            what = ", ".join(dict.fromkeys(each.name for each in same))
            text = f"baseline edited by hand ({what}{f' of {where}' if cases else ''})"
        case RuleKind.POLICY:
            text = f"{rule.name} {step}"
        case RuleKind.GATE:
            text = f"{rule.name} {step} in {where}".lstrip()
        case _:
            text = f"{rule.kind} of {rule.name} {step} in {where}"
    return clean(text)


_PARTS, _MORE_PARTS = 3, 10
_WHOLE = 1e5
_LEAST_SHARE = 0.05
"""A part with a smaller share of the change explains too little of it for a line of its own."""
_LARGEST_REST = 0.1
"""A larger share of the change than this is not left unmentioned."""


@dataclass(frozen=True, slots=True)
class AttributionRow:
    """What a part of a metric contributes to its change, as text.

    ``levels`` are its level before and now, or that it is new or gone, and ``count`` how often it
    occurs; ``detail`` is both in short. They are "" for what is left, which is no ``is_part``.
    """

    change: str
    name: str
    levels: str = ""
    count: str = ""
    detail: str = ""
    is_part: bool = True


@dataclass(frozen=True, slots=True)
class Why:
    """Which parts moved a metric: ``rows`` by default, ``more`` with -v.

    ``instead`` is the change of the host count whose parts they are, "" where they are its own.
    """

    rows: tuple[AttributionRow, ...]
    more: tuple[AttributionRow, ...]
    instead: str = ""


def build_why(result: MetricResult) -> Why | None:
    """Return which parts moved a metric; None where that is not known, or no part is large."""
    rows = attribution_rows(result, _PARTS)
    return Why(rows, attribution_rows(result, _MORE_PARTS)) if rows else None


def build_why_instead(count: MetricResult) -> Why | None:
    """Return which parts moved a host count, for the row of a time that it explains."""
    (word,) = (word for metric, word in HOST_COUNTS.items() if metric.name == count.metric.name)
    rows = attribution_rows(count, _PARTS)
    shown = result_levels(count)
    unit = f" {shown.scale.unit}".rstrip()
    return Why(rows, rows, f"{' → '.join(shown.texts)}{unit} {word}") if rows else None


def attribution_rows(result: MetricResult, most: int | None = None) -> tuple[AttributionRow, ...]:
    """Return the parts that moved a metric, the largest change first, and then what is left.

    With ``most`` they are so many at most, and large ones only: none where no part is large. All
    numbers are in one unit, which suits the largest change.
    """
    found = result.attribution
    if found is None:
        return ()
    shown = found.contributions
    if most is not None:
        least = _LEAST_SHARE * abs(found.total)
        shown = tuple(each for each in shown[:most] if abs(each.change) >= least)
    scale = _scale([found.total, *(each.change for each in shown)], result.metric.unit)
    parts = [_part_row(each, result.metric.unit, scale) for each in shown]
    return (*parts, *_rest_rows(found, len(shown), scale)) if parts else ()


def _scale(changes: Sequence[float], unit: str) -> Scale:
    """Return the unit of an attribution; a count is written whole where that is readable."""
    largest = max(map(abs, changes))
    if unit == "count" and largest < _WHOLE:
        return Scale(1.0, "")
    return levels((largest,), unit).scale


def _part_row(part: Contribution, unit: str, scale: Scale) -> AttributionRow:
    bound = f", or under {amount(part.at_most, unit, 2, scale)}" if part.at_most else ""
    if not part.baseline:
        text = f"new{bound} before" if bound else "new"
    elif not part.candidate:
        text = f"gone{bound} now" if bound else "gone"
    else:
        before, now = part.baseline / scale.factor, part.candidate / scale.factor
        sides = f"{trimmed(before, PART_DIGITS)} → {trimmed(now, PART_DIGITS)}"
        text = f"{sides} {scale.unit}".rstrip()
    known = [n for n in (part.baseline_count, part.candidate_count) if n is not None]
    count = " → ".join(dict.fromkeys(trimmed(number, PART_DIGITS) for number in known))
    # As often as before, or once, is no news.
    often = "→" in count or (text == "new" and count not in {"", "1"})
    told = f"{text}, {count} times" if often else text
    change = absolute_change(part.change, None, scale).text
    return AttributionRow(clean(change), clean(part.name), clean(text), count, clean(told))


def _rest_rows(found: Attribution, shown: int, scale: Scale) -> Iterator[AttributionRow]:
    """Yield what the parts shown leave of the change, if that is much: other parts, no parts."""
    others = fsum((found.other, *(each.change for each in found.contributions[shown:])))
    left = abs(others + found.unexplained) > _LARGEST_REST * abs(found.total)
    for name, change in (("other parts", others), ("not in the profile", found.unexplained)):
        least = _LEAST_SHARE if left else _LARGEST_REST
        if abs(change) > least * abs(found.total):
            text = clean(absolute_change(change, None, scale).text)
            yield AttributionRow(text, name, is_part=False)
