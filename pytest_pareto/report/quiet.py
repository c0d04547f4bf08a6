"""The report of a session in one line."""

from collections.abc import Sequence

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import Judgement
from pytest_pareto.report.blocks import CaseBlock, all_cases, build_fronts
from pytest_pareto.report.creep import crept_rows
from pytest_pareto.report.header import without_baseline
from pytest_pareto.report.lines import Line, Tone
from pytest_pareto.report.summary import headline, nothing_but_good, would_have_caught
from pytest_pareto.report.text import clean, clip, display_width
from pytest_pareto.report.words import NO_GRAVER_THAN_A_BUDGET

_SEPARATOR = " · "


def quiet_line(judgement: Judgement, facts: SessionFacts, width: int) -> Line:
    """Write one line of at most ``width`` cells; what does not fit is counted."""
    if judgement.failed:
        return Line(_failing(judgement, facts, width), Tone.RED)
    if not facts.baseline_sessions:
        parts = (
            without_baseline(facts),
            *_caveats(facts),
            *headline(judgement, facts),
        )
        return Line(clip(f"pareto: {_SEPARATOR.join(parts)}", width), Tone.YELLOW)
    tone = Tone.GREEN if judgement.cases else Tone.YELLOW
    return Line(_passing(judgement, facts, width), tone)


def _passing(judgement: Judgement, facts: SessionFacts, width: int) -> str:
    counts = headline(judgement, facts)
    if nothing_but_good(judgement):
        counts = (f"{plural(len(judgement.cases), 'case')} unchanged or better",)
    head = _SEPARATOR.join(["pareto: pass", *_caveats(facts), *counts])
    caught = would_have_caught(judgement.cases)
    if not caught:
        return clip(head, width)
    wordings = [(f"{head} · {verb} ", caught) for verb in ("would have caught", "catches")]
    return _first_that_fits(wordings, width)


def _failing(judgement: Judgement, facts: SessionFacts, width: int) -> str:
    counts = headline(judgement, facts, figures=False)[0]
    head = _SEPARATOR.join(["pareto: FAIL", *_caveats(facts)])
    failing = [case for case in all_cases(build_fronts(judgement)) if case.failing]
    session = [clean(text) for text in judgement.failures]
    by_id = [*session, *(f"{case.case_id} ({_why(case)})" for case in failing)]
    by_name = [*session, *(f"{case.name} ({_why(case)})" for case in failing)]
    wordings = [
        (f"{head} · {counts}: ", by_id),
        (f"{head} · {counts}: ", by_name),
        (f"{head} · {counts.replace(' cases', '')}: ", by_name),
    ]
    return _first_that_fits(wordings, width)


def _caveats(facts: SessionFacts) -> list[str]:
    """Say what no session must leave unsaid: that it is incomplete, and that it wrote."""
    said = ["incomplete"] if facts.partial else []
    if facts.updating:
        written = plural(facts.written, "metric") if facts.written else "nothing"
        said.append(f"wrote {written}")
    return said


def _why(case: CaseBlock) -> str:
    worse = next((row for row in case.rows if row.gates and row.outcome is Outcome.WORSE), None)
    crept = next(iter(crept_rows(case)), None)
    if worse is None and crept is not None:
        return f"{crept.metric} crept {crept.change}"
    if worse is not None:
        return f"{worse.metric} WORSE {worse.change}"
    told = case.broke if case.verdict in NO_GRAVER_THAN_A_BUDGET else ()
    return told[0] if told else case.label


def _first_that_fits(wordings: Sequence[tuple[str, Sequence[str]]], width: int) -> str:
    """List all items in the first wording that holds them, else what the last one holds."""
    for head, items in wordings:
        if display_width(head + ", ".join(items)) <= width:
            return head + ", ".join(items)
    head, items = wordings[-1]
    for shown in range(len(items) - 1, 0, -1):
        line = f"{head}{', '.join(items[:shown])}, +{len(items) - shown} more"
        if display_width(line) <= width:
            return line
    more = f", +{len(items) - 1} more" if len(items) > 1 else ""
    return clip(clip(head + items[0], width - len(more)) + more, width)
