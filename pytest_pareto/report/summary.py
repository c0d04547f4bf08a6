"""What a session comes to in a few words: counts, and what would have been caught."""

import math
from collections import Counter
from collections.abc import Iterable

from pytest_pareto.model.formatting import plural
from pytest_pareto.model.metric import Metric
from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import CaseVerdict, Judgement, Verdict
from pytest_pareto.report.budgets import broken_budgets
from pytest_pareto.report.figures import resolution_text
from pytest_pareto.report.text import clean
from pytest_pareto.report.units import levels
from pytest_pareto.report.words import (
    BROKE_A_BUDGET,
    HARMLESS,
    count_word,
    is_partly_compared,
    severity,
)

_QUIET = {Verdict.UNCHANGED, Verdict.NOT_WORSE}


def title(judgement: Judgement) -> str:
    """Return the heading of the section, such as "pareto: 2 cases failed"."""
    failing = sum(bool(case.fails) for case in judgement.cases)
    if failing:
        return f"pareto: {plural(failing, 'case')} failed"
    return "pareto: the session failed" if judgement.failures else "pareto"


def headline(judgement: Judgement, facts: SessionFacts, *, figures: bool = True) -> tuple[str, ...]:
    """Count the cases in words, the gravest first: "2 of 9 cases regressed", "7 unchanged".

    With ``figures``, of broken budgets the first is told: what was measured, and its limit.
    """
    cases = sorted(judgement.cases, key=severity)
    if not cases:
        return ("no case was judged",)
    total = plural(len(cases), "case")
    if all_new(judgement, facts) and not judgement.failed:
        return (f"{plural(len(cases), 'new case')}, nothing judged",)
    counts = Counter(count_word(case) for case in cases)
    told = {BROKE_A_BUDGET: f"{BROKE_A_BUDGET} ({_first_broken(cases)})"} if figures else {}
    (word, count), *rest = ((told.get(word, word), count) for word, count in counts.items())
    others = tuple(f"{count} {word}" for word, count in rest)
    if cases[0].fails:
        return (f"{count} of {total} {word}", *others)
    if judgement.failures:
        return (f"the session failed, none of {total} did", f"{count} {word}", *others)
    return (f"{total} {word}", *others) if not rest else (total, f"{count} {word}", *others)


def _first_broken(cases: Iterable[CaseVerdict]) -> str:
    broke = [case for case in cases if count_word(case) == BROKE_A_BUDGET]
    found = [text for case in broke for text in broken_budgets(case.comparison)]
    return f"{found[0]}; and {len(found) - 1} more" if len(found) > 1 else "".join(found)


def all_new(judgement: Judgement, facts: SessionFacts) -> bool:
    """Whether there was nothing at all to compare with."""
    return not facts.baseline_sessions and {c.verdict for c in judgement.cases} == {Verdict.NEW}


def quiet_cases(judgement: Judgement) -> list[CaseVerdict]:
    """Return the cases of which nothing but their silence is told."""
    return [
        case
        for case in judgement.cases
        if case.verdict in _QUIET and not case.fails and case.common is None
    ]


def nothing_but_good(judgement: Judgement) -> bool:
    """Whether there are cases, and each of them was compared and is unchanged or better."""
    return bool(judgement.cases) and all(
        case.verdict in HARMLESS and not is_partly_compared(case) for case in judgement.cases
    )


def resolution_span(cases: Iterable[CaseVerdict], name: str) -> str | None:
    """Sum up the resolution of one metric, "9-14 %"; None where nothing could be caught."""
    found = [r for c in cases for r in c.comparison.metrics if r.metric.name == name]
    resolutions = [r.change.resolution for r in found if r.change is not None]
    if not any(map(math.isfinite, resolutions)):
        return None
    return _span(found[0].metric, resolutions)


def would_have_caught(
    cases: Iterable[CaseVerdict], *, since_anchor: bool = False
) -> tuple[str, ...]:
    """Sum up the resolution of every gated metric: "latency 9-14 %", "peak_memory 1 %"."""
    found: dict[tuple[str, str, bool], tuple[Metric, list[float]]] = {}
    for case in cases:
        for result in case.comparison.anchor if since_anchor else case.comparison.metrics:
            metric = result.metric
            if metric.gates and result.change is not None:
                key = (metric.name, metric.unit, metric.relative)
                found.setdefault(key, (metric, []))[1].append(result.change.resolution)
    return tuple(
        f"{clean(metric.name)} {_span(metric, resolutions)}"
        for metric, resolutions in found.values()
    )


def caught_by_quiet(judgement: Judgement) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Say what the unchanged cases would have caught: a lead, and a part for each metric.

    Of the others each report tells on its own how blind they were. The report in one line does
    not, and so sums up all cases.
    """
    quiet = quiet_cases(judgement)
    return (
        (f"{plural(len(quiet), 'unchanged case')} would have caught: ", would_have_caught(quiet)),
        ("  and since the anchor: ", would_have_caught(quiet, since_anchor=True)),
    )


def since_baseline(facts: SessionFacts) -> tuple[str, ...]:
    """Name the software that is another than the baseline's, in one text or none."""
    return (f"{', '.join(facts.differences)} since the baseline",) if facts.differences else ()


def _span(metric: Metric, resolutions: list[float]) -> str:
    finite = [value for value in resolutions if math.isfinite(value)]
    if not finite:
        return "nothing"
    ends = min(finite), max(finite)
    low, high = (resolution_text(metric, end, levels(ends, metric.unit).scale) for end in ends)
    low_number, _, low_unit = low.partition(" ")
    same_unit = low_unit == high.partition(" ")[2]
    both = f"{low_number}-{high}" if same_unit else f"{low} to {high}"
    span = low if low == high else both
    blind = len(resolutions) - len(finite)
    return f"{span} (nothing in {plural(blind, 'case')})" if blind else span
