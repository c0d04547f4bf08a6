"""The Markdown report (``--pareto-markdown``): a session as a pull request shows it, at most 60 kB.

`render_markdown` writes a table of changed cases for each front, as many of the most severe
cases as fit. `code_span` and `escape_prose` escape text for GitHub and GitLab, in tables and
outside: a name becomes a code span, so that nothing in it is a link, a mention, a reference or
markup; in prose, only words that are not plain become one. No HTML is written.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.session_record import SessionReport
from pytest_pareto.model.verdict import Judgement
from pytest_pareto.report.case_lines import baseline_label, shown_parts, visible_rows
from pytest_pareto.report.fronts import (
    CaseBlock,
    FrontBlock,
    build_fronts,
    drift_text,
    drifted_rows,
    severity_ranks,
)
from pytest_pareto.report.headline import (
    build_header,
    common_lines,
    software_differences,
    unchanged_resolutions,
    uncompared_lines,
    undecided_lines,
)
from pytest_pareto.report.next_steps import Step, session_steps, shown_command, trades_step
from pytest_pareto.report.rows import Row
from pytest_pareto.report.text import Line, clean, clip, shorten

MAX_BYTES = 60_000
"""GitHub limits a comment to 65,536 characters."""

_NO_WRAP = 1_000_000
_MAX_LINE = 400
_MAX_COMMAND = 1_500
_MAX_LINES = 20
_NAME_CELLS = 80
_TITLE_CELLS = 160
_REASON_CELLS = 300
_SAMPLE_CELLS = 40
_MAX_REASONS = 5
_MAX_ROWS = 30
_MAX_PARTS = 12
_EXPLAINED_CASES = 20
"""So many of the most severe cases have the parts that moved: all would leave out other cases."""
_EMPHASIZED = {Outcome.WORSE, Outcome.BROKEN, Outcome.MISSING}

_BACKTICKS = re.compile(r"`+")
_PLAIN = re.compile(r"[\w.,;'’\"“”/()+=%×±−→…·°-]+")
_LEADING, _TRAILING = "(\"'“", ".,;:!?)\"'”…"
_MARKUP = re.compile(
    r"""
    _ | (?i:www\.)           # emphasis, links without a scheme
    | ^-- | ^[%=]\S | ^[+-]\D  # typography, milestones, lists
    | ^[0-9a-fA-F]{7,40}$    # commits
    | ^(?i:gh)-\d            # issues
    """,
    re.VERBOSE,
)
_LIST_NUMBER = re.compile(r"(\d+)([.)])")
_NUMBER = re.compile(r"\[?[+−×]?[\d.]+\]?[,)]*")
_ZERO_WIDTH = "&#8203;"


def render_markdown(report: SessionReport) -> str:
    """Render a session as Markdown, the most severe cases first; what does not fit is counted."""
    judgement, facts = report.judgement, report.facts
    fronts = build_fronts(judgement)
    first = build_header(judgement, facts)
    lead, *rest = first.counts
    head = [
        f"## pareto: {first.word}",
        " · ".join([f"**{_line(lead)}**", *map(_line, rest)]),
        _bullet_list(first.rules),
        " · ".join(map(_line, [first.against, *first.measured])),
        _bullet_list(first.caveats),
        *_failure_parts([failure.text for failure in judgement.failures]),
        _bullet_list(judgement.notices),
        *(
            _nested_list(common_lines(mode, judgement, fronts, _NO_WRAP))
            for mode in judgement.common_modes[:_MAX_LINES]
        ),
    ]
    tail = [
        _nested_list(uncompared_lines(fronts, _NO_WRAP)),
        _nested_list(undecided_lines(judgement, _NO_WRAP)),
        " ".join(
            _line(t + ", ".join(parts)) for t, parts in unchanged_resolutions(judgement) if parts
        ),
        *_baseline_edits(report),
        *_step_parts(report),
        _bullet_list(software_differences(facts)),
    ]
    around = _join([*head, *tail])
    room = MAX_BYTES - len(around.encode()) - len("\n\n")
    return _join([*head, changed_tables(judgement, fronts, facts.ref, room), *tail])


def _join(parts: Sequence[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


def _line(text: str) -> str:
    return escape_prose(clip(clean(text), _MAX_LINE))


def _bullet_list(texts: Sequence[str]) -> str:
    return _limit_lines([f"- {_line(text)}" for text in texts])


def _nested_list(lines: Sequence[Line]) -> str:
    """Render lines of the terminal report as a list, indented lines as sub-items."""
    return _limit_lines(
        [f"{'  ' if t.text.startswith(' ') else ''}- {_line(t.text)}" for t in lines]
    )


def _limit_lines(lines: Sequence[str]) -> str:
    more = len(lines) - _MAX_LINES
    return "\n".join([*lines[:_MAX_LINES], *([f"- and {more} more lines"] if more > 0 else [])])


def _failure_parts(failures: Sequence[str]) -> Iterator[str]:
    """Render the failures of the session, with the last lines of process output."""
    for text in failures[:_MAX_LINES]:
        lead, *output = text.splitlines() or [""]
        yield f"**FAIL** {_line(lead)}"
        if output:
            yield _code_block([clip(clean(line), 120) for line in output[-_MAX_LINES:]])
    if len(failures) > _MAX_LINES:
        yield f"**FAIL** and {len(failures) - _MAX_LINES} more"


def _baseline_edits(report: SessionReport) -> Iterator[str]:
    if report.facts.updating:
        edits = report.facts.edits
        yield "written to the baseline:" if edits else "nothing was written to the baseline"
        yield _bullet_list(edits)


def _step_parts(report: SessionReport) -> Iterator[str]:
    """Render the next steps as commands to copy."""
    judgement, facts = report.judgement, report.facts
    steps = [*session_steps(judgement, facts)]
    trade = trades_step(judgement.cases, facts)
    if trade is not None:
        steps.append(trade)
    commands: list[str] = []
    for step in steps:
        command = shown_command(step)
        if not command or len(command) > _MAX_COMMAND:
            yield _line(f"{step.purpose} {step.instead or 'see the report in the terminal'}")
        else:
            commands += [f"# {step.purpose.rstrip(':')}", command]
    if commands:
        yield _code_block(commands, "sh")
    if _has_accept_step(steps):
        path = code_span(facts.candidate_path or "")
        yield (
            f"{path} holds what this session measured; of a CI job it is an artifact, to be put "
            "there. Write a reason, and commit the baseline."
        )


def _has_accept_step(steps: Sequence[Step]) -> bool:
    return any("accept" in step.command for step in steps)


def _code_block(lines: Sequence[str], language: str = "") -> str:
    fence = "```"
    while any(fence in line for line in lines):
        fence += "`"
    return "\n".join([f"{fence}{language}", *lines, fence])


@dataclass(frozen=True, slots=True)
class _CaseEntry:
    """A case as rows of a table, and its reasons and the parts that moved below the table."""

    rows: tuple[str, ...]
    reasons: str

    @property
    def size(self) -> int:
        """The size in bytes, including line breaks."""
        return sum(len(line.encode()) + 1 for line in (*self.rows, self.reasons))


def changed_tables(
    judgement: Judgement, fronts: Sequence[FrontBlock], ref: str | None, room: int
) -> str:
    """Render tables of the changed cases in at most ``room`` bytes.

    The most severe of all cases are taken first, and listed in the order of their fronts.
    """
    shown = [(at, c) for at, front in enumerate(fronts) for c in front.cases if _has_rows(c)]
    coverages = {row.coverage for _, case in shown for row in visible_rows(case, 0) if row.coverage}
    head = _table_head(coverages, ref)
    titles = [f"**{code_span(front.title, width=_TITLE_CELLS)}**\n\n{head}\n" for front in fronts]
    ranks = severity_ranks(judgement)
    room -= len(_omitted_text(len(shown)).encode()) + 2
    taken: dict[int, dict[int, _CaseEntry]] = {}
    by_rank = sorted(range(len(shown)), key=lambda i: ranks[shown[i][1].case_id])
    for rank, index in enumerate(by_rank):
        at, case = shown[index]
        entry = _case_entry(case, explained=rank < _EXPLAINED_CASES)
        # A new table adds two line breaks around itself, and two before its reasons.
        size = entry.size + (0 if at in taken else len(titles[at].encode()) + 4)
        if size > room:
            break
        room -= size
        taken.setdefault(at, {})[index] = entry
    tables = [_table(titles[at], [taken[at][i] for i in sorted(taken[at])]) for at in sorted(taken)]
    count = len(shown) - sum(map(len, taken.values()))
    return "\n\n".join([*tables, *([_omitted_text(count)] if count else [])])


def _has_rows(case: CaseBlock) -> bool:
    return case.changed and not case.common and not case.uncompared


def _table_head(coverages: set[str], ref: str | None) -> str:
    change = f"change ({', '.join(coverages)})" if len(coverages) == 1 else "change"
    names = ("case", "metric", baseline_label(ref), "now", change, "limit", "outcome")
    return f"| {' | '.join(names)} |\n|:--|:--|--:|--:|--:|--:|:--|"


def _table(title: str, cases: Sequence[_CaseEntry]) -> str:
    rows = "\n".join(row for case in cases for row in case.rows)
    reasons = "\n".join(case.reasons for case in cases if case.reasons)
    return f"{title}{rows}" + (f"\n\n{reasons}" if reasons else "")


def _case_entry(case: CaseBlock, *, explained: bool) -> _CaseEntry:
    name = code_span(case.name, cell=True, width=_NAME_CELLS)
    label = (
        f"**{escape_prose(case.label, cell=True)}**"
        if case.failing
        else escape_prose(case.label, cell=True)
    )
    rows = visible_rows(case, 0)[:_MAX_ROWS]
    cells = [_cells(row) for row in rows] or [("",) * 6]
    lines = [
        f"| {' | '.join([f'{name} {label}' if first else '', *each])} |"
        for each, first in zip(cells, [True, *[False] * len(cells)], strict=False)
    ]
    texts = [*map(drift_text, drifted_rows(case)), *case.fails, *case.notices]
    reasons = [escape_prose(clip(text, _REASON_CELLS)) for text in texts]
    reasons += [
        escape_prose(clip(f"{row.metric}: {'; '.join(row.facts)}", _REASON_CELLS))
        for row in rows
        if row.excess
    ]
    worst = (code_spans(row.worst, width=_SAMPLE_CELLS) for row in rows if row.worst)
    reasons += [f"worst samples: {names}" for names in worst]
    more = [f"and {len(reasons) - _MAX_REASONS} more"] if len(reasons) > _MAX_REASONS else []
    listed = "; ".join([*reasons[:_MAX_REASONS], *more])
    parts = [item for row in rows for item in _part_items(row)] if explained else []
    lead = f"- {code_span(case.name, width=_NAME_CELLS)}: {listed}"
    if len(parts) > _MAX_PARTS:
        parts[_MAX_PARTS:] = [f"  - and {len(parts) - _MAX_PARTS} more lines"]
    items = [lead, *parts] if reasons or parts else []
    return _CaseEntry(tuple(lines), "\n".join(items))


def _part_items(row: Row) -> Iterator[str]:
    """Render the parts that moved the metric of a row as sub-items of its case."""
    metric = code_span(row.metric, width=_NAME_CELLS)
    if row.why is not None and row.why.instead:
        metric += f", {escape_prose(row.why.instead)}"
    for part in shown_parts(row, 0):
        name = code_span(part.name, width=_NAME_CELLS) if part.is_part else part.name
        detail = f": {escape_prose(part.detail)}" if part.detail else ""
        yield f"  - {metric}: {escape_prose(clip(part.change, _NAME_CELLS))} {name}{detail}"


def _cells(row: Row) -> tuple[str, ...]:
    word = escape_prose(row.word, cell=True)
    levels = (f"{level} {row.unit}" if level else "" for level in (row.baseline, row.candidate))
    texts = (*levels, f"{row.change} {row.interval}", row.limit)
    return (
        code_span(row.metric, cell=True, width=_NAME_CELLS),
        *(escape_prose(clip(text.strip(), _NAME_CELLS), cell=True) for text in texts),
        f"**{word}**" if row.gates and row.outcome in _EMPHASIZED else word,
    )


def _omitted_text(count: int) -> str:
    return (
        f"{plural(count, 'changed case')} less severe than these left out: 60 kB are full. "
        "The other reports have all."
    )


def code_span(text: str, *, cell: bool = False, width: int | None = None) -> str:
    """Return a name as a code span, "" where it is empty.

    ``cell`` is for a cell of a table. More than ``width`` terminal cells are cut in the middle.
    """
    text = clean(text)
    if width is not None:
        text = shorten(text, width)
    if not text:
        return ""
    if not cell:
        return _raw_code_span(text)
    # A backslash before a pipe is ambiguous: parsers differ in which of the two it escapes.
    # They are split into two spans.
    parts = re.split(r"(?<=\\)(?=\|)", text)
    return _ZERO_WIDTH.join(_raw_code_span(part).replace("|", "\\|") for part in parts)


def _raw_code_span(text: str) -> str:
    longest = max((len(run) for run in _BACKTICKS.findall(text)), default=0)
    fence = "`" * (longest + 1)
    # Parsers strip one space at both ends, unless there is nothing else.
    pad = " " if text.strip() and (text[0] in "` " or text[-1] in "` ") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def code_spans(names: Sequence[str], *, width: int) -> str:
    """Return names as code spans in a list; a comma within a name does not split it."""
    return ", ".join(code_span(name, width=width) for name in names)


def escape_prose(text: str, *, cell: bool = False) -> str:
    """Return a text in one line; words that are not plain become code spans."""
    words = clean(text).split()
    if words and _LIST_NUMBER.fullmatch(words[0]):
        words[0] = _LIST_NUMBER.sub(r"\1\\\2", words[0])  # else it would start a list
        return " ".join([words[0], *_escape_words(words[1:], cell=cell)])
    return " ".join(_escape_words(words, cell=cell))


def _escape_words(words: list[str], *, cell: bool) -> Iterator[str]:
    for word in words:
        core = word.lstrip(_LEADING)
        lead, core = word[: len(word) - len(core)], core.rstrip(_TRAILING)
        tail = word[len(lead) + len(core) :]
        if word in "·%&" or _NUMBER.fullmatch(word):
            yield word
        elif len(word) == 1:
            yield f"\\{word}" if word.isascii() and not word.isalnum() else word
        elif not core or (_PLAIN.fullmatch(core) and not _MARKUP.search(core)):
            yield word
        else:
            yield f"{lead}{code_span(core, cell=cell)}{tail}"
