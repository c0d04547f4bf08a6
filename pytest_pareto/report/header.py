"""The first lines of the section: the result in words, against what, and how sure."""

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.facts import SessionFacts
from pytest_pareto.model.verdict import Judgement
from pytest_pareto.report.lines import Line, Tone
from pytest_pareto.report.summary import headline, plural
from pytest_pareto.report.text import clean, pack
from pytest_pareto.report.units import duration

_INDENT = " " * len("FAIL  ")


def header_lines(judgement: Judgement, facts: SessionFacts, width: int) -> list[Line]:
    """Say whether the session failed, what became of how many cases, and what was compared."""
    word, tone = result_word(judgement, facts)
    counts = headline(judgement, facts)
    lines = [Line(text, tone) for text in pack(counts, width, indent=f"{word}  ", hanging=_INDENT)]
    lines += [Line(text) for text in pack([against_text(facts)], width, indent=_INDENT)]
    doubts = doubts_of(judgement, facts)
    tone = Tone.YELLOW if doubts else Tone.PLAIN
    told = [*measured_texts(judgement, facts), *doubts]
    return lines + [Line(text, tone) for text in pack(told, width, indent=_INDENT)]


def measured_texts(judgement: Judgement, facts: SessionFacts) -> list[str]:
    """Say in how many runs what was measured, what of it again, and what could be spared."""
    suspects = [clean(facts.suspects)] if facts.suspects else []
    return [_measured(facts), *suspects, *_saved(judgement)]


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


def result_word(judgement: Judgement, facts: SessionFacts) -> tuple[str, Tone]:
    """Name the result in four letters at most, and how it should stand out."""
    if judgement.failed:
        return "FAIL", Tone.RED
    if not facts.baseline_sessions:
        return "NEW ", Tone.YELLOW
    return "PASS", Tone.GREEN if judgement.cases else Tone.YELLOW


def against_text(facts: SessionFacts) -> str:
    """Say what the session was compared with."""
    if facts.against is not None:
        return f"against {clean(facts.against)}, measured in turn"
    if not facts.baseline_sessions:
        return f"no baseline for {clean(facts.hardware_key)} yet"
    sessions = plural(facts.baseline_sessions, "session")
    held = f"{sessions}, {plural(facts.baseline_runs, 'run')}"
    anchor = f" and the anchor {clean(facts.anchor_path)}" if facts.anchor_path else ""
    return f"against {clean(facts.baseline_path)} ({held}){anchor}"


def doubts_of(judgement: Judgement, facts: SessionFacts) -> list[str]:
    """Say what the verdict has to be read with: that it is unconfirmed, or incomplete."""
    doubts = []
    if not facts.confirmed and _has_worse(judgement):
        doubts.append("unconfirmed: judged on this session's runs alone")
    if facts.partial:
        doubts.append(f"incomplete: {clean(facts.partial)}")
    return doubts


def _has_worse(judgement: Judgement) -> bool:
    """Whether something is called worse; a case that another metric rescued is one of these."""
    return any(case.crept for case in judgement.cases) or any(
        result.metric.gates and result.outcome is Outcome.WORSE
        for case in judgement.cases
        for result in case.comparison.metrics
    )
