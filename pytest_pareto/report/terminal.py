"""Terminal reports: the section at the end of a pytest run, its one-line form, and failure texts.

`render_terminal` is the entry point for a session. `failure_text` renders one failed case for
pytest's own report, `figures_text` what a test measured while others still run, and `edit_lines`
the edits of a baseline.
"""

from collections.abc import Iterator, Mapping, Sequence

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.metric import Better, Metric
from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import CaseVerdict, Judgement, Position
from pytest_pareto.report.case_lines import (
    baseline_label,
    case_lines,
    fit_columns,
    header_text,
    visible_rows,
)
from pytest_pareto.report.fronts import (
    CaseBlock,
    FrontBlock,
    all_cases,
    build_case,
    build_fronts,
    drift_text,
    drifted_rows,
    severity_ranks,
)
from pytest_pareto.report.headline import (
    all_harmless,
    all_new,
    common_lines,
    header_lines,
    headline,
    no_baseline_text,
    resolution_texts,
    software_differences,
    unchanged_resolutions,
    uncompared_lines,
    undecided_lines,
)
from pytest_pareto.report.next_steps import case_steps, session_steps, step_lines, trade_step
from pytest_pareto.report.numbers import amount
from pytest_pareto.report.plots import plot_lines
from pytest_pareto.report.rows import Row
from pytest_pareto.report.text import Line, Tone, clean, clip, display_width, pack, wrap
from pytest_pareto.report.wording import LESS_SEVERE_THAN_BUDGET, rule_word

_SEPARATOR = " · "
_FAILURE_WIDTH = 80
_MAX_CLAUSE = 40
_MAX_COSTS, _MAX_QUALITIES = 2, 1
_MAX_FIGURES = _MAX_COSTS + _MAX_QUALITIES
_MAX_BLOCKS = 100
"""The cases with lines of their own; a session of more is not read from the terminal."""
_SHOWN_ALL = "-v shows every case, and a report in JSON has every number"

MetricLevels = Sequence[tuple[Metric, float]]


def render_terminal(
    judgement: Judgement, facts: SessionFacts, *, verbosity: int, plot: bool, width: int
) -> list[Line]:
    """Render the report of a session in lines of at most ``width`` cells.

    Verbosity below 0 gives one line, above 0 every case and every gated metric, from 2 on
    diagnostics and p-values as well.
    """
    if verbosity < 0:
        return [quiet_line(judgement, facts, width)]
    fronts = build_fronts(judgement)
    already_listed = verbosity > 0 or (all_new(judgement, facts) and not judgement.failed)
    parts = [
        header_lines(judgement, facts, width, names=verbosity > 0),
        _session_lines(judgement, width),
        *(common_lines(mode, judgement, fronts, width) for mode in judgement.common_modes),
        _table_lines(fronts, severity_ranks(judgement), facts, verbosity, width),
        [] if already_listed else uncompared_lines(fronts, width),
        [] if already_listed else undecided_lines(judgement, width),
        *(plot_lines(judgement, width) if plot else []),
        _closing_lines(judgement, facts, verbosity, width),
        edit_lines(facts.edits, width) if facts.updating else [],
        [Line(text) for text in step_lines([*session_steps(judgement, facts)], width)],
    ]
    return _joined([part for part in parts if part])


def _joined(parts: Sequence[Sequence[Line]]) -> list[Line]:
    lines: list[Line] = []
    for part in parts:
        lines += [Line(""), *part] if lines else part
    return lines


def _session_lines(judgement: Judgement, width: int) -> list[Line]:
    lines = []
    for failure in judgement.failures:
        lead, *rest = failure.text.splitlines() or [""]
        lines += [Line(t, Tone.RED) for t in wrap(lead, width, indent="FAIL  ", hanging="      ")]
        # The output of a process keeps its lines, uncut: the remedy stands at their ends.
        for line in rest:
            indent = " " * (6 + len(line) - len(line.lstrip()))
            lines += [Line(t) for t in wrap(line, width, indent=indent, hanging=f"{indent}  ")]
    for text in judgement.notices:
        lines += [Line(t, Tone.YELLOW) for t in wrap(text, width, hanging="  ")]
    return lines


def _table_lines(
    fronts: Sequence[FrontBlock],
    ranks: Mapping[str, int],
    facts: SessionFacts,
    verbosity: int,
    width: int,
) -> list[Line]:
    """Render the cases that have a block; by default the most severe ones, and the rest counted."""
    found = [case for case in all_cases(fronts) if _has_block(case, verbosity)]
    found.sort(key=lambda case: ranks[case.case_id])
    most = _MAX_BLOCKS if verbosity == 0 else len(found)
    taken = {case.case_id for case in found[:most]}
    shown = [(front, [c for c in front.cases if c.case_id in taken]) for front in fronts]
    rows = [row for _, cases in shown for case in cases for row in visible_rows(case, verbosity)]
    columns = fit_columns(rows, width)
    coverages = {row.coverage for row in rows if row.coverage}
    lines = [Line(header_text(columns, coverages, baseline_label(facts.ref)))] if rows else []
    for front, cases in shown:
        if cases:
            lines.append(Line(clip(front.title, width), Tone.BOLD))
        for case in cases:
            accept = trade_step(case.case_id, case.nodeid, facts)
            lines += case_lines(case, columns, verbosity=verbosity, accept=accept)
    if more := found[most:]:
        failing = sum(case.failing for case in more)
        which = f", of which {failing} fail" if failing else ""
        text = f"and {plural(len(more), 'case')} less severe than these{which}: {_SHOWN_ALL}"
        lines += [Line(t, Tone.RED if failing else Tone.YELLOW) for t in wrap(text, width)]
    return lines


def _has_block(case: CaseBlock, verbosity: int) -> bool:
    return verbosity > 0 or (case.changed and not case.common and not case.uncompared)


def _closing_lines(
    judgement: Judgement, facts: SessionFacts, verbosity: int, width: int
) -> list[Line]:
    lines: list[Line] = []
    for lead, caught in unchanged_resolutions(judgement):
        parts = [*(f"{text}," for text in caught[:-1]), *caught[-1:]]
        lines += [Line(t) for t in pack(parts, width, separator=" ", indent=lead, hanging="  ")]
    texts = [*software_differences(facts)]
    texts += [f"assumed: {text}" for text in facts.assumptions if verbosity > 0]
    return lines + [Line(t) for text in texts for t in wrap(text, width, hanging="  ")]


def quiet_line(judgement: Judgement, facts: SessionFacts, width: int) -> Line:
    """Render a session in one line of at most ``width`` cells; what does not fit is counted."""
    if judgement.failed:
        return Line(_failing_text(judgement, facts, width), Tone.RED)
    if not facts.baseline_sessions:
        parts = (
            no_baseline_text(facts),
            *_caveats(judgement, facts),
            *headline(judgement, facts),
        )
        return Line(clip(f"pareto: {_SEPARATOR.join(parts)}", width), Tone.YELLOW)
    tone = Tone.GREEN if judgement.cases else Tone.YELLOW
    return Line(_passing_text(judgement, facts, width), tone)


def _passing_text(judgement: Judgement, facts: SessionFacts, width: int) -> str:
    counts = headline(judgement, facts)
    if all_harmless(judgement):
        counts = (f"{plural(len(judgement.cases), 'case')} unchanged or better",)
    head = _SEPARATOR.join(["pareto: pass", *_caveats(judgement, facts), *counts])
    undecided = tuple(_undecided_texts(judgement))
    if undecided:
        brief = _SEPARATOR.join(["pareto: pass", *_caveats(judgement, facts)])
        of_all = f"{len(undecided)} of {plural(len(judgement.cases), 'case')} inconclusive: "
        wordings = [(f"{head} · inconclusive: ", undecided), (f"{brief} · {of_all}", undecided)]
        return _first_that_fits(wordings, width)
    caught = resolution_texts(judgement.cases)
    if not caught or display_width(head) >= width - len(_SEPARATOR):
        return clip(head, width)
    wordings = [(f"{head} · {verb} ", caught) for verb in ("minimum detectable", "detects")]
    return _first_that_fits(wordings, width)


def _undecided_texts(judgement: Judgement) -> Iterator[str]:
    """Yield the undecided cases that are beyond a limit as measured: "[a] (latency ×3.0)"."""
    for case in all_cases(build_fronts(judgement)):
        beyond = [f"{row.metric} {row.change}" for row in case.rows if row.excess]
        if beyond:
            yield f"{case.name} ({', '.join(beyond)})"


def _failing_text(judgement: Judgement, facts: SessionFacts, width: int) -> str:
    counts = headline(judgement, facts, figures=False)[0]
    head = _SEPARATOR.join(["pareto: FAIL", *_caveats(judgement, facts)])
    failing = [case for case in all_cases(build_fronts(judgement)) if case.failing]
    session = [clean(failure.text) for failure in judgement.failures]
    by_id = [*session, *(f"{case.case_id} ({_failure_reason(case)})" for case in failing)]
    by_name = [*session, *(f"{case.name} ({_failure_reason(case)})" for case in failing)]
    wordings = [
        (f"{head} · {counts}: ", by_id),
        (f"{head} · {counts}: ", by_name),
        (f"{head} · {counts.replace(' cases', '')}: ", by_name),
    ]
    return _first_that_fits(wordings, width)


def _caveats(judgement: Judgement, facts: SessionFacts) -> list[str]:
    """Return what every report must state: rules that changed, what did not run, what it wrote."""
    caveats = [rule_word(judgement.rules)] if judgement.rules else []
    if facts.partial:
        caveats.append(f"incomplete: {clip(clean(facts.partial), _MAX_CLAUSE)}")
    if facts.updating:
        written = plural(facts.written, "metric") if facts.written else "nothing"
        caveats.append(f"wrote {written}")
    return caveats


def _failure_reason(case: CaseBlock) -> str:
    worse = next((row for row in case.rows if row.gates and row.outcome is Outcome.WORSE), None)
    drifted = next(iter(drifted_rows(case)), None)
    if worse is None and drifted is not None:
        return f"{drifted.metric} drifted {drifted.change}"
    if worse is not None:
        return f"{worse.metric} WORSE {worse.change}"
    broken = case.broke if case.verdict in LESS_SEVERE_THAN_BUDGET else ()
    return broken[0] if broken else case.label


def _first_that_fits(wordings: Sequence[tuple[str, Sequence[str]]], width: int) -> str:
    """Join a lead and its items, in the first of ``wordings`` that fits.

    If none fits, the last one is used with as many items as fit; the others are counted.
    """
    for head, items in wordings:
        if display_width(head + ", ".join(items)) <= width:
            return head + ", ".join(items)
    head, items = wordings[-1]
    fitting = ""
    # Each item is wider than what the count of the others can shrink by.
    for shown in range(1, len(items)):
        line = f"{head}{', '.join(items[:shown])}, +{len(items) - shown} more"
        if display_width(line) > width:
            break
        fitting = line
    if fitting:
        return fitting
    more = f", +{len(items) - 1} more" if len(items) > 1 else ""
    return clip(clip(head + items[0], width - len(more)) + more, width)


def failure_message(case: CaseVerdict) -> str:
    """Return the one-line message of a failed case."""
    return failure_line(case, build_case(case))


def failure_text(case: CaseVerdict, facts: SessionFacts | None = None) -> tuple[str, str]:
    """Return the one-line message and the long text of a failed case.

    ``facts`` is what the case was compared with, and how it can be accepted.
    """
    ref = None if facts is None else facts.ref
    block = build_case(case)
    rows = visible_rows(block, 0)
    columns = fit_columns(rows, _FAILURE_WIDTH)
    lines = [line.text for line in case_lines(block, columns)]
    if rows:
        coverages = {row.coverage for row in rows if row.coverage}
        lines.insert(0, header_text(columns, coverages, baseline_label(ref)))
    # Accepting one case of a common movement would not settle the movement.
    steps = [] if case.common else step_lines([*case_steps(case, facts)], _FAILURE_WIDTH)
    return failure_line(case, block), "\n".join([*lines, *([""] if steps else []), *steps])


def failure_line(case: CaseVerdict, block: CaseBlock) -> str:
    """Return in one line what is worse in a failing case, or else why it fails."""
    worse_rows = [row for row in block.rows if row.gates and row.outcome is Outcome.WORSE]
    worse = [row for row in worse_rows if row.metric not in block.drifted]
    drifted = [drift_text(row) for row in drifted_rows(block)]
    broken_budgets = [f"budget broken: {figures}" for figures in block.broke]
    if not worse:
        return "; ".join([*drifted, *broken_budgets] if drifted else block.fails)
    lead = "LOST its place: " if case.place.position is Position.LOST else ""
    others = "".join(f", {row.metric} WORSE {row.change}" for row in worse[1:])
    return "; ".join([f"{lead}{_worse_text(worse[0])}{others}", *drifted, *broken_budgets])


def _worse_text(row: Row) -> str:
    levels = f"{row.baseline} → {row.candidate} {row.unit}".rstrip()
    return f"{row.metric} WORSE: {levels} ({row.change}, limit {row.limit})"


def figures_text(cases: Mapping[str, MetricLevels], room: int) -> str:
    """Render levels in ``room`` cells: "latency 41.2 ms · energy 12.3 J". At least one is rendered.

    ``cases`` are the levels of a test's gated metrics, by the name of the case ("" of its only
    one). Of each, two costs and one quality are taken, or else its first three; at most three
    in all.
    """
    figures = [
        f"{clean(name)}: {figure}" if name and not number else figure
        for name, levels in cases.items()
        for number, figure in enumerate(map(_figure, _select_levels(levels)))
    ][:_MAX_FIGURES]
    text = " · ".join(figures)
    while len(figures) > 1 and display_width(text) > room:
        figures.pop()
        text = " · ".join(figures)
    return text


def _select_levels(levels: MetricLevels) -> MetricLevels:
    costs = [each for each in levels if each[0].better is Better.LOWER]
    qualities = [each for each in levels if each[0].better is Better.HIGHER]
    chosen = [*costs[:_MAX_COSTS], *qualities[:_MAX_QUALITIES]]
    return chosen if costs and qualities else levels[:_MAX_FIGURES]


def _figure(level: tuple[Metric, float]) -> str:
    metric, value = level
    return f"{clean(metric.name)} {clean(amount(value, metric.unit))}"


def edit_lines(edits: Sequence[str], width: int) -> list[Line]:
    """Render the edits of a baseline, or that nothing was written."""
    heading = "written to the baseline:" if edits else "nothing was written to the baseline"
    lines = [line for edit in edits for line in wrap(edit, width, indent="  ", hanging="    ")]
    return [Line(heading, Tone.BOLD), *map(Line, lines)]
