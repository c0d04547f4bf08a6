"""The first lines of the section: the result in words, against what, and how sure.

What a session comes to in a few words: counts, and what would have been caught.

What many cases have in common is told once: a shared movement, a shared lack.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.metric import Better, Metric
from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import CaseVerdict, CommonMode, Judgement, Verdict
from pytest_pareto.report.fronts import CaseBlock, FrontBlock, all_cases, is_merely_undecided
from pytest_pareto.report.numbers import duration, levels, relative_change, resolution_text
from pytest_pareto.report.rows import broken_budgets
from pytest_pareto.report.text import Line, Tone, clean, pack, wrap
from pytest_pareto.report.wording import (
    BROKE_A_BUDGET,
    HARMLESS,
    count_word,
    is_partly_compared,
    severity,
)

_INDENT = " " * len("FAIL  ")


@dataclass(frozen=True, slots=True)
class Header:
    """What is said first of a session: ``word`` is its result, ``doubts`` qualify it."""

    word: str
    tone: Tone
    counts: tuple[str, ...]
    against: str
    measured: tuple[str, ...]
    doubts: tuple[str, ...]


def build_header(judgement: Judgement, facts: SessionFacts) -> Header:
    """Say whether the session failed, what became of how many cases, and what was compared."""
    word, tone = _result(judgement, facts)
    suspects = [clean(facts.suspects)] if facts.suspects else []
    return Header(
        word,
        tone,
        headline(judgement, facts),
        _against(facts),
        (_measured(facts), *suspects, *_saved(judgement)),
        tuple(_doubts(judgement, facts)),
    )


def header_lines(judgement: Judgement, facts: SessionFacts, width: int) -> list[Line]:
    """Lay out what is said first."""
    head = build_header(judgement, facts)
    first = pack(head.counts, width, indent=head.word.ljust(len(_INDENT)), hanging=_INDENT)
    lines = [Line(text, head.tone) for text in first]
    lines += [Line(text) for text in pack([head.against], width, indent=_INDENT)]
    tone = Tone.YELLOW if head.doubts else Tone.PLAIN
    told = [*head.measured, *head.doubts]
    return lines + [Line(text, tone) for text in pack(told, width, indent=_INDENT)]


def _measured(facts: SessionFacts) -> str:
    each = " of each" if facts.against is not None else ""
    runs = f"{plural(facts.runs, 'run')}{each}"
    if facts.new_side is not None:
        return f"{clean(facts.new_side)}: {runs}"
    return f"{runs} in {duration(facts.duration_s)}"


def _saved(judgement: Judgement) -> list[str]:
    """Tell of evaluations that stopped once they were decided; a case is one evaluation."""
    looks = [
        max(found, key=lambda look: look.saved)
        for case in judgement.cases
        if (found := [r.looks for r in case.comparison.metrics if r.looks is not None])
    ]
    saved, samples = sum(look.saved for look in looks), sum(look.samples for look in looks)
    return [f"{saved} of {plural(samples, 'sample')} saved by stopping early"] if saved else []


def _result(judgement: Judgement, facts: SessionFacts) -> tuple[str, Tone]:
    if judgement.failed:
        return "FAIL", Tone.RED
    if facts.stopped is not None:
        return "PART", Tone.YELLOW
    if not facts.baseline_sessions:
        return "NEW", Tone.YELLOW
    return "PASS", Tone.GREEN if judgement.cases else Tone.YELLOW


def without_baseline(facts: SessionFacts) -> str:
    """Say that there is nothing to compare with, and where it was looked for."""
    return f"no baseline in {clean(facts.baseline_path)} yet"


def _against(facts: SessionFacts) -> str:
    if facts.against is not None:
        return f"against {clean(facts.against)}, measured in turn"
    if not facts.baseline_sessions:
        return without_baseline(facts)
    sessions = plural(facts.baseline_sessions, "session")
    held = f"{sessions}, {plural(facts.baseline_runs, 'run')}"
    anchor = f" and the anchor {clean(facts.anchor_path)}" if facts.anchor_path else ""
    return f"against {clean(facts.baseline_path)} ({held}){anchor}"


def _doubts(judgement: Judgement, facts: SessionFacts) -> list[str]:
    doubts = []
    if not _is_confirmed(judgement, facts):
        doubts.append("unconfirmed: judged on this session's runs alone")
    if facts.partial:
        doubts.append(f"incomplete: {clean(facts.partial)}")
    return doubts


def _is_confirmed(judgement: Judgement, facts: SessionFacts) -> bool:
    """Whether all that is called worse was measured again; what was rescued is worse too.

    A session that is compared with something else may find worse what it had not suspected.
    """
    worse = [
        result.metric.name in case.comparison.confirmed
        for case in judgement.cases
        for result in case.comparison.metrics
        if result.metric.gates and result.outcome is Outcome.WORSE
    ]
    if facts.new_side is not None:
        return all(worse)
    return facts.confirmed or not (worse or any(case.crept for case in judgement.cases))


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


_NAMES_SHOWN = 5


def common_lines(
    mode: CommonMode, judgement: Judgement, fronts: Sequence[FrontBlock], width: int
) -> list[Line]:
    """Tell a movement of many cases once; the cases that speak for it are named."""
    direction = "worse" if mode.harmful else "better"
    text = (
        f"{mode.metric} is {direction} in {len(mode.case_ids)} of {mode.total} cases together, "
        f"by about {_movement(mode, judgement)}"
    )
    ids = set(map(clean, mode.case_ids))
    members = [case for case in all_cases(fronts) if case.case_id in ids]
    lines = [Line(line, Tone.BOLD) for line in wrap(text, width, hanging="  ")]
    lines += [Line(line) for line in _some_names(members, width)]
    for case in members:
        if case.common:
            lines += _spoken(case, width)
    return lines


def _movement(mode: CommonMode, judgement: Judgement) -> str:
    lower = any(
        result.metric.better is Better.LOWER
        for case in judgement.cases
        for result in case.comparison.metrics
        if result.metric.name == mode.metric
    )
    return relative_change(mode.estimate if lower else 1 / (1 + mode.estimate) - 1).text


def _spoken(case: CaseBlock, width: int) -> Iterator[Line]:
    for lead, texts, tone in (("fails", case.fails, Tone.RED), ("note", case.notices, Tone.YELLOW)):
        for text in texts:
            said = f"{lead} at {case.case_id}: {text}"
            yield from (Line(t, tone) for t in wrap(said, width, indent="  ", hanging="    "))


def uncompared_lines(fronts: Sequence[FrontBlock], width: int) -> list[Line]:
    """Tell together the cases of which something was not compared for the same reason.

    Those that fail for it are all named.
    """
    groups: dict[tuple[str, bool, str], list[CaseBlock]] = {}
    for case in all_cases(fronts):
        if case.uncompared:
            groups.setdefault((case.label, case.failing, case.uncompared), []).append(case)
    lines: list[Line] = []
    for (label, failing, reason), cases in groups.items():
        tone = Tone.RED if failing else Tone.YELLOW
        text = f"{plural(len(cases), 'case')} {label}: {reason}"
        lines += [Line(line, tone) for line in wrap(text, width, hanging="  ")]
        named = _all_names(cases, width) if failing else _some_names(cases, width)
        lines += [Line(line) for line in named]
    return lines


def undecided_lines(
    judgement: Judgement, width: int, reasons_shown: str = "which -v shows"
) -> list[Line]:
    """Tell of each metric in how many cases it is undecided, how blind that is, and why.

    Of cases that have a block of their own nothing is told here. ``reasons_shown`` is where the
    reasons can be read where they differ.
    """
    cases = [c for c in judgement.cases if is_merely_undecided(c)]
    found: dict[str, list[CaseVerdict]] = {}
    reasons: dict[str, dict[str, None]] = {}
    for case in cases:
        for result in case.comparison.metrics:
            if result.metric.gates and result.outcome is Outcome.INCONCLUSIVE:
                name = result.metric.name
                found.setdefault(name, []).append(case)
                if result.change is not None and result.change.reason:
                    reasons.setdefault(name, {})[result.change.reason] = None
    lines: list[Line] = []
    for name, undecided in found.items():
        caught = resolution_span(undecided, name)
        only = f"only a regression of {caught} or more" if caught else "nothing"
        text = (
            f"{plural(len(undecided), 'case')} undecided in {clean(name)}: "
            f"{only} would have been caught"
        )
        lines += [Line(line, Tone.YELLOW) for line in wrap(text, width, hanging="  ")]
        told = list(reasons.get(name, ()))
        if told:
            why = told[0] if len(told) == 1 else f"for different reasons, {reasons_shown}"
            lines += [Line(line) for line in wrap(clean(why), width, indent="  ")]
    return lines


def _all_names(cases: Sequence[CaseBlock], width: int) -> Iterator[str]:
    for case in cases:
        yield from pack([case.case_id], width, indent="  ")


def _some_names(cases: Sequence[CaseBlock], width: int) -> list[str]:
    names = [case.case_id for case in cases[:_NAMES_SHOWN]]
    more = len(cases) - len(names)
    return pack([*names, *([f"and {more} more"] if more > 0 else [])], width, indent="  ")
