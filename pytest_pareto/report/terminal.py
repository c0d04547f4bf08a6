"""The section at the end of a pytest run: what failed, by how much, how sure, what to do.

The report of a session in one line.

One failed case as pytest shows it: a line for the summary, a text for the report.

What a test measured, in a few words behind its name while others still run.

What was written into the baseline, told.
"""

from collections.abc import Mapping, Sequence

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.metric import Better, Metric
from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import CaseVerdict, Judgement, Position
from pytest_pareto.report.case_lines import case_lines, visible_rows
from pytest_pareto.report.columns import before_now, fit_columns, header_text
from pytest_pareto.report.fronts import (
    CaseBlock,
    FrontBlock,
    all_cases,
    build_case,
    build_fronts,
    creep_text,
    crept_rows,
)
from pytest_pareto.report.headline import (
    all_new,
    caught_by_quiet,
    common_lines,
    header_lines,
    headline,
    nothing_but_good,
    since_baseline,
    uncompared_lines,
    undecided_lines,
    without_baseline,
    would_have_caught,
)
from pytest_pareto.report.next_steps import case_steps, session_steps, step_lines, trade_step
from pytest_pareto.report.numbers import amount
from pytest_pareto.report.plots import plot_lines
from pytest_pareto.report.rows import Row
from pytest_pareto.report.text import Line, Tone, clean, clip, display_width, pack, wrap
from pytest_pareto.report.wording import NO_GRAVER_THAN_A_BUDGET


def render_terminal(
    judgement: Judgement, facts: SessionFacts, *, verbosity: int, plot: bool, width: int
) -> list[Line]:
    """Write the report of a session in lines of at most ``width`` cells.

    Below verbosity 0 it is one line; above, every case and metric; from 2 on, p-values.
    """
    if verbosity < 0:
        return [quiet_line(judgement, facts, width)]
    fronts = build_fronts(judgement)
    told_above = verbosity > 0 or (all_new(judgement, facts) and not judgement.failed)
    parts = [
        header_lines(judgement, facts, width),
        _session(judgement, width),
        *(common_lines(mode, judgement, fronts, width) for mode in judgement.common_modes),
        _table(fronts, facts, verbosity, width),
        [] if told_above else uncompared_lines(fronts, width),
        [] if told_above else undecided_lines(judgement, width),
        *(plot_lines(judgement, width) if plot else []),
        _closing(judgement, facts, verbosity, width),
        edit_lines(facts.edits, width) if facts.updating else [],
        [Line(text) for text in step_lines([*session_steps(judgement, facts)], width)],
    ]
    return _joined([part for part in parts if part])


def _joined(parts: Sequence[Sequence[Line]]) -> list[Line]:
    lines: list[Line] = []
    for part in parts:
        lines += [Line(""), *part] if lines else part
    return lines


def _session(judgement: Judgement, width: int) -> list[Line]:
    lines = []
    for failure in judgement.failures:
        lead, *rest = failure.text.splitlines() or [""]
        lines += [Line(t, Tone.RED) for t in wrap(lead, width, indent="FAIL  ", hanging="      ")]
        # The end of a process's output keeps its lines, and the way out stands at their ends.
        for line in rest:
            indent = " " * (6 + len(line) - len(line.lstrip()))
            lines += [Line(t) for t in wrap(line, width, indent=indent, hanging=f"{indent}  ")]
    for text in judgement.notices:
        lines += [Line(t, Tone.YELLOW) for t in wrap(text, width, hanging="  ")]
    return lines


def _table(
    fronts: Sequence[FrontBlock], facts: SessionFacts, verbosity: int, width: int
) -> list[Line]:
    shown = [(front, [c for c in front.cases if _has_block(c, verbosity)]) for front in fronts]
    rows = [row for _, cases in shown for case in cases for row in visible_rows(case, verbosity)]
    columns = fit_columns(rows, width)
    levels = {row.level for row in rows if row.level}
    lines = [Line(header_text(columns, levels, before_now(facts.ref)))] if rows else []
    for front, cases in shown:
        if cases:
            lines.append(Line(clip(front.title, width), Tone.BOLD))
        for case in cases:
            accept = trade_step(case.case_id, case.nodeid, facts)
            lines += case_lines(case, columns, verbosity=verbosity, accept=accept)
    return lines


def _has_block(case: CaseBlock, verbosity: int) -> bool:
    return verbosity > 0 or (case.changed and not case.common and not case.uncompared)


def _closing(judgement: Judgement, facts: SessionFacts, verbosity: int, width: int) -> list[Line]:
    lines: list[Line] = []
    for lead, caught in caught_by_quiet(judgement):
        parts = [*(f"{text}," for text in caught[:-1]), *caught[-1:]]
        lines += [Line(t) for t in pack(parts, width, separator=" ", indent=lead, hanging="  ")]
    texts = [*since_baseline(facts)]
    texts += [f"assumed: {text}" for text in facts.assumptions if verbosity > 0]
    return lines + [Line(t) for text in texts for t in wrap(text, width, hanging="  ")]


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
    session = [clean(failure.text) for failure in judgement.failures]
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


_WIDTH = 80


def failure_message(case: CaseVerdict) -> str:
    """Return what one failed case comes to, in a line."""
    return failure_line(case, build_case(case))


def failure_text(case: CaseVerdict, facts: SessionFacts | None = None) -> tuple[str, str]:
    """Return the one-line message and the long text of the report of a failed case.

    ``facts`` tell what was compared with, and how the case can be accepted.
    """
    ref = None if facts is None else facts.ref
    block = build_case(case)
    rows = visible_rows(block, 0)
    columns = fit_columns(rows, _WIDTH)
    lines = [line.text for line in case_lines(block, columns)]
    if rows:
        levels = {row.level for row in rows if row.level}
        lines.insert(0, header_text(columns, levels, before_now(ref)))
    # Of a shared movement, accepting the case that speaks for it would settle nothing.
    steps = [] if case.common else step_lines([*case_steps(case, facts)], _WIDTH)
    return failure_line(case, block), "\n".join([*lines, *([""] if steps else []), *steps])


def failure_line(case: CaseVerdict, block: CaseBlock) -> str:
    """Say in one line what is worse in a failing case, or for what else it fails."""
    convicted = [row for row in block.rows if row.gates and row.outcome is Outcome.WORSE]
    worse = [row for row in convicted if row.metric not in block.crept]
    crept = [creep_text(row) for row in crept_rows(block)]
    broke = [f"budget broken: {figures}" for figures in block.broke]
    if not worse:
        return "; ".join([*crept, *broke] if crept else block.fails)
    lead = "LOST its place: " if case.place.position is Position.LOST else ""
    others = "".join(f", {row.metric} WORSE {row.change}" for row in worse[1:])
    return "; ".join([f"{lead}{_in_one_line(worse[0])}{others}", *crept, *broke])


def _in_one_line(row: Row) -> str:
    levels = f"{row.baseline} → {row.candidate} {row.unit}".rstrip()
    return f"{row.metric} WORSE: {levels} ({row.change}, limit {row.limit})"


_COSTS, _QUALITIES = 2, 1
_MOST = _COSTS + _QUALITIES

Levels = Sequence[tuple[Metric, float]]


def figures_text(cases: Mapping[str, Levels], room: int) -> str:
    """Write what fits into so many cells, "latency 41.2 ms · energy 12.3 J", and one in any case.

    ``cases`` are the levels of a test's gated metrics, by the name of the case ("" of its only
    one). Of each two costs are told and a quality, or else its first three; never more in all.
    """
    figures = [
        f"{clean(name)}: {figure}" if name and not number else figure
        for name, levels in cases.items()
        for number, figure in enumerate(map(_figure, _chosen(levels)))
    ][:_MOST]
    text = " · ".join(figures)
    while len(figures) > 1 and display_width(text) > room:
        figures.pop()
        text = " · ".join(figures)
    return text


def _chosen(levels: Levels) -> Levels:
    costs = [each for each in levels if each[0].better is Better.LOWER]
    qualities = [each for each in levels if each[0].better is Better.HIGHER]
    chosen = [*costs[:_COSTS], *qualities[:_QUALITIES]]
    return chosen if costs and qualities else levels[:_MOST]


def _figure(level: tuple[Metric, float]) -> str:
    metric, value = level
    return f"{clean(metric.name)} {clean(amount(value, metric.unit))}"


def edit_lines(edits: Sequence[str], width: int) -> list[Line]:
    """Tell each edit; where there is none, that nothing was written."""
    heading = "written to the baseline:" if edits else "nothing was written to the baseline"
    lines = [line for edit in edits for line in wrap(edit, width, indent="  ", hanging="    ")]
    return [Line(heading, Tone.BOLD), *map(Line, lines)]
