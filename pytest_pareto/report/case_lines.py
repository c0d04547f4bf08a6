"""The lines of one case: its name, its rows, why it stands as it does."""

from collections.abc import Iterator, Sequence

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.verdict import Verdict
from pytest_pareto.report.columns import INDENT, Columns, moved_out, row_text
from pytest_pareto.report.fronts import CaseBlock, creep_lines
from pytest_pareto.report.next_steps import Step, step_lines
from pytest_pareto.report.rows import Row
from pytest_pareto.report.text import Line, Tone, display_width, pack, pad, shorten, wrap

_BELOW = INDENT + "  "
_ALARMING = {Outcome.WORSE, Outcome.BROKEN, Outcome.MISSING}


def case_lines(
    case: CaseBlock, columns: Columns, *, verbosity: int = 0, accept: Step | None = None
) -> list[Line]:
    """Write one case; ``accept`` is how a trade that was let through is accepted."""
    width = columns.width
    lines = [Line(_headed(case, columns), case_tone(case))]
    for row in visible_rows(case, verbosity):
        lines.append(Line(row_text(row, columns), row_tone(row, case)))
        lines += [Line(text) for text in _below(row, columns, verbosity)]
    tone = case_tone(case) if case.crept else Tone.PLAIN
    lines += [Line(text, tone) for text in creep_lines(case, width, INDENT, verbosity)]
    lines += [Line(text) for text in _rest(case, width, verbosity)]
    for lead, texts, tone in (
        ("fails", case.fails, Tone.RED),
        ("note", case.notices, Tone.YELLOW),
    ):
        lines += [
            Line(line, tone)
            for text in texts
            for line in wrap(f"{lead}: {text}", width, indent=INDENT, hanging=_BELOW)
        ]
    lines += [Line(text) for text in _asides(case, width, verbosity)]
    if accept is not None and is_let_through(case):
        lines += [Line(text) for text in step_lines([accept], width, INDENT)]
    return lines


def is_let_through(case: CaseBlock) -> bool:
    """Whether a case is a trade that passes: what was given up for it may be accepted."""
    return not case.failing and case.verdict is Verdict.TRADE_OFF


def visible_rows(case: CaseBlock, verbosity: int) -> list[Row]:
    """Return the rows that a verbosity shows.

    By default those with news; with -v all that gate; with -vv every diagnostic as well.
    """
    return [
        row
        for row in case.rows
        if row.outcome is not Outcome.ABSENT
        and (row.remarkable or verbosity > 1 or (verbosity > 0 and row.gates))
    ]


def _headed(case: CaseBlock, columns: Columns) -> str:
    label = shorten(case.label, columns.width // 2)
    room = columns.width - display_width(label) - 4
    name = shorten(case.name, room)
    start = min(max(columns.start("outcome"), display_width(name) + 4), room + 4)
    return pad(f"  {name}", start) + label


def case_tone(case: CaseBlock) -> Tone:
    """Tell how a case stands out: red fails, yellow asks for a look, green is better."""
    if case.failing:
        return Tone.RED
    if case.notices or case.verdict is Verdict.INCONCLUSIVE:
        return Tone.YELLOW
    return Tone.GREEN if case.verdict is Verdict.IMPROVED else Tone.PLAIN


def row_tone(row: Row, case: CaseBlock) -> Tone:
    """Tell how a metric of a case stands out."""
    if not row.gates:
        return Tone.PLAIN
    if row.outcome in _ALARMING:
        return Tone.RED if case.failing else Tone.YELLOW
    if row.outcome is Outcome.BETTER:
        return Tone.GREEN
    return Tone.YELLOW if row.outcome is Outcome.INCONCLUSIVE else Tone.PLAIN


def _below(row: Row, columns: Columns, verbosity: int) -> Iterator[str]:
    parts = [*moved_out(row, columns), *row.facts]
    if verbosity > 0:
        parts += row.details
    yield from pack(parts, columns.width, indent=_BELOW)
    if row.worst and (row.remarkable or verbosity > 0):
        worst = f"worst samples: {', '.join(row.worst)}"
        yield from wrap(worst, columns.width, indent=_BELOW, hanging=_BELOW + "  ")
    if verbosity > 1 and row.statistics:
        yield from wrap(row.statistics, columns.width, indent=_BELOW)


def _rest(case: CaseBlock, width: int, verbosity: int) -> Iterator[str]:
    """Name the metrics that have no row: what did not move, diagnostics, what is absent."""
    told: dict[str, list[str]] = {}
    if verbosity <= 0:
        for row in case.rows:
            if row.gates and not row.remarkable and row.outcome is not Outcome.ABSENT:
                told.setdefault(f"{row.word}: ", []).append(row.metric)
    lines = [f"{word}{', '.join(names)}" for word, names in told.items()]
    if verbosity == 1:
        lines += quiet_diagnostics(case.rows)
    if verbosity > 0 or not (visible_rows(case, verbosity) or case.crept):
        lines += absences(case.rows)
    for line in lines:
        yield from wrap(line, width, indent=INDENT, hanging=_BELOW)


def quiet_diagnostics(rows: Sequence[Row]) -> Iterator[str]:
    """Tell what the diagnostics without news read, in one line for those that fared alike."""
    by_word: dict[str, list[str]] = {}
    for row in rows:
        if is_quiet_diagnostic(row):
            moved = f" ({row.change})" if row.outcome is Outcome.INCONCLUSIVE else ""
            told = f"{row.metric} {row.candidate} {row.unit}".rstrip() + moved
            by_word.setdefault(row.word, []).append(told)
    for word, readings in by_word.items():
        yield f"diagnostics, {word}: {', '.join(readings)}"


def is_quiet_diagnostic(row: Row) -> bool:
    """Whether a row is a diagnostic that was measured and has no news."""
    return not (row.gates or row.remarkable or row.outcome is Outcome.ABSENT)


def absences(rows: Sequence[Row]) -> Iterator[str]:
    """Say which metrics are absent, together where the reason is the same."""
    by_reason: dict[str, list[str]] = {}
    for row in rows:
        if row.outcome is Outcome.ABSENT:
            by_reason.setdefault(", ".join(row.facts), []).append(row.metric)
    for reason, metrics in by_reason.items():
        yield f"absent: {', '.join(metrics)} ({reason})"


def _asides(case: CaseBlock, width: int, verbosity: int) -> Iterator[str]:
    texts = [*case.notes, *((case.place, *case.budgets) if verbosity > 0 else ())]
    for text in texts:
        yield from wrap(text, width, indent=INDENT, hanging=_BELOW)
