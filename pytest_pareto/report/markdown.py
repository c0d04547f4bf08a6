"""``--pareto-markdown``: what a pull request shows of a session, in at most 60 kB.

Tables of what changed, one for each front, as many of the gravest cases as there is room for.

Text that Markdown shows as it is: on GitHub, on GitLab, in a table and outside of one.

A name goes into a code span: nothing in it is a link, a mention, a reference or markup. Of prose
those words do that are not plain ones. No HTML is ever written.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.session_record import SessionReport
from pytest_pareto.model.verdict import Judgement
from pytest_pareto.report.case_lines import visible_rows
from pytest_pareto.report.columns import before_now
from pytest_pareto.report.fronts import CaseBlock, FrontBlock, build_fronts, creep_text, crept_rows
from pytest_pareto.report.headline import (
    build_header,
    caught_by_quiet,
    common_lines,
    since_baseline,
    uncompared_lines,
    undecided_lines,
)
from pytest_pareto.report.next_steps import Step, session_steps, shown_command, trades_step
from pytest_pareto.report.rows import Row
from pytest_pareto.report.text import Line, clean, clip, shorten
from pytest_pareto.report.wording import severity

MOST_BYTES = 60_000
"""GitHub takes 65,536 characters in a comment."""

_UNBROKEN = 1_000_000
_REASONS_SHOWN = "which the HTML report shows"
_LONGEST_LINE = 400
_LONGEST_COMMAND = 1_500
_MOST_LINES = 20


def render_markdown(report: SessionReport) -> str:
    """Write what changed, gravest first; what does not fit is counted."""
    judgement, facts = report.judgement, report.facts
    fronts = build_fronts(judgement)
    first = build_header(judgement, facts)
    lead, *rest = first.counts
    head = [
        f"## pareto: {first.word}",
        " · ".join([f"**{_line(lead)}**", *map(_line, rest)]),
        " · ".join(map(_line, [first.against, *first.measured])),
        _listed(first.doubts),
        *_failures([failure.text for failure in judgement.failures]),
        _listed(judgement.notices),
        *(
            _nested(common_lines(mode, judgement, fronts, _UNBROKEN))
            for mode in judgement.common_modes[:_MOST_LINES]
        ),
    ]
    tail = [
        _nested(uncompared_lines(fronts, _UNBROKEN)),
        _nested(undecided_lines(judgement, _UNBROKEN, _REASONS_SHOWN)),
        " ".join(_line(t + ", ".join(parts)) for t, parts in caught_by_quiet(judgement) if parts),
        *_written(report),
        *_steps(report),
        _listed(since_baseline(facts)),
    ]
    around = _joined([*head, *tail])
    room = MOST_BYTES - len(around.encode()) - len("\n\n")
    return _joined([*head, changed_tables(judgement, fronts, facts.ref, room), *tail])


def _joined(parts: Sequence[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


def _line(text: str) -> str:
    return prose(clip(clean(text), _LONGEST_LINE))


def _listed(texts: Sequence[str]) -> str:
    return _bounded([f"- {_line(text)}" for text in texts])


def _nested(lines: Sequence[Line]) -> str:
    """Write lines of the terminal's report as a list, its indented lines below their heads."""
    return _bounded([f"{'  ' if t.text.startswith(' ') else ''}- {_line(t.text)}" for t in lines])


def _bounded(lines: Sequence[str]) -> str:
    more = len(lines) - _MOST_LINES
    return "\n".join([*lines[:_MOST_LINES], *([f"- and {more} more lines"] if more > 0 else [])])


def _failures(failures: Sequence[str]) -> Iterator[str]:
    """Tell what failed of the session itself, with the end of what a process said."""
    for text in failures[:_MOST_LINES]:
        lead, *said = text.splitlines() or [""]
        yield f"**FAIL** {_line(lead)}"
        if said:
            yield _block([clip(clean(line), 120) for line in said[-_MOST_LINES:]])
    if len(failures) > _MOST_LINES:
        yield f"**FAIL** and {len(failures) - _MOST_LINES} more"


def _written(report: SessionReport) -> Iterator[str]:
    if report.facts.updating:
        edits = report.facts.edits
        yield "written to the baseline:" if edits else "nothing was written to the baseline"
        yield _listed(edits)


def _steps(report: SessionReport) -> Iterator[str]:
    """Say what to do, as commands to copy."""
    judgement, facts = report.judgement, report.facts
    steps = [*session_steps(judgement, facts)]
    trade = trades_step(judgement.cases, facts)
    if trade is not None:
        steps.append(trade)
    commands: list[str] = []
    for step in steps:
        command = shown_command(step)
        if not command or len(command) > _LONGEST_COMMAND:
            yield _line(f"{step.purpose} {step.instead or 'see the report in the terminal'}")
        else:
            commands += [f"# {step.purpose.rstrip(':')}", command]
    if commands:
        yield _block(commands, "sh")
    if _accepts(steps):
        path = code(facts.candidate_path or "")
        yield (
            f"{path} holds what this session measured; of a CI job it is an artifact, to be put "
            "there. Write a reason, and commit the baseline."
        )


def _accepts(steps: Sequence[Step]) -> bool:
    return any("accept" in step.command for step in steps)


def _block(lines: Sequence[str], language: str = "") -> str:
    fence = "```"
    while any(fence in line for line in lines):
        fence += "`"
    return "\n".join([f"{fence}{language}", *lines, fence])


_NAME_CELLS = 80
_TITLE_CELLS = 160
_REASON_CELLS = 300
_SAMPLE_CELLS = 40
_MOST_REASONS = 5
_MOST_ROWS = 30
_LOUD = {Outcome.WORSE, Outcome.BROKEN, Outcome.MISSING}


@dataclass(frozen=True, slots=True)
class _Told:
    """A case as rows of a table, and what is said of it below."""

    rows: tuple[str, ...]
    reasons: str

    @property
    def size(self) -> int:
        return sum(len(line.encode()) + 1 for line in (*self.rows, self.reasons))


def changed_tables(
    judgement: Judgement, fronts: Sequence[FrontBlock], ref: str | None, room: int
) -> str:
    """Write the changed cases in at most ``room`` bytes: the gravest of all, in front order."""
    shown = [(at, c) for at, front in enumerate(fronts) for c in front.cases if _has_rows(c)]
    levels = {row.level for _, case in shown for row in visible_rows(case, 0) if row.level}
    head = _head(levels, ref)
    titles = [f"**{code(front.title, width=_TITLE_CELLS)}**\n\n{head}\n" for front in fronts]
    ranks = {clean(c.case_id): r for r, c in enumerate(sorted(judgement.cases, key=severity))}
    room -= len(_left_out(len(shown)).encode()) + 2
    taken: dict[int, dict[int, _Told]] = {}
    for index in sorted(range(len(shown)), key=lambda i: ranks[shown[i][1].case_id]):
        at, case = shown[index]
        told = _told(case)
        # Two empty lines for the table, and two for its reasons.
        size = told.size + (0 if at in taken else len(titles[at].encode()) + 4)
        if size > room:
            break
        room -= size
        taken.setdefault(at, {})[index] = told
    tables = [_table(titles[at], [taken[at][i] for i in sorted(taken[at])]) for at in sorted(taken)]
    count = len(shown) - sum(map(len, taken.values()))
    return "\n\n".join([*tables, *([_left_out(count)] if count else [])])


def _has_rows(case: CaseBlock) -> bool:
    return case.changed and not case.common and not case.uncompared


def _head(levels: set[str], ref: str | None) -> str:
    change = f"change ({levels.copy().pop()})" if len(levels) == 1 else "change"
    names = ("case", "metric", before_now(ref), "now", change, "limit", "outcome")
    return f"| {' | '.join(names)} |\n|:--|:--|--:|--:|--:|--:|:--|"


def _table(title: str, cases: Sequence[_Told]) -> str:
    rows = "\n".join(row for case in cases for row in case.rows)
    reasons = "\n".join(case.reasons for case in cases if case.reasons)
    return f"{title}{rows}" + (f"\n\n{reasons}" if reasons else "")


def _told(case: CaseBlock) -> _Told:
    name = code(case.name, cell=True, width=_NAME_CELLS)
    label = f"**{prose(case.label, cell=True)}**" if case.failing else prose(case.label, cell=True)
    rows = visible_rows(case, 0)[:_MOST_ROWS]
    cells = [_cells(row) for row in rows] or [("",) * 6]
    lines = [
        f"| {' | '.join([f'{name} {label}' if first else '', *each])} |"
        for each, first in zip(cells, [True, *[False] * len(cells)], strict=False)
    ]
    texts = [*map(creep_text, crept_rows(case)), *case.fails, *case.notices]
    told = [prose(clip(text, _REASON_CELLS)) for text in texts]
    worst = (codes(row.worst, width=_SAMPLE_CELLS) for row in rows if row.worst)
    told += [f"worst samples: {names}" for names in worst]
    more = [f"and {len(told) - _MOST_REASONS} more"] if len(told) > _MOST_REASONS else []
    reasons = (
        f"- {code(case.name, width=_NAME_CELLS)}: {'; '.join([*told[:_MOST_REASONS], *more])}"
        if told
        else ""
    )
    return _Told(tuple(lines), reasons)


def _cells(row: Row) -> tuple[str, ...]:
    word = prose(row.word, cell=True)
    levels = (f"{level} {row.unit}" if level else "" for level in (row.baseline, row.candidate))
    texts = (*levels, f"{row.change} {row.interval}", row.limit)
    return (
        code(row.metric, cell=True, width=_NAME_CELLS),
        *(prose(clip(text.strip(), _NAME_CELLS), cell=True) for text in texts),
        f"**{word}**" if row.gates and row.outcome in _LOUD else word,
    )


def _left_out(count: int) -> str:
    return (
        f"{plural(count, 'changed case')} less grave than these left out: there is room for 60 kB. "
        "The other reports have all."
    )


_BACKTICKS = re.compile(r"`+")
_PLAIN = re.compile(r"[\w.,;'’\"“”/()+=%×±−→…·°-]+")
_LEAD, _TAIL = "(\"'“", ".,;:!?)\"'”…"
_CONFUSED = re.compile(
    r"""
    _ | (?i:www\.)           # emphasis, links without a scheme
    | ^-- | ^[%=]\S | ^[+-]\D  # typography, milestones, lists
    | ^[0-9a-fA-F]{7,40}$    # commits
    | ^(?i:gh)-\d            # issues
    """,
    re.VERBOSE,
)
_NUMBERED = re.compile(r"(\d+)([.)])")
_NUMBER = re.compile(r"\[?[+−×]?[\d.]+\]?[,)]*")
_ZERO_WIDTH = "&#8203;"


def code(text: str, *, cell: bool = False, width: int | None = None) -> str:
    """Write a name as a code span, "" where it is empty; a ``cell`` is one of a table.

    More than ``width`` cells are shortened in their middle.
    """
    text = clean(text)
    if width is not None:
        text = shorten(text, width)
    if not text:
        return ""
    if not cell:
        return _span(text)
    # A backslash before a pipe would escape either of them, and readers differ in which: they
    # are parted into two spans.
    parts = re.split(r"(?<=\\)(?=\|)", text)
    return _ZERO_WIDTH.join(_span(part).replace("|", "\\|") for part in parts)


def _span(text: str) -> str:
    longest = max((len(run) for run in _BACKTICKS.findall(text)), default=0)
    fence = "`" * (longest + 1)
    # One space at both ends is taken away again, unless there is nothing else.
    pad = " " if text.strip() and (text[0] in "` " or text[-1] in "` ") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def codes(names: Sequence[str], *, width: int) -> str:
    """Write names side by side, each a code span: what is within one parts no names."""
    return ", ".join(code(name, width=width) for name in names)


def prose(text: str, *, cell: bool = False) -> str:
    """Write a text in one line; what is not a plain word in it becomes a code span."""
    words = clean(text).split()
    if words and _NUMBERED.fullmatch(words[0]):
        words[0] = _NUMBERED.sub(r"\1\\\2", words[0])  # no item of a list
        return " ".join([words[0], *_words(words[1:], cell=cell)])
    return " ".join(_words(words, cell=cell))


def _words(words: list[str], *, cell: bool) -> Iterator[str]:
    for word in words:
        core = word.lstrip(_LEAD)
        lead, core = word[: len(word) - len(core)], core.rstrip(_TAIL)
        tail = word[len(lead) + len(core) :]
        if word in "·%&" or _NUMBER.fullmatch(word):
            yield word
        elif len(word) == 1:
            yield f"\\{word}" if word.isascii() and not word.isalnum() else word
        elif not core or (_PLAIN.fullmatch(core) and not _CONFUSED.search(core)):
            yield word
        else:
            yield f"{lead}{code(core, cell=cell)}{tail}"
