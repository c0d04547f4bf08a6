"""The first lines of the section: the result in words, against what, and how sure."""

from dataclasses import dataclass

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import Judgement
from pytest_pareto.report.lines import Line, Tone
from pytest_pareto.report.summary import headline
from pytest_pareto.report.text import clean, pack
from pytest_pareto.report.units import duration

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
