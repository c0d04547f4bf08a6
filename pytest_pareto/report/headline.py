"""Summary of a session: result, counts of cases, resolution, and findings that cases share.

`build_header` computes the first lines of every report: the result, the counts, what was
compared and the caveats. `headline` counts cases by result. `resolution_texts` sums up which
regressions are detectable. `common_lines`, `uncompared_lines` and `undecided_lines`
report together what many cases have in common.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.metric import Better, Metric
from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import CaseVerdict, CommonMode, Judgement, MetricResult, Verdict
from pytest_pareto.report.fronts import CaseBlock, FrontBlock, all_cases, is_merely_undecided
from pytest_pareto.report.numbers import (
    NOTHING,
    duration,
    levels,
    on_scale_of,
    relative_change,
    resolution_text,
)
from pytest_pareto.report.rows import broken_budgets
from pytest_pareto.report.text import Line, Tone, clean, pack, wrap
from pytest_pareto.report.wording import (
    BROKE_BUDGET,
    HARMLESS_VERDICTS,
    PARTLY_COMPARED,
    count_word,
    is_partly_compared,
    rule_texts,
    severity,
    unchecked_text,
)

_INDENT = " " * len("FAIL  ")
_UNCHANGED = {Verdict.UNCHANGED, Verdict.NOT_WORSE}
_NAMES_SHOWN = 5
_FAILING_NAMES_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Header:
    """The first lines of a report: ``word`` is the result, ``caveats`` qualify it.

    ``rules`` says which rules changed, the loosened ones first.
    """

    word: str
    tone: Tone
    counts: tuple[str, ...]
    rules: tuple[str, ...]
    against: str
    measured: tuple[str, ...]
    caveats: tuple[str, ...]


def build_header(judgement: Judgement, facts: SessionFacts) -> Header:
    """Return the result of a session, its counts, what was compared, and the caveats."""
    word, tone = _result(judgement, facts)
    flagged = [_confirmation_text(judgement, facts)] if facts.suspects else []
    return Header(
        word,
        tone,
        headline(judgement, facts),
        rule_texts(judgement.rules),
        _comparison_text(facts),
        (_measurement_text(facts), *flagged, *_saved_samples(judgement)),
        tuple(_header_caveats(judgement, facts)),
    )


def header_lines(
    judgement: Judgement, facts: SessionFacts, width: int, *, names: bool = False
) -> list[Line]:
    """Render the header in lines of at most ``width`` cells; ``names`` lists changed rules."""
    head = build_header(judgement, facts)
    first = pack(head.counts, width, indent=head.word.ljust(len(_INDENT)), hanging=_INDENT)
    lines = [Line(text, head.tone) for text in first]
    for text in rule_texts(judgement.rules, names=True) if names else head.rules:
        hanging = f"{_INDENT}  "
        lines += [Line(t, Tone.YELLOW) for t in wrap(text, width, indent=_INDENT, hanging=hanging)]
    lines += [Line(text) for text in pack([head.against], width, indent=_INDENT)]
    tone = Tone.YELLOW if head.caveats else Tone.PLAIN
    rest = [*head.measured, *head.caveats]
    return lines + [Line(text, tone) for text in pack(rest, width, indent=_INDENT)]


def _measurement_text(facts: SessionFacts) -> str:
    each = " of each" if facts.against is not None else ""
    runs = f"{plural(facts.runs, 'run')}{each}"
    if facts.new_side is not None:
        return f"{clean(facts.new_side)}: {runs}"
    own_s = facts.duration_s - (facts.confirming_s or 0.0)
    on_gpus = f" on {plural(facts.gpus, 'GPU')}" if facts.gpus else ""
    return f"{runs} in {duration(own_s)}{on_gpus}"


def _confirmation_text(judgement: Judgement, facts: SessionFacts) -> str:
    """Return what was measured again, how long it took, and how many suspicions it confirmed."""
    took = "" if facts.confirming_s is None else f" ({duration(facts.confirming_s)})"
    repeated = [
        result
        for case in judgement.cases
        for result in case.comparison.gated
        if result.metric.name in case.comparison.confirmed
    ]
    worse = sum(result.outcome is Outcome.WORSE for result in repeated)
    found = f": {worse} of {plural(len(repeated), 'metric')} confirmed as worse" if repeated else ""
    return f"{clean(facts.suspects or '')}{took}{found}"


def _saved_samples(judgement: Judgement) -> list[str]:
    """Return how many samples early stopping saved, as at most one text.

    A case is one evaluation: its metric with the most saved samples counts.
    """
    evaluations = [
        max(looks, key=lambda each: each.saved)
        for case in judgement.cases
        if (looks := [r.looks for r in case.comparison.metrics if r.looks is not None])
    ]
    saved = sum(each.saved for each in evaluations)
    samples = sum(each.samples for each in evaluations)
    return [f"{saved} of {plural(samples, 'sample')} saved by stopping early"] if saved else []


def _result(judgement: Judgement, facts: SessionFacts) -> tuple[str, Tone]:
    if judgement.failed:
        return "FAIL", Tone.RED
    if facts.stopped is not None:
        return "PART", Tone.YELLOW
    if not facts.baseline_sessions:
        return "NEW", Tone.YELLOW
    return "PASS", Tone.GREEN if judgement.cases else Tone.YELLOW


def no_baseline_text(facts: SessionFacts) -> str:
    """Return that there is no baseline, or that the session wrote the first one."""
    if facts.edits:
        return f"the first baseline for {clean(facts.hardware_key)}"
    return f"no baseline for {clean(facts.hardware_key)} yet"


def _comparison_text(facts: SessionFacts) -> str:
    if facts.against is not None:
        return f"against {clean(facts.against)}, interleaved"
    if not facts.baseline_sessions:
        # The folder need not exist before something is written to it.
        where = "written to" if facts.edits else "looked in"
        folder = PurePosixPath(facts.baseline_path).parent
        return f"{no_baseline_text(facts)} ({where} {clean(str(folder))})"
    sessions = plural(facts.baseline_sessions, "session")
    held = f"{sessions}, {plural(facts.baseline_runs, 'run')}"
    anchor = f" and the anchor {clean(facts.anchor_path)}" if facts.anchor_path else ""
    return f"against {clean(facts.baseline_path)} ({held}){anchor}"


def _header_caveats(judgement: Judgement, facts: SessionFacts) -> list[str]:
    caveats = []
    if not _is_confirmed(judgement, facts):
        caveats.append("unconfirmed: judged on this session's runs alone")
    if facts.partial:
        caveats.append(f"incomplete: {clean(facts.partial)}")
    return caveats


def _is_confirmed(judgement: Judgement, facts: SessionFacts) -> bool:
    """Whether every metric that got worse was measured again, also in cases that pass.

    With ``facts.new_side``, stored results are compared: then a metric may be worse that was not
    flagged when it was measured, and each is checked.
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


def section_title(judgement: Judgement) -> str:
    """Return the heading of the section, such as "pareto: 2 cases failed"."""
    failing = sum(bool(case.fails) for case in judgement.cases)
    if failing:
        return f"pareto: {plural(failing, 'case')} failed"
    return "pareto: the session failed" if judgement.failures else "pareto"


def headline(judgement: Judgement, facts: SessionFacts, *, figures: bool = True) -> tuple[str, ...]:
    """Count the cases by result, the most severe first: "2 of 9 cases regressed", "7 unchanged".

    With ``figures``, the first broken budget is added with its measured value and its limit.
    """
    cases = sorted(judgement.cases, key=severity)
    if not cases:
        return ("no case was judged",)
    total = plural(len(cases), "case")
    if all_new(judgement, facts) and not judgement.failed:
        return (f"{plural(len(cases), 'new case')}, nothing judged",)
    counts = Counter(count_word(case) for case in cases)
    longer: dict[str, str] = {}
    if unchecked := unchecked_text(cases):
        longer[PARTLY_COMPARED] = f"with {unchecked} NOT checked"
    if figures:
        longer[BROKE_BUDGET] = f"{BROKE_BUDGET} ({_first_broken_budget(cases)})"
    (word, count), *rest = ((longer.get(word, word), count) for word, count in counts.items())
    others = tuple(f"{count} {word}" for word, count in rest)
    if cases[0].fails:
        return (f"{count} of {total} {word}", *others)
    if judgement.failures:
        tests = all(failure.nodeid is not None for failure in judgement.failures)
        number = len(judgement.failures)
        lead = f"{plural(number, 'test')} failed" if tests else plural(number, "session failure")
        return (f"{lead}, 0 of {total} regressed", f"{count} {word}", *others)
    return (f"{total} {word}", *others) if not rest else (total, f"{count} {word}", *others)


def _first_broken_budget(cases: Iterable[CaseVerdict]) -> str:
    broke = [case for case in cases if count_word(case) == BROKE_BUDGET]
    found = [text for case in broke for text in broken_budgets(case.comparison)]
    return f"{found[0]}; and {len(found) - 1} more" if len(found) > 1 else "".join(found)


def all_new(judgement: Judgement, facts: SessionFacts) -> bool:
    """Whether no case had anything to be compared with."""
    return not facts.baseline_sessions and {c.verdict for c in judgement.cases} == {Verdict.NEW}


def unchanged_cases(judgement: Judgement) -> list[CaseVerdict]:
    """Return the cases that are unchanged and pass, for which only a count is reported."""
    return [
        case
        for case in judgement.cases
        if case.verdict in _UNCHANGED and not case.fails and case.common is None
    ]


def all_harmless(judgement: Judgement) -> bool:
    """Whether there are cases, and each was fully compared and is unchanged or better."""
    return bool(judgement.cases) and all(
        case.verdict in HARMLESS_VERDICTS and not is_partly_compared(case)
        for case in judgement.cases
    )


def resolution_span(cases: Iterable[CaseVerdict], name: str) -> str | None:
    """Return the range of the resolutions of one metric over cases: "9-14 %".

    None where no case could detect any regression.
    """
    found = [r for c in cases for r in c.comparison.metrics if r.metric.name == name]
    resolutions = [r.change.resolution for r in found if r.change is not None]
    if not any(map(math.isfinite, resolutions)):
        return None
    return _resolution_span_text(found[0].metric, resolutions)


def resolution_texts(
    cases: Iterable[CaseVerdict], *, since_anchor: bool = False
) -> tuple[str, ...]:
    """Return the resolutions of every gated metric: "latency 9-14 %", "peak_memory 1 %".

    With ``since_anchor``, those of the comparison with the anchor.
    """
    found: dict[tuple[str, str, bool], tuple[Metric, list[float]]] = {}
    for case in cases:
        for result in case.comparison.anchor if since_anchor else case.comparison.metrics:
            metric = result.metric
            if metric.gates and result.change is not None:
                key = (metric.name, metric.unit, metric.relative)
                found.setdefault(key, (metric, []))[1].append(result.change.resolution)
    return tuple(
        f"{clean(metric.name)} {_resolution_span_text(metric, resolutions)}"
        for metric, resolutions in found.values()
    )


def unchanged_resolutions(judgement: Judgement) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the resolutions of the unchanged cases: a lead, and a text for each metric.

    The first pair is against the baseline, the second against the anchor. Reports state the
    resolution of all other cases separately. The report in one line does not, and therefore uses
    `resolution_texts` of all cases.
    """
    unchanged = unchanged_cases(judgement)
    return (
        (
            f"minimum detectable regression in {plural(len(unchanged), 'unchanged case')}: ",
            resolution_texts(unchanged),
        ),
        ("  and since the anchor: ", resolution_texts(unchanged, since_anchor=True)),
    )


def software_differences(facts: SessionFacts) -> tuple[str, ...]:
    """Return the software versions that differ from the baseline's, as one text or none."""
    return (f"{', '.join(facts.differences)} since the baseline",) if facts.differences else ()


def _resolution_span_text(metric: Metric, resolutions: list[float]) -> str:
    finite = [value for value in resolutions if math.isfinite(value)]
    if not finite:
        return NOTHING
    ends = min(finite), max(finite)
    low, high = (resolution_text(metric, end, levels(ends, metric.unit).scale) for end in ends)
    low_number, _, low_unit = low.partition(" ")
    same_unit = low_unit == high.partition(" ")[2]
    both = f"{low_number}-{high}" if same_unit else f"{low} to {high}"
    span = low if low == high else both
    blind = len(resolutions) - len(finite)
    return f"{span} (nothing in {plural(blind, 'case')})" if blind else span


def common_lines(
    mode: CommonMode, judgement: Judgement, fronts: Sequence[FrontBlock], width: int
) -> list[Line]:
    """Render a common movement of many cases once, with some names and the failures it causes."""
    direction = "worse" if mode.harmful else "better"
    text = (
        f"{mode.metric} is {direction} in {len(mode.case_ids)} of {mode.total} cases together, "
        f"by about {_common_change_text(mode, judgement)}"
    )
    ids = set(map(clean, mode.case_ids))
    members = [case for case in all_cases(fronts) if case.case_id in ids]
    lines = [Line(line, Tone.BOLD) for line in wrap(text, width, hanging="  ")]
    lines += [Line(line) for line in _first_name_lines(members, width)]
    for case in members:
        if case.common:
            lines += _reason_lines(case, width)
    return lines


def _common_change_text(mode: CommonMode, judgement: Judgement) -> str:
    lower = any(
        result.metric.better is Better.LOWER
        for case in judgement.cases
        for result in case.comparison.metrics
        if result.metric.name == mode.metric
    )
    return relative_change(mode.estimate if lower else 1 / (1 + mode.estimate) - 1).text


def _reason_lines(case: CaseBlock, width: int) -> Iterator[Line]:
    for lead, texts, tone in (("fails", case.fails, Tone.RED), ("note", case.notices, Tone.YELLOW)):
        for text in texts:
            text_at_case = f"{lead} at {case.case_id}: {text}"
            lines = wrap(text_at_case, width, indent="  ", hanging="    ")
            yield from (Line(line, tone) for line in lines)


def uncompared_lines(fronts: Sequence[FrontBlock], width: int) -> list[Line]:
    """Render the cases that were not fully compared, grouped by reason.

    Of failing cases a hundred are named, of others a few, and each whose levels are beyond a
    limit; the rest is counted.
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
        lines += [Line(line) for line in _excess_lines(cases, width)]
        cases = [case for case in cases if not _excess(case)]  # noqa: PLW2901 - those without
        named = _failing_name_lines(cases, width) if failing else _first_name_lines(cases, width)
        lines += [Line(line) for line in named]
    return lines


def _excess(case: CaseBlock) -> float:
    return max((row.excess for row in case.rows), default=0.0)


def _excess_lines(cases: Sequence[CaseBlock], width: int) -> Iterator[str]:
    """Name the hundred cases whose levels are furthest beyond a limit; count the others."""
    beyond = sorted((case for case in cases if _excess(case)), key=_excess, reverse=True)
    for case in beyond[:_FAILING_NAMES_SHOWN]:
        texts = [
            f"{row.metric} {row.baseline} → {row.candidate} {row.unit}".rstrip()
            + f" ({row.change}, limit {row.limit})"
            for row in case.rows
            if row.excess
        ]
        yield from wrap(f"{case.case_id}: {', '.join(texts)}", width, indent="  ", hanging="    ")
    yield from _more_line(len(beyond), width)


def undecided_lines(judgement: Judgement, width: int) -> list[Line]:
    """Render for each metric the number of inconclusive cases, their resolution, and why.

    Cases with a block of their own are left out. Where reasons differ, the most frequent stands.
    """
    found: dict[str, list[tuple[CaseVerdict, MetricResult]]] = {}
    for case in filter(is_merely_undecided, judgement.cases):
        for result in case.comparison.metrics:
            if result.metric.gates and result.outcome is Outcome.INCONCLUSIVE:
                found.setdefault(result.metric.name, []).append((case, result))
    lines: list[Line] = []
    for name, undecided in found.items():
        span = resolution_span([case for case, _ in undecided], name)
        tolerances = {
            on_scale_of(result.metric, result.metric.tolerance) for _, result in undecided
        }
        tolerance = f" (tolerance {tolerances.pop()})" if len(tolerances) == 1 else ""
        detectable = f"minimum detectable regression {span}" if span else "nothing is detectable"
        text = f"{plural(len(undecided), 'case')} inconclusive in {clean(name)}: {detectable}"
        lines += [Line(t, Tone.YELLOW) for t in wrap(f"{text}{tolerance}", width, hanging="  ")]
        reasons = Counter(
            result.change.reason
            for _, result in undecided
            if result.change is not None and result.change.reason
        )
        for reason, count in reasons.most_common(1):
            share = f" ({count} of {len(undecided)} cases)" if len(reasons) > 1 else ""
            lines += [Line(line) for line in wrap(f"{clean(reason)}{share}", width, indent="  ")]
    return lines


def _failing_name_lines(cases: Sequence[CaseBlock], width: int) -> Iterator[str]:
    for case in cases[:_FAILING_NAMES_SHOWN]:
        yield from pack([case.case_id], width, indent="  ")
    yield from _more_line(len(cases), width)


def _more_line(count: int, width: int) -> list[str]:
    more = f"and {count - _FAILING_NAMES_SHOWN} more, which -v and the JSON report list"
    return wrap(more, width, indent="  ") if count > _FAILING_NAMES_SHOWN else []


def _first_name_lines(cases: Sequence[CaseBlock], width: int) -> list[str]:
    names = [case.case_id for case in cases[:_NAMES_SHOWN]]
    more = len(cases) - len(names)
    return pack([*names, *([f"and {more} more"] if more > 0 else [])], width, indent="  ")
